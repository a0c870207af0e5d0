//! What every sequencer promises, as functions of one.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::BTreeMap;

use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{
    AppendRefusal, BatchFacts, BatchOutcome, BrokerEpoch, CommitOutcome, CommitRequest, Condition,
    MetadataChange, MetadataCommit, MetadataTable, ObjectId, ObjectState, PartitionAppend, Placement,
    ProducerStamp, Replacement, Sequencer, SequencerError, Slice, TransactionRole,
};

pub(crate) const TOPIC: TopicId = TopicId([7; 16]);
const TABLE: MetadataTable = MetadataTable(4);

pub(crate) fn partition(partition: i32) -> TopicPartition {
    TopicPartition { topic: TOPIC, partition }
}

pub(crate) fn batch(offsets: u32, maximum_timestamp: i64) -> BatchFacts {
    BatchFacts { offsets, bytes: 100, maximum_timestamp, producer: None }
}

pub(crate) fn stamped(offsets: u32, id: i64, epoch: i16, base_sequence: i32) -> BatchFacts {
    let last_sequence = base_sequence + i32::try_from(offsets).unwrap() - 1;
    let producer =
        Some(ProducerStamp { id, epoch, base_sequence, last_sequence, role: TransactionRole::None });
    BatchFacts { producer, ..batch(offsets, 0) }
}

pub(crate) fn request(epoch: BrokerEpoch, number: u64, appends: &[(i32, &[BatchFacts])]) -> CommitRequest {
    let mut first_block = 0;
    let appends = appends.iter().map(|(index, batches)| {
        let append = PartitionAppend { partition: partition(*index), first_block, batches: batches.to_vec() };
        first_block += u32::try_from(batches.len()).unwrap();
        append
    });
    let appends = appends.collect();
    CommitRequest { object: ObjectId { epoch, number }, object_bytes: 1000, appended_at_ms: 50, appends }
}

/// What became of each batch: `Ok((offset, is_duplicate))`.
pub(crate) fn flat(outcome: &CommitOutcome) -> Vec<Result<(i64, bool), AppendRefusal>> {
    let one = |outcome: &BatchOutcome| match outcome {
        BatchOutcome::Appended(Placement { base_offset, .. }) => Ok((*base_offset, false)),
        BatchOutcome::Duplicate(Placement { base_offset, .. }) => Ok((*base_offset, true)),
        BatchOutcome::Refused(refusal) => Err(*refusal),
    };
    outcome.appends.iter().flatten().map(one).collect()
}

async fn broker(sequencer: &dyn Sequencer, partitions: i32) -> BrokerEpoch {
    let epoch = sequencer.register(1, b"one").await.unwrap();
    sequencer.create_partitions(epoch, TOPIC, partitions).await.unwrap();
    epoch
}

pub(crate) async fn offsets_are_dense_over_partitions_and_objects(it: &dyn Sequencer) {
    let epoch = broker(it, 2).await;
    let first = request(epoch, 0, &[(0, &[batch(3, 10), batch(2, 30)]), (1, &[batch(1, 20)])]);
    assert_eq!(flat(&it.commit(first).await.unwrap()), [Ok((0, false)), Ok((3, false)), Ok((0, false))]);
    let second = request(epoch, 1, &[(1, &[batch(4, 5)]), (0, &[batch(1, 40)])]);
    assert_eq!(flat(&it.commit(second).await.unwrap()), [Ok((1, false)), Ok((5, false))]);
    let page = it.slices(partition(0), 0, 10).await.unwrap();
    let found: Vec<_> =
        page.slices.iter().map(|s| (s.base_offset, s.end_offset, s.first_block, s.blocks)).collect();
    assert_eq!(found, [(0, 5, 0, 2), (5, 6, 1, 1)]);
    assert_eq!((page.state.next_offset, page.state.log_start, page.state.bytes), (6, 0, 300));
    assert_eq!(it.partitions().get(partition(0)), Some(page.state));
    assert_eq!(it.slices(partition(0), 4, 1).await.unwrap().slices, page.slices[..1]);
    assert_eq!(it.slices(partition(0), 6, 9).await.unwrap().slices, []);
    assert!(matches!(it.slices(partition(0), 7, 9).await, Err(SequencerError::OffsetOutOfRange { .. })));
    assert!(matches!(it.slices(partition(5), 0, 9).await, Err(SequencerError::UnknownPartition { .. })));
    let since = |timestamp| async move { it.first_slice_since(partition(0), timestamp).await.unwrap() };
    assert_eq!(since(20).await.map(|s| s.base_offset), Some(0));
    assert_eq!(since(31).await.map(|s| s.base_offset), Some(5));
    assert_eq!(since(41).await, None);
    assert_eq!(it.latest_slice(partition(0)).await.unwrap().map(|s| s.base_offset), Some(5));
}

pub(crate) async fn the_same_object_is_committed_once(it: &dyn Sequencer) {
    let epoch = broker(it, 1).await;
    let object = request(epoch, 0, &[(0, &[batch(3, 0)])]);
    let first = it.commit(object.clone()).await.unwrap();
    it.commit(request(epoch, 1, &[(0, &[batch(1, 0)])])).await.unwrap();
    assert_eq!(it.commit(object).await.unwrap(), first);
    assert_eq!(it.partitions().get(partition(0)).unwrap().next_offset, 4);
}

pub(crate) async fn producers_are_judged_as_kafka_judges_them(it: &dyn Sequencer) {
    let epoch = broker(it, 2).await;
    let mut number = 0;
    let mut append = |batches: Vec<BatchFacts>| {
        number += 1;
        it.commit(request(epoch, number, &[(0, &batches)]))
    };
    assert_eq!(
        flat(&append(vec![stamped(2, 9, 0, 0), stamped(3, 9, 0, 2)]).await.unwrap()),
        [Ok((0, false)), Ok((2, false))]
    );
    assert_eq!(flat(&append(vec![stamped(2, 9, 0, 0)]).await.unwrap()), [Ok((0, true))]);
    let mixed = append(vec![stamped(1, 9, 0, 5), stamped(3, 9, 0, 2), stamped(1, 9, 0, 9)]).await.unwrap();
    let gap = AppendRefusal::OutOfOrderSequence { found: 9, expected: 6 };
    assert_eq!(flat(&mixed), [Ok((5, false)), Ok((2, true)), Err(gap)]);
    assert_eq!(flat(&append(vec![stamped(1, 9, 1, 0)]).await.unwrap()), [Ok((6, false))]);
    let old = AppendRefusal::InvalidProducerEpoch { found: 0, known: 1 };
    assert_eq!(flat(&append(vec![stamped(1, 9, 0, 6)]).await.unwrap()), [Err(old)]);
    let known = it.producers(partition(0)).await.unwrap();
    assert_eq!(
        known.iter().map(|p| (p.producer_id, p.epoch, p.last_sequence, p.last_offset)).collect::<Vec<_>>(),
        [(9, 1, 0, 6)]
    );
    assert_eq!(it.expire_producers(epoch, 50).await.unwrap(), 0);
    assert_eq!(it.expire_producers(epoch, 51).await.unwrap(), 1);
    assert_eq!(it.producers(partition(0)).await.unwrap(), []);
    assert_eq!(flat(&append(vec![stamped(1, 9, 0, 44)]).await.unwrap()), [Ok((7, false))]);
}

pub(crate) async fn a_transaction_is_ended_once_in_a_partition(it: &dyn Sequencer) {
    let epoch = broker(it, 1).await;
    let mut number = 0;
    let mut append = |batches: Vec<BatchFacts>| {
        number += 1;
        it.commit(request(epoch, number, &[(0, &batches)]))
    };
    let within = |transaction, facts: BatchFacts| {
        let role = TransactionRole::Within(transaction);
        BatchFacts { producer: facts.producer.map(|stamp| ProducerStamp { role, ..stamp }), ..facts }
    };
    let ends = |producer_epoch, transaction| {
        let producer = Some(ProducerStamp::marker(9, producer_epoch, transaction));
        BatchFacts { producer, ..batch(1, 0) }
    };
    let first = append(vec![within(1, stamped(2, 9, 0, 0)), ends(0, 1)]).await.unwrap();
    assert_eq!(flat(&first), [Ok((0, false)), Ok((2, false))]);
    let late = append(vec![within(1, stamped(1, 9, 0, 2)), ends(0, 1)]).await.unwrap();
    assert_eq!(flat(&late), [Err(AppendRefusal::TransactionEnded), Ok((2, true))]);
    let second = append(vec![within(2, stamped(1, 9, 0, 2)), ends(1, 2)]).await.unwrap();
    assert_eq!(flat(&second), [Ok((3, false)), Ok((4, false))]);
    let zombie = append(vec![within(3, stamped(1, 9, 0, 3)), within(3, stamped(1, 9, 1, 0))]).await.unwrap();
    let fenced = AppendRefusal::InvalidProducerEpoch { found: 0, known: 1 };
    assert_eq!(flat(&zombie), [Err(fenced), Ok((5, false))]);
}

pub(crate) async fn a_refused_batch_costs_only_itself(it: &dyn Sequencer) {
    let epoch = broker(it, 1).await;
    let outcome = it.commit(request(epoch, 0, &[(3, &[batch(1, 0)]), (0, &[batch(2, 0)])])).await.unwrap();
    assert_eq!(flat(&outcome), [Err(AppendRefusal::UnknownPartition), Ok((0, false))]);
    let nothing = it.commit(request(epoch, 1, &[(3, &[batch(1, 0)])])).await.unwrap();
    assert!(!nothing.is_referenced());
    assert_eq!(it.objects(None, 9).await.unwrap().len(), 1, "an object without slices leaves nothing behind");
    assert!(matches!(it.commit(request(epoch, 2, &[])).await, Err(SequencerError::Invalid(_))));
}

pub(crate) async fn a_fenced_broker_changes_nothing(it: &dyn Sequencer) {
    let epoch = broker(it, 1).await;
    let other = it.register(2, b"two").await.unwrap();
    let lease = it.acquire_lease(epoch, "compaction").await.unwrap();
    it.commit(request(epoch, 0, &[(0, &[batch(1, 0)])])).await.unwrap();
    let before = it.registry().await.unwrap().version;
    assert!(it.fence(epoch).await.unwrap());
    assert!(!it.fence(epoch).await.unwrap());
    assert!(it.registry().await.unwrap().version > before);
    let fenced = |result: Result<(), SequencerError>| match result {
        Err(SequencerError::Fenced { epoch: named }) => assert_eq!(named, epoch),
        other => panic!("{other:?}"),
    };
    fenced(it.commit(request(epoch, 1, &[(0, &[batch(1, 0)])])).await.map(|_| ()));
    fenced(it.heartbeat(epoch, 0).await.map(|_| ()));
    fenced(it.create_partitions(epoch, TOPIC, 2).await);
    fenced(it.delete_topic(epoch, TOPIC, 0).await.map(|_| ()));
    fenced(it.move_log_start(epoch, partition(0), 1, 0).await.map(|_| ()));
    fenced(it.commit_metadata(put(epoch, "a", "1", Condition::Any)).await.map(|_| ()));
    fenced(it.acquire_lease(epoch, "other").await.map(|_| ()));
    let page = it.slices(partition(0), 0, 9).await.unwrap();
    fenced(it.replace(replacement(&lease, &page.slices, 9)).await);
    assert_eq!(it.slices(partition(0), 0, 9).await.unwrap(), page);
    assert_eq!(it.acquire_lease(other, "compaction").await.unwrap().holder, other);
}

pub(crate) async fn a_node_that_registers_again_ends_its_earlier_registration(it: &dyn Sequencer) {
    let first = it.register(1, b"old").await.unwrap();
    let second = it.register(1, b"new").await.unwrap();
    assert!(second > first);
    assert!(matches!(it.heartbeat(first, 0).await, Err(SequencerError::Fenced { .. })));
    let registry = it.heartbeat(second, 0).await.unwrap();
    let brokers: Vec<_> =
        registry.brokers.iter().map(|b| (b.epoch, b.node_id, b.beat, b.description.as_slice())).collect();
    assert_eq!(brokers, [(second, 1, 1, b"new".as_slice())]);
}

pub(crate) async fn log_starts_move_and_objects_are_let_go(it: &dyn Sequencer) {
    let epoch = broker(it, 2).await;
    it.commit(request(epoch, 0, &[(0, &[batch(3, 0)]), (1, &[batch(1, 0)])])).await.unwrap();
    it.commit(request(epoch, 1, &[(0, &[batch(2, 0)])])).await.unwrap();
    assert_eq!(it.move_log_start(epoch, partition(0), 2, 100).await.unwrap(), 2);
    assert_eq!(
        it.slices(partition(0), 2, 9).await.unwrap().slices.len(),
        2,
        "the slice that holds the log start stays"
    );
    assert_eq!(it.move_log_start(epoch, partition(0), 1, 100).await.unwrap(), 2);
    assert_eq!(it.move_log_start(epoch, partition(0), 5, 100).await.unwrap(), 5);
    let state = it.partitions().get(partition(0)).unwrap();
    assert_eq!((state.log_start, state.next_offset, state.bytes), (5, 5, 0));
    assert!(matches!(
        it.move_log_start(epoch, partition(0), 6, 0).await,
        Err(SequencerError::OffsetOutOfRange { .. })
    ));
    let states: Vec<_> =
        it.objects(None, 9).await.unwrap().iter().map(|o| (o.id.number, o.slices, o.state)).collect();
    assert_eq!(
        states,
        [(0, 1, ObjectState::Referenced), (1, 0, ObjectState::Unreferenced { since_ms: 100 })]
    );
    assert_eq!(it.unreferenced(100, 9).await.unwrap(), []);
    let free = it.unreferenced(101, 9).await.unwrap();
    assert_eq!(free, [ObjectId { epoch, number: 1 }]);
    assert_eq!(it.forget(free.clone()).await.unwrap(), 0, "its epoch could still commit it");
    it.heartbeat(epoch, 2).await.unwrap();
    assert_eq!(it.forget(free).await.unwrap(), 1);
    assert_eq!(it.forget(vec![ObjectId { epoch, number: 0 }]).await.unwrap(), 0, "it is referenced");
}

pub(crate) async fn a_deleted_topic_leaves_nothing(it: &dyn Sequencer) {
    let epoch = broker(it, 2).await;
    it.commit(request(epoch, 0, &[(0, &[stamped(3, 9, 0, 0)]), (1, &[batch(1, 0)])])).await.unwrap();
    let end = it.partitions().watch(partition(0)).unwrap();
    assert_eq!(it.delete_topic(epoch, TOPIC, 70).await.unwrap(), 2);
    assert!(end.has_changed().is_err(), "who waits for records learns of the deletion");
    assert!(matches!(it.delete_topic(epoch, TOPIC, 70).await, Err(SequencerError::UnknownTopic { .. })));
    assert!(matches!(it.slices(partition(0), 0, 1).await, Err(SequencerError::UnknownPartition { .. })));
    assert_eq!(it.partitions().all(), []);
    assert_eq!(it.unreferenced(71, 9).await.unwrap(), [ObjectId { epoch, number: 0 }]);
    let late = it.commit(request(epoch, 1, &[(0, &[batch(1, 0)])])).await.unwrap();
    assert_eq!(flat(&late), [Err(AppendRefusal::UnknownPartition)]);
}

pub(crate) async fn partitions_are_added_and_never_taken_away(it: &dyn Sequencer) {
    let epoch = broker(it, 2).await;
    it.commit(request(epoch, 0, &[(1, &[batch(3, 0)])])).await.unwrap();
    it.create_partitions(epoch, TOPIC, 2).await.unwrap();
    it.create_partitions(epoch, TOPIC, 4).await.unwrap();
    assert_eq!(it.partitions().of_topic(TOPIC).len(), 4);
    assert_eq!(it.partitions().get(partition(1)).unwrap().next_offset, 3);
    for count in [3, 0, -1, cadastre_sequencer::MAXIMUM_PARTITIONS + 1] {
        let result = it.create_partitions(epoch, TOPIC, count).await;
        assert!(matches!(result, Err(SequencerError::PartitionCount { .. })), "{count}: {result:?}");
    }
}

fn replacement(lease: &cadastre_sequencer::Lease, before: &[Slice], number: u64) -> Replacement {
    let object = ObjectId { epoch: lease.holder, number };
    let (first, last) = (before.first().unwrap(), before.last().unwrap());
    let after = Slice {
        object,
        end_offset: last.end_offset,
        first_block: 0,
        blocks: before.iter().map(|slice| slice.blocks).sum(),
        bytes: 60,
        is_compacted: true,
        committed_by: lease.holder,
        ..*first
    };
    Replacement {
        lease: lease.clone(),
        partition: first.partition,
        before: before.to_vec(),
        after: vec![after],
        object,
        object_bytes: 80,
        now_ms: 90,
    }
}

pub(crate) async fn slices_are_replaced_only_as_they_were_read(it: &dyn Sequencer) {
    let epoch = broker(it, 1).await;
    for number in 0..4 {
        it.commit(request(epoch, number, &[(0, &[batch(2, 0)])])).await.unwrap();
    }
    let lease = it.acquire_lease(epoch, "compaction").await.unwrap();
    let read = it.slices(partition(0), 0, 2).await.unwrap().slices;
    // A hot partition advances between reading and replacing.
    it.commit(request(epoch, 4, &[(0, &[batch(1, 0)])])).await.unwrap();
    it.replace(replacement(&lease, &read, 5)).await.unwrap();
    let page = it.slices(partition(0), 0, 9).await.unwrap();
    let found: Vec<_> =
        page.slices.iter().map(|s| (s.base_offset, s.end_offset, s.object.number, s.is_compacted)).collect();
    assert_eq!(found, [(0, 4, 5, true), (4, 6, 2, false), (6, 8, 3, false), (8, 9, 4, false)]);
    assert_eq!(page.state.bytes, 60 + 300);
    assert_eq!(it.unreferenced(91, 9).await.unwrap().len(), 2);
    let again = it.replace(replacement(&lease, &read, 6)).await;
    assert!(matches!(again, Err(SequencerError::Conflict { .. })), "{again:?}");
    let newer = it.acquire_lease(epoch, "compaction").await.unwrap();
    let old = it.replace(replacement(&lease, &page.slices[1..3], 7)).await;
    assert!(matches!(old, Err(SequencerError::LeaseLost { .. })), "{old:?}");
    let mut gap = replacement(&newer, &page.slices[1..3], 7);
    gap.after[0].end_offset -= 1;
    assert!(matches!(it.replace(gap).await, Err(SequencerError::Invalid(_))));
    it.abandon(vec![ObjectId { epoch, number: 8 }]).await.unwrap();
    let gone = it.replace(replacement(&newer, &page.slices[1..3], 8)).await;
    assert!(matches!(gone, Err(SequencerError::Abandoned { .. })), "{gone:?}");
    assert_eq!(it.slices(partition(0), 0, 9).await.unwrap(), page);
}

pub(crate) async fn leases_belong_to_one_live_broker(it: &dyn Sequencer) {
    let one = it.register(1, b"").await.unwrap();
    let two = it.register(2, b"").await.unwrap();
    let held = it.acquire_lease(one, "l").await.unwrap();
    assert!(matches!(it.acquire_lease(two, "l").await, Err(SequencerError::LeaseLost { .. })));
    it.release_lease(&held).await.unwrap();
    let next = it.acquire_lease(two, "l").await.unwrap();
    assert!(next.epoch > held.epoch);
    it.release_lease(&held).await.unwrap();
    assert!(matches!(it.acquire_lease(one, "l").await, Err(SequencerError::LeaseLost { .. })));
    it.fence(two).await.unwrap();
    assert!(it.acquire_lease(one, "l").await.unwrap().epoch > next.epoch);
}

pub(crate) async fn an_abandoned_object_is_never_committed(it: &dyn Sequencer) {
    let epoch = broker(it, 1).await;
    it.commit(request(epoch, 0, &[(0, &[batch(1, 0)])])).await.unwrap();
    let ids: Vec<_> = (0..3).map(|number| ObjectId { epoch, number }).collect();
    assert_eq!(it.abandon(ids.clone()).await.unwrap(), ids[1..], "what is committed stays");
    assert_eq!(it.abandon(ids.clone()).await.unwrap(), ids[1..]);
    let late = it.commit(request(epoch, 1, &[(0, &[batch(1, 0)])])).await;
    assert!(matches!(late, Err(SequencerError::Abandoned { object }) if object == ids[1]), "{late:?}");
    assert_eq!(it.partitions().get(partition(0)).unwrap().next_offset, 1);
    assert_eq!(it.objects(Some(ids[0]), 1).await.unwrap()[0].state, ObjectState::Abandoned);
    assert_eq!(it.forget(ids.clone()).await.unwrap(), 0);
    it.fence(epoch).await.unwrap();
    assert_eq!(it.forget(ids).await.unwrap(), 2, "nobody can commit them any more");
}

pub(crate) async fn producer_ids_are_given_once(it: &dyn Sequencer) {
    let first = it.reserve_producer_ids(100).await.unwrap();
    let second = it.reserve_producer_ids(1).await.unwrap();
    assert!(first >= 0 && second >= first + 100);
}

pub(crate) fn put(broker: BrokerEpoch, key: &str, value: &str, condition: Condition) -> MetadataCommit {
    let value = Some(value.as_bytes().to_vec());
    let change = MetadataChange { table: TABLE, key: key.to_owned(), value, condition };
    MetadataCommit { broker, registry: None, changes: vec![change] }
}

pub(crate) async fn metadata_changes_happen_together_or_not_at_all(it: &dyn Sequencer) {
    let epoch = it.register(1, b"").await.unwrap();
    let seen = it.metadata().subscribe();
    let first = it.commit_metadata(put(epoch, "a", "1", Condition::Absent)).await.unwrap();
    assert!(seen.has_changed().unwrap());
    let mut both = put(epoch, "b", "2", Condition::Any);
    both.changes.extend(put(epoch, "a", "3", Condition::Absent).changes);
    let refused = it.commit_metadata(both.clone()).await;
    assert!(matches!(refused, Err(SequencerError::Conflict { .. })), "{refused:?}");
    assert_eq!(it.metadata().entries(TABLE), BTreeMap::from([("a".to_owned(), b"1".to_vec())]));
    both.changes[1].condition = Condition::Version(first);
    let second = it.commit_metadata(both).await.unwrap();
    assert!(second > first);
    assert_eq!(it.metadata().version(), second);
    assert_eq!(it.metadata().get(TABLE, "a"), Some(b"3".to_vec()));
    assert_eq!(it.metadata().entry_version(TABLE, "a"), Some(second));
    let mut delete = put(epoch, "a", "", Condition::Version(second));
    delete.changes[0].value = None;
    it.commit_metadata(delete).await.unwrap();
    assert_eq!(it.metadata().entries(TABLE).into_keys().collect::<Vec<_>>(), ["b"]);
    it.commit_metadata(put(epoch, "a", "", Condition::Absent)).await.unwrap();
    assert_eq!(it.metadata().get(TABLE, "a"), Some(Vec::new()));
    assert_eq!(it.metadata().entries(MetadataTable(5)), BTreeMap::new());
}

pub(crate) async fn a_commit_bound_to_the_registry_fails_when_brokers_change(it: &dyn Sequencer) {
    let epoch = it.register(1, b"").await.unwrap();
    let version = it.registry().await.unwrap().version;
    let mut commit = put(epoch, "offset", "1", Condition::Any);
    commit.registry = Some(version);
    it.commit_metadata(commit.clone()).await.unwrap();
    it.register(2, b"").await.unwrap();
    let late = it.commit_metadata(commit).await;
    assert!(
        matches!(late, Err(SequencerError::RegistryChanged { expected }) if expected == version),
        "{late:?}"
    );
}

/// Runs a promise on every implementation.
#[macro_export]
macro_rules! conformance {
    ($($promise:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                $crate::suite::$promise(&cadastre_sequencer::MemorySequencer::new()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(server) = $crate::support::shared_server() else { return };
                let sequencer = $crate::support::open(server, &$crate::support::fresh_schema()).await;
                $crate::suite::$promise(&sequencer).await;
                cadastre_sequencer::Sequencer::close(&sequencer).await.unwrap();
            })*
        }
    };
}
