//! The heartbeat of the newer protocol and its answer, apart from the versions of the wire.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::TopicId;

use crate::consumer::partitions::Partitions;
use crate::error::GroupError;

/// ConsumerGroupHeartbeat. What is `None` has not changed since the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatRequest {
    /// The group.
    pub group_id: String,
    /// The member; a client of version 0 that joins may leave it empty.
    pub member_id: String,
    /// The member's epoch; 0 to join, −1 to leave, −2 for a static member that will be back.
    pub member_epoch: i32,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// Where the client is.
    pub rack_id: Option<String>,
    /// How long the member may take to give partitions up, in milliseconds.
    pub rebalance_timeout_ms: Option<i32>,
    /// The topics that it reads.
    pub subscribed_topics: Option<BTreeSet<String>>,
    /// A regular expression over topics that it reads; empty for none.
    pub subscribed_pattern: Option<String>,
    /// The assignor that it asks for.
    pub assignor: Option<String>,
    /// The partitions that it holds.
    pub owned: Option<Partitions>,
    /// The client id of the request header.
    pub client_id: String,
    /// Where the client is, as Kafka writes it: a slash and the address.
    pub client_host: String,
    /// How long the member may be silent, in milliseconds, as the group's settings have it.
    pub session_timeout_ms: i32,
    /// How often the member shall be heard of, in milliseconds, as the group's settings have it.
    pub heartbeat_interval_ms: i32,
    /// The topics that patterns match and that the client may know of, for each that
    /// [`GroupCoordinator::patterns_to_resolve`](crate::GroupCoordinator::patterns_to_resolve) named.
    pub resolved_patterns: BTreeMap<String, BTreeSet<String>>,
    /// Whether the client must choose its member id itself: version 1 and later (KIP-1082).
    pub requires_member_id: bool,
    /// A value never used before: the id of a member that brings none.
    pub unique: String,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatResponse {
    /// Why not.
    pub refusal: Option<Refusal>,
    /// The member; `None` with an error.
    pub member_id: Option<String>,
    /// The member's epoch.
    pub member_epoch: i32,
    /// When to send the next one, in milliseconds from now.
    pub heartbeat_interval_ms: i32,
    /// What the member shall hold, where that is news.
    pub assignment: Option<Partitions>,
}

impl ConsumerHeartbeatResponse {
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self {
            refusal: Some(refusal),
            member_id: None,
            member_epoch: 0,
            heartbeat_interval_ms: 0,
            assignment: None,
        }
    }
}

/// An error with words for the client's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error.
    pub error: GroupError,
    /// What is wrong.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(error: GroupError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

impl From<GroupError> for Refusal {
    fn from(error: GroupError) -> Self {
        Self { error, message: error.to_string() }
    }
}

/// A member in ConsumerGroupDescribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// The member.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// Where the client is.
    pub rack_id: Option<String>,
    /// The member's epoch.
    pub epoch: i32,
    /// The client id.
    pub client_id: String,
    /// Where the client is.
    pub client_host: String,
    /// The topics that it asked for by name.
    pub subscribed_topics: Vec<String>,
    /// The regular expression that it asked for; empty for none.
    pub subscribed_pattern: String,
    /// What it has, by topic; topics that are gone are left out.
    pub assignment: Vec<DescribedTopic>,
    /// What it shall have.
    pub target: Vec<DescribedTopic>,
    /// Whether it speaks the classic protocol.
    pub is_classic: bool,
}

/// Partitions of a topic in ConsumerGroupDescribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTopic {
    /// The topic's id.
    pub id: TopicId,
    /// The topic's name.
    pub name: String,
    /// Its partitions, sorted.
    pub partitions: Vec<i32>,
}

/// A group in ConsumerGroupDescribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// The group.
    pub group_id: String,
    /// The state.
    pub state: &'static str,
    /// The group's epoch.
    pub epoch: i32,
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// The assignor in use.
    pub assignor: String,
    /// The members, sorted by id.
    pub members: Vec<DescribedConsumer>,
}
