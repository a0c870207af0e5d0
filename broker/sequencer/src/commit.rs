//! What a broker asks to be committed, and what became of it.

use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::transaction_marker::TransactionMarker;
use cadastre_protocol::types::TopicPartition;
use serde::{Deserialize, Serialize};

use crate::ids::{BrokerEpoch, ObjectId};

/// One object to be committed. Its bytes must be durable already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRequest {
    /// The object; its epoch is the registration under which it is committed.
    pub object: ObjectId,
    /// Size of the object, in bytes.
    pub object_bytes: u64,
    /// When the broker took the batches, milliseconds since the epoch.
    pub appended_at_ms: i64,
    /// Its parts, in the order in which their batches are to be appended.
    pub appends: Vec<PartitionAppend>,
}

/// The batches of one partition in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionAppend {
    /// The partition.
    pub partition: TopicPartition,
    /// Index of the block that holds the first batch; the others follow it, a block each.
    pub first_block: u32,
    /// Its batches, in order.
    pub batches: Vec<BatchFacts>,
}

/// What the sequencer needs to know of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFacts {
    /// How many offsets the batch takes: its last offset delta and one; at least 1.
    pub offsets: u32,
    /// Size of the batch, in bytes.
    pub bytes: u32,
    /// Its largest timestamp, milliseconds since the epoch.
    pub maximum_timestamp: i64,
    /// The stamp of an idempotent producer.
    pub producer: Option<ProducerStamp>,
}

/// Who wrote a batch, and as which of its batches (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Sequence number of the last record.
    pub last_sequence: i32,
    /// What the batch is to a transaction.
    pub role: TransactionRole,
}

/// What a batch is to a transaction. A producer's transactions are numbered; the numbers rise, and wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionRole {
    /// Nothing, or the transaction was not looked at.
    #[default]
    None,
    /// It belongs to the transaction with this number, which was found to go on.
    Within(i32),
    /// It is the marker that ends the transaction with this number; it takes no sequence number.
    Ends(i32),
}

impl ProducerStamp {
    /// The stamp of a marker that ends the transaction with this number.
    #[must_use]
    pub const fn marker(id: i64, epoch: i16, number: i32) -> Self {
        Self { id, epoch, base_sequence: -1, last_sequence: -1, role: TransactionRole::Ends(number) }
    }
}

impl BatchFacts {
    /// The facts of a checked batch.
    #[must_use]
    pub fn of(batch: &RecordBatch) -> Self {
        Self {
            offsets: batch.last_offset_delta().unsigned_abs().saturating_add(1),
            bytes: u32::try_from(batch.size()).unwrap_or(u32::MAX),
            maximum_timestamp: batch.max_timestamp(),
            producer: stamp_of(batch),
        }
    }

    /// The facts of a checked batch that belongs to the transaction with this number, where it is known.
    #[must_use]
    pub fn within(batch: &RecordBatch, transaction: Option<i32>) -> Self {
        let mut facts = Self::of(batch);
        if let (Some(stamp), Some(number)) = (&mut facts.producer, transaction) {
            stamp.role = TransactionRole::Within(number);
        }
        facts
    }
}

fn stamp_of(batch: &RecordBatch) -> Option<ProducerStamp> {
    if let Some(marker) = TransactionMarker::of(batch) {
        return Some(ProducerStamp::marker(
            marker.producer_id,
            marker.producer_epoch,
            marker.coordinator_epoch,
        ));
    }
    let is_stamped = batch.producer_id() >= 0 && batch.base_sequence() >= 0;
    is_stamped.then(|| ProducerStamp {
        id: batch.producer_id(),
        epoch: batch.producer_epoch(),
        base_sequence: batch.base_sequence(),
        last_sequence: batch.last_sequence(),
        role: TransactionRole::None,
    })
}

/// What became of an object: for each part of the request, in order, one outcome for each batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitOutcome {
    /// Parts, then batches.
    pub appends: Vec<Vec<BatchOutcome>>,
}

impl CommitOutcome {
    /// Whether any batch of the object was appended. If not, nothing refers to the object, and it may be deleted.
    #[must_use]
    pub fn is_referenced(&self) -> bool {
        self.appends.iter().flatten().any(|outcome| matches!(outcome, BatchOutcome::Appended(_)))
    }
}

/// What became of one batch. The shape is part of the schema version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchOutcome {
    /// It is in the log.
    Appended(Placement),
    /// It was in the log already; this is where.
    Duplicate(Placement),
    /// It was refused.
    Refused(AppendRefusal),
}

/// Where a batch is in its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Offset of its first record.
    pub base_offset: i64,
    /// First offset of the partition that can be read.
    pub log_start_offset: i64,
    /// When a broker took the batch, milliseconds since the epoch.
    pub appended_at_ms: i64,
}

/// Why a batch was refused, as Kafka names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AppendRefusal {
    /// `UNKNOWN_TOPIC_OR_PARTITION`.
    #[error("the partition does not exist")]
    UnknownPartition,
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error("sequence {found} does not follow, expected {expected}")]
    OutOfOrderSequence {
        /// First sequence number of the batch.
        found: i32,
        /// The number that would continue.
        expected: i32,
    },
    /// `INVALID_PRODUCER_EPOCH`.
    #[error("producer epoch {found} is older than {known}")]
    InvalidProducerEpoch {
        /// The epoch of the batch.
        found: i16,
        /// The epoch that wrote last.
        known: i16,
    },
    /// `INVALID_TXN_STATE`.
    #[error("the transaction has ended already")]
    TransactionEnded,
}

/// A run of batches of one partition inside one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The partition.
    pub partition: TopicPartition,
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset after the last record.
    pub end_offset: i64,
    /// The object that holds the batches.
    pub object: ObjectId,
    /// Index of the block that holds the first batch.
    pub first_block: u32,
    /// Number of blocks, each of which holds one batch.
    pub blocks: u32,
    /// Sum of the sizes of the batches, in bytes.
    pub bytes: u64,
    /// Largest timestamp, milliseconds since the epoch.
    pub maximum_timestamp: i64,
    /// When a broker took the batches, milliseconds since the epoch.
    pub appended_at_ms: i64,
    /// The registration that committed it.
    pub committed_by: BrokerEpoch,
    /// Whether a compaction wrote it. The batches then bear their offsets, and need not be dense.
    pub is_compacted: bool,
}
