//! A broker that dies and comes back, and the way of clients to it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_objects::{ObjectKeys, ReaderSettings, Store, StoreSettings};
use cadastre_sequencer::{MemorySequencer, Sequencer as _};
use cadastre_storage::{Clock, ClusterConfig, Execution, ObjectConfig, Storage, StorageConfig, StorageError};
use object_store::memory::InMemory;

use crate::disk::Disk;
use crate::faulty_keys::FaultyKeys;
use crate::faulty_sequencer::FaultySequencer;
use crate::faulty_store::FaultyStore;
use crate::process::Process;
use crate::world::World;

/// The cluster's name.
const CLUSTER: &str = "simulated";
/// Longer than any run: the storage's own timers never fire, since they would tell the real time.
const NEVER: Duration = Duration::from_secs(86_400);

/// How a broker's storage is made.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The world.
    pub(crate) world: World,
    /// The customer's key.
    pub(crate) key: Arc<LocalKeyFile>,
    /// The bucket.
    pub(crate) bucket: Arc<InMemory>,
    /// See [`FaultyStore::new`].
    pub(crate) bucket_forgets_one_in: u64,
    /// What differs between the modes.
    pub(crate) kind: SiteKind,
    /// Memory for caches, in bytes; 0 reads everything from below.
    pub(crate) cache_bytes: usize,
    /// Where objects end, in bytes.
    pub(crate) object_bytes: usize,
}

/// The mode of the broker.
#[derive(Debug, Clone)]
pub(crate) enum SiteKind {
    /// One broker with a disk; with objects beside the log or without.
    Embedded {
        /// Its disk.
        disk: Disk,
        /// Where segments end, in bytes.
        segment_bytes: u64,
        /// Whether records move into objects.
        packs: bool,
    },
    /// Brokers over one database.
    Cluster {
        /// The database.
        database: MemorySequencer,
        /// Objects on their way at once.
        objects_in_flight: usize,
    },
}

impl Site {
    async fn open(&self, node_id: i32, process: &Process, clock: Clock) -> Result<Storage, StorageError> {
        let keys: Arc<dyn KeyProvider> = Arc::new(FaultyKeys::new(self.world.clone(), Arc::clone(&self.key)));
        let faulty = FaultyStore::new(process.clone(), Arc::clone(&self.bucket), self.bucket_forgets_one_in);
        let settings = StoreSettings {
            request_timeout: NEVER,
            attempts: 3,
            first_backoff: Duration::ZERO,
            longest_backoff: Duration::ZERO,
            ..StoreSettings::default()
        };
        let store = Store::new(Arc::new(faulty), "simulated", settings);
        let cache_bytes = self.cache_bytes as u64;
        let reader =
            ReaderSettings { cache_bytes, index_cache_bytes: cache_bytes, ..ReaderSettings::default() };
        match &self.kind {
            SiteKind::Embedded { disk, segment_bytes, packs } => {
                let objects = packs.then(|| ObjectConfig {
                    object_bytes: self.object_bytes as u64,
                    reader,
                    ..ObjectConfig::new(store)
                });
                let config = StorageConfig {
                    segment_bytes: *segment_bytes,
                    cache_bytes: self.cache_bytes,
                    clock,
                    file_system: disk.mount(process.clone()),
                    execution: Execution::Tasks,
                    objects,
                    ..StorageConfig::new("/log", CLUSTER)
                };
                Storage::open(config, keys).await
            }
            SiteKind::Cluster { database, objects_in_flight } => {
                let config = ClusterConfig {
                    linger: Duration::ZERO,
                    object_bytes: self.object_bytes,
                    objects_in_flight: *objects_in_flight,
                    heartbeat_interval: NEVER,
                    lease: NEVER,
                    deletion_grace: Duration::from_secs(10),
                    reader,
                    clock,
                    execution: Execution::Tasks,
                    ..ClusterConfig::new(CLUSTER, node_id)
                };
                let sequencer = Arc::new(FaultySequencer::new(process.clone(), database.clone()));
                Storage::open_cluster(config, ObjectKeys::Provider(keys), sequencer, store).await
            }
        }
    }
}

/// A broker over all its lives. Cheap to clone; clones are the same broker.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    node_id: i32,
    site: Site,
    clock: Clock,
    life: Arc<Mutex<Option<Life>>>,
}

#[derive(Debug, Clone)]
struct Life {
    storage: Storage,
    process: Process,
}

impl Broker {
    /// A broker that is not running yet.
    #[must_use]
    pub(crate) fn new(node_id: i32, site: Site) -> Self {
        Self { node_id, site, clock: Clock::fixed(1_700_000_000_000), life: Arc::default() }
    }

    // A poisoned lock means that a task panicked, which ends the run.
    fn life(&self) -> MutexGuard<'_, Option<Life>> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<Life> {
        self.life().clone()
    }

    /// Its number.
    #[must_use]
    pub(crate) const fn node_id(&self) -> i32 {
        self.node_id
    }

    /// How its storage is made.
    #[must_use]
    pub(crate) const fn site(&self) -> &Site {
        &self.site
    }

    /// Its clock.
    #[must_use]
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The running process, if there is one.
    #[must_use]
    pub(crate) fn process(&self) -> Option<Process> {
        self.life().as_ref().map(|life| life.process.clone())
    }

    /// The running storage, for whoever needs no network.
    #[must_use]
    pub(crate) fn storage(&self) -> Option<Storage> {
        self.life().as_ref().map(|life| life.storage.clone())
    }

    /// Starts a process and opens its storage.
    ///
    /// # Errors
    /// As opening a storage; `None` when the process died meanwhile.
    pub(crate) async fn start(&self) -> Result<(), Option<StorageError>> {
        const PATIENCE: u64 = 60_000_000;
        let process = Process::new(self.site.world.clone());
        let opening = self.site.open(self.node_id, &process, self.clock.clone());
        let opened = self.site.world.within(PATIENCE, opening).await;
        if process.is_dead() {
            return Err(None);
        }
        match opened {
            Some(Ok(storage)) => {
                *self.life() = Some(Life { storage, process });
                Ok(())
            }
            Some(Err(error)) => {
                process.kill();
                Err(Some(error))
            }
            None => {
                process.kill();
                Err(None)
            }
        }
    }

    /// Ends the process at once.
    pub(crate) fn kill(&self) {
        if let Some(life) = self.life().take() {
            life.process.kill();
        }
    }

    /// Ends the process in order; kills it when that takes too long.
    pub(crate) async fn stop(&self) {
        const PATIENCE: u64 = 5_000_000;
        let Some(life) = self.life().take() else { return };
        // Whether the end was in order or not, the next opening must find everything.
        drop(self.site.world.within(PATIENCE, life.storage.close()).await);
        life.process.kill();
    }

    /// Whether the broker needs to be started again.
    #[must_use]
    pub(crate) fn is_down(&self) -> bool {
        self.current().is_none_or(|life| life.process.is_dead() || life.storage.failure().is_some())
    }

    /// Sends a request and waits for the answer; `None` when none came.
    pub(crate) async fn call<T, F>(&self, request: impl FnOnce(Storage) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        const PATIENCE: u64 = 4_000_000;
        let world = self.site.world.clone();
        world.network().await;
        let life = self.current()?;
        if world.fault(|rates| rates.network_lost) {
            return None;
        }
        let work = request(life.storage);
        // A task of its own: the broker goes on with a request whose client has given up.
        let served = tokio::spawn(async move {
            life.process.pass().await;
            let answer = work.await;
            life.process.pass().await;
            answer
        });
        let answer = world.within(PATIENCE, served).await?.ok()?;
        world.network().await;
        if world.fault(|rates| rates.network_lost) { None } else { Some(answer) }
    }

    /// Ends the broker's registration, as another broker does that misses its heartbeats.
    pub(crate) async fn fence(&self) {
        let SiteKind::Cluster { database, .. } = &self.site.kind else { return };
        let Ok(registry) = database.registry().await else { return };
        if let Some(live) = registry.brokers.iter().find(|live| live.node_id == self.node_id) {
            // The one in memory always answers.
            drop(database.fence(live.epoch).await);
        }
    }
}
