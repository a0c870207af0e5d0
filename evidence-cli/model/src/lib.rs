//! Evidence records, typed assets, the boundary graph, the declaration and verdicts.
//!
//! Every other room of the evidence half speaks in these types. Nothing here calls a network; the only
//! I/O is reading and writing an evidence directory ([`evidence`]).

pub mod access;
pub mod asset;
pub mod azure_answer;
pub mod checklist;
pub mod control;
pub mod cost;
pub mod coverage;
pub mod declaration;
pub mod drill_target;
pub mod evidence;
pub mod framework;
pub mod graph;
pub mod inventory;
pub mod known;
pub mod merkle;
pub mod profile;
pub mod progress;
pub mod reach;
pub mod record;
pub mod refusal;
pub mod shared;
pub mod time;
pub mod usage;
pub mod yaml;

pub use known::Known;
pub use record::{Observation, Outcome, Record, RecordId, RecordSink, Scope};
pub use time::{Clock, SystemClock, Timestamp};
