//! A broker's membership in a cluster: registered, and registered anew when others took it for dead.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cadastre_objects::{ObjectKeys, Store};
use cadastre_sequencer::{Registry, Sequencer};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::uploader::chain;
use super::{ClusterConfig, ClusterStorage, state_error};
use crate::error::StorageError;
use crate::report::RecoveryReport;

/// How many producer ids a cluster's broker reserves at once.
const PRODUCER_ID_BLOCK: i64 = 1000;
/// How long a fenced broker waits before it registers again, and again after it could not.
const REGISTRATION_PAUSE: Duration = Duration::from_millis(500);

/// A broker of a cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    member: Member,
    /// Replaced when the broker registers anew.
    current: RwLock<Arc<ClusterStorage>>,
    report: RecoveryReport,
    stop: watch::Sender<bool>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    /// Reserved producer ids that were not handed out: the next one, and the end of the block.
    producer_ids: Mutex<(i64, i64)>,
}

/// What a registration is made of.
#[derive(Debug, Clone)]
struct Member {
    config: ClusterConfig,
    keys: ObjectKeys,
    sequencer: Arc<dyn Sequencer>,
    store: Store,
    registry: watch::Sender<Registry>,
}

impl Member {
    async fn register(&self) -> Result<ClusterStorage, StorageError> {
        let Self { config, keys, sequencer, store, registry } = self.clone();
        ClusterStorage::open(config, keys, sequencer, store, registry).await
    }
}

impl Cluster {
    pub(crate) async fn open(
        config: ClusterConfig,
        keys: ObjectKeys,
        sequencer: Arc<dyn Sequencer>,
        store: Store,
    ) -> Result<Arc<Self>, StorageError> {
        let registry = watch::Sender::new(Registry::default());
        let member = Member { config, keys, sequencer, store, registry };
        let current = RwLock::new(Arc::new(member.register().await?));
        let (stop, stopped) = watch::channel(false);
        let cluster = Arc::new(Self {
            member,
            current,
            report: RecoveryReport::default(),
            stop,
            supervisor: Mutex::default(),
            producer_ids: Mutex::new((0, 0)),
        });
        let supervisor = tokio::spawn(supervise(Arc::downgrade(&cluster), stopped));
        *cluster.supervisor.lock().await = Some(supervisor);
        Ok(cluster)
    }

    /// The registration that holds now.
    pub(crate) fn current(&self) -> Arc<ClusterStorage> {
        // A poisoned lock means that a thread panicked; what it holds is replaced as a whole.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.member.store
    }

    pub(crate) fn cluster_id(&self) -> &str {
        &self.member.config.cluster_id
    }

    pub(crate) const fn recovery(&self) -> &RecoveryReport {
        &self.report
    }

    pub(crate) fn registry(&self) -> watch::Receiver<Registry> {
        self.member.registry.subscribe()
    }

    pub(crate) fn sequencer(&self) -> &dyn Sequencer {
        self.member.sequencer.as_ref()
    }

    pub(crate) async fn allocate_producer_id(&self) -> Result<i64, StorageError> {
        let mut block = self.producer_ids.lock().await;
        if block.0 >= block.1 {
            let reserved = self.member.sequencer.reserve_producer_ids(PRODUCER_ID_BLOCK).await;
            let first = reserved.map_err(state_error)?;
            *block = (first, first.saturating_add(PRODUCER_ID_BLOCK));
        }
        let id = block.0;
        block.0 = id.saturating_add(1);
        Ok(id)
    }

    /// Commits what waits, ends the registration, and closes the sequencer.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        let _ended = self.stop.send(true);
        let Some(supervisor) = self.supervisor.lock().await.take() else { return Err(StorageError::Closed) };
        supervisor.await.map_err(|error| StorageError::Unavailable {
            reason: format!("a background task ended early: {error}"),
        })?;
        let ended = self.current().end().await;
        let closed = self.member.sequencer.close().await.map_err(state_error);
        ended.and(closed)
    }
}

/// Registers anew whenever the registration was ended by others, until `stopped`.
async fn supervise(cluster: std::sync::Weak<Cluster>, mut stopped: watch::Receiver<bool>) {
    loop {
        let Some(mut ending) = cluster.upgrade().map(|it| it.current().ending()) else { return };
        // In order, so that the same requests always have the same effect.
        tokio::select! {
            biased;
            ended = ending.wait_for(Option::is_some) => if ended.is_err() { return },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        if ending.borrow().as_ref().is_none_or(|ending| ending.is_final) {
            return;
        }
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep(REGISTRATION_PAUSE) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let Some(cluster) = cluster.upgrade() else { return };
            match register_anew(&cluster).await {
                Ok(true) => break,
                Ok(false) => return,
                Err(error) => tracing::warn!(error = %chain(&error), "not registered again yet"),
            }
        }
    }
}

/// Whether the broker is registered again; not when another process took its place.
async fn register_anew(cluster: &Cluster) -> Result<bool, StorageError> {
    let old = cluster.current();
    let registry = cluster.member.sequencer.registry().await.map_err(state_error)?;
    let node_id = cluster.member.config.node_id;
    if registry.brokers.iter().any(|broker| broker.node_id == node_id && broker.epoch != old.epoch()) {
        let reason = format!("another process is registered as node {node_id}");
        tracing::error!(%reason, "this broker takes no more writes");
        old.finally(reason);
        return Ok(false);
    }
    let fresh = Arc::new(cluster.member.register().await?);
    tracing::info!(epoch = %fresh.epoch(), "registered again after being fenced");
    *cluster.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    // What waited there is refused as fenced; the new registration has nothing of it.
    if let Err(error) = old.end().await {
        tracing::debug!(error = %chain(&error), "the old registration ended badly");
    }
    Ok(true)
}
