//! What a frame is: sealed beside its body, so that a damaged body can still be named.

use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::transaction_marker::TransactionMarker;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{ProducerStamp, TransactionRole};

use cadastre_objects::codec::{CodecError, FieldReader};

/// The kinds of frame. The codes are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A record batch as it was appended.
    Records,
    /// A record batch that was copied out of an older segment.
    MovedRecords,
    /// An atomic list of state changes.
    Commands,
    /// The whole state but the records.
    Snapshot,
    /// The segment was ended in order.
    End,
}

impl FrameKind {
    const ALL: [Self; 5] = [Self::Records, Self::MovedRecords, Self::Commands, Self::Snapshot, Self::End];

    const fn code(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::MovedRecords => 2,
            Self::Commands => 3,
            Self::Snapshot => 4,
            Self::End => 5,
        }
    }
}

/// What a frame of records holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchDescription {
    pub(crate) partition: TopicPartition,
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    pub(crate) leader_epoch: i32,
    /// Milliseconds since the epoch.
    pub(crate) maximum_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    /// -1 without a sequence number.
    pub(crate) base_sequence: i32,
    /// -1 without a sequence number; of a marker the number of the transaction that it ends.
    pub(crate) last_sequence: i32,
    /// When the log took the batch, milliseconds since the epoch.
    pub(crate) appended_at_ms: i64,
}

impl BatchDescription {
    /// The stamp of an idempotent producer, or of a marker: nothing else bears a producer id without a sequence number.
    pub(crate) fn stamp(&self) -> Option<ProducerStamp> {
        if self.producer_id < 0 {
            return None;
        }
        if self.base_sequence < 0 {
            return Some(ProducerStamp::marker(self.producer_id, self.producer_epoch, self.last_sequence));
        }
        Some(ProducerStamp {
            id: self.producer_id,
            epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            last_sequence: self.last_sequence,
            role: TransactionRole::None,
        })
    }

    /// Describes `batch`, which bears its offsets already.
    pub(crate) fn of(partition: TopicPartition, batch: &RecordBatch, appended_at_ms: i64) -> Self {
        let ended = TransactionMarker::of(batch).map(|marker| marker.coordinator_epoch);
        Self {
            partition,
            base_offset: batch.base_offset(),
            last_offset_delta: batch.last_offset_delta(),
            leader_epoch: batch.partition_leader_epoch(),
            maximum_timestamp: batch.max_timestamp(),
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            last_sequence: ended.unwrap_or_else(|| batch.last_sequence()),
            appended_at_ms,
        }
    }

    /// Offset after the last record.
    pub(crate) fn end_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1)
    }
}

/// How far a partition had come when a frame was written: tells what a lost frame before it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) partition: TopicPartition,
    pub(crate) end_offset: i64,
}

/// A frame's descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) kind: FrameKind,
    /// The metadata version after this frame: the number of command frames ever written.
    pub(crate) metadata_version: u64,
    /// What the frame before this one in the segment held, if it held records.
    pub(crate) previous: Option<Witness>,
    /// Present in both kinds of records.
    pub(crate) batch: Option<BatchDescription>,
}

impl Descriptor {
    /// The layout: kind (1), metadata version (8), presence of witness and batch (1 each), then those.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.push(self.kind.code());
        bytes.extend_from_slice(&self.metadata_version.to_be_bytes());
        bytes.push(u8::from(self.previous.is_some()));
        if let Some(witness) = &self.previous {
            put_partition(&mut bytes, &witness.partition);
            bytes.extend_from_slice(&witness.end_offset.to_be_bytes());
        }
        bytes.push(u8::from(self.batch.is_some()));
        if let Some(batch) = &self.batch {
            put_partition(&mut bytes, &batch.partition);
            bytes.extend_from_slice(&batch.base_offset.to_be_bytes());
            bytes.extend_from_slice(&batch.last_offset_delta.to_be_bytes());
            bytes.extend_from_slice(&batch.leader_epoch.to_be_bytes());
            bytes.extend_from_slice(&batch.maximum_timestamp.to_be_bytes());
            bytes.extend_from_slice(&batch.producer_id.to_be_bytes());
            bytes.extend_from_slice(&batch.producer_epoch.to_be_bytes());
            bytes.extend_from_slice(&batch.base_sequence.to_be_bytes());
            bytes.extend_from_slice(&batch.last_sequence.to_be_bytes());
            bytes.extend_from_slice(&batch.appended_at_ms.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut fields = FieldReader::new(bytes, "frame descriptor");
        let code = fields.u8()?;
        let kind = FrameKind::ALL.into_iter().find(|kind| kind.code() == code);
        let kind = kind.ok_or(CodecError("frame kind"))?;
        let metadata_version = fields.u64()?;
        let previous = if presence(&mut fields)? {
            Some(Witness { partition: partition(&mut fields)?, end_offset: fields.i64()? })
        } else {
            None
        };
        let batch = if presence(&mut fields)? {
            Some(BatchDescription {
                partition: partition(&mut fields)?,
                base_offset: fields.i64()?,
                last_offset_delta: fields.i32()?,
                leader_epoch: fields.i32()?,
                maximum_timestamp: fields.i64()?,
                producer_id: fields.i64()?,
                producer_epoch: fields.i16()?,
                base_sequence: fields.i32()?,
                last_sequence: fields.i32()?,
                appended_at_ms: fields.i64()?,
            })
        } else {
            None
        };
        fields.end()?;
        Ok(Self { kind, metadata_version, previous, batch })
    }
}

fn presence(fields: &mut FieldReader<'_>) -> Result<bool, CodecError> {
    match fields.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError("frame descriptor")),
    }
}

fn put_partition(bytes: &mut Vec<u8>, partition: &TopicPartition) {
    bytes.extend_from_slice(partition.topic.as_bytes());
    bytes.extend_from_slice(&partition.partition.to_be_bytes());
}

fn partition(fields: &mut FieldReader<'_>) -> Result<TopicPartition, CodecError> {
    Ok(TopicPartition { topic: TopicId(fields.array()?), partition: fields.i32()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_partition() -> impl Strategy<Value = TopicPartition> {
        (any::<[u8; 16]>(), any::<i32>())
            .prop_map(|(topic, partition)| TopicPartition { topic: TopicId(topic), partition })
    }

    prop_compose! {
        fn any_batch()(
            partition in any_partition(),
            (base_offset, last_offset_delta, leader_epoch) in any::<(i64, i32, i32)>(),
            (maximum_timestamp, producer_id, producer_epoch) in any::<(i64, i64, i16)>(),
            (base_sequence, last_sequence, appended_at_ms) in any::<(i32, i32, i64)>(),
        ) -> BatchDescription {
            BatchDescription {
                partition, base_offset, last_offset_delta, leader_epoch, maximum_timestamp, producer_id,
                producer_epoch, base_sequence, last_sequence, appended_at_ms,
            }
        }
    }

    proptest! {
        #[test]
        fn a_descriptor_reads_back(
            kind in prop::sample::select(FrameKind::ALL.to_vec()),
            metadata_version in any::<u64>(),
            previous in prop::option::of((any_partition(), any::<i64>())),
            batch in prop::option::of(any_batch()),
        ) {
            let previous = previous.map(|(partition, end_offset)| Witness { partition, end_offset });
            let descriptor = Descriptor { kind, metadata_version, previous, batch };
            let bytes = descriptor.encode();
            prop_assert_eq!(Descriptor::decode(&bytes), Ok(descriptor));
            prop_assert!(Descriptor::decode(&bytes[..bytes.len() - 1]).is_err());
            prop_assert!(Descriptor::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ignored = Descriptor::decode(&bytes);
        }
    }
}
