//! What the owner of a log may choose.

use std::path::PathBuf;
use std::sync::Arc;

use cadastre_objects::{ObjectKeys, ReaderSettings, Store};

use crate::Clock;
use crate::execution::Execution;
use crate::file_system::{FileSystem, LocalFileSystem};

/// Settings of one log. All sizes in bytes.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Where the log lies; made when absent.
    pub directory: PathBuf,
    /// The cluster that the log belongs to; a log of another cluster is refused.
    pub cluster_id: String,
    /// Whether an acknowledgement waits for `fdatasync`. Without it, a crash of the machine (not of the
    /// process) loses acknowledged records.
    pub fsync: bool,
    /// A segment is ended when it has reached this size.
    pub segment_bytes: u64,
    /// Appends that wait for durability may hold this much memory; further ones wait for their turn.
    pub maximum_unflushed_bytes: usize,
    /// The largest record batch, and the largest list of metadata changes.
    pub maximum_frame_bytes: usize,
    /// Memory for batches written lately, from which consumers at the end of the log are served.
    pub cache_bytes: usize,
    /// Opens a log although metadata in it is damaged. ACLs may be missing then: an operator's decision.
    pub accept_damaged_metadata: bool,
    /// The clock for append times.
    pub clock: Clock,
    /// The files below; tests put faults here.
    pub file_system: Arc<dyn FileSystem>,
    /// Threads, or tasks for simulation.
    pub execution: Execution,
    /// Where records go when they leave the log; without it they stay in segments.
    pub objects: Option<ObjectConfig>,
}

/// Objects beside the log.
#[derive(Debug, Clone)]
pub struct ObjectConfig {
    /// The directory or bucket. What it acknowledges must be durable.
    pub store: Store,
    /// Objects are closed at about this size.
    pub object_bytes: u64,
    /// Caches and requests of reading.
    pub reader: ReaderSettings,
    /// Where objects get their keys from; straight from the log's provider when unset.
    pub keys: Option<ObjectKeys>,
}

impl ObjectConfig {
    /// Objects of up to 32 MiB in `store`, read with default settings.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, object_bytes: 32 << 20, reader: ReaderSettings::default(), keys: None }
    }
}

impl StorageConfig {
    /// Durable defaults: 128 MiB segments, 64 MiB waiting, 64 MiB cached, frames up to 64 MiB.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, cluster_id: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            cluster_id: cluster_id.into(),
            fsync: true,
            segment_bytes: 128 << 20,
            maximum_unflushed_bytes: 64 << 20,
            maximum_frame_bytes: 64 << 20,
            cache_bytes: 64 << 20,
            accept_damaged_metadata: false,
            clock: Clock::system(),
            file_system: Arc::new(LocalFileSystem),
            execution: Execution::Threads,
            objects: None,
        }
    }
}
