//! What the committer publishes and readers see.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::cache::RecentBatches;
use crate::segment::Segment;
use crate::state::LogState;

/// State behind locks that are held for moments only, never across I/O or an await.
#[derive(Debug)]
pub(crate) struct Shared {
    state: RwLock<LogState>,
    recent: Mutex<RecentBatches>,
    /// Every readable segment, oldest first; the last one is being written.
    segments: Mutex<Vec<Arc<Segment>>>,
    /// Why the log can no longer be written, once that is so.
    failure: OnceLock<String>,
}

impl Shared {
    pub(crate) const fn new(state: LogState, segments: Vec<Arc<Segment>>, cache_bytes: usize) -> Self {
        Self {
            state: RwLock::new(state),
            recent: Mutex::new(RecentBatches::new(cache_bytes)),
            segments: Mutex::new(segments),
            failure: OnceLock::new(),
        }
    }

    // A poisoned lock means that a thread panicked; the data behind is changed in single steps and stays sound.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, LogState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, LogState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, RecentBatches> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn segments(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all writing; the first reason stays.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(%reason, "the log failed and takes no more writes until it is opened again");
        // A second failure is a consequence of the first.
        drop(self.failure.set(reason));
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}
