//! Cluster mode: several storages over one store and one sequencer behave as one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cadastre_keys::{
    KeyCacheConfig, KeyProvider, KeyRing, KeyRingConfig, LocalKeyFile, ScopeKeyStore, SystemKeyClock,
    TopicKeys,
};
use cadastre_objects::{ObjectId, ObjectKind, ObjectName, Store, StoreLocation, StoreSettings};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::transaction_marker::{TransactionMarker, TransactionResult};
use cadastre_sequencer::history::{Answer, Found, History, Sent};
use cadastre_sequencer::{MemorySequencer, Sequencer as _};
use cadastre_storage::{
    AppendError, CleaningRules, Clock, ClusterConfig, MetadataChange, MetadataKind, ReadError, RewriteReport,
    RewriteSettings, ScopeKeyTable, Sight, Storage, StorageError, SweepSettings,
};
use support::{TOPIC, batch, batch_at, partition, read_all, values};

/// One store, one key and one sequencer, which any number of brokers share.
struct Cluster {
    root: tempfile::TempDir,
    keys: Arc<dyn KeyProvider>,
    sequencer: MemorySequencer,
    clock: Clock,
}

impl Cluster {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let keys = Arc::new(LocalKeyFile::create(&root.path().join("kek")).unwrap());
        std::fs::create_dir(root.path().join("store")).unwrap();
        Self { root, keys, sequencer: MemorySequencer::new(), clock: Clock::fixed(1_700_000_000_000) }
    }

    fn store(&self) -> Store {
        let location = StoreLocation::directory(&self.root.path().join("store")).unwrap();
        location.open(StoreSettings::default()).unwrap()
    }

    async fn broker(&self, node_id: i32) -> Storage {
        let mut config = ClusterConfig::new("cluster", node_id);
        config.linger = Duration::from_millis(2);
        config.clock = self.clock.clone();
        let sequencer = Arc::new(self.sequencer.clone());
        Storage::open_cluster(config, Arc::clone(&self.keys), sequencer, self.store()).await.unwrap()
    }

    /// How many objects lie in the store.
    fn objects(&self) -> usize {
        fn count(directory: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.root.path().join("store"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_broker_ended_comes_late_at_another() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.broker(1).await, cluster.broker(2).await);
    one.create_partitions(TOPIC, 1).await.unwrap();
    let here = partition(0);
    let data = |base_sequence| {
        let producer = Producer { id: 9, epoch: 0, base_sequence };
        batch_at(1_700_000_000_000, &[b"x"], Some(producer)).in_transaction()
    };
    let result = TransactionResult::Commit;
    let marker = TransactionMarker { producer_id: 9, producer_epoch: 0, result, coordinator_epoch: 1 };
    one.append_in_transaction(here, data(0), 1).await.unwrap();
    assert_eq!(two.append(here, marker.to_batch(1)).await.unwrap().base_offset, 1);
    let late = one.append_in_transaction(here, data(1), 1).await;
    assert!(matches!(late, Err(AppendError::TransactionEnded { .. })), "{late:?}");
    let repeated = one.append(here, marker.to_batch(2)).await.unwrap();
    assert_eq!((repeated.base_offset, repeated.duplicate), (1, true));
    assert_eq!(two.append_in_transaction(here, data(1), 2).await.unwrap().base_offset, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_broker_takes_any_partition_and_serves_what_others_took() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.broker(1).await, cluster.broker(2).await);
    one.create_partitions(TOPIC, 2).await.unwrap();
    let mut end = two.watch(partition(0)).unwrap();
    assert_eq!(one.append(partition(0), batch(&[b"a", b"b"])).await.unwrap().base_offset, 0);
    end.wait_for(|end| *end == 2).await.unwrap();
    assert_eq!(two.append(partition(0), batch(&[b"c"])).await.unwrap().base_offset, 2);
    assert_eq!(one.append(partition(1), batch(&[b"d"])).await.unwrap().base_offset, 0);
    for broker in [&one, &two] {
        assert_eq!(values(&read_all(broker, partition(0)).await), [b"a", b"b", b"c"]);
        assert_eq!(values(&read_all(broker, partition(1)).await), [b"d"]);
        let middle = broker.read(partition(0), 1, 1).await.unwrap();
        assert_eq!((middle.high_watermark, middle.log_start_offset), (3, 0));
        assert_eq!(middle.records, broker.read(partition(0), 0, 1).await.unwrap().records, "a whole batch");
        assert!(broker.read(partition(0), 3, 1).await.unwrap().records.is_empty());
        let beyond = broker.read(partition(0), 4, 1).await;
        assert!(matches!(beyond, Err(ReadError::OffsetOutOfRange { .. })), "{beyond:?}");
    }
    let unknown = one.append(partition(7), batch(&[b"x"])).await;
    assert!(matches!(unknown, Err(AppendError::UnknownPartition { .. })), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_through_two_brokers_are_one_linear_history() {
    let cluster = Cluster::new();
    let brokers = [cluster.broker(1).await, cluster.broker(2).await];
    brokers[0].create_partitions(TOPIC, 2).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..8u32 {
        let broker = brokers[usize::from(client % 2 == 1)].clone();
        tasks.spawn(async move {
            let mut sent = Vec::new();
            for round in 0..25u32 {
                let number = u64::from(client * 1000 + round);
                let to = partition(i32::try_from(round % 2).unwrap());
                let text = number.to_string();
                let filled = vec![text.as_bytes(); usize::try_from(number % 3 + 1).unwrap()];
                let appended = broker.append(to, batch(&filled)).await.unwrap();
                let answer = Answer::Acknowledged(appended.base_offset);
                let offsets = u32::try_from(filled.len()).unwrap();
                sent.push(Sent {
                    batch: number,
                    client,
                    is_idempotent: true,
                    partition: to,
                    offsets,
                    answer,
                });
            }
            sent
        });
    }
    let mut history = History::default();
    for sent in tasks.join_all().await.into_iter().flatten() {
        history.sent(sent);
    }
    for broker in &brokers {
        for index in 0..2 {
            let found = read_all(broker, partition(index)).await;
            let found = found.iter().map(|batch| Found {
                batch: String::from_utf8(values(std::slice::from_ref(batch))[0].clone())
                    .unwrap()
                    .parse()
                    .unwrap(),
                base_offset: batch.base_offset(),
                offsets: u32::try_from(batch.record_count()).unwrap(),
            });
            history.log(partition(index), 0, found.collect());
        }
        assert_eq!((history.violations(), history.acknowledged()), (Vec::new(), 200));
    }
    assert!(cluster.objects() < 200, "batches share objects");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_batch_gets_the_first_ones_offset_from_every_broker() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.broker(1).await, cluster.broker(2).await);
    one.create_partitions(TOPIC, 1).await.unwrap();
    let id = one.allocate_producer_id().await.unwrap();
    assert_ne!(id, two.allocate_producer_id().await.unwrap());
    let stamped = |sequence| batch_at(5, &[b"x"], Some(Producer { id, epoch: 0, base_sequence: sequence }));
    assert!(!one.append(partition(0), stamped(0)).await.unwrap().duplicate);
    let again = two.append(partition(0), stamped(0)).await.unwrap();
    assert_eq!((again.base_offset, again.duplicate), (0, true));
    let gap = two.append(partition(0), stamped(2)).await;
    assert!(matches!(gap, Err(AppendError::OutOfOrderSequence { expected: 1, .. })), "{gap:?}");
    assert_eq!(two.producers(partition(0)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_one_broker_is_the_metadata_of_all() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.broker(1).await, cluster.broker(2).await);
    let change = |value: Option<&str>| MetadataChange {
        kind: MetadataKind::Acl,
        key: "acl".to_owned(),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    one.metadata().commit(vec![change(Some("1"))]).await.unwrap();
    assert_eq!(two.metadata().get(MetadataKind::Acl, "acl"), Some(b"1".to_vec()));
    assert!(two.metadata().entries(MetadataKind::Quota).is_empty());
    let before = one.metadata().version();
    two.metadata().commit(vec![change(None)]).await.unwrap();
    assert!(one.metadata().entries(MetadataKind::Acl).is_empty() && one.metadata().version() > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_and_deletion_leave_no_object_behind() {
    let cluster = Cluster::new();
    let broker = cluster.broker(1).await;
    broker.create_partitions(TOPIC, 1).await.unwrap();
    for (timestamp, value) in [(1_000, b"a"), (2_000, b"b"), (3_000, b"c")] {
        broker.append(partition(0), batch_at(timestamp, &[value], None)).await.unwrap();
    }
    let found = broker.offset_for_timestamp(partition(0), 1_500).await.unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (1, 2_000));
    assert_eq!(broker.latest_timestamp(partition(0)).await.unwrap().unwrap().offset, 2);
    assert_eq!(broker.enforce_retention(partition(0), 1_500, -1, 3_000).await.unwrap(), 1);
    let one = broker.partition_size_bytes(partition(0)).unwrap() / 2;
    assert_eq!(broker.enforce_retention(partition(0), -1, i64::try_from(one).unwrap(), 0).await.unwrap(), 2);
    assert_eq!(values(&read_all(&broker, partition(0)).await), [b"c"]);
    let early = broker.read(partition(0), 1, 9).await;
    assert!(matches!(early, Err(ReadError::OffsetOutOfRange { log_start_offset: 2, .. })), "{early:?}");
    assert_eq!((broker.reclaim().await.unwrap(), cluster.objects()), (0, 3), "within the grace period");
    broker.delete_topic(TOPIC).await.unwrap();
    cluster.clock.set(1_700_001_000_000);
    assert_eq!((broker.reclaim().await.unwrap(), cluster.objects()), (3, 0));
    assert!(matches!(broker.delete_topic(TOPIC).await, Err(StorageError::UnknownTopic { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_whose_node_id_was_taken_over_acknowledges_nothing() {
    let cluster = Cluster::new();
    let old = cluster.broker(1).await;
    old.create_partitions(TOPIC, 1).await.unwrap();
    old.append(partition(0), batch(&[b"a"])).await.unwrap();
    let new = cluster.broker(1).await;
    let late = old.append(partition(0), batch(&[b"late"])).await;
    assert!(matches!(late, Err(AppendError::Unavailable { .. })), "{late:?}");
    assert!(old.failure().is_some());
    new.append(partition(0), batch(&[b"b"])).await.unwrap();
    assert_eq!(values(&read_all(&new, partition(0)).await), [b"a", b"b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_was_taken_for_dead_registers_again_and_goes_on() {
    let cluster = Cluster::new();
    let broker = cluster.broker(1).await;
    broker.create_partitions(TOPIC, 1).await.unwrap();
    let mut registry = broker.registry().unwrap();
    let before = registry.borrow_and_update().brokers[0].epoch;
    cluster.sequencer.fence(before).await.unwrap();
    let late = broker.append(partition(0), batch(&[b"late"])).await;
    assert!(matches!(late, Err(AppendError::Unavailable { .. })), "{late:?}");
    registry.wait_for(|it| it.brokers.iter().any(|live| live.epoch > before)).await.unwrap();
    let appended = loop {
        match broker.append(partition(0), batch(&[b"a"])).await {
            Ok(appended) => break appended,
            Err(AppendError::Unavailable { .. } | AppendError::Closed) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(appended.base_offset, 0);
    assert!(broker.failure().is_none());
    broker.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_changed_since_it_was_seen_is_not_overwritten() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.broker(1).await, cluster.broker(2).await);
    let change = |value: &str| MetadataChange {
        kind: MetadataKind::Topic,
        key: "t".to_owned(),
        value: Some(value.as_bytes().to_vec()),
    };
    let seen = one.metadata().version();
    one.metadata().commit_unchanged(seen, vec![(change("1"), Sight::Absent)]).await.unwrap();
    let late = two.metadata().commit_unchanged(seen, vec![(change("2"), Sight::Absent)]).await;
    assert!(matches!(late, Err(StorageError::Conflict { .. })), "{late:?}");
    let old = two.metadata().commit_unchanged(seen, vec![(change("2"), Sight::Present)]).await;
    assert!(matches!(old, Err(StorageError::Conflict { .. })), "{old:?}");
    let seen = two.metadata().version();
    two.metadata().commit_unchanged(seen, vec![(change("2"), Sight::Present)]).await.unwrap();
    assert_eq!(one.metadata().get(MetadataKind::Topic, "t").unwrap(), b"2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_writes_nothing_once_brokers_came_or_went() {
    let cluster = Cluster::new();
    let one = cluster.broker(1).await;
    let version = one.confirm_registry().await.unwrap().unwrap().version;
    let change =
        || MetadataChange { kind: MetadataKind::GroupOffset, key: "g".to_owned(), value: Some(vec![1]) };
    one.metadata().commit_as_coordinator(version, vec![change()]).await.unwrap();
    let _two = cluster.broker(2).await;
    let late = one.metadata().commit_as_coordinator(version, vec![change()]).await;
    assert!(matches!(late, Err(StorageError::RegistryChanged)), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_proven_orphans_are_swept_and_the_proof_comes_first() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.broker(1).await, cluster.broker(2).await);
    one.create_partitions(TOPIC, 1).await.unwrap();
    one.append(partition(0), batch(&[b"a"])).await.unwrap();
    let settings = SweepSettings { grace_ms: 0, confirmation_ms: 0, ..SweepSettings::default() };
    // An object of a registration that ended, which nobody committed.
    let kept = files(&cluster.root.path().join("store"));
    let name = ObjectName {
        cluster_id: "cluster".to_owned(),
        kind: ObjectKind::Wal,
        id: ObjectId { writer_epoch: 0, sequence: 9 },
    };
    let ended = cluster.root.path().join("store").join(name.path().as_ref());
    std::fs::create_dir_all(ended.parent().unwrap()).unwrap();
    std::fs::copy(&kept[0], &ended).unwrap();
    let mut sweep = one.orphan_sweep(settings).unwrap();
    let later = 4_000_000_000_000;
    let first = sweep.round(later, |_| Ok(())).await.unwrap();
    assert!(first.deleted.is_empty(), "{first:?}");
    assert!(
        two.orphan_sweep(settings).unwrap().round(later, |_| Ok(())).await.unwrap().report.counts.is_empty()
    );
    let refused = sweep.round(later + 1, |_| Err(std::io::Error::other("disk is full"))).await;
    assert!(refused.is_err() && ended.exists(), "{refused:?}");
    let mut proof = Vec::new();
    let second = sweep.round(later + 2, |report| {
        proof.extend(report.orphans.iter().map(|orphan| orphan.name.to_string()));
        Ok(())
    });
    let second = second.await.unwrap();
    assert_eq!((second.deleted.len(), &second.deleted), (1, &proof));
    assert!(!ended.exists() && kept[0].exists());
    assert_eq!(values(&read_all(&one, partition(0)).await), [b"a"]);
}

fn rewriting(cleaning: Option<CleaningRules>, object_bytes: u64) -> RewriteSettings {
    RewriteSettings { cleaning, object_bytes, maximum_keys: 1000 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_pieces_become_objects_of_one_partition_and_read_the_same() {
    let cluster = Cluster::new();
    let (broker, other) = (cluster.broker(1).await, cluster.broker(2).await);
    broker.create_partitions(TOPIC, 2).await.unwrap();
    for number in 0..20u32 {
        let value = number.to_string();
        let at = partition(i32::try_from(number % 2).unwrap());
        broker.append(at, batch(&[value.as_bytes(), b"second"])).await.unwrap();
    }
    let before = values(&read_all(&other, partition(0)).await);
    let small = broker.rewrite(partition(0), rewriting(None, 1 << 20), 5).await.unwrap();
    assert_eq!(small, RewriteReport::default(), "not worth it");
    let merged = broker.rewrite(partition(0), rewriting(None, 300), 5).await.unwrap();
    assert!(merged.objects >= 2 && merged.slices > merged.objects, "{merged:?}");
    assert_eq!(merged.batches.0, merged.batches.1);
    assert_eq!(other.rewrite(partition(0), rewriting(None, 300), 5).await.unwrap(), RewriteReport::default());
    for reader in [&broker, &other, &cluster.broker(3).await] {
        assert_eq!(values(&read_all(reader, partition(0)).await), before);
    }
    let again = broker.rewrite(partition(0), rewriting(None, 300), 5).await.unwrap();
    assert_eq!(again.objects, 0, "{again:?}");
    broker.append(partition(0), batch(&[b"more"])).await.unwrap();
    assert_eq!(values(&read_all(&other, partition(0)).await).len(), before.len() + 1);
    broker.rewrite(partition(1), rewriting(None, 1), 5).await.unwrap();
    cluster.clock.set(1_700_001_000_000);
    broker.reclaim().await.unwrap();
    assert_eq!(values(&read_all(&broker, partition(0)).await).len(), before.len() + 1);
}

fn keyed(key: &str, value: Option<&str>) -> RecordBatch {
    let record = Record {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        ..Record::default()
    };
    RecordBatch::build(0, &[record], None).unwrap()
}

/// Offset, key and value of every record.
async fn keyed_records(storage: &Storage) -> Vec<(i64, String, Option<String>)> {
    let mut all = Vec::new();
    let end = storage.watermarks(partition(0)).unwrap().high_watermark;
    let mut next = 0;
    while next < end {
        let fetched = storage.read(partition(0), next, 1 << 20).await.unwrap();
        let batches = RecordBatch::parse_all(fetched.records).unwrap();
        let Some(last) = batches.last() else { break };
        next = last.last_offset() + 1;
        for batch in &batches {
            for record in batch.records(1 << 20).unwrap() {
                let record = record.unwrap();
                let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                all.push((record.offset, text(record.key.unwrap()), record.value.map(text)));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_keeps_the_last_of_each_key_at_its_offset_and_tombstones_for_their_time() {
    let cluster = Cluster::new();
    let broker = cluster.broker(1).await;
    broker.create_partitions(TOPIC, 1).await.unwrap();
    let steps = [
        ("a", Some("1")),
        ("b", Some("1")),
        ("a", Some("2")),
        ("b", None),
        ("c", Some("1")),
        ("a", Some("3")),
    ];
    for (key, value) in steps {
        broker.append(partition(0), keyed(key, value)).await.unwrap();
    }
    let rules = CleaningRules { delete_retention_ms: 100, ..CleaningRules::default() };
    let settings = rewriting(Some(rules), 200);
    let report = broker.rewrite(partition(0), settings, 1_000).await.unwrap();
    assert!(report.objects >= 1 && report.batches.1 < report.batches.0, "{report:?}");
    let expected = [(3, "b", None), (4, "c", Some("1")), (5, "a", Some("3"))];
    let owned =
        |(offset, key, value): (i64, &str, Option<&str>)| (offset, key.to_owned(), value.map(str::to_owned));
    assert_eq!(keyed_records(&broker).await, expected.map(owned));
    let idle = broker.rewrite(partition(0), settings, 1_001).await.unwrap();
    assert_eq!(idle, RewriteReport::default(), "nothing new");
    for (key, value) in [("c", Some("2")), ("d", Some("1"))] {
        broker.append(partition(0), keyed(key, value)).await.unwrap();
    }
    let always = CleaningRules { minimum_dirty_ratio: 0.0, ..rules };
    broker.rewrite(partition(0), rewriting(Some(always), 200), 2_000).await.unwrap();
    let expected = [(5, "a", Some("3")), (6, "c", Some("2")), (7, "d", Some("1"))];
    assert_eq!(keyed_records(&broker).await, expected.map(owned), "the tombstone's time is over");
    let bounds = broker.watermarks(partition(0)).unwrap();
    assert_eq!((bounds.log_start_offset, bounds.high_watermark), (0, 8));
    assert_eq!(broker.append(partition(0), keyed("a", Some("4"))).await.unwrap().base_offset, 8);
    broker.delete_topic(TOPIC).await.unwrap();
    assert!(broker.metadata().entries(MetadataKind::Cluster).is_empty());
    cluster.clock.set(1_700_001_000_000);
    broker.reclaim().await.unwrap();
    assert_eq!(cluster.objects(), 0, "nothing stays behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_topic_takes_the_key_of_its_objects_with_it() {
    let cluster = Cluster::new();
    let table = ScopeKeyTable::new("cluster");
    let scope_keys: Arc<dyn ScopeKeyStore> = Arc::<ScopeKeyTable>::clone(&table);
    let config = KeyRingConfig {
        cluster_id: "cluster".to_owned(),
        topic_keys: TopicKeys::Own,
        cache: KeyCacheConfig::default(),
    };
    let ring = KeyRing::new(config, Arc::clone(&cluster.keys), scope_keys, Arc::new(SystemKeyClock));
    let mut config = ClusterConfig::new("cluster", 1);
    config.linger = Duration::from_millis(2);
    let sequencer = Arc::new(cluster.sequencer.clone());
    let broker = Storage::open_cluster(config, Arc::new(ring), sequencer, cluster.store()).await.unwrap();
    table.bind(&broker);
    broker.create_partitions(TOPIC, 1).await.unwrap();
    for value in [b"a", b"b"] {
        broker.append(partition(0), batch(&[value])).await.unwrap();
    }
    let keys = || broker.metadata().entries(MetadataKind::ScopeKey).into_keys().collect::<Vec<_>>();
    assert_eq!(keys(), ["cadastre:cluster"]);
    assert_eq!(broker.rewrite(partition(0), rewriting(None, 1), 5).await.unwrap().objects, 2);
    assert_eq!(keys(), ["cadastre:cluster".to_owned(), format!("cadastre:topic:{TOPIC}")]);
    assert_eq!(values(&read_all(&broker, partition(0)).await), [b"a", b"b"]);
    broker.delete_topic(TOPIC).await.unwrap();
    assert_eq!(keys(), ["cadastre:cluster"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_broker_has_answered_everything_and_takes_nothing_more() {
    let cluster = Cluster::new();
    let broker = cluster.broker(1).await;
    broker.create_partitions(TOPIC, 1).await.unwrap();
    let waiting = tokio::spawn({
        let broker = broker.clone();
        async move { broker.append(partition(0), batch(&[b"a"])).await }
    });
    while cluster.objects() == 0 {
        tokio::task::yield_now().await;
    }
    broker.close().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert!(matches!(broker.append(partition(0), batch(&[b"b"])).await, Err(AppendError::Closed)));
    assert!(matches!(broker.close().await, Err(StorageError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_object_is_named_and_costs_only_itself() {
    let cluster = Cluster::new();
    let broker = cluster.broker(1).await;
    broker.create_partitions(TOPIC, 1).await.unwrap();
    broker.append(partition(0), batch(&[b"a"])).await.unwrap();
    let first = files(&cluster.root.path().join("store"));
    broker.append(partition(0), batch(&[b"b"])).await.unwrap();
    let mut bytes = std::fs::read(&first[0]).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&first[0], bytes).unwrap();
    let reader = cluster.broker(2).await;
    let damaged = reader.read(partition(0), 0, 100).await;
    assert!(matches!(damaged, Err(ReadError::Damaged { from: 0, to: 1, .. })), "{damaged:?}");
    assert!(!reader.read(partition(0), 1, 100).await.unwrap().records.is_empty());
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Connections run in tasks of their own, so that whatever they wait for must be able to move between threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_can_be_made_from_a_task_of_its_own() {
    let cluster = Cluster::new();
    let broker = cluster.broker(1).await;
    broker.create_partitions(TOPIC, 1).await.unwrap();
    let calls = tokio::spawn(async move {
        let here = partition(0);
        broker.read(here, 0, 1).await.unwrap();
        broker.offset_for_timestamp(here, 0).await.unwrap();
        broker.latest_timestamp(here).await.unwrap();
        broker.delete_records(here, 0).await.unwrap();
        broker.enforce_retention(here, 0, 0, 0).await.unwrap();
        broker.expire_producers(0).await.unwrap();
        broker.reclaim().await.unwrap();
        broker.allocate_producer_id().await.unwrap();
        broker.metadata().commit(Vec::new()).await.unwrap();
        broker.delete_topic(TOPIC).await.unwrap();
        broker.close().await
    });
    calls.await.unwrap().unwrap();
}
