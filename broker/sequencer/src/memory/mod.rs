//! The sequencer in memory: the same decisions without a database, for tests and simulation. Deterministic: no time, no
//! randomness, no tasks of its own.

mod state;

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadastre_protocol::types::{TopicId, TopicPartition};

use crate::commit::{CommitOutcome, CommitRequest, Slice};
use crate::error::SequencerError;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::metadata::{MetadataCommit, MetadataView};
use crate::object::{Lease, ObjectSummary, Replacement};
use crate::partition::PartitionView;
use crate::producer::ProducerSummary;
use crate::registry::Registry;
use crate::sequencer::{Sequencer, SequencerFuture, SlicePage};
use state::MemoryState;

/// A sequencer in memory. Cheap to clone; clones are the same sequencer, as brokers share one database.
#[derive(Debug, Clone, Default)]
pub struct MemorySequencer {
    state: Arc<Mutex<MemoryState>>,
    metadata: MetadataView,
    partitions: PartitionView,
}

impl MemorySequencer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        // A poisoned lock means that a test panicked; what it sees then does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut MemoryState) -> Result<T, SequencerError>,
    ) -> SequencerFuture<'_, T> {
        let mut state = self.lock();
        let answer = ask(&mut state);
        // The views follow under the lock, so that they move as the state does.
        let followed = state.take_changed().into_iter().try_for_each(|(partition, changed)| match changed {
            Some(changed) => self.partitions.advance(partition, changed),
            None => {
                self.partitions.retain(|known| *known != partition);
                Ok(())
            }
        });
        Box::pin(ready(followed.and(answer)))
    }
}

impl Sequencer for MemorySequencer {
    fn register<'a>(&'a self, node_id: i32, description: &'a [u8]) -> SequencerFuture<'a, BrokerEpoch> {
        self.answer(|state| Ok(state.register(node_id, description)))
    }

    fn heartbeat(&self, broker: BrokerEpoch, settled: u64) -> SequencerFuture<'_, Registry> {
        self.answer(|state| state.heartbeat(broker, settled))
    }

    fn fence(&self, broker: BrokerEpoch) -> SequencerFuture<'_, bool> {
        self.answer(|state| Ok(state.fence(broker)))
    }

    fn registry(&self) -> SequencerFuture<'_, Registry> {
        self.answer(|state| Ok(state.registry()))
    }

    fn create_partitions(&self, broker: BrokerEpoch, topic: TopicId, count: i32) -> SequencerFuture<'_, ()> {
        self.answer(|state| state.create_partitions(broker, topic, count))
    }

    fn delete_topic(&self, broker: BrokerEpoch, topic: TopicId, now_ms: i64) -> SequencerFuture<'_, u64> {
        self.answer(|state| state.delete_topic(broker, topic, now_ms))
    }

    fn commit(&self, request: CommitRequest) -> SequencerFuture<'_, CommitOutcome> {
        self.answer(|state| state.commit(request))
    }

    fn slices(&self, partition: TopicPartition, from: i64, maximum: usize) -> SequencerFuture<'_, SlicePage> {
        self.answer(|state| state.slices(partition, from, maximum))
    }

    fn first_slice_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> SequencerFuture<'_, Option<Slice>> {
        self.answer(|state| state.first_slice_since(partition, timestamp))
    }

    fn latest_slice(&self, partition: TopicPartition) -> SequencerFuture<'_, Option<Slice>> {
        self.answer(|state| state.latest_slice(partition))
    }

    fn move_log_start(
        &self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> SequencerFuture<'_, i64> {
        self.answer(|state| state.move_log_start(broker, partition, before, now_ms))
    }

    fn producers(&self, partition: TopicPartition) -> SequencerFuture<'_, Vec<ProducerSummary>> {
        self.answer(|state| state.producers(partition))
    }

    fn expire_producers(&self, broker: BrokerEpoch, idle_since_ms: i64) -> SequencerFuture<'_, u64> {
        self.answer(|state| state.expire_producers(broker, idle_since_ms))
    }

    fn reserve_producer_ids(&self, count: i64) -> SequencerFuture<'_, i64> {
        self.answer(|state| state.reserve_producer_ids(count))
    }

    fn acquire_lease<'a>(&'a self, broker: BrokerEpoch, name: &'a str) -> SequencerFuture<'a, Lease> {
        self.answer(|state| state.acquire_lease(broker, name))
    }

    fn release_lease<'a>(&'a self, lease: &'a Lease) -> SequencerFuture<'a, ()> {
        self.answer(|state| {
            state.release_lease(lease);
            Ok(())
        })
    }

    fn replace(&self, replacement: Replacement) -> SequencerFuture<'_, ()> {
        self.answer(|state| state.replace(&replacement))
    }

    fn abandon(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, Vec<ObjectId>> {
        self.answer(|state| Ok(state.abandon(objects)))
    }

    fn objects(&self, after: Option<ObjectId>, maximum: usize) -> SequencerFuture<'_, Vec<ObjectSummary>> {
        self.answer(|state| Ok(state.objects(after, maximum)))
    }

    fn unreferenced(&self, before_ms: i64, maximum: usize) -> SequencerFuture<'_, Vec<ObjectId>> {
        self.answer(|state| Ok(state.unreferenced(before_ms, maximum)))
    }

    fn forget(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, u64> {
        self.answer(|state| Ok(state.forget(&objects)))
    }

    fn commit_metadata(&self, commit: MetadataCommit) -> SequencerFuture<'_, u64> {
        let view = self.metadata.clone();
        self.answer(move |state| state.commit_metadata(commit, &view))
    }

    fn metadata(&self) -> &MetadataView {
        &self.metadata
    }

    fn partitions(&self) -> &PartitionView {
        &self.partitions
    }

    fn confirm(&self, _partitions: Vec<TopicPartition>) -> SequencerFuture<'_, ()> {
        // There is one copy, and it moves with the state.
        Box::pin(ready(Ok(())))
    }

    fn refresh(&self) -> SequencerFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn close(&self) -> SequencerFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}
