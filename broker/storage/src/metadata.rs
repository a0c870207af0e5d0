//! The metadata area: a small durable, encrypted key-value store in the same log as the records.

use std::collections::BTreeMap;

use crate::Storage;
use crate::error::StorageError;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::storage::Mode;

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
            Mode::Cluster(cluster) => cluster.storage.commit(changes).await,
        }
    }

    /// All entries of a kind, as last committed.
    #[must_use]
    pub fn entries(&self, kind: MetadataKind) -> BTreeMap<String, Vec<u8>> {
        match self.storage.mode() {
            Mode::Embedded(storage) => {
                storage.shared().read().metadata.get(&kind).cloned().unwrap_or_default()
            }
            Mode::Cluster(cluster) => cluster.storage.entries(kind),
        }
    }

    /// One entry, as last committed.
    #[must_use]
    pub fn get(&self, kind: MetadataKind, key: &str) -> Option<Vec<u8>> {
        match self.storage.mode() {
            Mode::Embedded(storage) => storage.shared().read().metadata.get(&kind)?.get(key).cloned(),
            Mode::Cluster(cluster) => cluster.storage.get(kind, key),
        }
    }

    /// Number of commits since the log began; rises with each change, so that callers can tell that nothing did.
    #[must_use]
    pub fn version(&self) -> u64 {
        match self.storage.mode() {
            Mode::Embedded(storage) => storage.shared().read().metadata_version,
            Mode::Cluster(cluster) => cluster.storage.metadata_version(),
        }
    }
}
