//! Offsets that a transaction commits: who may, and what they become in the group (KIP-447).

use crate::coordinator::GroupCoordinator;
use crate::effect::RecordChange;
use crate::error::GroupError;
use crate::group::GroupState;
use crate::offsets::CommittedOffset;
use crate::records::{RecordKey, offset_change};
use crate::request::OffsetCommitRequest;

impl GroupCoordinator {
    /// Whether who commits offsets within a transaction may do so: a member of the current generation, or anybody who names
    /// neither member nor generation.
    ///
    /// # Errors
    /// [`GroupError::IllegalGeneration`], [`GroupError::UnknownMemberId`], [`GroupError::FencedInstanceId`].
    pub fn check_transactional_commit(&self, request: &OffsetCommitRequest) -> Result<(), GroupError> {
        if let Some(group) = self.consumers.get(&request.group_id) {
            return group.check_transactional_commit(request);
        }
        let generation_id = request.generation_id;
        let Some(group) = self.groups.get(&request.group_id) else {
            return if generation_id < 0 { Ok(()) } else { Err(GroupError::IllegalGeneration) };
        };
        if generation_id < 0 && group.state == GroupState::Empty {
            return Ok(());
        }
        let names_somebody =
            generation_id >= 0 || !request.member_id.is_empty() || request.group_instance_id.is_some();
        if names_somebody {
            group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
            if generation_id != group.generation_id {
                return Err(GroupError::IllegalGeneration);
            }
        }
        Ok(())
    }

    /// The record of a committed offset, for who writes it together with what it follows from.
    pub fn offset_record(
        group_id: &str,
        topic: &str,
        partition: i32,
        offset: &CommittedOffset,
    ) -> RecordChange {
        offset_change(&RecordKey::Offset(group_id.to_owned(), topic.to_owned(), partition), offset)
    }

    /// Takes over offsets whose records are durable already. Nothing else of the group may be on its way to storage.
    pub fn adopt_offsets(
        &mut self,
        group_id: &str,
        offsets: Vec<(String, i32, CommittedOffset)>,
        now_ms: i64,
    ) {
        self.ensure_group(group_id, now_ms);
        for (topic, partition, offset) in offsets {
            self.offsets.set(group_id, &topic, partition, offset);
        }
    }
}
