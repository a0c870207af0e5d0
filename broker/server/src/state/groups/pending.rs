//! Offsets that transactions bring: moved into the group once they are committed, and before anything is said about its offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;

use cadastre_coordinator::{CommittedOffset, GroupCoordinator, GroupError, OffsetCommitRequest};
use cadastre_storage::{MetadataChange, MetadataKind, Sight, StorageError};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Groups, owns, stored};
use crate::listeners::listener_security::chain;
use crate::state::transactions::tables::{self, PendingRecord, UnreadableEntry};
use crate::sync::lock;

/// How many locks the groups share.
const LOCKS: usize = 64;

/// Orders what is done with a group's offsets: reading and committing side by side, transactions alone.
#[derive(Debug)]
pub(super) struct OffsetLocks(Vec<RwLock<()>>);

impl Default for OffsetLocks {
    fn default() -> Self {
        Self(std::iter::repeat_with(RwLock::default).take(LOCKS).collect())
    }
}

impl OffsetLocks {
    fn of(&self, group_id: &str) -> Option<&RwLock<()>> {
        let mut hasher = DefaultHasher::new();
        group_id.hash(&mut hasher);
        self.0.get(usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0))
    }
}

/// The right to read or commit a group's offsets while no transaction changes them.
pub(crate) type SharedOffsets<'a> = Option<RwLockReadGuard<'a, ()>>;

/// The pending offsets of a group.
#[derive(Debug, Default)]
struct Pending {
    /// Partitions with offsets of transactions that go on.
    open: BTreeSet<(String, i32)>,
    /// Keys of those that were committed, with what they are to become; of two for a partition the later one.
    committed: BTreeMap<(String, i32), CommittedOffset>,
    keys: Vec<String>,
}

impl Groups {
    /// Whether this broker looks after what has that name, a group or a transactional id.
    pub(crate) fn is_coordinator(&self, name: &str) -> bool {
        self.coordinator(name) == Some(self.node_id)
    }

    /// Moves offsets of committed transactions into the group, and gives the right to go on with its offsets.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotCoordinator`], [`GroupError::CoordinatorNotAvailable`].
    pub(crate) async fn settled(&self, group_id: &str) -> Result<SharedOffsets<'_>, GroupError> {
        self.settled_but(group_id).await.map(|(settled, _open)| settled)
    }

    /// As [`Groups::settled`], with the partitions whose offsets a transaction may yet change, or has changed since they were looked
    /// at: a transaction may end at any time, and what it brings is moved into the group only after that.
    ///
    /// # Errors
    ///
    /// As [`Groups::settled`].
    pub(crate) async fn settled_but(
        &self,
        group_id: &str,
    ) -> Result<(SharedOffsets<'_>, BTreeSet<(String, i32)>), GroupError> {
        let Some(offset_lock) = self.offset_locks.of(group_id) else { return Ok((None, BTreeSet::new())) };
        loop {
            let guard = offset_lock.read().await;
            if self.pending(group_id)?.is_empty() {
                return Ok((Some(guard), BTreeSet::new()));
            }
            // Another broker may have ended the transaction.
            let refreshed = self.storage.metadata().refresh().await;
            refreshed.map_err(|_failed| GroupError::CoordinatorNotAvailable)?;
            let Pending { open, committed, .. } = self.pending(group_id)?;
            if committed.is_empty() {
                return Ok((Some(guard), open));
            }
            drop(guard);
            let _alone = offset_lock.write().await;
            self.settle(group_id).await?;
        }
    }

    /// As [`Groups::settled`], with the right to add offsets of a transaction; also the registry on which this broker found itself
    /// the coordinator.
    ///
    /// # Errors
    ///
    /// As [`Groups::settled`], and why the committer may not.
    pub(crate) async fn admit(
        &self,
        request: &OffsetCommitRequest,
    ) -> Result<(Option<RwLockWriteGuard<'_, ()>>, Option<i64>), GroupError> {
        let guard = match self.offset_locks.of(&request.group_id) {
            Some(offset_lock) => Some(offset_lock.write().await),
            None => None,
        };
        // What an earlier transaction of the same producer brought must not be written over.
        if !self.pending(&request.group_id)?.is_empty() {
            let refreshed = self.storage.metadata().refresh().await;
            refreshed.map_err(|_failed| GroupError::CoordinatorNotAvailable)?;
            self.settle(&request.group_id).await?;
        }
        let inner = lock(&self.inner);
        inner.check(self.node_id, &request.group_id)?;
        inner.coordinator.check_transactional_commit(request)?;
        Ok((guard, inner.registry.as_ref().map(|registry| registry.version)))
    }

    /// Whether text that goes with an offset is too long.
    pub(crate) fn is_too_long(&self, metadata: &str) -> bool {
        metadata.len() > self.settings.maximum_offset_metadata_bytes
    }

    /// Moves offsets of committed transactions into the group, if this broker coordinates it; whoever asks for the offsets does it
    /// otherwise.
    pub(crate) async fn settle_soon(&self, group_id: &str) {
        if !self.is_coordinator(group_id) {
            return;
        }
        let Some(offset_lock) = self.offset_locks.of(group_id) else { return };
        let _alone = offset_lock.write().await;
        if let Err(error) = self.settle(group_id).await {
            tracing::debug!(%error, "committed offsets are moved into their group later");
        }
    }

    /// With nobody else at the group's offsets.
    async fn settle(&self, group_id: &str) -> Result<(), GroupError> {
        let Pending { committed, keys, .. } = self.pending(group_id)?;
        if keys.is_empty() {
            return Ok(());
        }
        let (registry, term) = {
            let inner = lock(&self.inner);
            inner.check(self.node_id, group_id)?;
            (inner.registry.as_ref().map(|registry| registry.version), inner.term)
        };
        let mut changes: Vec<MetadataChange> = committed
            .iter()
            .map(|((topic, partition), offset)| {
                stored(GroupCoordinator::offset_record(group_id, topic, *partition, offset))
            })
            .collect();
        let kind = MetadataKind::PendingOffset;
        changes.extend(keys.into_iter().map(|key| MetadataChange { kind, key, value: None }));
        let metadata = self.storage.metadata();
        let changes = changes.into_iter().map(|change| (change, Sight::Any)).collect();
        let written = metadata.commit_unchanged_as_coordinator(registry, metadata.version(), changes).await;
        written.map_err(|error| match error {
            StorageError::RegistryChanged => GroupError::NotCoordinator,
            error => {
                tracing::warn!(error = %chain(&error), "committed offsets are not moved into their group");
                GroupError::CoordinatorNotAvailable
            }
        })?;
        let mut inner = lock(&self.inner);
        if inner.term == term && owns(inner.registry.as_ref(), self.node_id, group_id) {
            let offsets =
                committed.into_iter().map(|((topic, partition), offset)| (topic, partition, offset));
            inner.coordinator.adopt_offsets(group_id, offsets.collect(), self.clock.now_ms());
        }
        Ok(())
    }

    fn pending(&self, group_id: &str) -> Result<Pending, GroupError> {
        let (from, to) = tables::of_group(group_id);
        let mut found = Ok(Pending::default());
        self.storage.metadata().visit(MetadataKind::PendingOffset, (&from, &to), |key, value| {
            let Ok(pending) = &mut found else { return ControlFlow::Break(()) };
            match pending.take(key, value) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    tracing::error!(%error, "a pending offset cannot be read");
                    found = Err(GroupError::CoordinatorNotAvailable);
                    ControlFlow::Break(())
                }
            }
        });
        found
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.keys.is_empty()
    }

    fn take(&mut self, key: &str, value: &[u8]) -> Result<(), UnreadableEntry> {
        let (topic, partition, _producer_id) = tables::pending_place(key)?;
        let record = PendingRecord::decode(value)?;
        let Some(commit_ms) = record.committed_at_ms else {
            self.open.insert((topic, partition));
            return Ok(());
        };
        self.keys.push(key.to_owned());
        let offset = CommittedOffset {
            offset: record.offset,
            leader_epoch: record.leader_epoch,
            metadata: record.metadata,
            commit_ms,
            expires_ms: None,
        };
        let place = (topic, partition);
        if self.committed.get(&place).is_none_or(|known| known.commit_ms <= commit_ms) {
            self.committed.insert(place, offset);
        }
        Ok(())
    }
}
