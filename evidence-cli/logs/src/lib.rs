//! Logs that others keep: flow logs as one table, and CloudTrail's digest chain verified offline.
//!
//! [`trail::verify_trail`] says whether the files that CloudTrail left in a bucket are all there and unchanged.
//! [`events`] reads what those files tell: who did what, and whether each use of a key is explained.
//! [`evidence::observe`] makes observations of both, that can be sealed and judged.
//! [`flows::flow_table`] reads VPC, VNet and NSG flow logs of any version into one aggregated table. All read
//! directories that somebody else filled, so that nothing in them is trusted: sizes are bounded, damage is
//! reported by file and line, and what could not be read is said.

pub mod error;
pub mod events;
pub mod evidence;
mod files;
pub mod flows;
mod inflate;
pub mod query;
pub mod tabular;
pub mod trail;

pub use error::LogsError;
