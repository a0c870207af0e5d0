//! Exercises against a live deployment with real clients, whose measurements become evidence.
//!
//! The clients are librdkafka's: software that many producers and consumers run, and that nobody here wrote. A drill tries
//! things, measures them and says plainly which came out as promised. [`Target::declared`] refuses what may not be exercised;
//! [`Exercise::plans`] tells what will be done before anything is touched; [`Exercise::run`] does it, cleans up however it ends,
//! and hands over one [`DrillRecord`] a drill. One file a drill.

mod actions;
mod audit_trail;
mod bench;
mod broker_replacement;
mod certificate_rotation;
mod clients;
pub mod connection;
mod deletion;
mod denials;
mod error;
mod exercise;
mod export;
pub mod hooks;
mod key_revocation;
mod key_rotation;
mod ledger;
mod load;
pub mod local_broker;
mod name;
pub mod outcome;
mod plan;
mod scale_out;
mod store_outage;
pub mod target;
mod tls;
pub mod tools;
mod topics;
mod undo;
mod upgrade_rollback;

pub use connection::{Connection, Login, Secret};
pub use error::DrillError;
pub use exercise::Exercise;
pub use hooks::Hooks;
pub use name::{DrillName, UnknownDrillError};
pub use outcome::{Check, DrillOutcome, DrillRecord, Ending};
pub use plan::Plan;
pub use target::{RefusedError, Target};
pub use topics::{Topic, create_topics};
