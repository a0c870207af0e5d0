//! What the sequencer in memory knows, and how it changes.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::{TopicId, TopicPartition};

use crate::commit::{CommitOutcome, CommitRequest, Slice};
use crate::error::SequencerError;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::metadata::{MetadataCommit, MetadataEntry, MetadataView};
use crate::object::{Lease, ObjectState, ObjectSummary, Replacement};
use crate::partition::{MAXIMUM_PARTITIONS, PartitionState};
use crate::plan::{ProducerKey, WorkingSet, check_request, needs, plan};
use crate::producer::{ProducerEntry, ProducerSummary};
use crate::registry::{LiveBroker, Registry};
use crate::sequencer::SlicePage;

#[derive(Debug, Default)]
pub(crate) struct MemoryState {
    last_epoch: i64,
    registry: Registry,
    settled: BTreeMap<BrokerEpoch, u64>,
    partitions: BTreeMap<TopicPartition, PartitionState>,
    slices: BTreeMap<(TopicPartition, i64), Slice>,
    producers: BTreeMap<ProducerKey, ProducerEntry>,
    objects: BTreeMap<ObjectId, StoredObject>,
    leases: BTreeMap<String, Lease>,
    next_producer_id: i64,
    changed: BTreeSet<TopicPartition>,
}

#[derive(Debug)]
struct StoredObject {
    summary: ObjectSummary,
    outcome: Option<CommitOutcome>,
}

impl MemoryState {
    /// Partitions that changed since the last call, with their state, or `None` when they are gone.
    pub(crate) fn take_changed(&mut self) -> Vec<(TopicPartition, Option<PartitionState>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|partition| (partition, self.partitions.get(&partition).copied())).collect()
    }

    fn live(&self, broker: BrokerEpoch) -> Result<(), SequencerError> {
        if self.registry.brokers.iter().any(|live| live.epoch == broker) {
            Ok(())
        } else {
            Err(SequencerError::Fenced { epoch: broker })
        }
    }

    fn known(&self, partition: TopicPartition) -> Result<PartitionState, SequencerError> {
        self.partitions.get(&partition).copied().ok_or(SequencerError::UnknownPartition { partition })
    }

    fn set(&mut self, partition: TopicPartition, mut state: PartitionState) {
        state.version = state.version.saturating_add(1);
        self.partitions.insert(partition, state);
        self.changed.insert(partition);
    }

    fn of_partition(&self, partition: TopicPartition) -> impl Iterator<Item = &Slice> {
        self.slices.range((partition, i64::MIN)..=(partition, i64::MAX)).map(|(_, slice)| slice)
    }

    pub(crate) fn register(&mut self, node_id: i32, description: &[u8]) -> BrokerEpoch {
        let earlier = self.registry.brokers.iter().find(|live| live.node_id == node_id);
        if let Some(earlier) = earlier.map(|live| live.epoch) {
            self.fence(earlier);
        }
        self.last_epoch = self.last_epoch.saturating_add(1);
        let epoch = BrokerEpoch(self.last_epoch);
        let description = description.to_vec();
        self.registry.brokers.push(LiveBroker { epoch, node_id, beat: 0, description });
        self.registry.version = self.registry.version.saturating_add(1);
        self.settled.insert(epoch, 0);
        epoch
    }

    pub(crate) fn heartbeat(
        &mut self,
        broker: BrokerEpoch,
        settled: u64,
    ) -> Result<Registry, SequencerError> {
        self.live(broker)?;
        if let Some(live) = self.registry.brokers.iter_mut().find(|live| live.epoch == broker) {
            live.beat = live.beat.saturating_add(1);
        }
        let known = self.settled.entry(broker).or_default();
        *known = settled.max(*known);
        Ok(self.registry.clone())
    }

    pub(crate) fn fence(&mut self, broker: BrokerEpoch) -> bool {
        let count = self.registry.brokers.len();
        self.registry.brokers.retain(|live| live.epoch != broker);
        self.settled.remove(&broker);
        let existed = self.registry.brokers.len() < count;
        self.registry.version = self.registry.version.saturating_add(i64::from(existed));
        existed
    }

    pub(crate) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    pub(crate) fn create_partitions(
        &mut self,
        broker: BrokerEpoch,
        topic: TopicId,
        count: i32,
    ) -> Result<(), SequencerError> {
        self.live(broker)?;
        let existing = self.partitions.keys().filter(|partition| partition.topic == topic).count();
        let existing = i32::try_from(existing).unwrap_or(i32::MAX);
        if count < existing.max(1) || count > MAXIMUM_PARTITIONS {
            return Err(SequencerError::PartitionCount { topic, count });
        }
        for partition in existing..count {
            let partition = TopicPartition { topic, partition };
            self.partitions.insert(partition, PartitionState::EMPTY);
            self.changed.insert(partition);
        }
        Ok(())
    }

    pub(crate) fn delete_topic(
        &mut self,
        broker: BrokerEpoch,
        topic: TopicId,
        now_ms: i64,
    ) -> Result<u64, SequencerError> {
        self.live(broker)?;
        let partitions: Vec<TopicPartition> =
            self.partitions.keys().filter(|partition| partition.topic == topic).copied().collect();
        if partitions.is_empty() {
            return Err(SequencerError::UnknownTopic { topic });
        }
        for partition in &partitions {
            let slices: Vec<Slice> = self.of_partition(*partition).copied().collect();
            self.remove_slices(&slices, now_ms);
            self.partitions.remove(partition);
            self.changed.insert(*partition);
        }
        self.producers.retain(|(partition, _), _| partition.topic != topic);
        Ok(partitions.len() as u64)
    }

    fn remove_slices(&mut self, slices: &[Slice], now_ms: i64) {
        for slice in slices {
            self.slices.remove(&(slice.partition, slice.base_offset));
            if let Some(object) = self.objects.get_mut(&slice.object) {
                let summary = &mut object.summary;
                summary.slices = summary.slices.saturating_sub(1);
                if summary.slices == 0 {
                    summary.state = ObjectState::Unreferenced { since_ms: now_ms };
                }
            }
        }
    }

    fn insert_object(&mut self, id: ObjectId, bytes: u64, slices: &[Slice], outcome: Option<CommitOutcome>) {
        let count = u32::try_from(slices.len()).unwrap_or(u32::MAX);
        let summary = ObjectSummary { id, bytes, slices: count, state: ObjectState::Referenced };
        self.objects.insert(id, StoredObject { summary, outcome });
        self.slices.extend(slices.iter().map(|slice| ((slice.partition, slice.base_offset), *slice)));
    }

    pub(crate) fn commit(&mut self, request: CommitRequest) -> Result<CommitOutcome, SequencerError> {
        check_request(&request)?;
        let object = request.object;
        self.live(object.epoch)?;
        if let Some(known) = self.objects.get(&object) {
            return known.outcome.clone().ok_or(SequencerError::Abandoned { object });
        }
        let (partitions, producers) = needs(&request);
        let known = WorkingSet {
            partitions: partitions.into_iter().map(|it| (it, self.partitions.get(&it).copied())).collect(),
            producers: producers.into_iter().map(|it| (it, self.producers.get(&it).cloned())).collect(),
        };
        let bytes = request.object_bytes;
        let mut plan = plan(&[request], &known);
        let outcome = plan.outcomes.pop().ok_or(SequencerError::Closed)?;
        let slices = plan.slices.pop().unwrap_or_default();
        if !slices.is_empty() {
            self.insert_object(object, bytes, &slices, Some(outcome.clone()));
        }
        for (partition, (_, state)) in plan.partitions {
            self.partitions.insert(partition, state);
            self.changed.insert(partition);
        }
        self.producers.extend(plan.producers);
        Ok(outcome)
    }

    pub(crate) fn slices(
        &self,
        partition: TopicPartition,
        from: i64,
        maximum: usize,
    ) -> Result<SlicePage, SequencerError> {
        let state = self.known(partition)?;
        if from < state.log_start || from > state.next_offset {
            return Err(out_of_range(partition, from, state));
        }
        let slices = self.of_partition(partition).filter(|slice| slice.end_offset > from).take(maximum);
        Ok(SlicePage { state, slices: slices.copied().collect() })
    }

    pub(crate) fn first_slice_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> Result<Option<Slice>, SequencerError> {
        self.known(partition)?;
        Ok(self.of_partition(partition).find(|slice| slice.maximum_timestamp >= timestamp).copied())
    }

    pub(crate) fn latest_slice(&self, partition: TopicPartition) -> Result<Option<Slice>, SequencerError> {
        self.known(partition)?;
        let latest = self.of_partition(partition).map(|slice| slice.maximum_timestamp).max();
        latest.map_or(Ok(None), |latest| self.first_slice_since(partition, latest))
    }

    pub(crate) fn move_log_start(
        &mut self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> Result<i64, SequencerError> {
        self.live(broker)?;
        let mut state = self.known(partition)?;
        if before < 0 || before > state.next_offset {
            return Err(out_of_range(partition, before, state));
        }
        if before <= state.log_start {
            return Ok(state.log_start);
        }
        let gone: Vec<Slice> =
            self.of_partition(partition).filter(|slice| slice.end_offset <= before).copied().collect();
        state.bytes = state.bytes.saturating_sub(gone.iter().map(|slice| slice.bytes).sum());
        state.log_start = before;
        self.remove_slices(&gone, now_ms);
        self.set(partition, state);
        Ok(before)
    }

    pub(crate) fn producers(
        &self,
        partition: TopicPartition,
    ) -> Result<Vec<ProducerSummary>, SequencerError> {
        self.known(partition)?;
        let of_partition = self.producers.range((partition, i64::MIN)..=(partition, i64::MAX));
        Ok(of_partition.filter_map(|((_, id), entry)| entry.summary(*id)).collect())
    }

    pub(crate) fn expire_producers(
        &mut self,
        broker: BrokerEpoch,
        idle_since_ms: i64,
    ) -> Result<u64, SequencerError> {
        self.live(broker)?;
        let idle = self.producers.iter().filter(|(_, entry)| entry.last_appended_at_ms() < idle_since_ms);
        let idle: Vec<ProducerKey> = idle.map(|(key, _)| *key).collect();
        for key in &idle {
            self.producers.remove(key);
        }
        let touched: BTreeSet<TopicPartition> = idle.iter().map(|(partition, _)| *partition).collect();
        for partition in touched {
            let state = self.known(partition)?;
            self.set(partition, state);
        }
        Ok(idle.len() as u64)
    }

    pub(crate) fn reserve_producer_ids(&mut self, count: i64) -> Result<i64, SequencerError> {
        let first = self.next_producer_id;
        self.next_producer_id = first
            .checked_add(count.max(0))
            .ok_or_else(|| SequencerError::Unavailable { reason: "producer ids are used up".to_owned() })?;
        Ok(first)
    }

    pub(crate) fn acquire_lease(&mut self, broker: BrokerEpoch, name: &str) -> Result<Lease, SequencerError> {
        self.live(broker)?;
        let before = self.leases.get(name);
        if before.is_some_and(|lease| lease.holder != broker && self.live(lease.holder).is_ok()) {
            return Err(SequencerError::LeaseLost { name: name.to_owned() });
        }
        let epoch = before.map_or(0, |lease| lease.epoch).saturating_add(1);
        let lease = Lease { name: name.to_owned(), epoch, holder: broker };
        self.leases.insert(name.to_owned(), lease.clone());
        Ok(lease)
    }

    pub(crate) fn release_lease(&mut self, lease: &Lease) {
        if let Some(held) = self.leases.get_mut(&lease.name).filter(|held| *held == lease) {
            // Nobody registers as 0; the epoch stays, so that it never repeats.
            held.holder = BrokerEpoch(0);
        }
    }

    pub(crate) fn replace(&mut self, replacement: &Replacement) -> Result<(), SequencerError> {
        if let Some(defect) = replacement.defect() {
            return Err(SequencerError::Invalid(defect));
        }
        let (lease, object, partition) = (&replacement.lease, replacement.object, replacement.partition);
        self.live(lease.holder)?;
        if self.leases.get(&lease.name) != Some(lease) {
            return Err(SequencerError::LeaseLost { name: lease.name.clone() });
        }
        let mut state = self.known(partition)?;
        if self.objects.contains_key(&object) {
            return Err(SequencerError::Abandoned { object });
        }
        let is_there = |slice: &&Slice| self.slices.get(&(partition, slice.base_offset)) == Some(slice);
        if !replacement.before.iter().all(|slice| is_there(&slice)) {
            return Err(SequencerError::Conflict { what: format!("partition `{partition}`") });
        }
        let sum = |slices: &[Slice]| slices.iter().map(|slice| slice.bytes).sum::<u64>();
        state.bytes =
            state.bytes.saturating_sub(sum(&replacement.before)).saturating_add(sum(&replacement.after));
        self.remove_slices(&replacement.before, replacement.now_ms);
        self.insert_object(object, replacement.object_bytes, &replacement.after, None);
        self.set(partition, state);
        Ok(())
    }

    pub(crate) fn abandon(&mut self, objects: Vec<ObjectId>) -> Vec<ObjectId> {
        let abandoned = |id| ObjectSummary { id, bytes: 0, slices: 0, state: ObjectState::Abandoned };
        objects
            .into_iter()
            .filter(|id| {
                let stored = StoredObject { summary: abandoned(*id), outcome: None };
                let known = self.objects.entry(*id).or_insert(stored);
                known.summary.state == ObjectState::Abandoned
            })
            .collect()
    }

    pub(crate) fn objects(&self, after: Option<ObjectId>, maximum: usize) -> Vec<ObjectSummary> {
        let all = self.objects.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
        all.take(maximum).map(|(_, object)| object.summary).collect()
    }

    pub(crate) fn unreferenced(&self, before_ms: i64, maximum: usize) -> Vec<ObjectId> {
        let old = |object: &&StoredObject| matches!(object.summary.state, ObjectState::Unreferenced { since_ms } if since_ms < before_ms);
        self.objects.values().filter(old).take(maximum).map(|object| object.summary.id).collect()
    }

    pub(crate) fn forget(&mut self, objects: &[ObjectId]) -> u64 {
        let mut count: u64 = 0;
        for id in objects {
            let is_settled = self.settled.get(&id.epoch).is_none_or(|settled| id.number < *settled);
            let is_free =
                self.objects.get(id).is_some_and(|object| object.summary.state != ObjectState::Referenced);
            if is_settled && is_free {
                self.objects.remove(id);
                count = count.saturating_add(1);
            }
        }
        count
    }

    pub(crate) fn commit_metadata(
        &self,
        commit: MetadataCommit,
        view: &MetadataView,
    ) -> Result<u64, SequencerError> {
        self.live(commit.broker)?;
        if let Some(expected) = commit.registry.filter(|expected| *expected != self.registry.version) {
            return Err(SequencerError::RegistryChanged { expected });
        }
        view.check(&commit.changes)?;
        if commit.changes.is_empty() {
            return Ok(view.version());
        }
        let version = view.version().saturating_add(1);
        let changes = commit.changes.into_iter();
        let changes =
            changes.map(|it| ((it.table, it.key), MetadataEntry { value: it.value, version })).collect();
        view.advance(version, changes, &[]);
        Ok(version)
    }
}

fn out_of_range(partition: TopicPartition, offset: i64, state: PartitionState) -> SequencerError {
    SequencerError::OffsetOutOfRange {
        partition,
        offset,
        log_start_offset: state.log_start,
        next_offset: state.next_offset,
    }
}
