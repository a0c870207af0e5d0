//! Consumer groups and transactions as state machines: no sockets, no storage, no clock.
//!
//! [`GroupCoordinator`] is Kafka's classic group protocol: members join and are parked until the group is complete,
//! the leader hands out assignments, heartbeats keep members alive, offsets are committed. It is the newer protocol as
//! well (KIP-848), by which the coordinator itself hands out partitions. What it wants done comes out as [`Effect`]s: replies to requests, named by the caller's [`ReplyToken`]s, and records to persist, acknowledged
//! through [`GroupCoordinator::persisted`]. Nothing that depends on a record is answered before that record is durable.
//! Time is an argument, in milliseconds since the epoch.
//!
//! [`Transaction`] is what is known of a transactional id, and its methods are the steps that requests take it through.

mod admin;
mod config;
mod consumer;
mod coordinator;
mod effect;
mod error;
mod group;
mod join;
mod member;
mod membership;
mod offsets;
mod persistence;
mod rebalance;
mod records;
mod request;
mod response;
mod subscription;
mod sync;
mod timers;
mod transaction;
mod transactional_offsets;

pub use config::{CoordinatorConfig, MigrationPolicy};
pub use consumer::assignor::{Assignor, AssignorError};
pub use consumer::group::ConsumerGroupState;
pub use consumer::partitions::Partitions;
pub use consumer::pattern::{TopicPattern, TopicPatternError};
pub use consumer::request::{
    ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, DescribedConsumer, DescribedConsumerGroup,
    DescribedTopic, Refusal,
};
pub use consumer::topics::{KnownTopic, KnownTopics};
pub use coordinator::GroupCoordinator;
pub use effect::{Effect, PersistId, RecordChange, ReplyToken};
pub use error::{GroupError, RestoreError};
pub use group::GroupState;
pub use offsets::{CommittedOffset, NO_OFFSET};
pub use request::{
    Command, GroupProtocol, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember, OffsetCommit,
    OffsetCommitRequest, OffsetDeleteRequest, SyncRequest,
};
pub use response::{
    DeleteGroupsResponse, DescribedGroup, DescribedMember, GroupType, JoinResponse, JoinedMember,
    LeaveResponse, LeftMember, ListedGroup, OffsetCommitResponse, OffsetDeleteResponse, Response,
    SyncResponse,
};
pub use transaction::{
    End, Ended, Initialize, Initialized, ProducerIdentity, Transaction, TransactionError, TransactionState,
};
