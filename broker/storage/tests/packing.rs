//! Records that left the log for objects: read as before, kept over crashes, and gone when they are deleted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use cadastre_keys::KeyProvider;
use cadastre_objects::{StoreError, SweepSettings, Sweeper};
use cadastre_storage::{ObjectConfig, ReadError, Storage, StorageConfig, StorageError};
use support::{CLUSTER, EVERYTHING, Home, TOPIC, batch_at, object_directory, partition, read_all, values};

/// Appends `count` batches of two records to each of two partitions; timestamps rise by ten with each batch.
async fn fill(storage: &Storage, count: i64) {
    storage.create_partitions(TOPIC, 2).await.unwrap();
    for number in 0..count {
        for index in 0..2 {
            let text = format!("{index} {number} {}", "x".repeat(300));
            let batch = batch_at(1_000 + 10 * number, &[text.as_bytes(), b"second"], None);
            storage.append(partition(index), batch).await.unwrap();
        }
    }
}

fn wal_bytes(home: &Home) -> u64 {
    home.segments().iter().map(|path| path.metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn records_are_the_same_in_objects_in_the_log_and_across() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 100).await;
    let before = [read_all(&storage, partition(0)).await, read_all(&storage, partition(1)).await];
    let logged = wal_bytes(&home);
    let report = storage.pack(1).await.unwrap();
    assert!(report.objects > 5 && report.batches > 150, "{report:?}");
    assert_eq!(home.objects().len() as u64, report.objects);
    assert!(wal_bytes(&home) < 20_000 && logged > 80_000, "{} of {logged} left", wal_bytes(&home));
    assert_eq!(storage.pack(1).await.unwrap().objects, 0);
    for reopened in [false, true] {
        let image = home.crash_image();
        let storage =
            if reopened { image.open_with(image.packing_config()).await.unwrap() } else { storage.clone() };
        assert!(!storage.recovery().has_losses(), "{:?}", storage.recovery());
        for (index, before) in (0..).zip(&before) {
            assert_eq!(&read_all(&storage, partition(index)).await, before);
            // From every offset, the batch that holds it.
            for offset in 0..200 {
                let read = storage.read(partition(index), offset, 0).await.unwrap();
                assert_eq!(read.records, *before[usize::try_from(offset / 2).unwrap()].bytes());
            }
            for (timestamp, expected) in
                [(0, Some(0)), (1_005, Some(2)), (1_010, Some(2)), (1_985, Some(198)), (2_000, None)]
            {
                let found = storage.offset_for_timestamp(partition(index), timestamp).await.unwrap();
                assert_eq!(found.map(|found| found.offset), expected, "{timestamp}");
            }
            let latest = storage.latest_timestamp(partition(index)).await.unwrap().unwrap();
            assert_eq!((latest.offset, latest.timestamp), (199, 1_991));
            assert_eq!(storage.end_of_epoch(partition(index), 0).unwrap(), Some((0, 200)));
        }
    }
}

#[tokio::test]
async fn deleted_records_take_their_objects_along() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 60).await;
    storage.pack(1).await.unwrap();
    let objects = home.objects().len();
    // Within an object: nothing can go yet, and reading starts at the very offset.
    storage.delete_records(partition(0), 3).await.unwrap();
    let read = storage.read(partition(0), 3, 0).await.unwrap();
    assert_eq!(
        (read.log_start_offset, values(&[parse(&read.records)])[1].as_slice()),
        (3, b"second".as_slice())
    );
    assert!(matches!(storage.read(partition(0), 2, 0).await, Err(ReadError::OffsetOutOfRange { .. })));
    assert_eq!(home.objects().len(), objects);
    let found = storage.offset_for_timestamp(partition(0), 0).await.unwrap().unwrap();
    assert_eq!(found.offset, 2, "the first batch that can be read");
    storage.delete_records(partition(0), 120).await.unwrap();
    let start = storage.enforce_retention(partition(1), -1, 0, 0).await.unwrap();
    assert_eq!(start, 120);
    wait_until(|| home.objects().is_empty()).await;
    assert_eq!(storage.object_references().unwrap().objects.len(), 0);
    assert_eq!(storage.partition_size_bytes(partition(1)).unwrap(), 0);
}

fn parse(records: &bytes::Bytes) -> cadastre_protocol::record_batch::RecordBatch {
    cadastre_protocol::record_batch::RecordBatch::parse(&mut records.clone()).unwrap()
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

#[tokio::test]
async fn a_deleted_topic_leaves_no_object_behind() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 60).await;
    storage.pack(1).await.unwrap();
    assert!(!home.objects().is_empty());
    storage.delete_topic(TOPIC).await.unwrap();
    wait_until(|| home.objects().is_empty()).await;
}

/// Each byte of an object once: what is read is right or refused, and the other objects are read as before.
#[tokio::test]
async fn a_damaged_object_costs_its_own_records_by_name() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 30).await;
    storage.pack(1).await.unwrap();
    let before = read_all(&storage, partition(0)).await;
    storage.close().await.unwrap();
    let object = home.objects().remove(0);
    let sound = std::fs::read(&object).unwrap();
    for position in (0..sound.len()).step_by(97) {
        let file = std::fs::OpenOptions::new().write(true).open(&object).unwrap();
        file.write_all_at(&[sound[position] ^ 1], position as u64).unwrap();
        let storage = home.open_with(home.packing_config()).await.unwrap();
        let (mut good, mut lost, mut offset) = (0, 0, 0);
        while offset < 60 {
            match storage.read(partition(0), offset, 0).await {
                Ok(read) => {
                    let batch = parse(&read.records);
                    assert_eq!(batch, before[usize::try_from(offset / 2).unwrap()]);
                    good += 1;
                    offset = batch.last_offset() + 1;
                }
                Err(ReadError::Damaged { from, to, .. }) => {
                    assert!(from <= offset && to > offset, "{from} to {to} at {offset}");
                    lost += 1;
                    offset = to;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(lost <= 1 && good >= 10, "{good} read, {lost} ranges lost");
        file.write_all_at(&[sound[position]], position as u64).unwrap();
        storage.close().await.unwrap();
    }
    let storage = home.open_with(home.packing_config()).await.unwrap();
    assert_eq!(read_all(&storage, partition(0)).await, before);
}

#[tokio::test]
async fn a_bucket_that_is_gone_stops_packing_and_loses_nothing() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 40).await;
    let before = read_all(&storage, partition(0)).await;
    let directory = home.directory().join("objects");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "in the way").unwrap();
    let refused = storage.pack(1).await.unwrap_err();
    assert!(matches!(refused, StorageError::Object { .. }), "{refused:?}");
    assert_eq!(read_all(&storage, partition(0)).await, before);
    std::fs::remove_file(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    assert!(storage.pack(1).await.unwrap().objects > 0);
    assert_eq!(read_all(&storage, partition(0)).await, before);
}

#[tokio::test]
async fn a_log_with_objects_is_not_opened_without_them() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 40).await;
    storage.pack(1).await.unwrap();
    storage.close().await.unwrap();
    let refused = home.open_with(home.config()).await.unwrap_err();
    assert!(matches!(refused, StorageError::Setting(_)), "{refused:?}");
    home.open_with(home.packing_config()).await.unwrap();
}

/// A crash right after an object was written, before anything refers to it.
#[tokio::test]
async fn an_object_that_nothing_refers_to_is_swept_and_the_others_are_not() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    fill(&storage, 40).await;
    storage.pack(1).await.unwrap();
    let unreferenced = home.crash_image();
    fill(&storage, 40).await;
    storage.pack(1).await.unwrap();
    // The log of before with the objects of after.
    for object in home.objects() {
        let target = unreferenced.directory().join(object.strip_prefix(home.directory()).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(object, target).unwrap();
    }
    let config = unreferenced.packing_config();
    let store = config.objects.as_ref().unwrap().store.clone();
    let storage = unreferenced.open_with(config).await.unwrap();
    let before = read_all(&storage, partition(0)).await;
    let referenced = storage.object_references().unwrap().objects.len();
    let all = unreferenced.objects().len();
    assert!(all > referenced);
    let settings = SweepSettings { grace_ms: 0, confirmation_ms: 1, ..SweepSettings::default() };
    let mut sweeper = Sweeper::new(store, CLUSTER.to_owned(), settings);
    let references = || async { Ok::<_, StoreError>(storage.object_references().unwrap()) };
    let later = i64::MAX / 2;
    assert!(sweeper.survey(references, later).await.unwrap().orphans.is_empty());
    let proof = sweeper.survey(references, later + 1).await.unwrap();
    assert_eq!((proof.orphans.len(), proof.missing.len()), (all - referenced, 0));
    sweeper.delete(&proof, references).await.unwrap();
    assert_eq!(unreferenced.objects().len(), referenced);
    assert_eq!(read_all(&storage, partition(0)).await, before);
}

/// Opening reads the two newest segments, however much lies in objects.
#[tokio::test]
async fn opening_takes_no_longer_with_more_in_objects() {
    let home = Home::new();
    let config = || StorageConfig {
        objects: Some(ObjectConfig { object_bytes: 1 << 20, ..object_directory(&home.directory()) }),
        segment_bytes: 200_000,
        ..home.config()
    };
    let storage = home.open_with(config()).await.unwrap();
    fill(&storage, 3_000).await;
    let report = storage.pack(1).await.unwrap();
    assert!(report.batches > 5_000, "{report:?}");
    storage.close().await.unwrap();
    let keys: Arc<dyn KeyProvider> = Arc::clone(&home.keys);
    let storage = Storage::open(config(), keys).await.unwrap();
    assert!(storage.recovery().frames < 1_500, "{} frames were read", storage.recovery().frames);
    let read = storage.read(partition(1), 0, EVERYTHING).await.unwrap();
    assert!(read.records.len() > 100_000);
}
