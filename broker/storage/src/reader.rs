//! Reading batches back: from memory when they are recent, else from the segments.

use bytes::{Bytes, BytesMut};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;

use crate::error::ReadError;
use crate::partition::PlannedBatch;
use crate::segment::FrameReadError;
use crate::shared::Shared;

/// The most bytes that the records of one batch may unpack to when a timestamp is looked up in it.
const UNPACKED_LIMIT: usize = 64 << 20;

/// The batches as one piece if all are in memory; nothing is read.
pub(crate) fn from_memory(
    shared: &Shared,
    partition: TopicPartition,
    planned: &[PlannedBatch],
) -> Option<Bytes> {
    let recent = shared.recent();
    if let [only] = planned {
        return recent.get(partition, only.base_offset);
    }
    let mut found = Vec::with_capacity(planned.len());
    for batch in planned {
        found.push(recent.get(partition, batch.base_offset)?);
    }
    drop(recent);
    let mut records = BytesMut::with_capacity(found.iter().map(Bytes::len).sum());
    for batch in found {
        records.extend_from_slice(&batch);
    }
    Some(records.freeze())
}

/// The batches as one piece, read from the segments where necessary. Blocks. What precedes a batch that
/// cannot be read is returned; the next read then starts with it and fails.
pub(crate) fn from_segments(
    shared: &Shared,
    partition: TopicPartition,
    planned: &[PlannedBatch],
) -> Result<Bytes, ReadError> {
    let mut records = BytesMut::new();
    for batch in planned {
        let recent = shared.recent().get(partition, batch.base_offset);
        match recent.map_or_else(|| read_batch(partition, batch), Ok) {
            Ok(bytes) => records.extend_from_slice(&bytes),
            Err(error) if records.is_empty() => return Err(error),
            Err(_later) => break,
        }
    }
    Ok(records.freeze())
}

fn read_batch(partition: TopicPartition, planned: &PlannedBatch) -> Result<Bytes, ReadError> {
    let damaged = || {
        tracing::error!(
            segment = planned.segment.id,
            position = planned.position,
            %partition,
            base_offset = planned.base_offset,
            "a frame of the log does not authenticate"
        );
        let to = planned.last_offset.saturating_add(1);
        ReadError::Damaged { partition, from: planned.base_offset, to }
    };
    let frame = match planned.segment.read_frame(planned.position, planned.length) {
        Ok(frame) => frame,
        Err(FrameReadError::Defect(_)) => return Err(damaged()),
        Err(FrameReadError::Expired) => {
            let reason = "the lease of a segment's key is over".to_owned();
            return Err(ReadError::Unavailable { reason });
        }
        Err(FrameReadError::File(source)) => {
            return Err(ReadError::File { segment: planned.segment.id, source });
        }
    };
    let expected = |batch: crate::descriptor::BatchDescription| {
        batch.partition == partition && batch.base_offset == planned.base_offset
    };
    if frame.descriptor.batch.is_some_and(expected) { Ok(Bytes::from(frame.body)) } else { Err(damaged()) }
}

/// Offset and timestamp of the first record in a batch whose timestamp is at least `timestamp`.
///
/// A batch that cannot be unpacked is the producer's doing, not damage: it is found as a whole.
pub(crate) fn first_record_since(batch: &Bytes, timestamp: i64) -> Option<(i64, i64)> {
    let parsed = RecordBatch::parse(&mut batch.clone()).ok()?;
    let whole = (parsed.base_offset(), parsed.max_timestamp());
    let Ok(records) = parsed.records(UNPACKED_LIMIT) else { return Some(whole) };
    for record in records {
        let Ok(record) = record else { return Some(whole) };
        if record.timestamp >= timestamp {
            return Some((record.offset, record.timestamp));
        }
    }
    Some(whole)
}
