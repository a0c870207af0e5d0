//! The authority of order in a cluster: offsets, slices, metadata and fencing.
//!
//! Brokers of a cluster keep nothing. They put record batches into objects, and ask a [`Sequencer`] to commit them:
//! it assigns offsets, remembers idempotent producers, and refuses who was fenced. [`PostgresSequencer`] does so in one
//! database transaction; [`MemorySequencer`] in memory, for tests and simulation. Both decide by the same pure plan.
//! `docs/rfcs/0004-sequencer.md` has the reasons.

mod commit;
mod error;
pub mod history;
mod ids;
mod memory;
mod metadata;
mod object;
mod partition;
mod plan;
mod postgres;
mod producer;
mod registry;
mod sequencer;

pub use commit::{
    AppendRefusal, BatchFacts, BatchOutcome, CommitOutcome, CommitRequest, PartitionAppend, Placement,
    ProducerStamp, Slice, TransactionRole,
};
pub use error::SequencerError;
pub use ids::{BrokerEpoch, ObjectId};
pub use memory::MemorySequencer;
pub use metadata::{Condition, MetadataChange, MetadataCommit, MetadataEntry, MetadataTable, MetadataView};
pub use object::{Lease, ObjectState, ObjectSummary, Replacement};
pub use partition::{MAXIMUM_PARTITIONS, PartitionState, PartitionView};
pub use postgres::{DatabaseLocation, PostgresConfig, PostgresSequencer};
pub use producer::{ProducerEntry, ProducerSummary, SequenceVerdict};
pub use registry::{LeaseObserver, LiveBroker, Registry};
pub use sequencer::{Sequencer, SequencerFuture, SlicePage};
