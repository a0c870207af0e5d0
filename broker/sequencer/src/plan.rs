//! From requests and the state they meet to offsets, slices and producers. Pure: the same function decides for
//! the sequencer in memory and for the one in PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::TopicPartition;

use crate::commit::{
    AppendRefusal, BatchFacts, BatchOutcome, CommitOutcome, CommitRequest, PartitionAppend, Placement, Slice,
};
use crate::error::SequencerError;
use crate::partition::PartitionState;
use crate::producer::{ProducerEntry, SequenceVerdict};

/// A producer in a partition.
pub(crate) type ProducerKey = (TopicPartition, i64);

/// What is known of everything that a group of requests touches. `None` means that it does not exist.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkingSet {
    pub(crate) partitions: BTreeMap<TopicPartition, Option<PartitionState>>,
    pub(crate) producers: BTreeMap<ProducerKey, Option<ProducerEntry>>,
}

/// What a group of requests comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// One for each request, in order.
    pub(crate) outcomes: Vec<CommitOutcome>,
    /// For each request the slices that refer to its object.
    pub(crate) slices: Vec<Vec<Slice>>,
    /// Partitions that advance, with the version they were planned on and their state after.
    pub(crate) partitions: BTreeMap<TopicPartition, (i64, PartitionState)>,
    /// Producers that changed.
    pub(crate) producers: BTreeMap<ProducerKey, ProducerEntry>,
    /// Partitions whose state decided a refusal or a duplicate without changing.
    pub(crate) consulted: BTreeMap<TopicPartition, i64>,
}

/// What a request needs to be known: its partitions and producers.
pub(crate) fn needs(request: &CommitRequest) -> (BTreeSet<TopicPartition>, BTreeSet<ProducerKey>) {
    let partitions = request.appends.iter().map(|append| append.partition).collect();
    let producers = request.appends.iter().flat_map(|append| {
        let stamps = append.batches.iter().filter_map(|batch| batch.producer);
        stamps.map(|stamp| (append.partition, stamp.id))
    });
    (partitions, producers.collect())
}

/// Refuses requests that contradict themselves, before anything is planned.
pub(crate) fn check_request(request: &CommitRequest) -> Result<(), SequencerError> {
    let batches = || request.appends.iter().flat_map(|append| &append.batches);
    if batches().next().is_none() {
        return Err(SequencerError::Invalid("an object without batches cannot be committed"));
    }
    if batches().any(|batch| batch.offsets == 0 || i32::try_from(batch.offsets).is_err()) {
        return Err(SequencerError::Invalid("a batch takes between 1 and 2147483647 offsets"));
    }
    let fits = |append: &PartitionAppend| {
        let last = u64::from(append.first_block).checked_add(append.batches.len() as u64);
        last.is_some_and(|last| i32::try_from(last).is_ok())
    };
    if request.appends.iter().all(fits) {
        Ok(())
    } else {
        Err(SequencerError::Invalid("an object has fewer than 2147483648 blocks"))
    }
}

/// Plans the requests one after another.
pub(crate) fn plan(requests: &[CommitRequest], known: &WorkingSet) -> Plan {
    let mut planner = Planner { set: known.clone(), known, plan: Plan::default() };
    for request in requests {
        planner.request(request);
    }
    planner.plan
}

struct Planner<'a> {
    /// As it will be.
    set: WorkingSet,
    /// As it is.
    known: &'a WorkingSet,
    plan: Plan,
}

impl Planner<'_> {
    fn request(&mut self, request: &CommitRequest) {
        let mut slices = Vec::new();
        let outcomes =
            request.appends.iter().map(|append| self.append(request, append, &mut slices)).collect();
        self.plan.outcomes.push(CommitOutcome { appends: outcomes });
        self.plan.slices.push(slices);
    }

    fn append(
        &mut self,
        request: &CommitRequest,
        append: &PartitionAppend,
        slices: &mut Vec<Slice>,
    ) -> Vec<BatchOutcome> {
        let partition = append.partition;
        let Some(mut state) = self.set.partitions.get(&partition).copied().flatten() else {
            let refused = BatchOutcome::Refused(AppendRefusal::UnknownPartition);
            return vec![refused; append.batches.len()];
        };
        let before = state.next_offset;
        let mut run: Option<Slice> = None;
        let mut outcomes = Vec::with_capacity(append.batches.len());
        for (batch, block) in append.batches.iter().zip(append.first_block..) {
            let outcome = self.batch(request, partition, &mut state, batch);
            match outcome {
                BatchOutcome::Appended(placement) => {
                    let slice =
                        run.get_or_insert_with(|| start_slice(request, append, block, placement.base_offset));
                    extend_slice(slice, batch, state.next_offset);
                }
                BatchOutcome::Duplicate(_) | BatchOutcome::Refused(_) => slices.extend(run.take()),
            }
            outcomes.push(outcome);
        }
        slices.extend(run);
        self.settle(partition, state, state.next_offset > before);
        outcomes
    }

    fn batch(
        &mut self,
        request: &CommitRequest,
        partition: TopicPartition,
        state: &mut PartitionState,
        batch: &BatchFacts,
    ) -> BatchOutcome {
        let log_start_offset = state.log_start;
        let base_offset = state.next_offset;
        let Some(end_offset) = base_offset.checked_add(i64::from(batch.offsets)) else {
            // 2⁶³ records; a refusal that ends the producer is all that is left.
            return BatchOutcome::Refused(AppendRefusal::UnknownPartition);
        };
        if let Some(stamp) = &batch.producer {
            let key = (partition, stamp.id);
            let entry = self.set.producers.get(&key).and_then(Option::as_ref);
            match ProducerEntry::check(entry, stamp) {
                SequenceVerdict::Next => {}
                SequenceVerdict::Duplicate { base_offset, appended_at_ms } => {
                    return BatchOutcome::Duplicate(Placement {
                        base_offset,
                        log_start_offset,
                        appended_at_ms,
                    });
                }
                SequenceVerdict::Refused(refusal) => return BatchOutcome::Refused(refusal),
            }
            let at_ms = request.appended_at_ms;
            let entry = ProducerEntry::remember(entry.cloned(), stamp, base_offset, end_offset, at_ms);
            self.plan.producers.insert(key, entry.clone());
            self.set.producers.insert(key, Some(entry));
        }
        state.next_offset = end_offset;
        state.bytes = state.bytes.saturating_add(u64::from(batch.bytes));
        let appended_at_ms = request.appended_at_ms;
        BatchOutcome::Appended(Placement { base_offset, log_start_offset, appended_at_ms })
    }

    /// Notes what the partition comes to. Its version rises once for all requests of the plan.
    fn settle(&mut self, partition: TopicPartition, mut state: PartitionState, is_changed: bool) {
        let Some(known) = self.known.partitions.get(&partition).copied().flatten() else { return };
        if is_changed {
            state.version = known.version.saturating_add(1);
            self.set.partitions.insert(partition, Some(state));
            self.plan.consulted.remove(&partition);
            self.plan.partitions.insert(partition, (known.version, state));
        } else if !self.plan.partitions.contains_key(&partition) {
            self.plan.consulted.insert(partition, known.version);
        }
    }
}

fn start_slice(request: &CommitRequest, append: &PartitionAppend, block: u32, base_offset: i64) -> Slice {
    Slice {
        partition: append.partition,
        base_offset,
        end_offset: base_offset,
        object: request.object,
        first_block: block,
        blocks: 0,
        bytes: 0,
        maximum_timestamp: i64::MIN,
        appended_at_ms: request.appended_at_ms,
        committed_by: request.object.epoch,
        is_compacted: false,
    }
}

fn extend_slice(slice: &mut Slice, batch: &BatchFacts, end_offset: i64) {
    slice.end_offset = end_offset;
    slice.blocks = slice.blocks.saturating_add(1);
    slice.bytes = slice.bytes.saturating_add(u64::from(batch.bytes));
    slice.maximum_timestamp = slice.maximum_timestamp.max(batch.maximum_timestamp);
}

#[cfg(test)]
mod tests {
    use cadastre_protocol::types::TopicId;

    use super::*;
    use crate::commit::{ProducerStamp, TransactionRole};
    use crate::ids::{BrokerEpoch, ObjectId};

    const PARTITION: TopicPartition = TopicPartition { topic: TopicId([1; 16]), partition: 0 };

    fn batch(offsets: u32, sequence: Option<i32>) -> BatchFacts {
        let producer = sequence.map(|base_sequence| ProducerStamp {
            id: 9,
            epoch: 0,
            base_sequence,
            last_sequence: base_sequence + i32::try_from(offsets).unwrap() - 1,
            role: TransactionRole::None,
        });
        BatchFacts { offsets, bytes: 100, maximum_timestamp: 7, producer }
    }

    fn request(number: u64, first_block: u32, batches: Vec<BatchFacts>) -> CommitRequest {
        CommitRequest {
            object: ObjectId { epoch: BrokerEpoch(3), number },
            object_bytes: 1000,
            appended_at_ms: 5,
            appends: vec![PartitionAppend { partition: PARTITION, first_block, batches }],
        }
    }

    fn known(next_offset: i64) -> WorkingSet {
        let state = PartitionState { version: 4, log_start: 0, next_offset, bytes: 0 };
        WorkingSet { partitions: BTreeMap::from([(PARTITION, Some(state))]), producers: BTreeMap::new() }
    }

    #[test]
    fn batches_of_several_objects_follow_each_other_and_the_version_rises_once() {
        let requests =
            [request(0, 0, vec![batch(3, None), batch(2, None)]), request(1, 4, vec![batch(1, None)])];
        let plan = plan(&requests, &known(10));
        let slices: Vec<_> =
            plan.slices.iter().flatten().map(|s| (s.base_offset, s.end_offset, s.blocks)).collect();
        assert_eq!(slices, [(10, 15, 2), (15, 16, 1)]);
        let (planned_on, after) = plan.partitions[&PARTITION];
        assert_eq!((planned_on, after.version, after.next_offset, after.bytes), (4, 5, 16, 300));
    }

    #[test]
    fn a_duplicate_inside_splits_the_slice_and_takes_no_offsets() {
        let first = plan(&[request(0, 0, vec![batch(2, Some(0))])], &known(0));
        let set = WorkingSet {
            partitions: BTreeMap::from([(PARTITION, Some(first.partitions[&PARTITION].1))]),
            producers: first.producers.into_iter().map(|(key, entry)| (key, Some(entry))).collect(),
        };
        let batches = vec![batch(1, None), batch(2, Some(0)), batch(3, Some(2))];
        let second = plan(&[request(1, 8, batches)], &set);
        let slices: Vec<_> =
            second.slices[0].iter().map(|s| (s.base_offset, s.first_block, s.blocks)).collect();
        assert_eq!(slices, [(2, 8, 1), (3, 10, 1)]);
        assert!(matches!(
            second.outcomes[0].appends[0][1],
            BatchOutcome::Duplicate(Placement { base_offset: 0, .. })
        ));
    }

    #[test]
    fn what_changes_nothing_is_still_bound_to_the_state_it_was_decided_on() {
        let refused = plan(&[request(0, 0, vec![batch(1, Some(5))])], &known(0));
        assert!(refused.partitions.contains_key(&PARTITION), "an unknown producer may start anywhere");
        let set = WorkingSet {
            partitions: BTreeMap::from([(PARTITION, Some(refused.partitions[&PARTITION].1))]),
            producers: refused.producers.into_iter().map(|(key, entry)| (key, Some(entry))).collect(),
        };
        let gap = plan(&[request(1, 0, vec![batch(1, Some(9))])], &set);
        assert!(gap.partitions.is_empty() && !gap.outcomes[0].is_referenced());
        assert_eq!(gap.consulted, BTreeMap::from([(PARTITION, 5)]));
    }
}
