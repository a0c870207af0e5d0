//! Exercises against a live deployment with real clients, whose measurements become evidence.
//!
//! The clients are librdkafka's: software that many producers and consumers run, and that nobody here
//! wrote. A drill tries things, measures them and says plainly which came out as promised.

pub mod clients;
pub mod connection;
pub mod denials;
pub mod outcome;

pub use connection::{Connection, Secret};
pub use outcome::{Check, DrillError, DrillRecord};
