//! What an operator's tools ask: metrics in the text format of OpenMetrics, and whether the broker lives and is ready.
//!
//! Requests add to atomic counters, whose labels are known beforehand; everything else is read when somebody asks. No metric names a
//! topic, a group, a principal, a client or a key. `docs/monitoring.md` lists them.

pub(crate) mod counters;
mod exposition;
pub(crate) mod health;
pub(crate) mod histogram;
pub(crate) mod listener;
pub(crate) mod watched_keys;
