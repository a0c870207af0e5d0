//! The orphan sweep of a storage: objects that nothing refers to are found, proven to be orphans, and deleted.

use cadastre_objects::{ObjectId, References, Store, StoreError, SweepReport, SweepSettings, Sweeper};

use crate::Storage;
use crate::error::StorageError;
use crate::storage::Mode;

/// Sweeps the objects of one storage, from time to time. What it suspects it remembers between rounds.
#[derive(Debug)]
pub struct OrphanSweep {
    storage: Storage,
    sweeper: Sweeper,
}

/// What a round of the sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepOutcome {
    /// What was looked at, and the proof for each orphan.
    pub report: SweepReport,
    /// Names of the objects that were deleted.
    pub deleted: Vec<String>,
}

/// A request to the store failed, or the references could not be read.
#[derive(Debug)]
struct Failed(StorageError);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(StorageError::Object { source: Box::new(error.into()) })
    }
}

impl OrphanSweep {
    pub(crate) const fn new(
        storage: Storage,
        store: Store,
        cluster_id: String,
        settings: SweepSettings,
    ) -> Self {
        Self { storage, sweeper: Sweeper::new(store, cluster_id, settings) }
    }

    /// One round. `keep` is given the proof and makes it durable before anything is deleted; when it fails, nothing is. In a
    /// cluster one broker sweeps at a time; the others find nothing.
    ///
    /// # Errors
    /// [`StorageError::Object`] when the store cannot be listed, [`StorageError::Unavailable`] when references cannot be read
    /// or the proof cannot be kept.
    pub async fn round(
        &mut self,
        now_ms: i64,
        keep: impl FnOnce(&SweepReport) -> std::io::Result<()>,
    ) -> Result<SweepOutcome, StorageError> {
        let Self { storage, sweeper } = self;
        if !storage.may_sweep().await? {
            return Ok(SweepOutcome::default());
        }
        let references = || async { storage.references().await.map_err(Failed) };
        let surveyed: Result<SweepReport, Failed> = sweeper.survey(references, now_ms).await;
        let mut report = surveyed.map_err(|Failed(error)| error)?;
        let suspected: Vec<ObjectId> = report.orphans.iter().map(|orphan| orphan.name.id).collect();
        let proven = storage.abandon(suspected).await?;
        report.orphans.retain(|orphan| proven.contains(&orphan.name.id));
        if !report.orphans.is_empty() {
            keep(&report).map_err(|error| StorageError::Unavailable {
                reason: format!("the proof of a sweep cannot be kept: {error}"),
            })?;
        }
        let deleted: Result<_, Failed> = sweeper.delete(&report, references).await;
        let deleted = deleted.map_err(|Failed(error)| error)?;
        storage.forget_objects(deleted.iter().map(|name| name.id).collect()).await?;
        Ok(SweepOutcome { report, deleted: deleted.iter().map(ToString::to_string).collect() })
    }
}

impl Storage {
    /// A sweep of the objects of this storage; nothing without an object store.
    #[must_use]
    pub fn orphan_sweep(&self, settings: SweepSettings) -> Option<OrphanSweep> {
        let (store, cluster_id) = match self.mode() {
            Mode::Embedded(storage) => {
                let area = storage.objects()?;
                (area.reader.store().clone(), area.writer.cluster_id().to_owned())
            }
            Mode::Cluster(cluster) => (cluster.store().clone(), cluster.cluster_id().to_owned()),
        };
        Some(OrphanSweep::new(self.clone(), store, cluster_id, settings))
    }

    async fn may_sweep(&self) -> Result<bool, StorageError> {
        match self.mode() {
            Mode::Embedded(_) => Ok(true),
            Mode::Cluster(cluster) => cluster.current().holds_lease("orphan-sweep").await,
        }
    }

    /// What the sweep has to know, as it is now.
    async fn references(&self) -> Result<References, StorageError> {
        match self.mode() {
            Mode::Embedded(_) => self.object_references().ok_or(StorageError::Closed),
            Mode::Cluster(cluster) => cluster.current().references().await,
        }
    }

    /// The objects that nobody will ever refer to.
    async fn abandon(&self, objects: Vec<ObjectId>) -> Result<Vec<ObjectId>, StorageError> {
        match self.mode() {
            // One process writes and refers, and it knows.
            Mode::Embedded(_) => Ok(objects),
            Mode::Cluster(cluster) => cluster.current().abandon(objects).await,
        }
    }

    async fn forget_objects(&self, objects: Vec<ObjectId>) -> Result<(), StorageError> {
        match self.mode() {
            Mode::Embedded(_) => Ok(()),
            Mode::Cluster(cluster) => cluster.current().forget(objects).await,
        }
    }
}
