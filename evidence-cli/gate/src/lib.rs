//! What moved across the boundary, what is red because of it, since when, and how a pipeline is told.
//!
//! `drift` compares two scans, `plan` a scan with itself after apply. Both end here: a list of entries with stable ids,
//! held against a state file, so that an entry is new once, continues until it is gone, and is reported gone once.

mod group;
mod markdown;
mod report;
mod sarif;
mod state;
mod table;

pub use markdown::markdown;
pub use report::{
    DRIFT_SCHEMA, GateReport, Header, Judged, Moved, Open, PLAN_SCHEMA, Standing, State, Summary,
};
pub use sarif::sarif;
pub use state::{STATE_SCHEMA, StateError, StateFile, Suppression};
pub use table::{Row, Tone, table};
