//! Logs that others keep: flow logs as one table, and CloudTrail's digest chain verified offline.
//!
//! [`trail::verify_trail`] says whether the files that CloudTrail left in a bucket are all there and unchanged.
//! It reads a directory that somebody else filled, so
//! that nothing in it is trusted: sizes are bounded, and what could not be read is said.

pub mod error;
mod files;
mod inflate;
mod tabular;
pub mod trail;

pub use error::LogsError;
