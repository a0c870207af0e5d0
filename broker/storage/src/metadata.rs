//! The metadata area: a small durable, encrypted key-value store in the same log as the records.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use tokio::sync::watch;

use crate::Storage;
use crate::cluster::state_error;
use crate::error::StorageError;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::storage::Mode;

/// What the author of a change saw of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// There was none.
    Absent,
    /// There was one.
    Present,
    /// It does not matter.
    Any,
}

/// Access to the metadata of a log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metadata {
    storage: Storage,
}

impl Metadata {
    pub(crate) const fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// Applies all changes or none; returns once they are durable.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] for a list beyond the largest frame, [`StorageError::Unavailable`] or
    /// [`StorageError::Closed`] when it cannot be written.
    pub async fn commit(&self, changes: Vec<MetadataChange>) -> Result<(), StorageError> {
        match self.storage.mode() {
            Mode::Embedded(storage) => storage.commit(changes).await,
            Mode::Cluster(cluster) => cluster.current().commit(changes).await,
        }
    }

    /// As [`Metadata::commit`], provided that no other broker changed an entry since the metadata had `version`, and that
    /// each is there or not as it was seen. With one broker there is nobody else.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] beside those of [`Metadata::commit`].
    pub async fn commit_unchanged(
        &self,
        version: u64,
        changes: Vec<(MetadataChange, Sight)>,
    ) -> Result<(), StorageError> {
        match self.storage.mode() {
            Mode::Embedded(storage) => {
                storage.commit(changes.into_iter().map(|(change, _)| change).collect()).await
            }
            Mode::Cluster(cluster) => cluster.current().commit_unchanged(version, None, changes).await,
        }
    }

    /// As [`Metadata::commit_unchanged`], provided also that no broker came or went since the registry had version `registry`,
    /// where that matters.
    ///
    /// # Errors
    /// [`StorageError::RegistryChanged`] beside those of [`Metadata::commit_unchanged`].
    pub async fn commit_unchanged_as_coordinator(
        &self,
        registry: Option<i64>,
        version: u64,
        changes: Vec<(MetadataChange, Sight)>,
    ) -> Result<(), StorageError> {
        match self.storage.mode() {
            Mode::Embedded(_) => self.commit_unchanged(version, changes).await,
            Mode::Cluster(cluster) => cluster.current().commit_unchanged(version, registry, changes).await,
        }
    }

    /// As [`Metadata::commit`], provided that no broker came or went since the registry had version `registry`: what a
    /// coordinator decides must not be written once another one coordinates.
    ///
    /// # Errors
    /// [`StorageError::RegistryChanged`] beside those of [`Metadata::commit`].
    pub async fn commit_as_coordinator(
        &self,
        registry: i64,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StorageError> {
        match self.storage.mode() {
            Mode::Embedded(storage) => storage.commit(changes).await,
            Mode::Cluster(cluster) => cluster.current().commit_as_coordinator(registry, changes).await,
        }
    }

    /// Follows what other brokers commit; `None` where there are none.
    #[must_use]
    pub fn subscribe(&self) -> Option<watch::Receiver<u64>> {
        match self.storage.mode() {
            Mode::Embedded(_) => None,
            Mode::Cluster(cluster) => Some(cluster.sequencer().metadata().subscribe()),
        }
    }

    /// Brings this broker's copy up to everything that was committed before the call.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the database cannot be asked.
    pub async fn refresh(&self) -> Result<(), StorageError> {
        match self.storage.mode() {
            Mode::Embedded(_) => Ok(()),
            Mode::Cluster(cluster) => cluster.sequencer().refresh().await.map_err(state_error),
        }
    }

    /// All entries of a kind, as last committed.
    #[must_use]
    pub fn entries(&self, kind: MetadataKind) -> BTreeMap<String, Vec<u8>> {
        match self.storage.mode() {
            Mode::Embedded(storage) => {
                storage.shared().read().metadata.get(&kind).cloned().unwrap_or_default()
            }
            Mode::Cluster(cluster) => cluster.current().entries(kind),
        }
    }

    /// Shows `see` the entries of a kind from the key `from` to before `to`, in order and as they are at one moment, until it has
    /// enough. It must be quick: nothing is written meanwhile.
    pub fn visit(
        &self,
        kind: MetadataKind,
        (from, to): (&str, &str),
        mut see: impl FnMut(&str, &[u8]) -> ControlFlow<()>,
    ) {
        match self.storage.mode() {
            Mode::Embedded(storage) => {
                let state = storage.shared().read();
                let Some(table) = state.metadata.get(&kind).filter(|_| from < to) else { return };
                let range = (Bound::Included(from), Bound::Excluded(to));
                for (key, value) in table.range::<str, _>(range) {
                    if see(key, value).is_break() {
                        return;
                    }
                }
            }
            Mode::Cluster(cluster) => cluster.current().visit(kind, (from, to), see),
        }
    }

    /// One entry, as last committed.
    #[must_use]
    pub fn get(&self, kind: MetadataKind, key: &str) -> Option<Vec<u8>> {
        match self.storage.mode() {
            Mode::Embedded(storage) => storage.shared().read().metadata.get(&kind)?.get(key).cloned(),
            Mode::Cluster(cluster) => cluster.current().get(kind, key),
        }
    }

    /// Number of commits since the log began; rises with each change, so that callers can tell that nothing did.
    #[must_use]
    pub fn version(&self) -> u64 {
        match self.storage.mode() {
            Mode::Embedded(storage) => storage.shared().read().metadata_version,
            Mode::Cluster(cluster) => cluster.current().metadata_version(),
        }
    }
}
