//! Disks that fail: nothing is acknowledged that is not durable, and the failure has a name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use cadastre_keys::{DataKey, EncryptionContext, KeyError, KeyFuture, KeyProvider, Secret, WrappedKey};
use cadastre_protocol::record_batch::Producer;
use cadastre_storage::{AppendError, MetadataChange, MetadataKind, Storage, StorageConfig, StorageError};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use support::{CLUSTER, Faults, FaultyFileSystem, Home, TOPIC, batch, batch_at, partition, read_all, values};

async fn faulty_home() -> (Home, Storage, Arc<Faults>) {
    let home = Home::new();
    let (file_system, faults) = FaultyFileSystem::new();
    let config = StorageConfig { file_system, ..StorageConfig::new(home.directory(), CLUSTER) };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    (home, storage, faults)
}

fn acl(key: &str) -> Vec<MetadataChange> {
    vec![MetadataChange { kind: MetadataKind::Acl, key: key.to_owned(), value: Some(vec![1]) }]
}

/// Tries until the log has noticed that there is room.
async fn when_there_is_room<T>(mut attempt: impl AsyncFnMut() -> Result<T, AppendError>) -> T {
    for _ in 0..100 {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the log does not notice that there is room");
}

/// Fills the disk after every possible number of bytes of a write.
#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_is_written_again_once_there_is_room() {
    let mut free = 0;
    loop {
        let (home, storage, faults) = faulty_home().await;
        storage.append(partition(0), batch(&[b"before"])).await.unwrap();
        faults.free_bytes.store(free, Ordering::SeqCst);
        let refused = storage.append(partition(0), batch(&[b"refused"])).await;
        if refused.is_ok() {
            break;
        }
        let refused = refused.unwrap_err();
        assert!(refused.is_retriable(), "{refused}");
        assert!(matches!(refused, AppendError::Unavailable { .. }));
        assert_eq!(values(&read_all(&storage, partition(0)).await), [b"before"], "reading goes on");

        assert!(storage.append(partition(0), batch(&[b"too soon"])).await.unwrap_err().is_retriable());
        assert!(matches!(storage.metadata().commit(acl("a")).await, Err(StorageError::Unavailable { .. })));

        faults.free_bytes.store(-1, Ordering::SeqCst);
        let appended = when_there_is_room(|| storage.append(partition(0), batch(&[b"later"]))).await;
        assert_eq!(appended.base_offset, 1, "the offsets of what was refused are given again");
        storage.metadata().commit(acl("a")).await.unwrap();
        assert_eq!(values(&read_all(&storage, partition(0)).await), [&b"before"[..], b"later"]);
        storage.close().await.unwrap();

        let reopened = home.open().await;
        assert!(!reopened.recovery().has_losses(), "{:?}", reopened.recovery());
        assert_eq!(values(&read_all(&reopened, partition(0)).await), [&b"before"[..], b"later"]);
        assert_eq!(reopened.append(partition(0), batch(&[b"after"])).await.unwrap().base_offset, 2);
        free += 37;
    }
    assert!(free > 150, "the loop must have met every part of the frame");
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_though_the_bytes_may_be_there() {
    let (home, storage, faults) = faulty_home().await;
    faults.sync_fails.store(true, Ordering::SeqCst);
    let refused = storage.append(partition(0), batch(&[b"refused"])).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { .. }));
    assert_eq!(storage.watermarks(partition(0)).unwrap().high_watermark, 0);
    faults.sync_fails.store(false, Ordering::SeqCst);
    assert!(storage.append(partition(0), batch(&[b"later"])).await.is_err(), "one failure is for good");
    assert!(storage.close().await.is_err());
    let reopened = home.open().await;
    assert!(!reopened.recovery().has_losses());
    assert!(reopened.watermarks(partition(0)).unwrap().high_watermark <= 1);
}

#[tokio::test]
async fn a_disk_that_fills_up_between_segments_loses_nothing() {
    let home = Home::new();
    let (file_system, faults) = FaultyFileSystem::new();
    let config = StorageConfig { file_system, segment_bytes: 6000, ..home.config() };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    faults.free_bytes.store(30_000, Ordering::SeqCst);
    let mut acknowledged: i64 = 0;
    while storage.append(partition(0), batch(&[&[7; 500]])).await.is_ok() {
        acknowledged += 1;
    }
    assert!(acknowledged > 5);
    assert_eq!(storage.watermarks(partition(0)).unwrap().high_watermark, acknowledged);
    // The next segment cannot be begun either, and is tried again.
    tokio::time::sleep(Duration::from_millis(600)).await;
    faults.free_bytes.store(4000, Ordering::SeqCst);
    assert!(storage.append(partition(0), batch(&[&[7; 500]])).await.unwrap_err().is_retriable());
    faults.free_bytes.store(-1, Ordering::SeqCst);
    for _ in 0..20 {
        let appended = when_there_is_room(|| storage.append(partition(0), batch(&[&[7; 500]]))).await;
        assert_eq!(appended.base_offset, acknowledged);
        acknowledged += 1;
    }
    storage.close().await.unwrap();
    let reopened = home.open().await;
    assert!(!reopened.recovery().has_losses(), "{:?}", reopened.recovery());
    assert_eq!(reopened.watermarks(partition(0)).unwrap().high_watermark, acknowledged);
    assert_eq!(read_all(&reopened, partition(0)).await.len(), usize::try_from(acknowledged).unwrap());
}

/// A sequence of an idempotent producer that was refused is taken when it is sent again, as the first.
#[tokio::test]
async fn a_producer_repeats_what_a_full_disk_refused() {
    let (home, storage, faults) = faulty_home().await;
    let numbered = |sequence, value: &[u8]| {
        batch_at(1_700_000_000_000, &[value], Some(Producer { id: 9, epoch: 0, base_sequence: sequence }))
    };
    storage.append(partition(0), numbered(0, b"first")).await.unwrap();
    faults.free_bytes.store(10, Ordering::SeqCst);
    assert!(storage.append(partition(0), numbered(1, b"second")).await.is_err());
    faults.free_bytes.store(-1, Ordering::SeqCst);
    let repeated = when_there_is_room(|| storage.append(partition(0), numbered(1, b"second"))).await;
    assert!(!repeated.duplicate);
    assert!(storage.append(partition(0), numbered(1, b"second")).await.unwrap().duplicate);
    assert_eq!(values(&read_all(&storage, partition(0)).await), [&b"first"[..], b"second"]);
    storage.close().await.unwrap();
    let reopened = home.open().await;
    assert!(reopened.append(partition(0), numbered(1, b"second")).await.unwrap().duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_wait_for_durability_hold_bounded_memory() {
    let home = Home::new();
    let (file_system, faults) = FaultyFileSystem::new();
    let value = [0; 1000];
    let config = StorageConfig {
        file_system,
        maximum_unflushed_bytes: 5 * batch(&[&value]).size(),
        ..StorageConfig::new(home.directory(), CLUSTER)
    };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    faults.block_syncs(true);
    let appends: Vec<_> = (0..50)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.append(partition(0), batch(&[&value])).await.unwrap() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let written: u64 = home.segments().iter().map(|path| path.metadata().unwrap().len()).sum();
    // Header and snapshot, then at most the five batches that may wait.
    assert!(written < 4096 + 1000 + 6 * 1300, "{written} bytes were taken in");
    faults.block_syncs(false);
    for append in appends {
        append.await.unwrap();
    }
    assert_eq!(storage.watermarks(partition(0)).unwrap().high_watermark, 50);
}

#[tokio::test]
async fn a_batch_larger_than_allowed_is_refused_and_one_larger_than_the_room_goes_alone() {
    let home = Home::new();
    let config = StorageConfig { maximum_unflushed_bytes: 100, maximum_frame_bytes: 10_000, ..home.config() };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    storage.append(partition(0), batch(&[&[1; 5000]])).await.unwrap();
    let refused = storage.append(partition(0), batch(&[&[1; 20_000]])).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { maximum: 10_000, .. }));
    let large =
        vec![MetadataChange { kind: MetadataKind::Acl, key: "k".to_owned(), value: Some(vec![0; 20_000]) }];
    assert!(matches!(storage.metadata().commit(large).await, Err(StorageError::TooLarge { .. })));
}

/// A key service that can be cut off.
#[derive(Debug)]
struct FlakyKeys {
    keys: Arc<dyn KeyProvider>,
    down: AtomicBool,
}

impl KeyProvider for FlakyKeys {
    fn key_id(&self) -> &str {
        self.keys.key_id()
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        if self.down.load(Ordering::SeqCst) {
            let reason = "connection refused".to_owned();
            return Box::pin(std::future::ready(Err(KeyError::Unavailable { reason })));
        }
        self.keys.generate_data_key(context)
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; 32]>> {
        self.keys.unwrap(wrapped, context)
    }
}

#[tokio::test]
async fn without_a_key_for_the_next_segment_writers_wait_and_go_on_later() {
    let home = Home::new();
    let keys = Arc::new(FlakyKeys { keys: Arc::clone(&home.keys), down: AtomicBool::new(false) });
    let config = StorageConfig { segment_bytes: 5000, ..home.config() };
    let storage = Storage::open(config, Arc::clone(&keys) as Arc<dyn KeyProvider>).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    keys.down.store(true, Ordering::SeqCst);
    let mut acknowledged = 0;
    let refused = loop {
        match storage.append(partition(0), batch(&[b"x"])).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(refused.is_retriable() && refused.to_string().contains("connection refused"), "{refused}");
    assert_eq!(storage.failure(), None, "the log itself is sound");
    keys.down.store(false, Ordering::SeqCst);
    let appended = storage.append(partition(0), batch(&[b"x"])).await.unwrap();
    assert_eq!(appended.base_offset, acknowledged);
    assert_eq!(storage.segments().len(), 2);
}
