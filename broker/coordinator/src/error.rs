//! What can go wrong, with Kafka's error codes in one table.

/// Why a request of a group is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum GroupError {
    /// The text that goes with an offset is too long.
    #[error("offset metadata is too long")]
    OffsetMetadataTooLarge,
    /// The record could not be made durable; the request may be tried again.
    #[error("coordinator is not available")]
    CoordinatorNotAvailable,
    /// The request names another generation than the current one.
    #[error("generation is not the current one")]
    IllegalGeneration,
    /// The member's protocols have nothing in common with the group's.
    #[error("protocol does not fit the group")]
    InconsistentGroupProtocol,
    /// The group id is empty.
    #[error("group id is invalid")]
    InvalidGroupId,
    /// No such member.
    #[error("member is unknown")]
    UnknownMemberId,
    /// The session timeout is outside the configured bounds.
    #[error("session timeout is out of bounds")]
    InvalidSessionTimeout,
    /// The group is rebalancing; the member must join again.
    #[error("group is rebalancing")]
    RebalanceInProgress,
    /// The group has members.
    #[error("group is not empty")]
    NonEmptyGroup,
    /// No such group.
    #[error("group does not exist")]
    GroupIdNotFound,
    /// The member must join again with the id that the response carries (KIP-394).
    #[error("member id is required")]
    MemberIdRequired,
    /// The group is full.
    #[error("group has reached its maximum size")]
    GroupMaxSizeReached,
    /// Another member has taken over the group instance id (KIP-345).
    #[error("static member is fenced")]
    FencedInstanceId,
    /// Another broker coordinates the group.
    #[error("another broker coordinates the group")]
    NotCoordinator,
    /// The group still reads the topic.
    #[error("group is subscribed to the topic")]
    GroupSubscribedToTopic,
    /// The request's version cannot say what the group needs to know.
    #[error("version of the request is too old for a consumer group")]
    UnsupportedVersion,
    /// The request makes no sense.
    #[error("request is invalid")]
    InvalidRequest,
    /// The member must give up all its partitions and join again (KIP-848).
    #[error("member epoch is fenced")]
    FencedMemberEpoch,
    /// Another member still uses the group instance id (KIP-848).
    #[error("group instance id is still in use")]
    UnreleasedInstanceId,
    /// No such assignor (KIP-848).
    #[error("assignor is not supported")]
    UnsupportedAssignor,
    /// The member's epoch has changed; it learns of it by its next heartbeat (KIP-848).
    #[error("member epoch is stale")]
    StaleMemberEpoch,
    /// The subscription is no regular expression (KIP-848).
    #[error("regular expression is invalid")]
    InvalidRegularExpression,
}

impl GroupError {
    /// Every error.
    pub const ALL: [Self; 22] = [
        Self::OffsetMetadataTooLarge,
        Self::CoordinatorNotAvailable,
        Self::IllegalGeneration,
        Self::InconsistentGroupProtocol,
        Self::InvalidGroupId,
        Self::UnknownMemberId,
        Self::InvalidSessionTimeout,
        Self::RebalanceInProgress,
        Self::NonEmptyGroup,
        Self::GroupIdNotFound,
        Self::MemberIdRequired,
        Self::GroupMaxSizeReached,
        Self::FencedInstanceId,
        Self::NotCoordinator,
        Self::GroupSubscribedToTopic,
        Self::UnsupportedVersion,
        Self::InvalidRequest,
        Self::FencedMemberEpoch,
        Self::UnreleasedInstanceId,
        Self::UnsupportedAssignor,
        Self::StaleMemberEpoch,
        Self::InvalidRegularExpression,
    ];

    /// The error code on the wire.
    pub fn code(self) -> i16 {
        match self {
            Self::OffsetMetadataTooLarge => 12,
            Self::CoordinatorNotAvailable => 15,
            Self::NotCoordinator => 16,
            Self::IllegalGeneration => 22,
            Self::InconsistentGroupProtocol => 23,
            Self::InvalidGroupId => 24,
            Self::UnknownMemberId => 25,
            Self::InvalidSessionTimeout => 26,
            Self::RebalanceInProgress => 27,
            Self::UnsupportedVersion => 35,
            Self::InvalidRequest => 42,
            Self::NonEmptyGroup => 68,
            Self::GroupIdNotFound => 69,
            Self::MemberIdRequired => 79,
            Self::GroupMaxSizeReached => 81,
            Self::FencedInstanceId => 82,
            Self::GroupSubscribedToTopic => 86,
            Self::FencedMemberEpoch => 110,
            Self::UnreleasedInstanceId => 111,
            Self::UnsupportedAssignor => 112,
            Self::StaleMemberEpoch => 113,
            Self::InvalidRegularExpression => 128,
        }
    }
}

/// A stored record that cannot be understood; the coordinator must not start without it.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The key is none that this coordinator writes.
    #[error("`{0}` is not the key of a group record")]
    Key(String),
    /// The value under a key cannot be decoded.
    #[error("record under `{key}` cannot be decoded")]
    Value {
        /// The key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A record names what is no topic id.
    #[error("record under `{key}` names `{id}`, which is not a topic id")]
    Topic {
        /// The key.
        key: String,
        /// What it names.
        id: String,
    },
    /// The record was written by a newer version.
    #[error("record under `{key}` has version {version}, which is newer than this broker")]
    Version {
        /// The key.
        key: String,
        /// The version found.
        version: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_of_its_own() {
        let codes: std::collections::BTreeSet<_> = GroupError::ALL.iter().map(|error| error.code()).collect();
        assert_eq!(codes.len(), GroupError::ALL.len());
    }
}
