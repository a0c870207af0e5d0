//! Heartbeat and LeaveGroup.

use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::group::GroupState;
use crate::request::{HeartbeatRequest, LeaveRequest, LeavingMember};
use crate::response::{LeaveResponse, LeftMember, Response};

impl GroupCoordinator {
    pub(crate) fn heartbeat(&mut self, token: ReplyToken, request: &HeartbeatRequest, now_ms: i64) {
        let error = self.try_heartbeat(request, now_ms).err();
        self.reply(token, Response::Heartbeat(error));
    }

    fn try_heartbeat(&mut self, request: &HeartbeatRequest, now_ms: i64) -> Result<(), GroupError> {
        let HeartbeatRequest { group_id, generation_id, member_id, group_instance_id } = request;
        if group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if self.consumers.contains_key(group_id) {
            return self.heartbeat_in_consumer_group(request, now_ms);
        }
        let group = self.groups.get(group_id).ok_or(GroupError::UnknownMemberId)?;
        group.validate_member(member_id, group_instance_id.as_deref())?;
        if *generation_id != group.generation_id {
            return Err(GroupError::IllegalGeneration);
        }
        let state = group.state;
        if matches!(state, GroupState::Empty | GroupState::Dead) {
            return Err(GroupError::UnknownMemberId);
        }
        self.keep_alive(group_id, member_id, now_ms);
        if state == GroupState::PreparingRebalance { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Gives a member its full session timeout from now.
    pub(crate) fn keep_alive(&mut self, group_id: &str, member_id: &str, now_ms: i64) {
        let member = self.groups.get(group_id).and_then(|group| group.members.get(member_id));
        if let Some(session_ms) = member.map(|member| i64::from(member.session_timeout_ms)) {
            self.extend_session(group_id, member_id, session_ms, now_ms);
        }
    }

    pub(crate) fn leave(&mut self, token: ReplyToken, request: LeaveRequest, now_ms: i64) {
        let LeaveRequest { group_id, members } = request;
        if self.consumers.contains_key(&group_id) {
            let members = self.leave_from_consumer_group(&group_id, members, now_ms);
            let response = Response::Leave(LeaveResponse { error: None, members });
            return self.answer_once_written(&group_id, token, response);
        }
        let refusal = if group_id.is_empty() {
            Some(GroupError::InvalidGroupId)
        } else if !self.groups.contains_key(&group_id) {
            Some(GroupError::UnknownMemberId)
        } else {
            None
        };
        if let Some(error) = refusal {
            return self
                .reply(token, Response::Leave(LeaveResponse { error: Some(error), members: Vec::new() }));
        }
        let mut left = Vec::new();
        for member in members {
            let error = self.remove_leaving(&group_id, &member).err();
            let LeavingMember { member_id, group_instance_id } = member;
            left.push(LeftMember { member_id, group_instance_id, error });
        }
        if left.iter().any(|member| member.error.is_none()) {
            self.rebalance_after_leave(&group_id, now_ms);
        }
        self.reply(token, Response::Leave(LeaveResponse { error: None, members: left }));
    }

    fn rebalance_after_leave(&mut self, group_id: &str, now_ms: i64) {
        match self.groups.get(group_id).map(|group| group.state) {
            Some(GroupState::Stable | GroupState::CompletingRebalance) => self.rebalance(group_id, now_ms),
            Some(GroupState::PreparingRebalance) => self.maybe_complete_join(group_id, now_ms),
            _ => {}
        }
    }

    /// Removes a member by its id, a static one also by its name alone, as an administrator does.
    fn remove_leaving(&mut self, group_id: &str, member: &LeavingMember) -> Result<(), GroupError> {
        let group = self.groups.get_mut(group_id).ok_or(GroupError::UnknownMemberId)?;
        let instance = member.group_instance_id.as_deref();
        let member_id = if member.member_id.is_empty() {
            instance
                .and_then(|instance| group.static_members.get(instance))
                .ok_or(GroupError::UnknownMemberId)?
                .clone()
        } else {
            if !group.pending_join.contains(&member.member_id) {
                group.validate_member(&member.member_id, instance)?;
            }
            member.member_id.clone()
        };
        let removed = group.remove(&member_id);
        self.cancel_session(group_id, &member_id);
        self.dismiss(group_id, removed);
        Ok(())
    }
}
