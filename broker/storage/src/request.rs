//! What callers ask of the committer.

use cadastre_objects::ObjectId;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::error::{AppendError, StorageError};
use crate::metadata_kind::MetadataChange;
use crate::packed::PackedObject;

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the batch's first record.
    pub base_offset: i64,
    /// When the log took the batch, milliseconds since the epoch.
    pub log_append_time_ms: i64,
    /// First offset of the partition that can be read.
    pub log_start_offset: i64,
    /// Whether the batch had been appended before and this only repeats where.
    pub duplicate: bool,
}

/// One request. Replies are sent when everything they say is durable.
#[derive(Debug)]
pub(crate) enum Request {
    Append {
        partition: TopicPartition,
        batch: RecordBatch,
        /// The number of the transaction to which the batch belongs.
        transaction: Option<i32>,
        /// Held until the reply: back-pressure counts what waits.
        permit: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Appended, AppendError>>,
    },
    Commit {
        changes: Vec<MetadataChange>,
        permit: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<(), StorageError>>,
    },
    Change {
        change: StateChange,
        reply: oneshot::Sender<Result<i64, StorageError>>,
    },
    Close {
        reply: oneshot::Sender<Result<(), StorageError>>,
    },
}

impl Request {
    /// What the request adds to the size of a group, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Append { batch, .. } => batch.size(),
            Self::Commit { changes, .. } => weight(changes),
            Self::Change { .. } | Self::Close { .. } => 0,
        }
    }
}

/// Size of a list of metadata changes as back-pressure counts it, in bytes.
pub(crate) fn weight(changes: &[MetadataChange]) -> usize {
    const OVERHEAD: usize = 16;
    changes.iter().fold(0, |sum, change| {
        let value = change.value.as_ref().map_or(0, Vec::len);
        sum.saturating_add(change.key.len()).saturating_add(value).saturating_add(OVERHEAD)
    })
}

/// A change whose commands depend on the state at its turn. The reply's number is explained at each.
#[derive(Debug)]
pub(crate) enum StateChange {
    /// Replies the number of partitions.
    CreatePartitions { topic: TopicId, count: i32 },
    /// Replies the number of partitions deleted.
    DeleteTopic { topic: TopicId },
    /// Replies the log start.
    DeleteRecords { partition: TopicPartition, before: i64 },
    /// Replies the log start.
    EnforceRetention { partition: TopicPartition, retention_ms: i64, retention_bytes: i64, now_ms: i64 },
    /// Replies the first reserved producer id.
    ReserveProducerIds { count: i64 },
    /// Replies the number of producers forgotten.
    ExpireProducers { idle_since_ms: i64 },
    /// Copies live records out of nearly dead segments; replies the number of segments deleted.
    Reclaim,
    /// Refers to a durable object from now on; replies how many of its shares are used.
    AddObject { object: PackedObject },
    /// Refers to a durable object of one share in the place of those that were read, each by base offset and object; replies
    /// 1, or 0 when they are others by now.
    ReplaceShares { object: PackedObject, sources: Vec<(i64, ObjectId)> },
}
