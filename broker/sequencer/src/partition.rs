//! The bounds of a partition, and the copy of all bounds that a broker keeps.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use cadastre_protocol::types::{TopicId, TopicPartition};
use tokio::sync::watch;

use crate::error::SequencerError;

/// The most partitions a topic may have.
pub const MAXIMUM_PARTITIONS: i32 = 100_000;

/// One partition as the sequencer knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Rises by one with each change of the partition, its slices or its producers.
    pub version: i64,
    /// First offset that can be read.
    pub log_start: i64,
    /// Offset after the last committed record.
    pub next_offset: i64,
    /// Sum of the sizes of all batches from the slice that holds the log start, in bytes.
    pub bytes: u64,
}

impl PartitionState {
    /// A partition without records.
    pub const EMPTY: Self = Self { version: 1, log_start: 0, next_offset: 0, bytes: 0 };

    /// Whether a partition of this state may follow one of that: nothing moves back.
    #[must_use]
    pub const fn follows(&self, before: &Self) -> bool {
        self.version >= before.version
            && self.log_start >= before.log_start
            && self.next_offset >= before.next_offset
            && self.log_start <= self.next_offset
    }
}

/// What a broker knows of all partitions. Cheap to clone; clones share it.
///
/// It is never ahead of what is committed. It follows the commits of this broker at once, those of others by
/// notification and polling.
#[derive(Debug, Clone, Default)]
pub struct PartitionView {
    known: Arc<RwLock<BTreeMap<TopicPartition, Known>>>,
}

#[derive(Debug)]
struct Known {
    state: PartitionState,
    next_offset: watch::Sender<i64>,
}

impl PartitionView {
    /// One partition's bounds.
    #[must_use]
    pub fn get(&self, partition: TopicPartition) -> Option<PartitionState> {
        self.read().get(&partition).map(|known| known.state)
    }

    /// Follows a partition's end. The channel closes when the partition is deleted.
    #[must_use]
    pub fn watch(&self, partition: TopicPartition) -> Option<watch::Receiver<i64>> {
        self.read().get(&partition).map(|known| known.next_offset.subscribe())
    }

    /// Every partition, in order.
    #[must_use]
    pub fn all(&self) -> Vec<(TopicPartition, PartitionState)> {
        self.read().iter().map(|(partition, known)| (*partition, known.state)).collect()
    }

    /// The partitions of a topic, in order.
    #[must_use]
    pub fn of_topic(&self, topic: TopicId) -> Vec<TopicPartition> {
        let first = TopicPartition { topic, partition: i32::MIN };
        let last = TopicPartition { topic, partition: i32::MAX };
        self.read().range(first..=last).map(|(partition, _)| *partition).collect()
    }

    /// Takes note of a newer state; an older one, which overtook it on the way, changes nothing.
    ///
    /// # Errors
    /// [`SequencerError::Tampered`] when the bounds contradict what was known.
    pub(crate) fn advance(
        &self,
        partition: TopicPartition,
        state: PartitionState,
    ) -> Result<(), SequencerError> {
        let mut known = self.write();
        let Some(before) = known.get_mut(&partition) else {
            known.insert(partition, Known { state, next_offset: watch::Sender::new(state.next_offset) });
            return Ok(());
        };
        if state.version <= before.state.version {
            return if before.state.version == state.version && before.state != state {
                Err(contradicts(partition))
            } else {
                Ok(())
            };
        }
        if !state.follows(&before.state) {
            return Err(contradicts(partition));
        }
        before.state = state;
        before.next_offset.send_if_modified(|end| {
            let rises = state.next_offset > *end;
            *end = state.next_offset.max(*end);
            rises
        });
        Ok(())
    }

    /// Forgets the partitions of a deleted topic.
    pub(crate) fn forget_topic(&self, topic: TopicId) {
        self.write().retain(|partition, _| partition.topic != topic);
    }

    /// Forgets everything that `keep` does not hold to.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&TopicPartition) -> bool) {
        self.write().retain(|partition, _| keep(partition));
    }

    // A poisoned lock means that a thread panicked; the map is changed in single steps and stays sound.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<TopicPartition, Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<TopicPartition, Known>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contradicts(partition: TopicPartition) -> SequencerError {
    SequencerError::Tampered { what: format!("the bounds of partition `{partition}` moved back") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITION: TopicPartition = TopicPartition { topic: TopicId([1; 16]), partition: 0 };

    fn state(version: i64, log_start: i64, next_offset: i64) -> PartitionState {
        PartitionState { version, log_start, next_offset, bytes: 0 }
    }

    #[test]
    fn a_view_never_moves_back_and_wakes_those_who_wait() {
        let view = PartitionView::default();
        view.advance(PARTITION, state(1, 0, 0)).unwrap();
        let end = view.watch(PARTITION).unwrap();
        view.advance(PARTITION, state(3, 0, 20)).unwrap();
        assert!(end.has_changed().unwrap());
        view.advance(PARTITION, state(2, 0, 10)).unwrap();
        assert_eq!((view.get(PARTITION), *end.borrow()), (Some(state(3, 0, 20)), 20));
        view.forget_topic(PARTITION.topic);
        assert!(view.get(PARTITION).is_none() && end.has_changed().is_err());
    }

    #[test]
    fn bounds_that_contradict_what_was_known_are_tampering() {
        let view = PartitionView::default();
        view.advance(PARTITION, state(3, 5, 20)).unwrap();
        for other in [state(3, 5, 21), state(4, 5, 19), state(4, 4, 20), state(4, 21, 20)] {
            assert!(
                matches!(view.advance(PARTITION, other), Err(SequencerError::Tampered { .. })),
                "{other:?}"
            );
        }
    }
}
