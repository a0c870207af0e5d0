//! What can go wrong, by what the caller can do about it: retry, fix the input, or give up.

use std::io;
use std::path::PathBuf;

use cadastre_keys::KeyError;
use cadastre_objects::ObjectError;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::AppendRefusal;

/// Why the log could not be opened, or a change of its state was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A file operation failed.
    #[error("cannot {action} `{path}`", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process has the log open.
    #[error("log directory `{directory}` is in use by another process", directory = directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(&'static str),
    /// A segment was written by a newer release.
    #[error("segment {segment} has format version {version}, this release reads up to {newest_known}")]
    NewerFormat {
        /// The segment's id.
        segment: u64,
        /// Its version.
        version: u32,
        /// The newest version that is understood here.
        newest_known: u32,
    },
    /// The log belongs to another cluster.
    #[error("segment {segment} belongs to cluster `{found}`, expected `{expected}`")]
    ForeignCluster {
        /// The segment's id.
        segment: u64,
        /// The cluster it names.
        found: String,
        /// The cluster of the configuration.
        expected: String,
    },
    /// The data key of a segment cannot be had.
    #[error("cannot get the data key of segment {segment}, wrapped by key `{key_id}`")]
    Key {
        /// The segment's id.
        segment: u64,
        /// The key that wrapped the data key.
        key_id: String,
        /// The provider's reason.
        source: KeyError,
    },
    /// Metadata, ACLs perhaps, was in a damaged frame that no later snapshot replaces.
    #[error("metadata in segment {segment} is damaged: changes of topics, ACLs or credentials are lost")]
    MetadataDamaged {
        /// The segment's id.
        segment: u64,
    },
    /// A frame or header cannot be written because something in it is too long.
    #[error("{what} of {bytes} bytes is larger than the allowed {maximum}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The largest size that is allowed.
        maximum: usize,
    },
    /// The topic has no partitions here.
    #[error("topic `{topic}` does not exist")]
    UnknownTopic {
        /// The topic.
        topic: TopicId,
    },
    /// The partition does not exist.
    #[error("partition `{partition}` does not exist")]
    UnknownPartition {
        /// The partition.
        partition: TopicPartition,
    },
    /// A topic cannot have this many partitions, or has more already.
    #[error("topic `{topic}` cannot have {count} partitions")]
    PartitionCount {
        /// The topic.
        topic: TopicId,
        /// The count asked for.
        count: i32,
    },
    /// The offset is not between log start and high watermark.
    #[error("offset {offset} of `{partition}` is outside {log_start_offset} to {high_watermark}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// First offset that can be read.
        log_start_offset: i64,
        /// Offset after the last that can be read.
        high_watermark: i64,
    },
    /// Records could not be moved into an object; they stay in the log.
    #[error("records cannot be moved out of the log")]
    Object {
        /// The reason.
        source: Box<ObjectError>,
    },
    /// Nothing can be written at the moment; nothing was acknowledged that is not durable.
    #[error("the log cannot be written: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// Another broker of the cluster changed the same metadata meanwhile; read again, then decide again.
    #[error("{what} was changed by another broker meanwhile")]
    Conflict {
        /// What changed.
        what: String,
    },
    /// Brokers came or went since the change was decided; somebody else may coordinate now.
    #[error("the brokers of the cluster changed meanwhile")]
    RegistryChanged,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl StorageError {
    /// Whether a file operation failed for want of space, which may come back.
    #[must_use]
    pub(crate) fn is_no_space(&self) -> bool {
        const NO_SPACE: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::File { source, .. } if NO_SPACE.contains(&source.kind()))
    }

    /// Whether the same call may succeed later, here or after a restart.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Closed | Self::Conflict { .. } | Self::RegistryChanged => true,
            Self::Key { source, .. } => source.is_retriable(),
            Self::Object { source } => source.is_retriable(),
            _ => false,
        }
    }
}

/// Why a batch was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Kafka's `UNKNOWN_TOPIC_OR_PARTITION`.
    #[error("partition `{partition}` does not exist")]
    UnknownPartition {
        /// The partition.
        partition: TopicPartition,
    },
    /// Kafka's `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error("producer {producer_id} sent sequence {found} to `{partition}`, expected {expected}")]
    OutOfOrderSequence {
        /// The partition.
        partition: TopicPartition,
        /// The producer.
        producer_id: i64,
        /// Its first sequence number in the batch.
        found: i32,
        /// The number that would continue.
        expected: i32,
    },
    /// Kafka's `INVALID_PRODUCER_EPOCH`: a newer instance of the producer wrote already.
    #[error("producer {producer_id} has epoch {found}, `{partition}` knows epoch {known}")]
    InvalidProducerEpoch {
        /// The partition.
        partition: TopicPartition,
        /// The producer.
        producer_id: i64,
        /// Its epoch in the batch.
        found: i16,
        /// The epoch that wrote last.
        known: i16,
    },
    /// Kafka's `INVALID_TXN_STATE`: the batch belongs to a transaction that was ended in the partition.
    #[error("the transaction of producer {producer_id} has ended in `{partition}`")]
    TransactionEnded {
        /// Where.
        partition: TopicPartition,
        /// Whose.
        producer_id: i64,
    },
    /// Kafka's `RECORD_LIST_TOO_LARGE`.
    #[error("record batch of {bytes} bytes is larger than the allowed {maximum}")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// The largest size that is allowed.
        maximum: usize,
    },
    /// Kafka's `KAFKA_STORAGE_ERROR`, retriable: disk or key service failed, nothing was acknowledged.
    #[error("the log cannot be written: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The log was closed; retriable elsewhere or after a restart.
    #[error("the log is closed")]
    Closed,
}

impl AppendError {
    /// What is wrong with a batch, as the rules for producers have it, which both modes share.
    pub(crate) const fn refused(partition: TopicPartition, producer_id: i64, refusal: AppendRefusal) -> Self {
        match refusal {
            AppendRefusal::UnknownPartition => Self::UnknownPartition { partition },
            AppendRefusal::OutOfOrderSequence { found, expected } => {
                Self::OutOfOrderSequence { partition, producer_id, found, expected }
            }
            AppendRefusal::InvalidProducerEpoch { found, known } => {
                Self::InvalidProducerEpoch { partition, producer_id, found, known }
            }
            AppendRefusal::TransactionEnded => Self::TransactionEnded { partition, producer_id },
        }
    }

    /// Whether the same call may succeed later, here or after a restart.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Closed)
    }
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Kafka's `UNKNOWN_TOPIC_OR_PARTITION`.
    #[error("partition `{partition}` does not exist")]
    UnknownPartition {
        /// The partition.
        partition: TopicPartition,
    },
    /// Kafka's `OFFSET_OUT_OF_RANGE`.
    #[error("offset {offset} of `{partition}` is outside {log_start_offset} to {high_watermark}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// First offset that can be read.
        log_start_offset: i64,
        /// Offset after the last that can be read.
        high_watermark: i64,
    },
    /// Kafka's `CORRUPT_MESSAGE`: records were here and are lost to damage. Never skipped silently.
    #[error("records {from} to {to} of `{partition}` are damaged")]
    Damaged {
        /// The partition.
        partition: TopicPartition,
        /// First offset that is lost.
        from: i64,
        /// Offset from which reading can go on.
        to: i64,
    },
    /// Kafka's `KAFKA_STORAGE_ERROR`: the file could not be read.
    #[error("cannot read segment {segment}")]
    File {
        /// The segment's id.
        segment: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// Kafka's `KAFKA_STORAGE_ERROR`: the object that holds the records could not be read.
    #[error("cannot read records of `{partition}` from offset {offset} on")]
    Object {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// The reason.
        source: Box<ObjectError>,
    },
    /// Kafka's `KAFKA_STORAGE_ERROR`, retriable: the store, the database or the key service cannot be asked.
    #[error("records cannot be read at the moment: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The reading task was cancelled, as the runtime is shutting down.
    #[error("reading was cancelled")]
    Cancelled,
}
