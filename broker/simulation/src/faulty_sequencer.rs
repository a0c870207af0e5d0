//! A database that fails, commits without answering, and is asked twice.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{
    BrokerEpoch, CommitOutcome, CommitRequest, Lease, MemorySequencer, MetadataCommit, MetadataView,
    ObjectId, ObjectSummary, PartitionView, ProducerSummary, Registry, Replacement, Sequencer,
    SequencerError, SequencerFuture, Slice, SlicePage,
};
use tokio::sync::Mutex;

use crate::process::Process;

/// One broker's way to the shared database.
pub(crate) struct FaultySequencer {
    process: Process,
    shared: MemorySequencer,
    /// One transaction of a broker is in flight at a time, in the order of the calls.
    turn: Arc<Mutex<()>>,
}

impl fmt::Debug for FaultySequencer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultySequencer")
    }
}

fn unavailable() -> SequencerError {
    SequencerError::Unavailable { reason: "simulated".to_owned() }
}

impl FaultySequencer {
    /// The way of `process` to what is `shared`.
    #[must_use]
    pub(crate) fn new(process: Process, shared: MemorySequencer) -> Self {
        Self { process, shared, turn: Arc::default() }
    }

    /// The request on its way out; an error when it does not arrive.
    async fn before(&self) -> Result<(), SequencerError> {
        let world = self.process.world();
        self.process.pass().await;
        world.network().await;
        self.process.pass().await;
        if world.now() < world.outages().database_until || world.fault(|rates| rates.database_error) {
            self.after().await;
            return Err(unavailable());
        }
        Ok(())
    }

    async fn after(&self) {
        self.process.world().network().await;
        self.process.pass().await;
    }

    /// A request that changes nothing.
    async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, SequencerError>>,
    ) -> Result<T, SequencerError> {
        self.before().await?;
        let answer = request.await;
        self.after().await;
        answer
    }

    /// A request that changes something: the answer may be lost.
    async fn change<T>(
        &self,
        request: impl Future<Output = Result<T, SequencerError>>,
    ) -> Result<T, SequencerError> {
        let answer = self.ask(request).await;
        let world = self.process.world();
        if answer.is_ok() && world.fault(|rates| rates.database_lost_answer) {
            world.note(format_args!("database: an answer is lost"));
            return Err(unavailable());
        }
        answer
    }

    async fn commit_object(&self, request: CommitRequest) -> Result<CommitOutcome, SequencerError> {
        let object = request.object;
        let turn = self.turn.lock().await;
        self.before().await?;
        let world = self.process.world();
        let mut answer = self.shared.commit(request.clone()).await;
        if world.fault(|rates| rates.database_repeated) {
            // The connection was lost, and the same call is made again.
            world.network().await;
            self.process.pass().await;
            answer = self.shared.commit(request).await;
        }
        drop(turn);
        self.after().await;
        if answer.is_ok() && world.fault(|rates| rates.database_lost_answer) {
            world.note(format_args!("database: the answer for object {object} is lost"));
            return Err(SequencerError::Ambiguous { object, reason: "simulated".to_owned() });
        }
        answer
    }
}

impl Sequencer for FaultySequencer {
    fn register<'a>(&'a self, node_id: i32, description: &'a [u8]) -> SequencerFuture<'a, BrokerEpoch> {
        Box::pin(async move { self.change(async { self.shared.register(node_id, description).await }).await })
    }

    fn heartbeat(&self, broker: BrokerEpoch, settled: u64) -> SequencerFuture<'_, Registry> {
        Box::pin(async move { self.change(async { self.shared.heartbeat(broker, settled).await }).await })
    }

    fn fence(&self, broker: BrokerEpoch) -> SequencerFuture<'_, bool> {
        Box::pin(async move { self.change(async { self.shared.fence(broker).await }).await })
    }

    fn registry(&self) -> SequencerFuture<'_, Registry> {
        Box::pin(async move { self.ask(async { self.shared.registry().await }).await })
    }

    fn create_partitions(&self, broker: BrokerEpoch, topic: TopicId, count: i32) -> SequencerFuture<'_, ()> {
        let request = async move { self.shared.create_partitions(broker, topic, count).await };
        Box::pin(async move { self.change(request).await })
    }

    fn delete_topic(&self, broker: BrokerEpoch, topic: TopicId, now_ms: i64) -> SequencerFuture<'_, u64> {
        let request = async move { self.shared.delete_topic(broker, topic, now_ms).await };
        Box::pin(async move { self.change(request).await })
    }

    fn commit(&self, request: CommitRequest) -> SequencerFuture<'_, CommitOutcome> {
        Box::pin(self.commit_object(request))
    }

    fn slices(&self, partition: TopicPartition, from: i64, maximum: usize) -> SequencerFuture<'_, SlicePage> {
        Box::pin(async move { self.ask(async { self.shared.slices(partition, from, maximum).await }).await })
    }

    fn first_slice_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> SequencerFuture<'_, Option<Slice>> {
        let request = async move { self.shared.first_slice_since(partition, timestamp).await };
        Box::pin(async move { self.ask(request).await })
    }

    fn latest_slice(&self, partition: TopicPartition) -> SequencerFuture<'_, Option<Slice>> {
        Box::pin(async move { self.ask(async { self.shared.latest_slice(partition).await }).await })
    }

    fn move_log_start(
        &self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> SequencerFuture<'_, i64> {
        let request = async move { self.shared.move_log_start(broker, partition, before, now_ms).await };
        Box::pin(async move { self.change(request).await })
    }

    fn producers(&self, partition: TopicPartition) -> SequencerFuture<'_, Vec<ProducerSummary>> {
        Box::pin(async move { self.ask(async { self.shared.producers(partition).await }).await })
    }

    fn expire_producers(&self, broker: BrokerEpoch, idle_since_ms: i64) -> SequencerFuture<'_, u64> {
        let request = async move { self.shared.expire_producers(broker, idle_since_ms).await };
        Box::pin(async move { self.change(request).await })
    }

    fn reserve_producer_ids(&self, count: i64) -> SequencerFuture<'_, i64> {
        Box::pin(async move { self.change(async { self.shared.reserve_producer_ids(count).await }).await })
    }

    fn acquire_lease<'a>(&'a self, broker: BrokerEpoch, name: &'a str) -> SequencerFuture<'a, Lease> {
        Box::pin(async move { self.change(async { self.shared.acquire_lease(broker, name).await }).await })
    }

    fn release_lease<'a>(&'a self, lease: &'a Lease) -> SequencerFuture<'a, ()> {
        Box::pin(async move { self.change(async { self.shared.release_lease(lease).await }).await })
    }

    fn replace(&self, replacement: Replacement) -> SequencerFuture<'_, ()> {
        Box::pin(async move { self.change(async { self.shared.replace(replacement).await }).await })
    }

    fn abandon(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, Vec<ObjectId>> {
        Box::pin(async move { self.change(async { self.shared.abandon(objects).await }).await })
    }

    fn objects(&self, after: Option<ObjectId>, maximum: usize) -> SequencerFuture<'_, Vec<ObjectSummary>> {
        Box::pin(async move { self.ask(async { self.shared.objects(after, maximum).await }).await })
    }

    fn unreferenced(&self, before_ms: i64, maximum: usize) -> SequencerFuture<'_, Vec<ObjectId>> {
        Box::pin(async move { self.ask(async { self.shared.unreferenced(before_ms, maximum).await }).await })
    }

    fn forget(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, u64> {
        Box::pin(async move { self.change(async { self.shared.forget(objects).await }).await })
    }

    fn commit_metadata(&self, commit: MetadataCommit) -> SequencerFuture<'_, u64> {
        Box::pin(async move { self.change(async { self.shared.commit_metadata(commit).await }).await })
    }

    fn metadata(&self) -> &MetadataView {
        self.shared.metadata()
    }

    fn partitions(&self) -> &PartitionView {
        self.shared.partitions()
    }

    fn confirm(&self, partitions: Vec<TopicPartition>) -> SequencerFuture<'_, ()> {
        Box::pin(async move { self.ask(async { self.shared.confirm(partitions).await }).await })
    }

    fn refresh(&self) -> SequencerFuture<'_, ()> {
        Box::pin(async move { self.ask(async { self.shared.refresh().await }).await })
    }

    fn close(&self) -> SequencerFuture<'_, ()> {
        self.shared.close()
    }
}
