//! An optional cache on the local disk. It holds the store's own sealed bytes, so that it tells no more than the
//! bucket does, and what is read from it has to authenticate like everything else.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::object_id::ObjectId;

/// A run of an object: its id and the number of its first block.
pub(crate) type RunKey = (ObjectId, u32);

/// Sealed runs in files, up to a number of bytes; the oldest go first. Starts empty with each process.
#[derive(Debug, Clone)]
pub struct DiskCache {
    directory: PathBuf,
    capacity: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sizes: BTreeMap<RunKey, u64>,
    order: VecDeque<RunKey>,
    bytes: u64,
}

impl DiskCache {
    /// Uses `directory`, which must hold nothing else; what an earlier process left there is deleted.
    ///
    /// # Errors
    /// The system's.
    pub fn open(directory: impl Into<PathBuf>, capacity: u64) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "run" || extension == "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { directory, capacity, state: Arc::default() })
    }

    /// Where the cache lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Bytes in the cache.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// The sealed bytes of a run. A file that cannot be read is a miss.
    pub(crate) async fn get(&self, key: RunKey) -> Option<Bytes> {
        if !self.state().sizes.contains_key(&key) {
            return None;
        }
        match tokio::fs::read(self.path(key, "run")).await {
            Ok(bytes) => Some(Bytes::from(bytes)),
            Err(error) => {
                tracing::warn!(%error, object = %key.0, "a cached run cannot be read");
                self.remove(key).await;
                None
            }
        }
    }

    /// Keeps the sealed bytes of a run. A failure costs the entry, nothing else: the store has the bytes.
    pub(crate) async fn put(&self, key: RunKey, bytes: &Bytes) {
        let size = bytes.len() as u64;
        if size > self.capacity || self.state().sizes.contains_key(&key) {
            return;
        }
        let part = self.path(key, "part");
        let written = async {
            tokio::fs::write(&part, bytes).await?;
            tokio::fs::rename(&part, self.path(key, "run")).await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, object = %key.0, "a run cannot be cached on disk");
            return;
        }
        for oldest in self.admit(key, size) {
            self.delete_file(oldest).await;
        }
    }

    pub(crate) async fn remove(&self, key: RunKey) {
        {
            let mut state = self.state();
            if let Some(size) = state.sizes.remove(&key) {
                state.bytes = state.bytes.saturating_sub(size);
                state.order.retain(|other| *other != key);
            }
        }
        self.delete_file(key).await;
    }

    /// Counts an entry in and gives those that have to go.
    fn admit(&self, key: RunKey, size: u64) -> Vec<RunKey> {
        let mut state = self.state();
        if state.sizes.insert(key, size).is_none() {
            state.order.push_back(key);
            state.bytes = state.bytes.saturating_add(size);
        }
        let mut evicted = Vec::new();
        while state.bytes > self.capacity
            && let Some(oldest) = state.order.pop_front()
        {
            let size = state.sizes.remove(&oldest).unwrap_or(0);
            state.bytes = state.bytes.saturating_sub(size);
            evicted.push(oldest);
        }
        evicted
    }

    async fn delete_file(&self, key: RunKey) {
        if let Err(error) = tokio::fs::remove_file(self.path(key, "run")).await
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, object = %key.0, "a cached run cannot be deleted");
        }
    }

    fn path(&self, (object, run): RunKey, extension: &str) -> PathBuf {
        self.directory.join(format!("{object}-{run}.{extension}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(run: u32) -> RunKey {
        (ObjectId { writer_epoch: 1, sequence: 1 }, run)
    }

    #[tokio::test]
    async fn the_cache_stays_within_its_bytes_and_starts_empty() {
        let directory = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(directory.path(), 250).unwrap();
        for run in 0..4 {
            cache.put(key(run), &Bytes::from(vec![0; 100])).await;
        }
        cache.put(key(9), &Bytes::from(vec![0; 251])).await;
        assert_eq!(cache.bytes(), 200);
        assert_eq!(cache.get(key(1)).await, None);
        assert_eq!(cache.get(key(3)).await.unwrap().len(), 100);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        let reopened = DiskCache::open(directory.path(), 250).unwrap();
        assert_eq!((reopened.bytes(), reopened.get(key(3)).await), (0, None));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
