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
pub use report::{ChainSpan, Problem, ProblemKind, TrailOutcome, TrailVerification, Unchecked};
pub use verify::{TrailWindow, trail_end, verify_trail};

/// The account and region that a file of a trail is about; absent where its path does not say.
pub(crate) fn field_of(path: &str) -> Option<(String, String)> {
    match place::classify(path) {
        place::Place::Digest { chain, .. } => Some((chain.account, chain.region)),
        place::Place::Log(log) if !log.account.is_empty() => Some((log.account, log.region)),
        place::Place::Log(_) | place::Place::NoDigest | place::Place::Other => None,
    }
}

/// Whether a path is a digest's, a log file's or a digest's metadata's, and so no flow log's.
pub(crate) fn is_trail_file(path: &str) -> bool {
    path.ends_with(place::METADATA_SUFFIX) || !matches!(place::classify(path), place::Place::Other)
}

/// Whether a path is a digest's or its metadata's, and so holds no events.
pub(crate) fn is_digest_file(path: &str) -> bool {
    path.ends_with(place::METADATA_SUFFIX)
        || matches!(place::classify(path), place::Place::Digest { .. } | place::Place::NoDigest)
}
