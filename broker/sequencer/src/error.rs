//! What can go wrong, by what the caller can do about it: register again, read again, retry, fix the input, give up.

use cadastre_keys::KeyError;
use cadastre_protocol::types::{TopicId, TopicPartition};

use crate::ids::{BrokerEpoch, ObjectId};

/// Why the sequencer did not do as asked. Unless said otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SequencerError {
    /// The registration was ended by another broker; register again, and answer nothing of before.
    #[error("broker epoch {epoch} is fenced")]
    Fenced {
        /// The registration.
        epoch: BrokerEpoch,
    },
    /// A lease is held by somebody else, or was lost.
    #[error("lease `{name}` is held by another broker")]
    LeaseLost {
        /// The lease.
        name: String,
    },
    /// What the request was planned on has changed; read again.
    #[error("{what} changed meanwhile")]
    Conflict {
        /// What changed.
        what: String,
    },
    /// Brokers came or went since the request was planned; ask again who coordinates.
    #[error("the brokers changed since registry version {expected}")]
    RegistryChanged {
        /// The version that the request was planned on.
        expected: i64,
    },
    /// The database cannot be asked at the moment.
    #[error("the sequencer is unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The connection was lost while committing and the outcome could not be learnt in time: the batches may or
    /// may not be in the log. The object must stay until the orphan sweep has decided.
    #[error("it is not known whether object `{object}` was committed: {reason}")]
    Ambiguous {
        /// The object.
        object: ObjectId,
        /// What happened.
        reason: String,
    },
    /// The object was abandoned as an orphan before it was committed; put its batches into another one.
    #[error("object `{object}` was abandoned and cannot be committed")]
    Abandoned {
        /// The object.
        object: ObjectId,
    },
    /// The topic has no partitions.
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
    /// The offset is not between log start and end.
    #[error("offset {offset} of `{partition}` is outside {log_start_offset} to {next_offset}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// First offset that can be read.
        log_start_offset: i64,
        /// Offset after the last.
        next_offset: i64,
    },
    /// A request contradicts itself.
    #[error("{0}")]
    Invalid(&'static str),
    /// A row does not authenticate, or rows are missing: somebody edited the database.
    #[error("the database was altered: {what}")]
    Tampered {
        /// What was found, without user data.
        what: String,
    },
    /// The database was written by a newer release.
    #[error("the database has schema version {found}, this release knows up to {known}")]
    NewerSchema {
        /// Its version.
        found: i32,
        /// The newest version that is understood here.
        known: i32,
    },
    /// The database belongs to another cluster.
    #[error("the database belongs to cluster `{found}`, expected `{expected}`")]
    ForeignCluster {
        /// The cluster it names.
        found: String,
        /// The cluster of the configuration.
        expected: String,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The metadata key cannot be had.
    #[error("cannot get the metadata key")]
    Key(#[from] KeyError),
    /// The sequencer was closed.
    #[error("the sequencer is closed")]
    Closed,
}

impl SequencerError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Conflict { .. } | Self::RegistryChanged { .. } => true,
            Self::Key(source) => source.is_retriable(),
            _ => false,
        }
    }
}
