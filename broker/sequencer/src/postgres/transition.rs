//! One change of partitions, slices, producers and objects: the arguments of `apply_transition`, and its answer.

use tokio_postgres::types::ToSql;

use super::connection::{CallError, Session};
use super::rows::{object_fields, partition_fields, producer_fields, signed, signed_small, slice_fields};
use super::seal::{ClusterSeal, RowKind};
use crate::commit::Slice;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::partition::PartitionState;
use crate::plan::ProducerKey;
use crate::producer::ProducerEntry;
use cadastre_protocol::types::TopicPartition;

const APPLY: &str = "SELECT apply_transition($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
     $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, \
     $39, $40, $41, $42, $43, $44)";

/// What the database said to a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Yes,
    Fenced,
    LeaseLost,
    Conflict,
}

/// A change to be applied as a whole or not at all.
#[derive(Debug)]
pub(crate) struct Transition {
    broker: BrokerEpoch,
    lease: Option<(String, i64)>,
    now_ms: i64,
    objects: Vec<NewObject>,
    partitions: Vec<(TopicPartition, i64, PartitionState)>,
    removed: Vec<Slice>,
    slices: Vec<Slice>,
    producers: Vec<(ProducerKey, i64, Vec<u8>)>,
    expired: Vec<ProducerKey>,
}

#[derive(Debug)]
struct NewObject {
    id: ObjectId,
    bytes: i64,
    slices: i32,
    outcome: Vec<u8>,
}

impl Transition {
    pub(crate) const fn new(broker: BrokerEpoch, now_ms: i64) -> Self {
        Self {
            broker,
            lease: None,
            now_ms,
            objects: Vec::new(),
            partitions: Vec::new(),
            removed: Vec::new(),
            slices: Vec::new(),
            producers: Vec::new(),
            expired: Vec::new(),
        }
    }

    pub(crate) fn under_lease(mut self, name: &str, epoch: i64) -> Self {
        self.lease = Some((name.to_owned(), epoch));
        self
    }

    /// A partition that was at `expected` and shall be at `state`; the same version only checks.
    pub(crate) fn partition(&mut self, partition: TopicPartition, expected: i64, state: PartitionState) {
        self.partitions.push((partition, expected, state));
    }

    /// An object with the slices that refer to it.
    pub(crate) fn object(&mut self, id: ObjectId, bytes: u64, slices: &[Slice], outcome: Vec<u8>) {
        let count = i32::try_from(slices.len()).unwrap_or(i32::MAX);
        self.objects.push(NewObject { id, bytes: signed(bytes), slices: count, outcome });
        self.slices.extend_from_slice(slices);
    }

    pub(crate) fn remove(&mut self, slices: &[Slice]) {
        self.removed.extend_from_slice(slices);
    }

    pub(crate) fn producer(
        &mut self,
        key: ProducerKey,
        entry: &ProducerEntry,
    ) -> Result<(), postcard::Error> {
        self.producers.push((key, entry.last_appended_at_ms(), postcard::to_allocvec(entry)?));
        Ok(())
    }

    pub(crate) fn expire(&mut self, keys: impl IntoIterator<Item = ProducerKey>) {
        self.expired.extend(keys);
    }

    /// Whether there is nothing to apply or check.
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.objects.is_empty()
    }

    /// Applies it: one round trip, one transaction.
    pub(crate) async fn apply(&self, session: &Session, seal: &ClusterSeal) -> Result<Applied, CallError> {
        let (lease, lease_epoch) = match &self.lease {
            Some((name, epoch)) => (Some(name.as_str()), Some(*epoch)),
            None => (None, None),
        };

        let objects = &self.objects;
        let o_id: Vec<[u8; 16]> = objects.iter().map(|it| it.id.to_bytes()).collect();
        let o_id: Vec<&[u8]> = o_id.iter().map(<[u8; 16]>::as_slice).collect();
        let o_number: Vec<i64> = objects.iter().map(|it| it.id.number.cast_signed()).collect();
        let o_bytes: Vec<i64> = objects.iter().map(|it| it.bytes).collect();
        let o_slices: Vec<i32> = objects.iter().map(|it| it.slices).collect();
        let o_outcome: Vec<&[u8]> = objects.iter().map(|it| it.outcome.as_slice()).collect();
        let o_mac: Vec<Vec<u8>> = objects
            .iter()
            .map(|it| seal.mac(RowKind::Object, &object_fields(it.id, it.bytes, &it.outcome)))
            .collect();

        let p = &self.partitions;
        let p_topic: Vec<&[u8]> = p.iter().map(|(it, ..)| topic(it)).collect();
        let p_partition: Vec<i32> = p.iter().map(|(it, ..)| it.partition).collect();
        let p_expected: Vec<i64> = p.iter().map(|(_, expected, _)| *expected).collect();
        let p_version: Vec<i64> = p.iter().map(|(.., state)| state.version).collect();
        let p_log_start: Vec<i64> = p.iter().map(|(.., state)| state.log_start).collect();
        let p_next: Vec<i64> = p.iter().map(|(.., state)| state.next_offset).collect();
        let p_bytes: Vec<i64> = p.iter().map(|(.., state)| signed(state.bytes)).collect();
        let p_mac: Vec<Vec<u8>> = p
            .iter()
            .map(|(it, _, state)| seal.mac(RowKind::Partition, &partition_fields(*it, state)))
            .collect();

        let d = &self.removed;
        let d_topic: Vec<&[u8]> = d.iter().map(|it| topic(&it.partition)).collect();
        let d_partition: Vec<i32> = d.iter().map(|it| it.partition.partition).collect();
        let d_base: Vec<i64> = d.iter().map(|it| it.base_offset).collect();
        let d_object: Vec<[u8; 16]> = d.iter().map(|it| it.object.to_bytes()).collect();
        let d_object: Vec<&[u8]> = d_object.iter().map(<[u8; 16]>::as_slice).collect();

        let s = &self.slices;
        let s_topic: Vec<&[u8]> = s.iter().map(|it| topic(&it.partition)).collect();
        let s_partition: Vec<i32> = s.iter().map(|it| it.partition.partition).collect();
        let s_base: Vec<i64> = s.iter().map(|it| it.base_offset).collect();
        let s_end: Vec<i64> = s.iter().map(|it| it.end_offset).collect();
        let s_object: Vec<[u8; 16]> = s.iter().map(|it| it.object.to_bytes()).collect();
        let s_object: Vec<&[u8]> = s_object.iter().map(<[u8; 16]>::as_slice).collect();
        let s_first: Vec<i32> = s.iter().map(|it| signed_small(it.first_block)).collect();
        let s_blocks: Vec<i32> = s.iter().map(|it| signed_small(it.blocks)).collect();
        let s_bytes: Vec<i64> = s.iter().map(|it| signed(it.bytes)).collect();
        let s_timestamp: Vec<i64> = s.iter().map(|it| it.maximum_timestamp).collect();
        let s_appended: Vec<i64> = s.iter().map(|it| it.appended_at_ms).collect();
        let s_by: Vec<i64> = s.iter().map(|it| it.committed_by.0).collect();
        let s_compacted: Vec<bool> = s.iter().map(|it| it.is_compacted).collect();
        let s_mac: Vec<Vec<u8>> = s.iter().map(|it| seal.mac(RowKind::Slice, &slice_fields(it))).collect();

        let r = &self.producers;
        let r_topic: Vec<&[u8]> = r.iter().map(|((it, _), ..)| topic(it)).collect();
        let r_partition: Vec<i32> = r.iter().map(|((it, _), ..)| it.partition).collect();
        let r_id: Vec<i64> = r.iter().map(|((_, id), ..)| *id).collect();
        let r_at: Vec<i64> = r.iter().map(|(_, at, _)| *at).collect();
        let r_state: Vec<&[u8]> = r.iter().map(|(.., state)| state.as_slice()).collect();
        let r_mac: Vec<Vec<u8>> = r
            .iter()
            .map(|((it, id), at, state)| seal.mac(RowKind::Producer, &producer_fields(*it, *id, *at, state)))
            .collect();

        let x_topic: Vec<&[u8]> = self.expired.iter().map(|(it, _)| topic(it)).collect();
        let x_partition: Vec<i32> = self.expired.iter().map(|(it, _)| it.partition).collect();
        let x_id: Vec<i64> = self.expired.iter().map(|(_, id)| *id).collect();

        let parameters: [&(dyn ToSql + Sync); 44] = [
            &self.broker.0,
            &lease,
            &lease_epoch,
            &self.now_ms,
            &o_id,
            &o_number,
            &o_bytes,
            &o_slices,
            &o_outcome,
            &o_mac,
            &p_topic,
            &p_partition,
            &p_expected,
            &p_version,
            &p_log_start,
            &p_next,
            &p_bytes,
            &p_mac,
            &d_topic,
            &d_partition,
            &d_base,
            &d_object,
            &s_topic,
            &s_partition,
            &s_base,
            &s_end,
            &s_object,
            &s_first,
            &s_blocks,
            &s_bytes,
            &s_timestamp,
            &s_appended,
            &s_by,
            &s_compacted,
            &s_mac,
            &r_topic,
            &r_partition,
            &r_id,
            &r_at,
            &r_state,
            &r_mac,
            &x_topic,
            &x_partition,
            &x_id,
        ];
        match session.value::<i16>(APPLY, &parameters).await? {
            0 => Ok(Applied::Yes),
            1 => Ok(Applied::Fenced),
            2 => Ok(Applied::LeaseLost),
            3 => Ok(Applied::Conflict),
            other => Err(CallError::Refused(format!("the database gave the unknown answer {other}"))),
        }
    }
}

fn topic(partition: &TopicPartition) -> &[u8] {
    partition.topic.as_bytes().as_slice()
}
