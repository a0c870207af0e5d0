//! Requests, apart from the versions of the wire.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::consumer::request::ConsumerHeartbeatRequest;

/// A protocol that a member supports, with the member's metadata for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProtocol {
    /// The name, for consumers that of an assignor.
    pub name: String,
    /// For consumers the subscription.
    pub metadata: Bytes,
}

/// JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The group.
    pub group_id: String,
    /// The member; empty for a new one.
    pub member_id: String,
    /// The static member's name (KIP-345).
    pub group_instance_id: Option<String>,
    /// The client id of the request header.
    pub client_id: String,
    /// Where the client is, as DescribeGroups shows it; Kafka writes a slash and the address.
    pub client_host: String,
    /// How long the member may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// How long the group waits for the member to join again, in milliseconds; version 0 sends the session timeout.
    pub rebalance_timeout_ms: i32,
    /// `consumer` for consumers.
    pub protocol_type: String,
    /// What the member supports, what it prefers first.
    pub protocols: Vec<GroupProtocol>,
    /// Whether a new member without a group instance id must come back with the id it is given: version 4 and later
    /// (KIP-394).
    pub requires_known_member_id: bool,
    /// Whether the response can tell a static leader to skip the assignment: version 9 and later (KIP-814).
    pub supports_skipping_assignment: bool,
    /// A value never used before, such as a random UUID: it becomes part of a new member's id.
    pub unique: String,
}

/// SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// The group.
    pub group_id: String,
    /// The generation that the member joined.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// The protocol type, version 5 and later.
    pub protocol_type: Option<String>,
    /// The protocol, version 5 and later.
    pub protocol_name: Option<String>,
    /// The assignments by member id, from the leader only.
    pub assignments: Vec<(String, Bytes)>,
}

/// Heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: String,
    /// The generation that the member joined.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
}

/// A member in a LeaveGroup request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    /// The member; empty to remove a static member by name.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
}

/// LeaveGroup; up to version 2 it has one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRequest {
    /// The group.
    pub group_id: String,
    /// Who leaves.
    pub members: Vec<LeavingMember>,
}

/// One offset in an OffsetCommit request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommit {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the last record read, where the client knows it.
    pub leader_epoch: Option<i32>,
    /// Text of the client's own.
    pub metadata: String,
}

/// OffsetCommit, with partitions that the caller has found to exist and to be permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommitRequest {
    /// The group.
    pub group_id: String,
    /// The generation or the member epoch, or −1 from a client that is no member.
    pub generation_id: i32,
    /// The member, or empty.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// How long to keep the offsets, in milliseconds: versions 2 to 4, where not −1.
    pub retention_ms: Option<i64>,
    /// Whether the client understands `GROUP_ID_NOT_FOUND`: version 9 and later.
    pub understands_group_not_found: bool,
    /// The offsets.
    pub offsets: Vec<OffsetCommit>,
}

/// OffsetDelete (KIP-496).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group_id: String,
    /// Topics and partitions.
    pub partitions: Vec<(String, i32)>,
}

/// A request that changes something. What only reads is a method of the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Join, or join again.
    Join(JoinRequest),
    /// Ask for the assignment, or hand the assignments in.
    Sync(SyncRequest),
    /// Still here.
    Heartbeat(HeartbeatRequest),
    /// Everything that a member of a consumer group has to say.
    ConsumerHeartbeat(Box<ConsumerHeartbeatRequest>),
    /// Leave.
    Leave(LeaveRequest),
    /// Commit offsets.
    CommitOffsets(OffsetCommitRequest),
    /// Delete groups and their offsets.
    DeleteGroups(BTreeSet<String>),
    /// Delete offsets of a group.
    DeleteOffsets(OffsetDeleteRequest),
}
