//! SyncGroup: the leader hands assignments in, everyone gets theirs once they are durable.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::group::{Group, GroupState};
use crate::persistence::Work;
use crate::records::group_change;
use crate::request::SyncRequest;
use crate::response::{Response, SyncResponse};

impl GroupCoordinator {
    pub(crate) fn sync(&mut self, token: ReplyToken, request: SyncRequest, now_ms: i64) {
        if let Err(error) = self.try_sync(token, request, now_ms) {
            self.reply(token, Response::Sync(SyncResponse::refused(error)));
        }
    }

    fn try_sync(&mut self, token: ReplyToken, request: SyncRequest, now_ms: i64) -> Result<(), GroupError> {
        if request.group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let group_id = request.group_id.clone();
        if self.consumers.contains_key(&group_id) {
            return self.sync_in_consumer_group(token, &request, now_ms);
        }
        let group = self.groups.get_mut(&group_id).ok_or(GroupError::UnknownMemberId)?;
        group.validate_sync(&request)?;
        let member_id = request.member_id.as_str();
        match group.state {
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMemberId),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::Stable => {
                group.pending_sync.remove(member_id);
                let response = group.sync_response(member_id);
                self.reply(token, Response::Sync(response));
                Ok(())
            }
            GroupState::CompletingRebalance => {
                group.pending_sync.remove(member_id);
                let is_leader = group.is_leader(member_id);
                let superseded =
                    group.members.get_mut(member_id).and_then(|member| member.awaiting_sync.replace(token));
                if is_leader {
                    let mut given: BTreeMap<String, Bytes> = request.assignments.into_iter().collect();
                    let assignments: BTreeMap<String, Bytes> = group
                        .members
                        .keys()
                        .map(|member_id| (member_id.clone(), given.remove(member_id).unwrap_or_default()))
                        .collect();
                    let change = group_change(&group_id, group, &assignments);
                    let generation_id = group.generation_id;
                    self.persist(vec![change], Work::Assign { group_id, generation_id, assignments });
                }
                if let Some(superseded) = superseded {
                    let response = SyncResponse::refused(GroupError::RebalanceInProgress);
                    self.reply(superseded, Response::Sync(response));
                }
                Ok(())
            }
        }
    }

    /// Hands the assignments out, unless another generation has begun while they were written.
    pub(crate) fn finish_assignment(
        &mut self,
        group_id: &str,
        generation_id: i32,
        assignments: &BTreeMap<String, Bytes>,
        is_durable: bool,
        now_ms: i64,
    ) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        if group.state != GroupState::CompletingRebalance || group.generation_id != generation_id {
            return;
        }
        if !is_durable {
            self.withdraw_assignments(group_id, GroupError::CoordinatorNotAvailable, now_ms);
            return self.rebalance(group_id, now_ms);
        }
        let mut waiting = Vec::new();
        for member in group.members.values_mut() {
            member.assignment = assignments.get(&member.member_id).cloned().unwrap_or_default();
            let session_ms = i64::from(member.session_timeout_ms);
            waiting.extend(
                member.awaiting_sync.take().map(|token| (token, member.member_id.clone(), session_ms)),
            );
        }
        group.transition_to(GroupState::Stable, now_ms);
        let replies: Vec<_> =
            waiting.iter().map(|(token, member_id, _)| (*token, group.sync_response(member_id))).collect();
        for (token, response) in replies {
            self.reply(token, Response::Sync(response));
        }
        for (_, member_id, session_ms) in waiting {
            self.extend_session(group_id, &member_id, session_ms, now_ms);
        }
    }
}

impl Group {
    fn validate_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation_id {
            return Err(GroupError::IllegalGeneration);
        }
        let differs =
            |given: &Option<String>, own: &Option<String>| given.is_some() && own.is_some() && given != own;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn sync_response(&self, member_id: &str) -> SyncResponse {
        SyncResponse {
            error: None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: self
                .members
                .get(member_id)
                .map(|member| member.assignment.clone())
                .unwrap_or_default(),
        }
    }
}
