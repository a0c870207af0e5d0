//! Logs as tables that are asked in SQL: `flows`, `events` and `activity`.
//!
//! The engine is DataFusion, and stays behind this room. Its tables are our own readers, so that what the flow table and
//! the other verbs refuse is refused here, and told by file and line. Memory is bounded: a reader waits for whoever takes its
//! rows, and what sorting and grouping cannot hold goes to temporary files. An answer has one order, whatever the
//! query leaves open, so that the same files and the same query give the same bytes on any number of processors.
//!
//! The engine is large, and built by itself: this folder is a workspace of its own, so that the features that the engine
//! wants of common crates are not those of every other room, and a change elsewhere never builds it again.
//! Past one machine, the same queries go to a cluster of Ballista, by the crate `cadastre-query-cluster` beside this one.
//!
//! `cadastre logs query` starts the program and hands it a [`cadastre_logs::query::QueryRequest`].

mod columns;
mod engine;
mod error;
mod order;
pub mod program;
mod reading;
mod render;
mod rows;
mod run;
mod scan;
mod source;
mod table;
mod tally;

pub use engine::{Query, state};
pub use error::QueryError;
pub use render::Renderer;
pub use run::{Read, answer, write_answer};
pub use scan::LogScan;
pub use source::LogSource;
pub use table::{LogTable, TallyTable};
pub use tally::TableRead;
