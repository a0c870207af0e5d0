//! Rows as they lie in the database: what their authenticators cover, and back into what they say.

use cadastre_protocol::types::{TopicId, TopicPartition};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::connection::chain;
use super::seal::{ClusterSeal, Fields, RowKind};
use crate::commit::{CommitOutcome, Slice};
use crate::error::SequencerError;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::partition::PartitionState;
use crate::producer::ProducerEntry;

pub(crate) const PARTITION_COLUMNS: usize = 7;

pub(crate) fn tampered(what: impl Into<String>) -> SequencerError {
    SequencerError::Tampered { what: what.into() }
}

/// One column; a type that does not fit means that somebody altered the schema.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, SequencerError> {
    row.try_get(index).map_err(|error| tampered(format!("a column does not fit: {}", chain(&error))))
}

fn unsigned(number: i64) -> Result<u64, SequencerError> {
    u64::try_from(number).map_err(|_negative| tampered("a size is negative"))
}

fn small(number: i32) -> Result<u32, SequencerError> {
    u32::try_from(number).map_err(|_negative| tampered("a count is negative"))
}

/// A count or size as the database holds it. What does not fit never got this far.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn signed_small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn place(partition: TopicPartition) -> Fields {
    Fields::default().bytes(partition.topic.as_bytes()).number(i64::from(partition.partition))
}

pub(crate) fn topic_partition(row: &Row, first: usize) -> Result<TopicPartition, SequencerError> {
    let topic: &[u8] = column(row, first)?;
    let topic =
        <[u8; 16]>::try_from(topic).map_err(|_length| tampered("a topic id does not have 16 bytes"))?;
    Ok(TopicPartition { topic: TopicId(topic), partition: column(row, first + 1)? })
}

pub(crate) fn object_id(row: &Row, index: usize) -> Result<ObjectId, SequencerError> {
    let id: &[u8] = column(row, index)?;
    let id = <[u8; 16]>::try_from(id).map_err(|_length| tampered("an object id does not have 16 bytes"))?;
    Ok(ObjectId::from_bytes(id))
}

pub(crate) fn partition_fields(partition: TopicPartition, state: &PartitionState) -> Fields {
    place(partition)
        .number(state.version)
        .number(state.log_start)
        .number(state.next_offset)
        .number(signed(state.bytes))
}

/// Reads `topic, partition, version, log_start, next_offset, bytes, mac` from column `first` on.
pub(crate) fn partition(
    row: &Row,
    first: usize,
    seal: &ClusterSeal,
) -> Result<(TopicPartition, PartitionState), SequencerError> {
    let partition = topic_partition(row, first)?;
    let state = PartitionState {
        version: column(row, first + 2)?,
        log_start: column(row, first + 3)?,
        next_offset: column(row, first + 4)?,
        bytes: unsigned(column(row, first + 5)?)?,
    };
    let mac: &[u8] = column(row, first + 6)?;
    if seal.verify(RowKind::Partition, &partition_fields(partition, &state), mac) {
        Ok((partition, state))
    } else {
        Err(tampered(format!("the row of partition `{partition}` does not authenticate")))
    }
}

pub(crate) fn slice_fields(slice: &Slice) -> Fields {
    place(slice.partition)
        .number(slice.base_offset)
        .number(slice.end_offset)
        .bytes(&slice.object.to_bytes())
        .number(i64::from(slice.first_block))
        .number(i64::from(slice.blocks))
        .number(signed(slice.bytes))
        .number(slice.maximum_timestamp)
        .number(slice.appended_at_ms)
        .number(slice.committed_by.0)
        .number(i64::from(slice.is_compacted))
}

/// Reads a slice from `base_offset` in column `first` on.
pub(crate) fn slice(
    row: &Row,
    first: usize,
    partition: TopicPartition,
    seal: &ClusterSeal,
) -> Result<Slice, SequencerError> {
    let slice = Slice {
        partition,
        base_offset: column(row, first)?,
        end_offset: column(row, first + 1)?,
        object: object_id(row, first + 2)?,
        first_block: small(column(row, first + 3)?)?,
        blocks: small(column(row, first + 4)?)?,
        bytes: unsigned(column(row, first + 5)?)?,
        maximum_timestamp: column(row, first + 6)?,
        appended_at_ms: column(row, first + 7)?,
        committed_by: BrokerEpoch(column(row, first + 8)?),
        is_compacted: column(row, first + 9)?,
    };
    let mac: &[u8] = column(row, first + 10)?;
    if seal.verify(RowKind::Slice, &slice_fields(&slice), mac) {
        Ok(slice)
    } else {
        Err(tampered(format!("the slice of `{partition}` at {} does not authenticate", slice.base_offset)))
    }
}

pub(crate) fn producer_fields(
    partition: TopicPartition,
    id: i64,
    appended_at_ms: i64,
    state: &[u8],
) -> Fields {
    place(partition).number(id).number(appended_at_ms).bytes(state)
}

/// Reads `producer_id, appended_at_ms, state, mac` from column `first` on.
pub(crate) fn producer(
    row: &Row,
    first: usize,
    partition: TopicPartition,
    seal: &ClusterSeal,
) -> Result<(i64, ProducerEntry), SequencerError> {
    let id: i64 = column(row, first)?;
    let appended_at_ms: i64 = column(row, first + 1)?;
    let state: &[u8] = column(row, first + 2)?;
    let mac: &[u8] = column(row, first + 3)?;
    let unauthentic = || tampered(format!("producer {id} of `{partition}` does not authenticate"));
    if !seal.verify(RowKind::Producer, &producer_fields(partition, id, appended_at_ms, state), mac) {
        return Err(unauthentic());
    }
    let entry = postcard::from_bytes(state).map_err(|_encoding| unauthentic())?;
    Ok((id, entry))
}

pub(crate) fn object_fields(id: ObjectId, bytes: i64, outcome: &[u8]) -> Fields {
    Fields::default().bytes(&id.to_bytes()).number(bytes).bytes(outcome)
}

/// What is known of an object that exists.
#[derive(Debug)]
pub(crate) enum KnownObject {
    Abandoned,
    /// With its outcome, if it was committed by appending.
    Committed(Option<CommitOutcome>),
}

/// Reads `id, bytes, is_abandoned, outcome, mac` from column `first` on.
pub(crate) fn object(
    row: &Row,
    first: usize,
    seal: &ClusterSeal,
) -> Result<(ObjectId, KnownObject), SequencerError> {
    let id = object_id(row, first)?;
    let bytes: i64 = column(row, first + 1)?;
    let is_abandoned: bool = column(row, first + 2)?;
    let outcome: &[u8] = column(row, first + 3)?;
    let mac: &[u8] = column(row, first + 4)?;
    let kind = if is_abandoned { RowKind::AbandonedObject } else { RowKind::Object };
    let unauthentic = || tampered(format!("the row of object `{id}` does not authenticate"));
    if !seal.verify(kind, &object_fields(id, bytes, outcome), mac) {
        return Err(unauthentic());
    }
    if is_abandoned {
        return Ok((id, KnownObject::Abandoned));
    }
    if outcome.is_empty() {
        return Ok((id, KnownObject::Committed(None)));
    }
    let outcome = postcard::from_bytes(outcome).map_err(|_encoding| unauthentic())?;
    Ok((id, KnownObject::Committed(Some(outcome))))
}
