//! The write-ahead log: durable, encrypted, recovered after a crash.
//!
//! In embedded mode one log holds the records of every partition and the broker's metadata. [`Storage`] is the handle; a single
//! committer thread behind it writes, syncs once for everybody who waits, and only then answers. The format and
//! the reasons for it stand in `docs/rfcs/0001-write-ahead-log.md`.
//!
//! In cluster mode ([`Storage::open_cluster`]) nothing is kept here: batches go into objects of a shared store, and a
//! sequencer gives them their offsets (`docs/rfcs/0003-objects.md`, `docs/rfcs/0004-sequencer.md`).
//!
//! What holds at any moment:
//! - readers see durable records only;
//! - an acknowledged record is read back byte by byte after a crash, or its loss is named;
//! - no nonce repeats under a key, since no segment is written by two processes or after a failed write;
//! - nothing on disk but lengths, counters and the header (cluster id, wrapped key) is plaintext.

mod cache;
mod change;
mod clock;
mod cluster;
mod command;
mod committer;
mod config;
mod counts;
mod descriptor;
mod embedded;
mod error;
mod execution;
mod file_system;
mod frame;
mod log_keys;
mod metadata;
mod metadata_kind;
mod open;
mod pack;
mod packed;
mod partition;
mod reader;
mod reclaim;
mod recovery;
mod report;
mod request;
mod rewriting;
mod scope_keys;
mod segment;
mod segment_header;
mod segment_keys;
mod shared;
mod shares;
mod snapshot;
mod state;
mod storage;
mod sweep;
mod topic_places;

pub use cadastre_objects::SweepSettings;
pub use cadastre_objects::compaction::CleaningRules;
pub use cadastre_sequencer::{LiveBroker, ProducerSummary, Registry};
pub use clock::Clock;
pub use cluster::ClusterConfig;
pub use config::{ObjectConfig, StorageConfig};
pub use error::{AppendError, ReadError, StorageError};
pub use execution::Execution;
pub use file_system::{DirectoryLock, FileSystem, LocalFileSystem, LogFile};
pub use log_keys::LogKeys;
pub use metadata::{Metadata, Sight};
pub use metadata_kind::{MetadataChange, MetadataKind};
pub use pack::PackReport;
pub use report::{DamagedRange, HeldRecords, MissingRecords, RecoveryReport};
pub use request::Appended;
pub use rewriting::{RewriteReport, RewriteSettings};
pub use scope_keys::ScopeKeyTable;
pub use segment_keys::SegmentKeyStore;
pub use storage::{Fetched, SegmentSummary, Storage, TimestampedOffset, Watermarks};
pub use sweep::{OrphanSweep, SweepOutcome};
pub use topic_places::TopicPlaces;
