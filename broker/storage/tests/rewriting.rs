//! Embedded mode: shares of objects that are rewritten, merged and compacted by key, over crashes, deletion and retention.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use bytes::Bytes;
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_storage::{
    CleaningRules, MetadataKind, ReadError, RewriteReport, RewriteSettings, Storage, SweepSettings,
};
use support::{Home, TOPIC, batch_at, partition, read_all, values};

fn rewriting(cleaning: Option<CleaningRules>, object_bytes: u64) -> RewriteSettings {
    RewriteSettings { cleaning, object_bytes, maximum_keys: 1000 }
}

/// Appends `count` batches of two records to each of two partitions, from `first` on.
async fn fill(storage: &Storage, first: i64, count: i64) {
    for number in first..first + count {
        for index in 0..2 {
            let text = format!("{index} {number} {}", "x".repeat(300));
            let batch = batch_at(1_000 + 10 * number, &[text.as_bytes(), b"second"], None);
            storage.append(partition(index), batch).await.unwrap();
        }
    }
}

/// Fills the two newest segments with records of partition 1, so that everything of partition 0 is packed.
async fn pack_all(storage: &Storage) {
    for _ in 0..3 {
        for _ in 0..12 {
            let filler = batch_at(1, &["f".repeat(1000).as_bytes()], None);
            storage.append(partition(1), filler).await.unwrap();
        }
        storage.pack(1).await.unwrap();
    }
}

async fn wait_until(mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it does not come about");
}

fn of_one_partition(home: &Home) -> usize {
    home.objects().iter().filter(|path| path.to_str().unwrap().contains("/partition/")).count()
}

#[tokio::test]
async fn shares_become_objects_of_one_partition_and_read_the_same_over_a_crash() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    fill(&storage, 0, 60).await;
    storage.pack(1).await.unwrap();
    let before = [read_all(&storage, partition(0)).await, read_all(&storage, partition(1)).await];
    let sizes = [0, 1].map(|index| storage.partition_size_bytes(partition(index)).unwrap());
    let idle = storage.rewrite(partition(0), rewriting(None, 1 << 20), 5).await.unwrap();
    assert_eq!(idle, RewriteReport::default(), "not worth it");
    let mixed = home.objects().len();
    for index in 0..2 {
        let report = storage.rewrite(partition(index), rewriting(None, 4_000), 5).await.unwrap();
        assert!(report.objects >= 2 && report.slices > report.objects, "{report:?}");
        assert_eq!(report.batches.0, report.batches.1);
        let again = storage.rewrite(partition(index), rewriting(None, 4_000), 5).await.unwrap();
        assert_eq!(again.objects, 0, "{again:?}");
    }
    // An object goes once each of its partitions has its records elsewhere.
    wait_until(|| home.objects().len() - of_one_partition(&home) < mixed / 2).await;
    assert!(of_one_partition(&home) >= 4);
    fill(&storage, 60, 5).await;
    for reopened in [true, false] {
        let image = home.crash_image();
        let storage =
            if reopened { image.open_with(image.packing_config()).await.unwrap() } else { storage.clone() };
        assert!(!storage.recovery().has_losses(), "{:?}", storage.recovery());
        for (index, before) in (0..).zip(&before) {
            let now = read_all(&storage, partition(index)).await;
            assert_eq!(now[..before.len()], before[..]);
            assert_eq!(now.len(), before.len() + 5);
            for offset in 0..120 {
                let read = storage.read(partition(index), offset, 0).await.unwrap();
                assert_eq!(read.records, *before[usize::try_from(offset / 2).unwrap()].bytes());
            }
            let found = storage.offset_for_timestamp(partition(index), 1_105).await.unwrap();
            assert_eq!(found.map(|found| found.offset), Some(22));
            assert_eq!(storage.end_of_epoch(partition(index), 0).unwrap(), Some((0, 130)));
            let size = storage.partition_size_bytes(partition(index)).unwrap();
            assert!(size > sizes[usize::try_from(index).unwrap()]);
        }
        // Packing and merging go on where the crash left them.
        fill(&storage, 65, 30).await;
        assert!(storage.pack(1).await.unwrap().objects > 0);
        let report = storage.rewrite(partition(0), rewriting(None, 4_000), 5).await.unwrap();
        assert!(report.objects > 0, "{report:?}");
        for index in 0..2 {
            assert_eq!(read_all(&storage, partition(index)).await.len(), 95);
        }
    }
}

fn keyed(key: &str, value: Option<&str>) -> RecordBatch {
    let record = Record {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        ..Record::default()
    };
    RecordBatch::build(0, &[record], None).unwrap()
}

/// Offset, key and value of every record of partition 0.
async fn keyed_records(storage: &Storage) -> Vec<(i64, String, Option<String>)> {
    let mut all = Vec::new();
    for batch in read_all(storage, partition(0)).await {
        for record in batch.records(1 << 20).unwrap() {
            let record = record.unwrap();
            let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
            all.push((record.offset, text(record.key.unwrap()), record.value.map(text)));
        }
    }
    all
}

#[tokio::test]
async fn compaction_keeps_the_last_of_each_key_at_its_offset_and_tombstones_for_their_time() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    let steps = [
        ("a", Some("1")),
        ("b", Some("1")),
        ("a", Some("2")),
        ("b", None),
        ("c", Some("1")),
        ("a", Some("3")),
    ];
    for (key, value) in steps {
        storage.append(partition(0), keyed(key, value)).await.unwrap();
    }
    let rules = CleaningRules { delete_retention_ms: 100, ..CleaningRules::default() };
    let settings = rewriting(Some(rules), 200);
    let untouched = storage.rewrite(partition(0), settings, 1_000).await.unwrap();
    assert_eq!(untouched, RewriteReport::default(), "what is in segments is left alone");
    pack_all(&storage).await;
    let report = storage.rewrite(partition(0), settings, 1_000).await.unwrap();
    assert!(report.objects >= 1 && report.batches.1 < report.batches.0, "{report:?}");
    let expected = [(3, "b", None), (4, "c", Some("1")), (5, "a", Some("3"))];
    let owned =
        |(offset, key, value): (i64, &str, Option<&str>)| (offset, key.to_owned(), value.map(str::to_owned));
    assert_eq!(keyed_records(&storage).await, expected.map(owned));
    let idle = storage.rewrite(partition(0), settings, 1_001).await.unwrap();
    assert_eq!(idle, RewriteReport::default(), "nothing new");
    for (key, value) in [("c", Some("2")), ("d", Some("1"))] {
        storage.append(partition(0), keyed(key, value)).await.unwrap();
    }
    pack_all(&storage).await;
    let always = CleaningRules { minimum_dirty_ratio: 0.0, ..rules };
    storage.rewrite(partition(0), rewriting(Some(always), 200), 2_000).await.unwrap();
    let expected = [(5, "a", Some("3")), (6, "c", Some("2")), (7, "d", Some("1"))];
    assert_eq!(keyed_records(&storage).await, expected.map(owned), "the tombstone's time is over");
    storage.close().await.unwrap();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    assert!(!storage.recovery().has_losses(), "{:?}", storage.recovery());
    assert_eq!(keyed_records(&storage).await, expected.map(owned));
    let bounds = storage.watermarks(partition(0)).unwrap();
    assert_eq!((bounds.log_start_offset, bounds.high_watermark), (0, 8));
    assert_eq!(storage.append(partition(0), keyed("a", Some("4"))).await.unwrap().base_offset, 8);
    assert!(!storage.metadata().entries(MetadataKind::Cluster).is_empty());
    storage.delete_topic(TOPIC).await.unwrap();
    assert!(storage.metadata().entries(MetadataKind::Cluster).is_empty());
    wait_until(|| home.objects().is_empty()).await;
}

#[tokio::test]
async fn retention_and_deletion_reach_into_rewritten_objects() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    fill(&storage, 0, 60).await;
    pack_all(&storage).await;
    // The beginning goes before it is rewritten: the new object does not bring it back.
    storage.delete_records(partition(0), 5).await.unwrap();
    let report = storage.rewrite(partition(0), rewriting(None, 4_000), 5).await.unwrap();
    assert!(report.objects > 1, "{report:?}");
    assert!(matches!(storage.read(partition(0), 4, 0).await, Err(ReadError::OffsetOutOfRange { .. })));
    let expected: Vec<_> = read_all(&storage, partition(0)).await;
    assert_eq!(expected[0].base_offset(), 4);
    storage.delete_records(partition(0), 21).await.unwrap();
    let read = storage.read(partition(0), 21, 0).await.unwrap();
    assert_eq!((read.log_start_offset, read.next_offset), (21, 22));
    // By age, whole objects at a time; by size to nothing.
    let start = storage.enforce_retention(partition(0), 100, -1, 1_500).await.unwrap();
    assert!((22..=82).contains(&start), "{start}");
    assert_eq!(storage.enforce_retention(partition(0), -1, 0, 0).await.unwrap(), 120);
    assert_eq!(storage.partition_size_bytes(partition(0)).unwrap(), 0);
    wait_until(|| of_one_partition(&home) == 0).await;
}

/// A crash right after a rewritten object became durable, before anything refers to it; and one right after its sources were
/// let go, before they were deleted.
#[tokio::test]
async fn what_a_crash_leaves_of_rewriting_is_proven_an_orphan_and_swept() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    fill(&storage, 0, 40).await;
    storage.pack(1).await.unwrap();
    let before = home.crash_image();
    storage.rewrite(partition(0), rewriting(None, 4_000), 5).await.unwrap();
    storage.rewrite(partition(1), rewriting(None, 4_000), 5).await.unwrap();
    wait_until(|| home.objects().len() < before.objects().len()).await;
    // The log of before with the objects of before and after: the new ones are orphans of an earlier epoch.
    let mut planted = 0;
    for object in home.objects().iter().filter(|path| path.to_str().unwrap().contains("/partition/")) {
        let target = before.directory().join(object.strip_prefix(home.directory()).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(object, target).unwrap();
        planted += 1;
    }
    let reopened = before.open_with(before.packing_config()).await.unwrap();
    let records = values(&read_all(&reopened, partition(0)).await);
    let settings = SweepSettings { grace_ms: 0, ..SweepSettings::default() };
    let mut sweep = reopened.orphan_sweep(settings).unwrap();
    let far = 4_000_000_000_000;
    assert!(sweep.round(far, |_| Ok(())).await.unwrap().deleted.is_empty(), "suspected once");
    let outcome = sweep.round(far + 1_000_000_000, |_| Ok(())).await.unwrap();
    assert_eq!(outcome.deleted.len(), planted);
    assert!(outcome.deleted.iter().all(|name| name.contains("partition")), "{outcome:?}");
    assert_eq!(values(&read_all(&reopened, partition(0)).await), records);
    assert!(sweep.round(far + 2_000_000_000, |_| Ok(())).await.unwrap().deleted.is_empty());
}
