//! One line of an object's index: what a block holds and where it lies.

use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};

use crate::codec::{CodecError, FieldReader};

/// Bytes of one line.
pub(crate) const BLOCK_LINE_LENGTH: usize = 85;
const CONTROL_BIT: i16 = 1 << 5;
const TRANSACTIONAL_BIT: i16 = 1 << 4;

/// Where in its partition a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The database says so after the upload.
    AssignedLater,
    /// Said when the object was written, and bound to the block.
    Known {
        /// Offset of the first record.
        base_offset: i64,
        /// The epoch under which it was appended.
        leader_epoch: i32,
    },
}

/// What a block holds: one record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The partition.
    pub partition: TopicPartition,
    /// Its place there.
    pub placement: Placement,
    /// Distance from the first to the last offset.
    pub last_offset_delta: i32,
    /// Number of records.
    pub record_count: i32,
    /// The latest timestamp, milliseconds since the epoch.
    pub maximum_timestamp: i64,
    /// When the broker took the batch, milliseconds since the epoch.
    pub appended_at_ms: i64,
    /// The producer's id, -1 for none.
    pub producer_id: i64,
    /// The producer's epoch, -1 for none.
    pub producer_epoch: i16,
    /// Sequence number of the first record, -1 for none.
    pub base_sequence: i32,
    /// The batch's attributes: compression, timestamp type, transactional, control.
    pub attributes: i16,
    /// Where the sealed block starts, in bytes from the start of the object.
    pub position: u64,
    /// Length of the sealed block, in bytes.
    pub length: u32,
}

impl Block {
    /// Describes `batch`; the position is the builder's to say.
    pub(crate) fn of(
        partition: TopicPartition,
        batch: &RecordBatch,
        placement: Placement,
        appended_at_ms: i64,
    ) -> Self {
        Self {
            partition,
            placement,
            last_offset_delta: batch.last_offset_delta(),
            record_count: batch.record_count(),
            maximum_timestamp: batch.max_timestamp(),
            appended_at_ms,
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            attributes: batch.attributes(),
            position: 0,
            length: 0,
        }
    }

    /// Offset of the first record, where it is known.
    #[must_use]
    pub const fn base_offset(&self) -> Option<i64> {
        match self.placement {
            Placement::AssignedLater => None,
            Placement::Known { base_offset, .. } => Some(base_offset),
        }
    }

    /// Offset after the last record, where it is known.
    #[must_use]
    pub fn end_offset(&self) -> Option<i64> {
        let base = self.base_offset()?;
        Some(base.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1))
    }

    /// Size of the batch, in bytes.
    #[must_use]
    pub const fn batch_size(&self) -> u32 {
        self.length.saturating_sub(16)
    }

    /// Offset after the sealed bytes in the object.
    pub(crate) fn end_position(&self) -> u64 {
        self.position.saturating_add(u64::from(self.length))
    }

    /// Whether the batch holds a transaction marker.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether `batch` is what this line promises.
    pub(crate) fn describes(&self, batch: &RecordBatch) -> bool {
        let placed = match self.placement {
            Placement::AssignedLater => true,
            Placement::Known { base_offset, leader_epoch } => {
                (batch.base_offset(), batch.partition_leader_epoch()) == (base_offset, leader_epoch)
            }
        };
        let other = Self::of(self.partition, batch, self.placement, self.appended_at_ms);
        placed && Self { position: self.position, length: self.length, ..other } == *self
    }

    /// Appends topic id, partition and placement: what the index and the additional data have in common.
    pub(crate) fn put_place(&self, target: &mut Vec<u8>) {
        target.extend_from_slice(self.partition.topic.as_bytes());
        target.extend_from_slice(&self.partition.partition.to_be_bytes());
        let (known, base_offset, leader_epoch) = match self.placement {
            Placement::AssignedLater => (0, 0, 0),
            Placement::Known { base_offset, leader_epoch } => (1, base_offset, leader_epoch),
        };
        target.push(known);
        target.extend_from_slice(&base_offset.to_be_bytes());
        target.extend_from_slice(&leader_epoch.to_be_bytes());
    }

    pub(crate) fn encode(&self, target: &mut Vec<u8>) {
        self.put_place(target);
        target.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        target.extend_from_slice(&self.record_count.to_be_bytes());
        target.extend_from_slice(&self.maximum_timestamp.to_be_bytes());
        target.extend_from_slice(&self.appended_at_ms.to_be_bytes());
        target.extend_from_slice(&self.producer_id.to_be_bytes());
        target.extend_from_slice(&self.producer_epoch.to_be_bytes());
        target.extend_from_slice(&self.base_sequence.to_be_bytes());
        target.extend_from_slice(&self.attributes.to_be_bytes());
        target.extend_from_slice(&self.position.to_be_bytes());
        target.extend_from_slice(&self.length.to_be_bytes());
    }

    pub(crate) fn decode(fields: &mut FieldReader<'_>) -> Result<Self, CodecError> {
        let partition = TopicPartition { topic: TopicId(fields.array()?), partition: fields.i32()? };
        let known = fields.u8()?;
        let (base_offset, leader_epoch) = (fields.i64()?, fields.i32()?);
        let placement = match known {
            0 if (base_offset, leader_epoch) == (0, 0) => Placement::AssignedLater,
            1 => Placement::Known { base_offset, leader_epoch },
            _ => return Err(CodecError("placement of a block")),
        };
        Ok(Self {
            partition,
            placement,
            last_offset_delta: fields.i32()?,
            record_count: fields.i32()?,
            maximum_timestamp: fields.i64()?,
            appended_at_ms: fields.i64()?,
            producer_id: fields.i64()?,
            producer_epoch: fields.i16()?,
            base_sequence: fields.i32()?,
            attributes: fields.i16()?,
            position: fields.u64()?,
            length: fields.u32()?,
        })
    }
}
