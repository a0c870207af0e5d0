//! Who may commit and read the offsets of a consumer group.

use crate::consumer::group::ConsumerGroup;
use crate::consumer::member::ConsumerMember;
use crate::coordinator::GroupCoordinator;
use crate::error::GroupError;
use crate::request::OffsetCommitRequest;

impl ConsumerGroup {
    /// Whether offsets may be committed: by a member at its epoch, and by anybody while the group is empty.
    pub(crate) fn check_commit(&self, request: &OffsetCommitRequest) -> Result<(), GroupError> {
        if request.generation_id < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.find(&request.member_id, None)?;
        if member.classic.is_none() && !request.understands_group_not_found {
            return Err(GroupError::UnsupportedVersion);
        }
        member.check_known_epoch(request.generation_id)
    }

    /// As [`Self::check_commit`] for offsets within a transaction, whose producer may name no member at all.
    pub(crate) fn check_transactional_commit(&self, request: &OffsetCommitRequest) -> Result<(), GroupError> {
        let names_nobody = request.generation_id == -1
            && request.member_id.is_empty()
            && request.group_instance_id.is_none();
        if names_nobody || request.generation_id < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.find(&request.member_id, None)?;
        member.check_known_epoch(request.generation_id).map_err(|_stale| GroupError::IllegalGeneration)
    }
}

impl ConsumerMember {
    fn check_known_epoch(&self, epoch: i32) -> Result<(), GroupError> {
        match &self.classic {
            _ if self.epoch == epoch => Ok(()),
            None => Err(GroupError::StaleMemberEpoch),
            Some(_) => Err(GroupError::IllegalGeneration),
        }
    }
}

impl GroupCoordinator {
    /// Whether who asks for a group's offsets may: anybody who names no member, and a member at its epoch (OffsetFetch, version 9).
    ///
    /// # Errors
    /// [`GroupError::UnknownMemberId`], [`GroupError::StaleMemberEpoch`], [`GroupError::IllegalGeneration`].
    pub fn check_fetch(&self, group_id: &str, member_id: Option<&str>, epoch: i32) -> Result<(), GroupError> {
        let Some(group) = self.consumers.get(group_id) else { return Ok(()) };
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        group.find(member_id.unwrap_or_default(), None)?.check_known_epoch(epoch)
    }
}
