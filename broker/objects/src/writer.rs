//! Writing objects: names that are never used twice, data keys bound to them, uploads that replace nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use cadastre_protocol::types::TopicId;

use crate::builder::{BuiltObject, ObjectBuilder};
use crate::error::{ObjectError, StoreError};
use crate::object_id::{ObjectId, ObjectKind, ObjectName};
use crate::object_keys::ObjectKeys;
use crate::store::Store;

/// Writes the objects of one writer epoch. Must be made once for each epoch: it counts the names.
#[derive(Debug)]
pub struct ObjectWriter {
    store: Store,
    keys: ObjectKeys,
    cluster_id: String,
    writer_epoch: u64,
    next_sequence: AtomicU64,
}

impl ObjectWriter {
    /// A writer for an epoch that nobody else has or had.
    #[must_use]
    pub fn new(store: Store, keys: impl Into<ObjectKeys>, cluster_id: String, writer_epoch: u64) -> Self {
        Self { store, keys: keys.into(), cluster_id, writer_epoch, next_sequence: AtomicU64::new(0) }
    }

    /// The cluster whose objects are written.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The epoch.
    #[must_use]
    pub const fn writer_epoch(&self) -> u64 {
        self.writer_epoch
    }

    /// Starts an object under a fresh name and data key; `topic` names the one topic that it will hold, if it is one,
    /// and so the key that deleting the topic destroys.
    ///
    /// # Errors
    /// [`ObjectError::Key`] when no key can be had.
    pub async fn start(
        &self,
        kind: ObjectKind,
        topic: Option<TopicId>,
        created_at_ms: i64,
    ) -> Result<ObjectBuilder, ObjectError> {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        let id = ObjectId { writer_epoch: self.writer_epoch, sequence };
        let name = ObjectName { cluster_id: self.cluster_id.clone(), kind, id };
        let generated = self.keys.generate(&name, topic).await;
        let key = generated.map_err(|source| ObjectError::Key { name: Box::new(name.clone()), source })?;
        Ok(ObjectBuilder::new(name, created_at_ms, key))
    }

    /// Writes a finished object; durable on return. Nothing that exists is ever replaced.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when an earlier attempt of this call was written and its answer lost, or when
    /// the epoch was used before: the object must not be referenced, and its batches go into a new one.
    pub async fn write(&self, object: &BuiltObject) -> Result<(), StoreError> {
        self.store.put_new(&object.name.path(), object.chunks.clone()).await
    }
}
