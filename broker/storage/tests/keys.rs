//! The customer's key governs the log: withdrawn, it ends reads and writes within the time that keys are remembered; given
//! back, it lets them go on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use cadastre_keys::{
    DataKey, EncryptionContext, KEY_LENGTH, KeyCacheConfig, KeyError, KeyFuture, KeyProvider, KeyRing,
    KeyRingConfig, ManualKeyClock, ScopeKeyStore, Secret, TopicKeys, WrappedKey,
};
use cadastre_storage::{
    AppendError, MetadataChange, MetadataKind, ReadError, RewriteSettings, ScopeKeyTable, Storage,
    StorageConfig, StorageError,
};
use support::{CLUSTER, Home, TOPIC, batch, partition, read_all, values};

const TTL: Duration = Duration::from_secs(300);

/// A key service that can go away, and whose key can be disabled.
#[derive(Debug)]
struct Service {
    inner: Arc<dyn KeyProvider>,
    state: AtomicU8,
}

const ANSWERS: u8 = 0;
const AWAY: u8 = 1;
const DISABLED: u8 = 2;

impl Service {
    fn check(&self) -> Result<(), KeyError> {
        let key_id = self.key_id().to_owned();
        match self.state.load(Ordering::SeqCst) {
            ANSWERS => Ok(()),
            AWAY => Err(KeyError::Unavailable { reason: "away".to_owned() }),
            _ => Err(KeyError::Disabled { key_id }),
        }
    }
}

impl KeyProvider for Service {
    fn key_id(&self) -> &str {
        self.inner.key_id()
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        Box::pin(async move {
            self.check()?;
            self.inner.generate_data_key(context).await
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(async move {
            self.check()?;
            self.inner.unwrap(wrapped, context).await
        })
    }
}

struct World {
    home: Home,
    service: Arc<Service>,
    clock: Arc<ManualKeyClock>,
    ring: Arc<KeyRing>,
    storage: Storage,
}

impl World {
    async fn new() -> Self {
        let home = Home::new();
        let service = Arc::new(Service { inner: Arc::clone(&home.keys), state: AtomicU8::new(ANSWERS) });
        let clock = Arc::new(ManualKeyClock::new());
        let table = ScopeKeyTable::new(CLUSTER);
        let cache =
            KeyCacheConfig { ttl: TTL, pause_after_failure: Duration::ZERO, ..KeyCacheConfig::default() };
        let config = KeyRingConfig { cluster_id: CLUSTER.to_owned(), topic_keys: TopicKeys::Own, cache };
        let scope_keys: Arc<dyn ScopeKeyStore> = Arc::<ScopeKeyTable>::clone(&table);
        let provider: Arc<dyn KeyProvider> = Arc::<Service>::clone(&service);
        let ring = Arc::new(KeyRing::new(config, provider, scope_keys, Arc::<ManualKeyClock>::clone(&clock)));
        let storage = Storage::open(Self::config(&home), Arc::clone(&ring)).await.unwrap();
        table.bind(&storage);
        storage.create_partitions(TOPIC, 1).await.unwrap();
        Self { home, service, clock, ring, storage }
    }

    /// Small segments, and all that was read or written lately in memory.
    fn config(home: &Home) -> StorageConfig {
        StorageConfig { cache_bytes: 1 << 20, ..home.packing_config() }
    }

    fn turn(&self, state: u8) {
        self.service.state.store(state, Ordering::SeqCst);
    }

    async fn works(&self, value: &[u8]) {
        let before = self.storage.watermarks(partition(0)).unwrap().high_watermark;
        let appended = self.storage.append(partition(0), batch(&[value])).await.unwrap();
        assert_eq!(appended.base_offset, before);
        let read = self.storage.read(partition(0), before, 1).await.unwrap();
        assert!(!read.records.is_empty());
    }

    async fn nothing_works(&self) {
        let appended = self.storage.append(partition(0), batch(&[b"x"])).await;
        assert!(matches!(appended, Err(AppendError::Unavailable { .. })), "{appended:?}");
        let change = MetadataChange { kind: MetadataKind::Topic, key: "k".to_owned(), value: Some(vec![1]) };
        let committed = self.storage.metadata().commit(vec![change]).await;
        assert!(matches!(committed, Err(StorageError::Unavailable { .. })), "{committed:?}");
        let end = self.storage.watermarks(partition(0)).unwrap().high_watermark;
        // The newest record is in memory, the oldest in a segment or an object.
        for offset in [0, end - 1] {
            let read = self.storage.read(partition(0), offset, 1).await;
            let refused = matches!(read, Err(ReadError::Unavailable { .. } | ReadError::Object { .. }));
            assert!(refused, "{offset}: {read:?}");
        }
        assert!(self.storage.read(partition(0), end, 1).await.unwrap().records.is_empty());
        assert!(self.storage.failure().is_none(), "not for good");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_service_that_goes_away_stops_the_log_when_its_keys_are_over_and_lets_it_go_on() {
    let world = World::new().await;
    world.works(b"first").await;
    world.turn(AWAY);
    world.clock.advance(TTL - Duration::from_secs(1));
    world.works(b"the key is remembered").await;
    world.ring.maintain().await;
    world.clock.advance(Duration::from_secs(1));
    world.nothing_works().await;
    world.ring.maintain().await;
    world.nothing_works().await;
    world.turn(ANSWERS);
    world.works(b"again").await;
    let all = values(&read_all(&world.storage, partition(0)).await);
    assert_eq!(all, [b"first".to_vec(), b"the key is remembered".to_vec(), b"again".to_vec()]);
    // No number was used twice under the key, and nothing passes for damage.
    world.storage.close().await.unwrap();
    let image = world.home.crash_image();
    let reopened = image.open_with(World::config(&image)).await.unwrap();
    assert!(!reopened.recovery().has_losses(), "{:?}", reopened.recovery());
    assert_eq!(values(&read_all(&reopened, partition(0)).await), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_key_stops_the_log_as_soon_as_that_is_known() {
    let world = World::new().await;
    world.works(b"first").await;
    world.turn(DISABLED);
    world.works(b"not known yet").await;
    // The lease is due for renewal, which is refused.
    world.clock.advance(TTL - Duration::from_secs(30));
    world.works(b"in use").await;
    world.ring.maintain().await;
    world.ring.maintain().await;
    world.nothing_works().await;
    world.turn(ANSWERS);
    world.works(b"enabled").await;
    assert_eq!(read_all(&world.storage, partition(0)).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_and_objects_from_before_an_outage_are_packed_and_read_after_it() {
    let world = World::new().await;
    let record = vec![7; 1000];
    for _ in 0..60 {
        world.works(&record).await;
    }
    assert!(world.home.segments().len() > 3);
    assert!(world.storage.pack(1).await.unwrap().objects > 0);
    for _ in 0..20 {
        world.works(&record).await;
    }
    world.turn(AWAY);
    world.clock.advance(TTL);
    world.nothing_works().await;
    let settings = RewriteSettings { cleaning: None, object_bytes: 2_000, maximum_keys: 10 };
    assert!(world.storage.pack(1).await.is_err(), "records stay in the log");
    assert!(world.storage.rewrite(partition(0), settings, 1).await.is_err());
    world.storage.reclaim().await.unwrap_err();
    world.ring.maintain().await;
    world.turn(ANSWERS);
    assert!(world.storage.pack(1).await.unwrap().objects > 0);
    assert!(world.storage.rewrite(partition(0), settings, 1).await.unwrap().objects > 0);
    for _ in 0..20 {
        world.works(&record).await;
    }
    assert_eq!(read_all(&world.storage, partition(0)).await.len(), 100);
}
