//! What callers see of a log that nothing goes wrong with.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::atomic::Ordering;

use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::types::TopicId;
use cadastre_storage::{
    AppendError, Clock, MetadataChange, MetadataKind, ReadError, Storage, StorageConfig, StorageError,
};
use support::{
    CLUSTER, EVERYTHING, FaultyFileSystem, Home, TOPIC, batch, batch_at, partition, read_all, values,
};

async fn home_with_topic() -> (Home, Storage) {
    let home = Home::new();
    let storage = home.open().await;
    storage.create_partitions(TOPIC, 2).await.unwrap();
    (home, storage)
}

#[tokio::test]
async fn records_are_read_at_the_offsets_that_were_acknowledged() {
    let (_home, storage) = home_with_topic().await;
    let first = storage.append(partition(0), batch(&[b"a", b"b"])).await.unwrap();
    let second = storage.append(partition(0), batch(&[b"c"])).await.unwrap();
    let other = storage.append(partition(1), batch(&[b"d"])).await.unwrap();
    assert_eq!((first.base_offset, second.base_offset, other.base_offset), (0, 2, 0));
    assert_eq!(values(&read_all(&storage, partition(0)).await), [b"a", b"b", b"c"]);
    let fetched = storage.read(partition(0), 2, 0).await.unwrap();
    assert_eq!((fetched.high_watermark, fetched.log_start_offset), (3, 0));
    assert_eq!(values(&RecordBatch::parse_all(fetched.records).unwrap()), [b"c"]);
    assert!(storage.read(partition(0), 3, EVERYTHING).await.unwrap().records.is_empty());
}

#[tokio::test]
async fn reads_outside_the_log_are_refused() {
    let (_home, storage) = home_with_topic().await;
    storage.append(partition(0), batch(&[b"a", b"b", b"c"])).await.unwrap();
    storage.append(partition(0), batch(&[b"d"])).await.unwrap();
    for offset in [-1, 5, i64::MAX] {
        let error = storage.read(partition(0), offset, 1).await.unwrap_err();
        assert!(matches!(error, ReadError::OffsetOutOfRange { .. }), "{error}");
    }
    assert_eq!(storage.delete_records(partition(0), 1).await.unwrap(), 1);
    assert!(storage.read(partition(0), 0, 1).await.is_err());
    let within = storage.read(partition(0), 1, 1).await.unwrap();
    assert_eq!(RecordBatch::parse_all(within.records).unwrap()[0].base_offset(), 0, "batches stay whole");
    assert_eq!(storage.delete_records(partition(0), 4).await.unwrap(), 4);
    assert_eq!(storage.partition_size_bytes(partition(0)).unwrap(), 0);
    let beyond = storage.delete_records(partition(0), 5).await.unwrap_err();
    assert!(matches!(beyond, StorageError::OffsetOutOfRange { .. }));
    let unknown = storage.append(partition(2), batch(&[b"a"])).await.unwrap_err();
    assert_eq!(unknown, AppendError::UnknownPartition { partition: partition(2) });
}

#[tokio::test]
async fn reads_respect_the_size_limit_but_return_one_batch() {
    let (_home, storage) = home_with_topic().await;
    let size = batch(&[&[0; 100]]).size();
    for _ in 0..10 {
        storage.append(partition(0), batch(&[&[0; 100]])).await.unwrap();
    }
    for (limit, batches) in [(0, 1), (size, 1), (2 * size - 1, 1), (3 * size, 3), (EVERYTHING, 10)] {
        let fetched = storage.read(partition(0), 0, limit).await.unwrap();
        assert_eq!(fetched.records.len(), batches * size, "limit {limit}");
    }
}

#[tokio::test]
async fn long_polls_wake_when_records_are_durable_and_when_the_topic_goes() {
    let (_home, storage) = home_with_topic().await;
    let mut watch = storage.watch(partition(0)).unwrap();
    let waiting = tokio::spawn(async move {
        let appended = watch.wait_for(|high_watermark| *high_watermark >= 2).await.map(|it| *it);
        (appended.unwrap(), watch.changed().await.is_err())
    });
    storage.append(partition(0), batch(&[b"a", b"b"])).await.unwrap();
    tokio::task::yield_now().await;
    storage.delete_topic(TOPIC).await.unwrap();
    assert_eq!(waiting.await.unwrap(), (2, true));
    assert!(matches!(storage.watermarks(partition(0)), Err(ReadError::UnknownPartition { .. })));
}

#[tokio::test]
async fn records_are_found_by_timestamp() {
    let (_home, storage) = home_with_topic().await;
    assert_eq!(storage.offset_for_timestamp(partition(0), 0).await.unwrap(), None);
    storage.append(partition(0), batch_at(1000, &[b"a", b"b", b"c"], None)).await.unwrap();
    storage.append(partition(0), batch_at(5000, &[b"d", b"e"], None)).await.unwrap();
    storage.append(partition(0), batch_at(2000, &[b"late"], None)).await.unwrap();
    for (timestamp, expected) in
        [(0, Some(0)), (1001, Some(1)), (1003, Some(3)), (5001, Some(4)), (5002, None)]
    {
        let found = storage.offset_for_timestamp(partition(0), timestamp).await.unwrap();
        assert_eq!(found.map(|found| found.offset), expected, "{timestamp}");
    }
    let latest = storage.latest_timestamp(partition(0)).await.unwrap().unwrap();
    assert_eq!((latest.offset, latest.timestamp, latest.leader_epoch), (4, 5001, 0));
}

#[tokio::test]
async fn repeated_batches_are_acknowledged_once_and_gaps_refused() {
    let (home, storage) = home_with_topic().await;
    let from =
        |base_sequence, epoch| batch_at(0, &[b"x", b"y"], Some(Producer { id: 4, epoch, base_sequence }));
    let first = storage.append(partition(0), from(0, 0)).await.unwrap();
    let second = storage.append(partition(0), from(2, 0)).await.unwrap();
    let again = storage.append(partition(0), from(0, 0)).await.unwrap();
    assert!(again.duplicate && !first.duplicate);
    assert_eq!((again.base_offset, second.base_offset), (first.base_offset, 2));
    let gap = storage.append(partition(0), from(9, 0)).await.unwrap_err();
    assert!(matches!(gap, AppendError::OutOfOrderSequence { expected: 4, found: 9, .. }));
    storage.append(partition(0), from(0, 1)).await.unwrap();
    let fenced = storage.append(partition(0), from(4, 0)).await.unwrap_err();
    assert!(matches!(fenced, AppendError::InvalidProducerEpoch { found: 0, known: 1, .. }));

    storage.close().await.unwrap();
    let storage = home.open().await;
    assert!(storage.append(partition(0), from(0, 1)).await.unwrap().duplicate, "remembered over a restart");
    assert_eq!(storage.watermarks(partition(0)).unwrap().high_watermark, 6);
    let producers = storage.producers(partition(0)).await.unwrap();
    assert_eq!((producers[0].producer_id, producers[0].epoch, producers[0].last_sequence), (4, 1, 1));
    assert_eq!(storage.expire_producers(i64::MAX).await.unwrap(), 1);
    assert!(storage.producers(partition(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn concurrent_repeats_are_written_once() {
    let (_home, storage) = home_with_topic().await;
    let same = batch_at(0, &[b"x"], Some(Producer { id: 4, epoch: 0, base_sequence: 0 }));
    let appends = (0..20).map(|_| {
        let (storage, same) = (storage.clone(), same.clone());
        tokio::spawn(async move { storage.append(partition(0), same).await.unwrap() })
    });
    let mut originals = 0;
    for append in appends.collect::<Vec<_>>() {
        let appended = append.await.unwrap();
        assert_eq!(appended.base_offset, 0);
        originals += u32::from(!appended.duplicate);
    }
    assert_eq!(originals, 1);
    assert_eq!(storage.watermarks(partition(0)).unwrap().high_watermark, 1);
}

#[tokio::test]
async fn retention_drops_what_is_old_or_too_much() {
    let (_home, storage) = home_with_topic().await;
    for timestamp in [1000, 2000, 3000] {
        storage.append(partition(0), batch_at(timestamp, &[b"x"], None)).await.unwrap();
    }
    let size = i64::try_from(batch_at(0, &[b"x"], None).size()).unwrap();
    let enforce = |retention_ms, retention_bytes| {
        storage.enforce_retention(partition(0), retention_ms, retention_bytes, 4000)
    };
    assert_eq!(enforce(-1, -1).await.unwrap(), 0);
    assert_eq!(enforce(-1, 3 * size).await.unwrap(), 0);
    assert_eq!(enforce(3000, -1).await.unwrap(), 0, "exactly as old as allowed");
    assert_eq!(enforce(2999, -1).await.unwrap(), 1);
    assert_eq!(enforce(-1, size).await.unwrap(), 2);
    assert_eq!(enforce(0, -1).await.unwrap(), 3);
    assert_eq!(storage.watermarks(partition(0)).unwrap().log_start_offset, 3);
}

#[tokio::test]
async fn metadata_is_committed_as_a_whole_and_survives() {
    let home = Home::new();
    let storage = home.open().await;
    let change = |kind, key: &str, value: Option<&[u8]>| MetadataChange {
        kind,
        key: key.to_owned(),
        value: value.map(<[u8]>::to_vec),
    };
    let metadata = storage.metadata();
    metadata
        .commit(vec![
            change(MetadataKind::Acl, "a", Some(b"1")),
            change(MetadataKind::Acl, "b", Some(b"2")),
            change(MetadataKind::Quota, "a", Some(b"3")),
        ])
        .await
        .unwrap();
    metadata.commit(vec![change(MetadataKind::Acl, "a", None)]).await.unwrap();
    for closes in [false, true] {
        let image = home.crash_image();
        if closes {
            storage.close().await.unwrap();
            assert!(matches!(
                metadata.commit(vec![change(MetadataKind::Acl, "c", None)]).await,
                Err(StorageError::Closed)
            ));
        }
        let reopened = image.open().await;
        let entries = reopened.metadata().entries(MetadataKind::Acl);
        assert_eq!(entries.into_iter().collect::<Vec<_>>(), [("b".to_owned(), b"2".to_vec())]);
        assert_eq!(reopened.metadata().get(MetadataKind::Quota, "a"), Some(b"3".to_vec()));
    }
}

#[tokio::test]
async fn nothing_readable_lies_on_disk() {
    let (home, storage) = home_with_topic().await;
    let marker = b"a marker that must not be found";
    storage.append(partition(0), batch(&[marker])).await.unwrap();
    let change = MetadataChange {
        kind: MetadataKind::ScramCredential,
        key: String::from_utf8(marker.to_vec()).unwrap(),
        value: Some(marker.to_vec()),
    };
    storage.metadata().commit(vec![change]).await.unwrap();
    storage.close().await.unwrap();
    for path in home.segments() {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(marker.len()).any(|window| window == marker));
        assert!(!bytes.windows(16).any(|window| window == TOPIC.as_bytes()), "topic ids are sealed too");
    }
}

#[tokio::test]
async fn producer_ids_are_never_given_twice() {
    let home = Home::new();
    let mut given = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let storage = home.open().await;
        for _ in 0..1500 {
            assert!(given.insert(storage.allocate_producer_id().await.unwrap()));
        }
        storage.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_topic_grows_but_never_shrinks() {
    let (_home, storage) = home_with_topic().await;
    storage.create_partitions(TOPIC, 2).await.unwrap();
    storage.create_partitions(TOPIC, 3).await.unwrap();
    assert_eq!(storage.partitions(), [partition(0), partition(1), partition(2)]);
    for count in [2, 0, -1, i32::MAX] {
        let refused = storage.create_partitions(TOPIC, count).await.unwrap_err();
        assert!(matches!(refused, StorageError::PartitionCount { .. }), "{count}");
    }
    let unknown = storage.delete_topic(TopicId([9; 16])).await.unwrap_err();
    assert!(matches!(unknown, StorageError::UnknownTopic { .. }));
}

#[tokio::test]
async fn one_process_at_a_time_has_the_log() {
    let (home, storage) = home_with_topic().await;
    let refused = home.open_with(home.config()).await.unwrap_err();
    assert!(matches!(refused, StorageError::Locked { .. }), "{refused}");
    storage.close().await.unwrap();
    home.open().await;
}

#[tokio::test]
async fn requests_after_closing_are_refused() {
    let (_home, storage) = home_with_topic().await;
    storage.append(partition(0), batch(&[b"a"])).await.unwrap();
    storage.close().await.unwrap();
    assert_eq!(storage.append(partition(0), batch(&[b"b"])).await, Err(AppendError::Closed));
    assert!(matches!(storage.close().await, Err(StorageError::Closed)));
    assert_eq!(values(&read_all(&storage, partition(0)).await), [b"a"], "reading goes on");
}

#[tokio::test]
async fn old_records_are_read_from_disk_when_they_left_the_cache() {
    let home = Home::new();
    let config = StorageConfig { cache_bytes: 1000, segment_bytes: 20_000, ..home.config() };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    let expected: Vec<Vec<u8>> = (0_u32..500).map(|number| number.to_be_bytes().repeat(50)).collect();
    for value in &expected {
        storage.append(partition(0), batch(&[value])).await.unwrap();
    }
    assert!(storage.segments().len() > 3);
    assert_eq!(values(&read_all(&storage, partition(0)).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sync_serves_everybody_who_waits() {
    let home = Home::new();
    let (file_system, faults) = FaultyFileSystem::new();
    let config = StorageConfig {
        file_system,
        clock: Clock::fixed(5),
        ..StorageConfig::new(home.directory(), CLUSTER)
    };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    let before = faults.syncs.load(Ordering::SeqCst);
    faults.block_syncs(true);
    let appends: Vec<_> = (0..100)
        .map(|number: i32| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.append(partition(number % 2), batch(&[b"x"])).await.unwrap() })
        })
        .collect();
    // All of them reach the queue while the first one's sync is held up.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(
        storage.watermarks(partition(0)).unwrap().high_watermark,
        0,
        "nothing shows before it is durable"
    );
    faults.block_syncs(false);
    for append in appends {
        assert_eq!(append.await.unwrap().log_append_time_ms, 5);
    }
    let syncs = faults.syncs.load(Ordering::SeqCst) - before;
    assert!(syncs <= 3, "{syncs} syncs for 100 appends");
}
