//! Disk space comes back, and nothing that lives goes with it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use cadastre_protocol::record_batch::Producer;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_storage::{MetadataChange, MetadataKind, Storage, StorageConfig};
use support::{Home, TOPIC, batch, batch_at, partition, read_all, values};

fn small_segments(home: &Home) -> StorageConfig {
    StorageConfig { segment_bytes: 12_000, cache_bytes: 0, ..home.config() }
}

async fn fill(storage: &Storage, partition: TopicPartition, batches: usize) {
    for _ in 0..batches {
        storage.append(partition, batch(&[&[1; 1000]])).await.unwrap();
    }
}

#[tokio::test]
async fn segments_of_deleted_topics_go_and_the_rest_stays() {
    let home = Home::new();
    let storage = home.open_with(small_segments(&home)).await.unwrap();
    let doomed = TopicPartition { topic: TopicId([8; 16]), partition: 0 };
    storage.create_partitions(doomed.topic, 1).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    let acl = MetadataChange { kind: MetadataKind::Acl, key: "k".to_owned(), value: Some(vec![1]) };
    storage.metadata().commit(vec![acl]).await.unwrap();
    fill(&storage, doomed, 60).await;
    storage.append(partition(0), batch(&[b"alive"])).await.unwrap();
    let before = home.segments().len();
    assert!(before > 5);
    storage.delete_topic(doomed.topic).await.unwrap();
    assert!(home.segments().len() <= 3, "{:?}", home.segments());
    storage.close().await.unwrap();
    let reopened = home.open().await;
    assert!(!reopened.recovery().has_losses(), "{:?}", reopened.recovery());
    assert_eq!(values(&read_all(&reopened, partition(0)).await), [b"alive"]);
    assert_eq!(reopened.partitions(), [partition(0)]);
    assert_eq!(reopened.metadata().get(MetadataKind::Acl, "k"), Some(vec![1]), "kept by snapshots");
}

#[tokio::test]
async fn retention_frees_segments_and_offsets_go_on() {
    let home = Home::new();
    let storage = home.open_with(small_segments(&home)).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    fill(&storage, partition(0), 60).await;
    assert_eq!(storage.enforce_retention(partition(0), 0, -1, i64::MAX).await.unwrap(), 60);
    assert!(home.segments().len() <= 2);
    for _ in 0..3 {
        let image = home.crash_image();
        let reopened = image.open().await;
        let bounds = reopened.watermarks(partition(0)).unwrap();
        assert_eq!((bounds.log_start_offset, bounds.high_watermark), (60, 60));
        assert!(!reopened.recovery().has_losses(), "{:?}", reopened.recovery());
    }
    assert_eq!(storage.append(partition(0), batch(&[b"x"])).await.unwrap().base_offset, 60);
}

#[tokio::test]
async fn live_records_of_nearly_dead_segments_are_copied_forward() {
    let home = Home::new();
    let storage = home.open_with(small_segments(&home)).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    for round in 0..6_u8 {
        storage.append(partition(1), batch(&[&[round; 10], b"rare"])).await.unwrap();
        fill(&storage, partition(0), 12).await;
    }
    let expected = read_all(&storage, partition(1)).await;
    storage.delete_records(partition(0), 72).await.unwrap();
    let before = home.segments().len();
    assert!(before >= 6, "{before}");
    assert!(storage.reclaim().await.unwrap() > 0);
    assert!(home.segments().len() <= 3, "{:?}", home.segments());
    assert_eq!(read_all(&storage, partition(1)).await, expected);
    for _ in 0..2 {
        let image = home.crash_image();
        let reopened = image.open().await;
        assert!(!reopened.recovery().has_losses(), "{:?}", reopened.recovery());
        assert_eq!(read_all(&reopened, partition(1)).await, expected);
        assert_eq!(reopened.watermarks(partition(0)).unwrap().log_start_offset, 72);
        reopened.close().await.unwrap();
        assert_eq!(read_all(&image.open().await, partition(1)).await, expected);
    }
}

#[tokio::test]
async fn opening_often_does_not_pile_up_segments() {
    let home = Home::new();
    for _ in 0..10 {
        let storage = home.open().await;
        storage.close().await.unwrap();
    }
    assert!(home.segments().len() <= 3, "{:?}", home.segments());
}

#[tokio::test]
async fn producers_are_remembered_when_the_segments_they_wrote_are_gone() {
    let home = Home::new();
    let storage = home.open_with(small_segments(&home)).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    let producer = Producer { id: 5, epoch: 2, base_sequence: 0 };
    let original = batch_at(0, &[b"once"], Some(producer));
    storage.append(partition(0), original.clone()).await.unwrap();
    fill(&storage, partition(0), 60).await;
    storage.delete_records(partition(0), 61).await.unwrap();
    assert!(!home.segments()[0].ends_with("00000000000000000001.wal"));
    storage.close().await.unwrap();
    let reopened = home.open().await;
    let repeated = reopened.append(partition(0), original).await.unwrap();
    assert_eq!((repeated.duplicate, repeated.base_offset), (true, 0));
}
