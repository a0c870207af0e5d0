//! From shared objects to one partition's, through compaction, to deletion; and reading beside it all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use cadastre_keys::{
    EncryptionContext, KeyCacheConfig, KeyClock, KeyProvider, KeyRing, KeyRingConfig, KeyScope,
    ManualKeyClock, MemoryKeyStore, ScopeKeyStore, TopicKeys, WrappedKey,
};
use cadastre_objects::compaction::CleaningPlan;
use cadastre_objects::{
    BuiltObject, CompactionTask, Finding, MergePlanner, ObjectError, ObjectId, ObjectKind, ObjectName,
    ObjectReader, ObjectReference, ObjectWriter, ReaderSettings, References, Region, RunSettings, Store,
    StoreError, StoredObject, SweepSettings, Sweeper, compact, merge,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use futures::TryStreamExt;
use futures::future::join_all;
use object_store::path::Path;
use proptest::prelude::*;

use support::{CLUSTER, batch, build, keys, memory, partition};

struct Bench {
    store: Store,
    keys: Arc<dyn KeyProvider>,
    writer: ObjectWriter,
    reader: ObjectReader,
}

fn bench(settings: ReaderSettings) -> Bench {
    let (store, keys) = (memory(), keys());
    let writer = ObjectWriter::new(store.clone(), Arc::clone(&keys), CLUSTER.to_owned(), 7);
    let reader = ObjectReader::new(store.clone(), Arc::clone(&keys), settings);
    Bench { store, keys, writer, reader }
}

fn stored(built: &BuiltObject) -> StoredObject {
    StoredObject { id: built.name.id, kind: built.name.kind, spans: built.index.spans() }
}

impl Bench {
    async fn written(&self, kind: ObjectKind, contents: &[(i32, RecordBatch)]) -> BuiltObject {
        let contents: Vec<_> =
            contents.iter().map(|(number, batch)| (partition(1, *number), batch.clone())).collect();
        let built = build(&self.writer, kind, &contents).await;
        self.writer.write(&built).await.unwrap();
        built
    }
}

#[tokio::test]
async fn shared_objects_merge_to_partition_objects_with_the_same_batches() {
    let bench = bench(ReaderSettings::default());
    let one = [(0, batch(0, 3, 50)), (0, batch(3, 2, 50)), (1, batch(0, 1, 50))];
    let two = [(0, batch(5, 3, 50)), (1, batch(1, 4, 50))];
    let sources =
        [bench.written(ObjectKind::Mixed, &one).await, bench.written(ObjectKind::Mixed, &two).await];
    let manifest: Vec<_> = sources.iter().map(stored).collect();
    let planner = MergePlanner { minimum_bytes: 1, ..MergePlanner::default() };
    assert_eq!(MergePlanner::default().plan(&manifest, false), []);
    let tasks = planner.plan(&manifest, false);
    assert_eq!(tasks.len(), 2);
    let names: BTreeMap<_, _> = sources.iter().map(|it| (it.name.id, it.name.clone())).collect();
    for (number, task) in (0..).zip(&tasks) {
        let merged = merge(
            &bench.reader,
            &bench.writer,
            task,
            |id| names.get(&id).cloned().map(ObjectReference::new),
            |_, _, batch| Some(batch.clone()),
            9_000,
        )
        .await
        .unwrap()
        .unwrap();
        assert!(merged.left_behind.is_empty());
        assert_eq!(merged.built.name.kind, ObjectKind::Partition);
        let object = ObjectReference::new(merged.built.name.clone());
        let read = bench.reader.read(&object, partition(1, number), 0, usize::MAX).await.unwrap();
        let expected: Vec<_> =
            one.iter().chain(&two).filter(|(it, _)| *it == number).map(|(_, batch)| batch).collect();
        assert_eq!(read.iter().map(|it| &it.batch).collect::<Vec<_>>(), expected);
        assert!(planner.plan(&[stored(&merged.built)], false).is_empty(), "merged once is enough");
    }
}

/// In a cluster the database assigns offsets after the upload; merging binds them.
#[tokio::test]
async fn merging_places_batches_whose_offsets_were_assigned_later() {
    let bench = bench(ReaderSettings::default());
    let sent = [(0, batch(0, 3, 50).with_offsets(0, -1)), (0, batch(0, 2, 50).with_offsets(0, -1))];
    let wal = bench.written(ObjectKind::Wal, &sent).await;
    let mut object = stored(&wal);
    object.spans[0].base_offset = Some(70);
    object.spans[0].end_offset = Some(75);
    let planner = MergePlanner { minimum_bytes: 1, ..MergePlanner::default() };
    let task = planner.plan(&[object], false).remove(0);
    let mut next = 70;
    let merged = merge(
        &bench.reader,
        &bench.writer,
        &task,
        |_| Some(ObjectReference::new(wal.name.clone())),
        |_, block, batch| {
            let placed = batch.with_offsets(next, 5);
            next += i64::from(block.last_offset_delta) + 1;
            Some(placed)
        },
        9_000,
    );
    let merged = merged.await.unwrap().unwrap();
    let spans = merged.built.index.spans();
    assert_eq!((spans[0].base_offset, spans[0].end_offset), (Some(70), Some(75)));
}

#[tokio::test]
async fn merging_leaves_damage_behind_by_name_and_copies_the_rest() {
    let bench = bench(ReaderSettings::default());
    let contents: Vec<_> = (0..5).map(|number| (0, batch(number * 3, 3, 50))).collect();
    let built = build(
        &bench.writer,
        ObjectKind::Mixed,
        &contents.iter().map(|(number, batch)| (partition(1, *number), batch.clone())).collect::<Vec<_>>(),
    )
    .await;
    let mut bytes = built.chunks.concat();
    bytes[usize::try_from(built.index.blocks()[2].position).unwrap()] ^= 1;
    bench.store.put_new(&built.name.path(), vec![Bytes::from(bytes)]).await.unwrap();
    let planner = MergePlanner { minimum_bytes: 1, ..MergePlanner::default() };
    let task = planner.plan(&[stored(&built)], false).remove(0);
    let merged = merge(
        &bench.reader,
        &bench.writer,
        &task,
        |_| Some(ObjectReference::new(built.name.clone())),
        |_, _, batch| Some(batch.clone()),
        9_000,
    );
    let merged = merged.await.unwrap().unwrap();
    assert_eq!(merged.built.index.blocks().len(), 4);
    assert_eq!(merged.left_behind, [built.index.blocks()[2]]);
    assert_eq!(bench.reader.quarantine().list()[0].region, Region::Block(2));
}

fn keyed(base: i64, keys: &[&'static str]) -> RecordBatch {
    let record = |key: &&'static str| Record {
        timestamp: 10,
        key: Some(Bytes::from_static(key.as_bytes())),
        value: Some(Bytes::from(vec![b'v'; 300])),
        ..Record::default()
    };
    let records: Vec<_> = keys.iter().map(record).collect();
    RecordBatch::build(base, &records, None).unwrap().with_offsets(base, 0)
}

#[tokio::test]
async fn compaction_over_objects_keeps_the_last_of_each_key_in_bounded_objects() {
    let bench = bench(ReaderSettings::default());
    let batches: Vec<_> = (0..200)
        .map(|number| {
            let keys: [&'static str; 2] = if number % 2 == 0 { ["even", "all"] } else { ["odd", "all"] };
            keyed(number * 2, &keys)
        })
        .chain((0..100).map(|number| {
            keyed(400 + number, &[["a", "b", "c", "d", "e"][usize::try_from(number % 5).unwrap()]])
        }))
        .collect();
    let mut sources = Vec::new();
    for part in batches.chunks(75) {
        let part: Vec<_> = part.iter().map(|batch| (0, batch.clone())).collect();
        let built = bench.written(ObjectKind::Partition, &part).await;
        sources.push((ObjectReference::new(built.name.clone()), built.index.spans()[0]));
    }
    let task = CompactionTask {
        partition: partition(1, 0),
        sources,
        plan: CleaningPlan { dirty_from: 0, clean_to: 450 },
        last_of_producer: BTreeMap::new(),
        delete_retention_ms: 1,
        now_ms: 100,
        maximum_keys: 1_000,
        object_bytes: 8_000,
    };
    let done = compact(&bench.reader, &bench.writer, &task).await.unwrap();
    assert_eq!((done.cleaned_to, done.batches.0), (450, 300));
    assert!(done.objects.len() > 1, "bounded objects");
    let mut left = Vec::new();
    for built in &done.objects {
        let object = ObjectReference::new(built.name.clone());
        for read in bench.reader.read(&object, partition(1, 0), 0, usize::MAX).await.unwrap() {
            left.extend(read.batch.records(1 << 20).unwrap().map(|it| it.unwrap()));
        }
    }
    let offsets: Vec<_> = left.iter().map(|it| it.offset).collect();
    // The last of `even`, `odd` and `all`, the last of a to e below the bound, and everything beyond it.
    let expected: Vec<i64> = [396, 398, 399, 445, 446, 447, 448, 449].into_iter().chain(450..500).collect();
    assert_eq!(offsets, expected);
}

#[tokio::test]
async fn concurrent_readers_share_one_fetch_and_memory_stays_bounded() {
    let settings = ReaderSettings {
        cache_bytes: 200_000,
        index_cache_bytes: 50_000,
        read_ahead: 0,
        runs: RunSettings { run_bytes: 20_000 },
        ..ReaderSettings::default()
    };
    let bench = bench(settings);
    let contents: Vec<_> = (0..300).map(|number| (0, batch(number * 2, 2, 2_000))).collect();
    let built = bench.written(ObjectKind::Partition, &contents).await;
    let object = ObjectReference::new(built.name.clone());
    bench.reader.open(&object).await.unwrap();
    let before = bench.store.counts().gets;
    let reads = (0..32).map(|_| bench.reader.read(&object, partition(1, 0), 0, 1));
    assert!(join_all(reads).await.into_iter().all(|it| it.unwrap()[0].batch == contents[0].1));
    assert_eq!(bench.store.counts().gets - before, 1, "one fetch for 32 readers");
    let mut next = 0;
    while next < 600 {
        let read = bench.reader.read(&object, partition(1, 0), next, 50_000).await.unwrap();
        assert_eq!(read[0].batch.base_offset(), next);
        next = read.last().unwrap().batch.last_offset() + 1;
        assert!(bench.reader.cached_bytes() <= 250_000, "{} bytes", bench.reader.cached_bytes());
    }
}

#[tokio::test]
async fn reading_on_finds_the_next_run_fetched_ahead() {
    let settings = ReaderSettings { runs: RunSettings { run_bytes: 5_000 }, ..ReaderSettings::default() };
    let bench = bench(settings);
    let contents: Vec<_> = (0..20).map(|number| (0, batch(number, 1, 2_000))).collect();
    let built = bench.written(ObjectKind::Partition, &contents).await;
    let object = ObjectReference::new(built.name.clone());
    bench.reader.read(&object, partition(1, 0), 0, 1).await.unwrap();
    for _ in 0..1_000 {
        if bench.store.counts().gets == 3 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.store.counts().gets, 3, "the end, the run, and the one behind it");
    bench.reader.read(&object, partition(1, 0), 2, 1).await.unwrap();
}

/// A provider that can be switched off.
#[derive(Debug)]
struct Switch {
    inner: Arc<dyn KeyProvider>,
    off: std::sync::atomic::AtomicBool,
}

impl KeyProvider for Switch {
    fn key_id(&self) -> &str {
        self.inner.key_id()
    }

    fn generate_data_key<'a>(
        &'a self,
        context: &'a EncryptionContext,
    ) -> cadastre_keys::KeyFuture<'a, cadastre_keys::DataKey> {
        self.inner.generate_data_key(context)
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> cadastre_keys::KeyFuture<'a, cadastre_keys::Secret<[u8; cadastre_keys::KEY_LENGTH]>> {
        if self.off.load(std::sync::atomic::Ordering::SeqCst) {
            let refused = cadastre_keys::KeyError::Unavailable { reason: "switched off".to_owned() };
            return Box::pin(std::future::ready(Err(refused)));
        }
        self.inner.unwrap(wrapped, context)
    }
}

#[tokio::test]
async fn a_withdrawn_key_stops_reads_of_cached_records_too() {
    let bench = bench(ReaderSettings::default());
    let built = bench.written(ObjectKind::Partition, &[(0, batch(0, 1, 10))]).await;
    let object = ObjectReference::new(built.name.clone());
    let switch = Arc::new(Switch { inner: Arc::clone(&bench.keys), off: false.into() });
    let reader = ObjectReader::new(
        bench.store.clone(),
        Arc::clone(&switch) as Arc<dyn KeyProvider>,
        ReaderSettings::default(),
    );
    reader.read(&object, partition(1, 0), 0, 1).await.unwrap();
    switch.off.store(true, std::sync::atomic::Ordering::SeqCst);
    let refused = reader.read(&object, partition(1, 0), 0, 1).await.unwrap_err();
    assert!(matches!(refused, ObjectError::Key { .. }) && refused.is_retriable(), "{refused:?}");
    switch.off.store(false, std::sync::atomic::Ordering::SeqCst);
    reader.read(&object, partition(1, 0), 0, 1).await.unwrap();
}

/// Keys under scope keys: leases end reads, and rewrapping the scope key leaves objects alone.
#[tokio::test]
async fn objects_under_a_ring_live_and_die_with_the_lease_and_the_topics_key() {
    let switch = Arc::new(Switch { inner: keys(), off: false.into() });
    let clock = Arc::new(ManualKeyClock::new());
    let ttl = std::time::Duration::from_secs(60);
    let config = KeyRingConfig {
        cluster_id: CLUSTER.to_owned(),
        topic_keys: TopicKeys::Own,
        cache: KeyCacheConfig { ttl, ..KeyCacheConfig::default() },
    };
    let scope_keys = Arc::new(MemoryKeyStore::new(CLUSTER));
    let ring = Arc::new(KeyRing::new(
        config,
        Arc::clone(&switch) as Arc<dyn KeyProvider>,
        Arc::clone(&scope_keys) as Arc<dyn ScopeKeyStore>,
        Arc::clone(&clock) as Arc<dyn KeyClock>,
    ));
    let store = memory();
    let writer = ObjectWriter::new(store.clone(), Arc::clone(&ring), CLUSTER.to_owned(), 7);
    let mut builder = writer.start(ObjectKind::Partition, Some(partition(1, 0).topic), 0).await.unwrap();
    builder.push(partition(1, 0), &batch(0, 1, 10), 0).unwrap();
    let built = builder.finish().unwrap();
    writer.write(&built).await.unwrap();
    let topic = partition(1, 0).topic.to_string();
    assert_eq!(built.envelope.wrapped_key.key_id, KeyScope::Topic(topic).to_string());
    let reader = ObjectReader::new(store, ring, ReaderSettings::default());
    let object = ObjectReference::new(built.name.clone());
    reader.read(&object, partition(1, 0), 0, 1).await.unwrap();
    switch.off.store(true, std::sync::atomic::Ordering::SeqCst);
    reader.read(&object, partition(1, 0), 0, 1).await.unwrap();
    clock.advance(ttl);
    let refused = reader.read(&object, partition(1, 0), 0, 1).await.unwrap_err();
    assert!(matches!(refused, ObjectError::Key { .. }), "{refused:?}");
    assert!(reader.quarantine().list().is_empty(), "a lease that ended is no damage");
    switch.off.store(false, std::sync::atomic::Ordering::SeqCst);
    clock.advance(ttl);
    reader.read(&object, partition(1, 0), 0, 1).await.unwrap();
}

async fn list(store: &Store) -> BTreeSet<Path> {
    let folder = ObjectName::folder(CLUSTER);
    store.list(&folder).map_ok(|it| it.path).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_sweep_deletes_what_is_proven_an_orphan_and_nothing_else() {
    let bench = bench(ReaderSettings::default());
    let contents = [(0, batch(0, 1, 10))];
    let referenced = bench.written(ObjectKind::Mixed, &contents).await.name;
    let orphan = bench.written(ObjectKind::Mixed, &contents).await.name;
    let late = bench.written(ObjectKind::Mixed, &contents).await.name;
    let active = ObjectWriter::new(bench.store.clone(), Arc::clone(&bench.keys), CLUSTER.to_owned(), 8);
    let unfinished = build(&active, ObjectKind::Mixed, &[(partition(1, 0), contents[0].1.clone())]).await;
    active.write(&unfinished).await.unwrap();
    let future = ObjectName { id: ObjectId { writer_epoch: 9, sequence: 0 }, ..orphan.clone() };
    let foreign = ObjectName::folder(CLUSTER).join("notes.txt");
    for path in [future.path(), foreign.clone()] {
        bench.store.put_new(&path, vec![Bytes::from_static(b"x")]).await.unwrap();
    }
    let references = |more: &[&ObjectName]| References {
        objects: [&referenced].into_iter().chain(more.iter().copied()).map(|it| it.id).collect(),
        active_epochs: BTreeSet::from([8]),
        next_epoch: 9,
    };
    let answer = |references: References| move || async move { Ok::<_, StoreError>(references) };
    let settings = SweepSettings { grace_ms: 1_000, confirmation_ms: 500, ..SweepSettings::default() };
    let mut sweeper = Sweeper::new(bench.store.clone(), CLUSTER.to_owned(), settings);
    let listed: Vec<_> = bench.store.list(&ObjectName::folder(CLUSTER)).try_collect().await.unwrap();
    let now = listed.iter().map(|it| it.modified_at_ms).max().unwrap();

    let young = sweeper.survey(answer(references(&[])), now + 900).await.unwrap();
    assert!(young.orphans.is_empty() && sweeper.suspects().is_empty());
    let first = sweeper.survey(answer(references(&[])), now + 2_000).await.unwrap();
    assert_eq!((first.orphans.len(), first.counts[&Finding::Suspect]), (0, 2));
    assert_eq!((first.counts[&Finding::Referenced], first.counts[&Finding::WriterActive]), (1, 1));
    assert_eq!(first.odd.len(), 2, "{:?}", first.odd);
    // Meanwhile one of them was referenced after all.
    let early = sweeper.survey(answer(references(&[&late])), now + 2_400).await.unwrap();
    assert!(early.orphans.is_empty(), "not confirmed yet");
    let proof = sweeper.survey(answer(references(&[&late])), now + 2_600).await.unwrap();
    let names: Vec<_> = proof.orphans.iter().map(|it| &it.name).collect();
    assert_eq!(names, [&orphan]);
    // A survey deletes nothing.
    assert_eq!(list(&bench.store).await.len(), 6);
    // Whatever is referenced by the time of the deletion stays.
    assert!(sweeper.delete(&proof, answer(references(&[&late, &orphan]))).await.unwrap().is_empty());
    assert_eq!(list(&bench.store).await.len(), 6);
    let deleted = sweeper.delete(&proof, answer(references(&[&late]))).await.unwrap();
    assert_eq!(deleted, std::slice::from_ref(&orphan));
    let left = list(&bench.store).await;
    assert_eq!(left.len(), 5);
    assert!(!left.contains(&orphan.path()));
}

#[tokio::test]
async fn a_sweep_without_references_judges_nothing() {
    let bench = bench(ReaderSettings::default());
    bench.written(ObjectKind::Mixed, &[(0, batch(0, 1, 10))]).await;
    let mut sweeper = Sweeper::new(bench.store.clone(), CLUSTER.to_owned(), SweepSettings::default());
    let failure = || async {
        Err::<References, _>(StoreError::Location {
            location: "database".to_owned(),
            reason: "down".to_owned(),
        })
    };
    sweeper.survey(failure, i64::MAX).await.unwrap_err();
    assert!(sweeper.suspects().is_empty());
}

#[tokio::test]
async fn a_referenced_object_that_is_gone_is_named() {
    let bench = bench(ReaderSettings::default());
    let gone = ObjectId { writer_epoch: 1, sequence: 1 };
    let references =
        || async { Ok::<_, StoreError>(References { objects: [gone].into(), ..References::default() }) };
    let mut sweeper = Sweeper::new(bench.store.clone(), CLUSTER.to_owned(), SweepSettings::default());
    assert_eq!(sweeper.survey(references, 0).await.unwrap().missing, [gone]);
}

proptest! {
    /// Every offset of a source is in exactly one place afterwards, and tasks respect order and size.
    #[test]
    fn plans_merge_neighbours_once_each(
        shares in prop::collection::vec((0i32..3, 1u64..40, any::<bool>(), 1i64..4), 1..30), minimum in 1u64..60,
    ) {
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let objects: Vec<StoredObject> = (0..).zip(shares).map(|(sequence, (number, bytes, shared, offsets))| {
            let base = next.entry(number).or_insert(0);
            let span = cadastre_objects::PartitionSpan {
                partition: partition(1, number), base_offset: Some(*base), end_offset: Some(*base + offsets),
                first_block: 0, blocks: 1, batch_bytes: bytes, maximum_timestamp: 0,
            };
            *base += offsets;
            let kind = if shared { ObjectKind::Mixed } else { ObjectKind::Partition };
            StoredObject { id: ObjectId { writer_epoch: 1, sequence }, kind, spans: vec![span] }
        }).collect();
        let planner = MergePlanner { minimum_bytes: minimum, maximum_bytes: 60, small_bytes: 30 };
        let tasks = planner.plan(&objects, false);
        let mut used = BTreeSet::new();
        for task in &tasks {
            prop_assert!(task.sources.iter().all(|(id, _)| used.insert(*id)), "an object is used twice");
            prop_assert!(task.sources.windows(2).all(|pair| pair[0].1.end_offset == pair[1].1.base_offset));
            let bytes: u64 = task.sources.iter().map(|(_, span)| span.batch_bytes).sum();
            prop_assert!(bytes >= minimum && (bytes <= 60 || task.sources.len() == 1));
            prop_assert!(task.sources.iter().all(|(_, span)| span.partition == task.partition));
        }
        // Forced, every shared object is taken.
        let forced = planner.plan(&objects, true);
        let used: BTreeSet<_> = forced.iter().flat_map(|task| task.sources.iter().map(|(id, _)| *id)).collect();
        prop_assert!(objects.iter().filter(|it| it.kind == ObjectKind::Mixed).all(|it| used.contains(&it.id)));
    }
}
