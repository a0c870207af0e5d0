//! Collectors: the only room that calls clouds and clusters.
//!
//! A collector makes read operations only, and everything it asks becomes a record, whatever the answer:
//! a refused or failed call is evidence of not knowing.

pub mod aws;
pub mod azure;
mod error;
pub mod kafka;

pub use error::CollectError;
