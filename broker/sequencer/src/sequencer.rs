//! The seam: what a broker asks of the authority of order.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use cadastre_protocol::types::{TopicId, TopicPartition};

use crate::commit::{CommitOutcome, CommitRequest, Slice};
use crate::error::SequencerError;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::metadata::{MetadataCommit, MetadataView};
use crate::object::{Lease, ObjectSummary, Replacement};
use crate::partition::{PartitionState, PartitionView};
use crate::producer::ProducerSummary;
use crate::registry::Registry;

/// A future that a [`Sequencer`] returns; boxed, so that sequencers can be chosen at run time.
pub type SequencerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SequencerError>> + Send + 'a>>;

/// Slices of a partition, and its bounds at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePage {
    /// The partition's bounds.
    pub state: PartitionState,
    /// Slices in order, without gaps.
    pub slices: Vec<Slice>,
}

/// The authority of order of a cluster. Every change names the registration under which it is made and is refused with
/// [`SequencerError::Fenced`] once that ended. What each method promises beside is checked by one suite for all
/// implementations.
pub trait Sequencer: fmt::Debug + Send + Sync {
    /// Registers a broker; an earlier registration of the same node ends.
    fn register<'a>(&'a self, node_id: i32, description: &'a [u8]) -> SequencerFuture<'a, BrokerEpoch>;

    /// Says that the broker lives, and that objects of its epoch numbered below `settled` will not be committed any more, if
    /// they were not before. Returns who else lives.
    fn heartbeat(&self, broker: BrokerEpoch, settled: u64) -> SequencerFuture<'_, Registry>;

    /// Ends a registration; when this returns, nothing of it can be committed. Whether it existed.
    fn fence(&self, broker: BrokerEpoch) -> SequencerFuture<'_, bool>;

    /// The brokers that may commit.
    fn registry(&self) -> SequencerFuture<'_, Registry>;

    /// Gives a topic its partitions 0 to before `count`; those that exist stay as they are.
    ///
    /// # Errors
    /// [`SequencerError::PartitionCount`] when it has more already.
    fn create_partitions(&self, broker: BrokerEpoch, topic: TopicId, count: i32) -> SequencerFuture<'_, ()>;

    /// Deletes a topic's partitions, slices and producers; returns how many partitions. Objects lose their references.
    ///
    /// # Errors
    /// [`SequencerError::UnknownTopic`].
    fn delete_topic(&self, broker: BrokerEpoch, topic: TopicId, now_ms: i64) -> SequencerFuture<'_, u64>;

    /// Appends the batches of an object, which must be durable already. Requests of one broker are committed in the order
    /// of these calls, several in one transaction. Calling again with the same object gives the same outcome.
    ///
    /// # Errors
    /// [`SequencerError::Ambiguous`] and [`SequencerError::Abandoned`], beside the common ones.
    fn commit(&self, request: CommitRequest) -> SequencerFuture<'_, CommitOutcome>;

    /// Slices from the one that holds `from`, at most `maximum`; none at the end of the partition.
    ///
    /// # Errors
    /// [`SequencerError::OffsetOutOfRange`], [`SequencerError::UnknownPartition`], and [`SequencerError::Tampered`] when
    /// slices are missing.
    fn slices(&self, partition: TopicPartition, from: i64, maximum: usize) -> SequencerFuture<'_, SlicePage>;

    /// The first slice with a timestamp of at least `timestamp`, milliseconds since the epoch.
    fn first_slice_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> SequencerFuture<'_, Option<Slice>>;

    /// The first of the slices that hold the latest timestamp.
    fn latest_slice(&self, partition: TopicPartition) -> SequencerFuture<'_, Option<Slice>>;

    /// Makes records before an offset unreadable; slices wholly before it go. Returns the log start.
    ///
    /// # Errors
    /// [`SequencerError::OffsetOutOfRange`] beyond the end.
    fn move_log_start(
        &self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> SequencerFuture<'_, i64>;

    /// Producers that wrote to the partition lately, by id.
    fn producers(&self, partition: TopicPartition) -> SequencerFuture<'_, Vec<ProducerSummary>>;

    /// Forgets producers that wrote nothing since `idle_since_ms`, milliseconds since the epoch; returns how many.
    fn expire_producers(&self, broker: BrokerEpoch, idle_since_ms: i64) -> SequencerFuture<'_, u64>;

    /// Reserves `count` producer ids that were never given out; returns the first.
    fn reserve_producer_ids(&self, count: i64) -> SequencerFuture<'_, i64>;

    /// Takes a lease that nobody else holds, or whose holder was fenced. What the broker held before under the name ends.
    ///
    /// # Errors
    /// [`SequencerError::LeaseLost`] when a live broker holds it.
    fn acquire_lease<'a>(&'a self, broker: BrokerEpoch, name: &'a str) -> SequencerFuture<'a, Lease>;

    /// Gives a lease back.
    fn release_lease<'a>(&'a self, lease: &'a Lease) -> SequencerFuture<'a, ()>;

    /// Puts slices in the place of others.
    ///
    /// # Errors
    /// [`SequencerError::Conflict`] when what was read is no longer there; [`SequencerError::LeaseLost`].
    fn replace(&self, replacement: Replacement) -> SequencerFuture<'_, ()>;

    /// Makes sure that objects are never committed, unless they were already; returns those that may be deleted.
    fn abandon(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, Vec<ObjectId>>;

    /// Known objects after `after`, by id.
    fn objects(&self, after: Option<ObjectId>, maximum: usize) -> SequencerFuture<'_, Vec<ObjectSummary>>;

    /// Objects that have been unreferenced since before `before_ms`, milliseconds since the epoch.
    fn unreferenced(&self, before_ms: i64, maximum: usize) -> SequencerFuture<'_, Vec<ObjectId>>;

    /// Forgets unreferenced and abandoned objects whose bytes are deleted, and that nobody can commit any more; returns how
    /// many. The others are to be named again later.
    fn forget(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, u64>;

    /// Commits changes of metadata; returns the version.
    ///
    /// # Errors
    /// [`SequencerError::Conflict`] when a condition does not hold, [`SequencerError::RegistryChanged`].
    fn commit_metadata(&self, commit: MetadataCommit) -> SequencerFuture<'_, u64>;

    /// This broker's copy of the metadata.
    fn metadata(&self) -> &MetadataView;

    /// This broker's copy of the partitions' bounds.
    fn partitions(&self) -> &PartitionView;

    /// Brings the copy of these partitions' bounds up to what was committed before this call, with one question for all of
    /// them. Many callers at once share questions. Partitions that do not exist any more leave the copy.
    fn confirm(&self, partitions: Vec<TopicPartition>) -> SequencerFuture<'_, ()>;

    /// Brings both copies up to what was committed before this call.
    fn refresh(&self) -> SequencerFuture<'_, ()>;

    /// Ends all background work. Requests that wait are answered with [`SequencerError::Closed`].
    fn close(&self) -> SequencerFuture<'_, ()>;
}
