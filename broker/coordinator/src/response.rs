//! Responses, apart from the versions of the wire.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::consumer::request::ConsumerHeartbeatResponse;
use crate::error::GroupError;
use crate::group::GroupState;

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// The member.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// The member's metadata for the protocol of the generation.
    pub metadata: Bytes,
}

/// JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinResponse {
    /// Why not.
    pub error: Option<GroupError>,
    /// The generation; −1 with an error.
    pub generation_id: i32,
    /// The protocol type; version 7 and later.
    pub protocol_type: Option<String>,
    /// The protocol of the generation.
    pub protocol_name: Option<String>,
    /// The leader's member id.
    pub leader: String,
    /// Whether the leader keeps the assignment of the last generation.
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: String,
    /// All members; for the leader only.
    pub members: Vec<JoinedMember>,
}

impl JoinResponse {
    pub(crate) fn refused(error: GroupError, member_id: &str) -> Self {
        Self {
            error: Some(error),
            generation_id: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        }
    }
}

/// SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncResponse {
    /// Why not.
    pub error: Option<GroupError>,
    /// The protocol type; version 5 and later.
    pub protocol_type: Option<String>,
    /// The protocol; version 5 and later.
    pub protocol_name: Option<String>,
    /// The member's assignment.
    pub assignment: Bytes,
}

impl SyncResponse {
    pub(crate) fn refused(error: GroupError) -> Self {
        Self { error: Some(error), protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// A member that was asked to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    /// The member id of the request.
    pub member_id: String,
    /// The group instance id of the request.
    pub group_instance_id: Option<String>,
    /// Why the member is not gone.
    pub error: Option<GroupError>,
}

/// LeaveGroup; up to version 2 the only member's error is the response's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveResponse {
    /// Why nobody left.
    pub error: Option<GroupError>,
    /// Every member of the request, in its order.
    pub members: Vec<LeftMember>,
}

/// OffsetCommit: every partition with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommitResponse {
    /// Topic and partition, in the order of the request.
    pub partitions: Vec<(String, i32, Option<GroupError>)>,
}

/// OffsetDelete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetDeleteResponse {
    /// Why nothing was deleted.
    pub error: Option<GroupError>,
    /// Topic and partition, in the order of the request.
    pub partitions: Vec<(String, i32, Option<GroupError>)>,
}

/// DeleteGroups: every group with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteGroupsResponse {
    /// By group id.
    pub groups: BTreeMap<String, Option<GroupError>>,
}

/// The reply to a [`Command`](crate::Command).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// To `Join`.
    Join(JoinResponse),
    /// To `Sync`.
    Sync(SyncResponse),
    /// To `Heartbeat`.
    Heartbeat(Option<GroupError>),
    /// To `ConsumerHeartbeat`.
    ConsumerHeartbeat(ConsumerHeartbeatResponse),
    /// To `Leave`.
    Leave(LeaveResponse),
    /// To `CommitOffsets`.
    CommitOffsets(OffsetCommitResponse),
    /// To `DeleteGroups`.
    DeleteGroups(DeleteGroupsResponse),
    /// To `DeleteOffsets`.
    DeleteOffsets(OffsetDeleteResponse),
}

impl Response {
    /// What is answered instead when what it says could not be made durable.
    pub(crate) fn unavailable(self) -> Self {
        let error = GroupError::CoordinatorNotAvailable;
        match self {
            Self::Join(response) => Self::Join(JoinResponse::refused(error, &response.member_id)),
            Self::Sync(_) => Self::Sync(SyncResponse::refused(error)),
            Self::Heartbeat(_) => Self::Heartbeat(Some(error)),
            Self::ConsumerHeartbeat(_) => {
                Self::ConsumerHeartbeat(ConsumerHeartbeatResponse::refused(error.into()))
            }
            Self::Leave(_) => Self::Leave(LeaveResponse { error: Some(error), members: Vec::new() }),
            other => other,
        }
    }
}

/// The type of a group, with Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupType {
    /// Of the protocol in which members assign.
    Classic,
    /// Of the protocol in which the coordinator assigns (KIP-848).
    Consumer,
}

impl GroupType {
    /// Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

/// A group in ListGroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group_id: String,
    /// The protocol type; empty when nobody ever joined.
    pub protocol_type: String,
    /// The state, as Kafka names it.
    pub state: &'static str,
    /// The type.
    pub group_type: GroupType,
}

/// A member in DescribeGroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    /// The member.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// The client id.
    pub client_id: String,
    /// Where the client is.
    pub client_host: String,
    /// The metadata for the group's protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// The assignment.
    pub assignment: Bytes,
}

/// A group in DescribeGroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    /// The group.
    pub group_id: String,
    /// `Dead` for a group that does not exist, which version 6 and later report as `GROUP_ID_NOT_FOUND`.
    pub state: GroupState,
    /// The protocol type; empty when nobody ever joined.
    pub protocol_type: String,
    /// The protocol; empty unless the group is stable.
    pub protocol_name: String,
    /// The members, sorted by id.
    pub members: Vec<DescribedMember>,
}
