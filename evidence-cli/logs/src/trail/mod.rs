//! CloudTrail's digest chain, verified from files alone.
//!
//! CloudTrail signs an hourly digest of the log files that it delivered and names, in each digest, the one before it.
//! Sources: AWS CloudTrail user guide, "CloudTrail digest file structure", "Custom implementations of CloudTrail log
//! file integrity validation" and "Validating CloudTrail log file integrity with the AWS CLI".

mod chain;
mod coverage;
mod digest;
mod place;
mod public_keys;
mod report;
mod sidecar;
mod verify;

pub use public_keys::{PublicKey, PublicKeys};
pub use report::{Problem, ProblemKind, TrailOutcome, TrailVerification, Unchecked};
pub use verify::{TrailWindow, verify_trail};
