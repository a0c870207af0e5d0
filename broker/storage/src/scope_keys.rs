//! Wrapped scope keys in the storage's own metadata, shared by all brokers that share the metadata.

use std::sync::{Arc, OnceLock};

use cadastre_keys::{
    HeldKey, KeyError, KeyScope, Replacement, ScopeKeyStore, ScopeStoreFuture, StoreFuture, WrappedKey,
    WrappedKeyStore,
};
use tokio::sync::Mutex;

use crate::Storage;
use crate::error::StorageError;
use crate::metadata::Sight;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::storage::WeakStorage;

/// What comes before a scope's id in the name of its holder.
const HOLDER: &str = "scope/";

/// Keeps wrapped scope keys in a storage. Made before the storage, whose objects need it, and bound to it afterwards.
#[derive(Debug)]
pub struct ScopeKeyTable {
    cluster_id: String,
    storage: OnceLock<WeakStorage>,
    changes: Mutex<()>,
}

impl ScopeKeyTable {
    /// A table for the keys of a cluster; it knows none before it is bound.
    #[must_use]
    pub fn new(cluster_id: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { cluster_id: cluster_id.into(), storage: OnceLock::new(), changes: Mutex::default() })
    }

    /// Says which storage keeps the keys. Only the first one counts.
    pub fn bind(&self, storage: &Storage) {
        let _first = self.storage.set(storage.downgrade());
    }

    fn storage(&self, action: &'static str) -> Result<Storage, KeyError> {
        let storage = self.storage.get().and_then(WeakStorage::upgrade);
        storage.ok_or_else(|| failed(action, &StorageError::Closed))
    }
}

fn failed(action: &'static str, error: &StorageError) -> KeyError {
    KeyError::Store { action, reason: error.to_string(), retriable: error.is_retriable() }
}

fn read(storage: &Storage, key: &str) -> Result<Option<WrappedKey>, KeyError> {
    let Some(value) = storage.metadata().get(MetadataKind::ScopeKey, key) else { return Ok(None) };
    decode(key, &value).map(Some)
}

fn encode(wrapped: &WrappedKey) -> Result<Vec<u8>, KeyError> {
    postcard::to_allocvec(&(&wrapped.key_id, &wrapped.ciphertext)).map_err(|error| KeyError::Store {
        action: "write a scope key",
        reason: error.to_string(),
        retriable: false,
    })
}

fn decode(key: &str, value: &[u8]) -> Result<WrappedKey, KeyError> {
    let (key_id, ciphertext) = postcard::from_bytes(value).map_err(|error| KeyError::Store {
        action: "read a scope key",
        reason: format!("entry `{key}` cannot be read: {error}"),
        retriable: false,
    })?;
    Ok(WrappedKey { key_id, ciphertext })
}

impl ScopeKeyStore for ScopeKeyTable {
    fn load<'a>(&'a self, scope: &'a KeyScope) -> ScopeStoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move {
            let action = "read a scope key";
            let storage = self.storage(action)?;
            let key = scope.to_string();
            if let Some(found) = read(&storage, &key)? {
                return Ok(Some(found));
            }
            // Another broker may just have made it.
            storage.metadata().refresh().await.map_err(|error| failed(action, &error))?;
            read(&storage, &key)
        })
    }

    fn create<'a>(
        &'a self,
        scope: &'a KeyScope,
        wrapped: &'a WrappedKey,
    ) -> ScopeStoreFuture<'a, WrappedKey> {
        Box::pin(async move {
            let action = "create a scope key";
            let storage = self.storage(action)?;
            let _turn = self.changes.lock().await;
            let (key, metadata) = (scope.to_string(), storage.metadata());
            let version = metadata.version();
            if let Some(found) = read(&storage, &key)? {
                return Ok(found);
            }
            if let KeyScope::Topic(topic) = scope
                && !storage.partitions().iter().any(|partition| partition.topic.to_string() == *topic)
            {
                // Who rewrites a topic that is deleted meanwhile must not bring its key back.
                return Err(KeyError::NotFound { key_id: key });
            }
            let change = MetadataChange {
                kind: MetadataKind::ScopeKey,
                key: key.clone(),
                value: Some(encode(wrapped)?),
            };
            match metadata.commit_unchanged(version, vec![(change, Sight::Absent)]).await {
                Ok(()) => Ok(wrapped.clone()),
                Err(StorageError::Conflict { .. }) => {
                    metadata.refresh().await.map_err(|error| failed(action, &error))?;
                    let found = read(&storage, &key)?;
                    found.ok_or_else(|| KeyError::NotFound { key_id: key.clone() })
                }
                Err(error) => Err(failed(action, &error)),
            }
        })
    }
}

impl WrappedKeyStore for ScopeKeyTable {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        Box::pin(async move {
            let storage = self.storage("list scope keys")?;
            let entries = storage.metadata().entries(MetadataKind::ScopeKey);
            let later = entries
                .into_iter()
                .map(|(key, value)| (format!("{HOLDER}{key}"), key, value))
                .filter(|(holder, _, _)| after.is_none_or(|after| holder.as_str() > after))
                .take(limit);
            later
                .map(|(holder, key, value)| {
                    let scope = KeyScope::of_key_id(&key)
                        .ok_or_else(|| KeyError::NotFound { key_id: key.clone() })?;
                    let context = scope.context(&self.cluster_id);
                    Ok(HeldKey { holder, wrapped: decode(&key, &value)?, context })
                })
                .collect()
        })
    }

    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, Replacement> {
        Box::pin(async move {
            let action = "replace a scope key";
            let storage = self.storage(action)?;
            let _turn = self.changes.lock().await;
            let Some(key) = holder.strip_prefix(HOLDER) else { return Ok(Replacement::Gone) };
            let version = storage.metadata().version();
            match read(&storage, key)? {
                None => return Ok(Replacement::Gone),
                Some(found) if found != *expected => return Ok(Replacement::Changed),
                Some(_) => {}
            }
            let change = MetadataChange {
                kind: MetadataKind::ScopeKey,
                key: key.to_owned(),
                value: Some(encode(new)?),
            };
            match storage.metadata().commit_unchanged(version, vec![(change, Sight::Present)]).await {
                Ok(()) => Ok(Replacement::Done),
                Err(StorageError::Conflict { .. }) => Ok(Replacement::Changed),
                Err(error) => Err(failed(action, &error)),
            }
        })
    }
}
