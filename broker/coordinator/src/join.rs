//! JoinGroup: new members, known members, and static members that come back.

use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::group::{Group, GroupState};
use crate::member::Member;
use crate::persistence::{ResumeStatic, Work};
use crate::records::group_change;
use crate::request::JoinRequest;
use crate::response::{JoinResponse, Response, SyncResponse};

impl GroupCoordinator {
    pub(crate) fn join(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let member_id = request.member_id.clone();
        let bounds = self.config.minimum_session_timeout_ms..=self.config.maximum_session_timeout_ms;
        if request.group_id.is_empty() {
            return self.refuse_join(token, GroupError::InvalidGroupId, &member_id);
        }
        if !bounds.contains(&request.session_timeout_ms) {
            return self.refuse_join(token, GroupError::InvalidSessionTimeout, &member_id);
        }
        let exists =
            self.groups.contains_key(&request.group_id) || self.consumers.contains_key(&request.group_id);
        if !member_id.is_empty() && !exists {
            return self.refuse_join(token, GroupError::UnknownMemberId, &member_id);
        }
        let group_id = request.group_id.clone();
        self.drop_empty_consumer_group(&group_id, now_ms);
        if self.consumers.contains_key(&group_id) {
            return self.join_consumer_group(token, request, now_ms);
        }
        let maximum_size = self.config.maximum_size;
        let group = self.groups.entry(group_id.clone()).or_insert_with(|| Group::new(now_ms));
        if !group.has_room_for(&member_id, maximum_size) {
            let removed = group.remove(&member_id);
            self.dismiss(&group_id, removed);
            self.refuse_join(token, GroupError::GroupMaxSizeReached, "");
        } else if !group.supports(&request.protocol_type, &request.protocols) {
            self.refuse_join(token, GroupError::InconsistentGroupProtocol, &member_id);
        } else if member_id.is_empty() {
            self.join_as_new(token, request, now_ms);
        } else {
            self.join_again(token, request, now_ms);
        }
        self.drop_if_nothing(&group_id);
    }

    pub(crate) fn refuse_join(&mut self, token: ReplyToken, error: GroupError, member_id: &str) {
        self.reply(token, Response::Join(JoinResponse::refused(error, member_id)));
    }

    /// A group that a refused member would have founded is none.
    fn drop_if_nothing(&mut self, group_id: &str) {
        let is_nothing = self.groups.get(group_id).is_some_and(|group| {
            group.members.is_empty()
                && group.pending_join.is_empty()
                && group.generation_id == 0
                && group.state == GroupState::Empty
        });
        if is_nothing && !self.offsets.has_any(group_id) {
            self.groups.remove(group_id);
        }
    }

    fn join_as_new(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let Some(group) = self.groups.get_mut(&request.group_id) else { return };
        let stem = request.group_instance_id.as_ref().unwrap_or(&request.client_id);
        let new_id = format!("{stem}-{}", request.unique);
        let holder =
            request.group_instance_id.as_ref().and_then(|instance| group.static_members.get(instance));
        match (&request.group_instance_id, holder.cloned()) {
            (Some(instance), Some(old_id)) => {
                let instance = instance.clone();
                self.replace_static_member(token, request, &instance, &old_id, new_id, now_ms);
            }
            (None, _) if request.requires_known_member_id => {
                group.pending_join.insert(new_id.clone());
                let session_ms = i64::from(request.session_timeout_ms);
                self.extend_session(&request.group_id, &new_id, session_ms, now_ms);
                self.refuse_join(token, GroupError::MemberIdRequired, &new_id);
            }
            _ => self.add_member(token, request, new_id, now_ms),
        }
    }

    fn add_member(&mut self, token: ReplyToken, request: JoinRequest, member_id: String, now_ms: i64) {
        let (group_id, protocol_type) = (request.group_id.clone(), request.protocol_type.clone());
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        if group.state == GroupState::PreparingRebalance && group.previous_state == GroupState::Empty {
            group.new_member_added = true;
        }
        group.add(Member::new(member_id.clone(), request, token), protocol_type);
        // A new member does not know its id yet and cannot send heartbeats; this bounds how long it may hold the
        // group up should its client be gone.
        self.extend_session(&group_id, &member_id, self.config.new_member_join_timeout_ms, now_ms);
        self.rebalance(&group_id, now_ms);
    }

    fn join_again(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let (group_id, member_id) = (request.group_id.clone(), request.member_id.clone());
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        if group.pending_join.contains(&member_id) && request.group_instance_id.is_none() {
            return self.add_member(token, request, member_id, now_ms);
        }
        if let Err(error) = group.validate_member(&member_id, request.group_instance_id.as_deref()) {
            return self.refuse_join(token, error, &member_id);
        }
        let is_unchanged =
            group.members.get(&member_id).is_some_and(|member| member.protocols == request.protocols);
        let keeps_generation = match group.state {
            GroupState::CompletingRebalance => is_unchanged,
            // The leader joins again to have the assignment made anew.
            GroupState::Stable => is_unchanged && !group.is_leader(&member_id),
            GroupState::PreparingRebalance => false,
            GroupState::Empty | GroupState::Dead => {
                return self.refuse_join(token, GroupError::UnknownMemberId, &member_id);
            }
        };
        if keeps_generation {
            let response = group.join_response(&member_id);
            return self.reply(token, Response::Join(response));
        }
        self.update_member(token, request, &member_id);
        self.rebalance(&group_id, now_ms);
    }

    /// Takes over what a member says of itself when it joins, and parks its request.
    fn update_member(&mut self, token: ReplyToken, request: JoinRequest, member_id: &str) {
        let Some(group) = self.groups.get_mut(&request.group_id) else { return };
        let Some(member) = group.members.get_mut(member_id) else { return };
        member.protocols = request.protocols;
        member.session_timeout_ms = request.session_timeout_ms;
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        if let Some(superseded) = member.awaiting_join.replace(token) {
            self.refuse_join(superseded, GroupError::RebalanceInProgress, member_id);
        }
    }

    /// A static member has restarted: it keeps its place under a new id, and whoever used the old one is fenced.
    fn replace_static_member(
        &mut self,
        token: ReplyToken,
        request: JoinRequest,
        instance: &str,
        old_id: &str,
        new_id: String,
        now_ms: i64,
    ) {
        let group_id = request.group_id.clone();
        let supports_skipping_assignment = request.supports_skipping_assignment;
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        let previous_leader = group.leader.clone();
        let Some(old) = group.replace_static(instance, old_id, &new_id) else { return };
        let (awaiting_join, awaiting_sync) = (old.awaiting_join, old.awaiting_sync);
        if let Some(fenced) = awaiting_join {
            self.refuse_join(fenced, GroupError::FencedInstanceId, old_id);
        }
        if let Some(fenced) = awaiting_sync {
            self.reply(fenced, Response::Sync(SyncResponse::refused(GroupError::FencedInstanceId)));
        }
        self.cancel_session(&group_id, old_id);
        self.extend_session(&group_id, &new_id, i64::from(request.session_timeout_ms), now_ms);
        self.update_member(token, request, &new_id);
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        match group.state {
            GroupState::Stable if group.protocol_name == group.select_protocol() => {
                let assignments = group
                    .members
                    .values()
                    .map(|member| (member.member_id.clone(), member.assignment.clone()));
                let change = group_change(&group_id, group, &assignments.collect());
                let resume = ResumeStatic {
                    generation_id: group.generation_id,
                    group_id,
                    instance: instance.to_owned(),
                    old,
                    new_id,
                    previous_leader,
                    supports_skipping_assignment,
                };
                self.persist(vec![change], Work::ResumeStatic(Box::new(resume)));
            }
            GroupState::Stable => self.rebalance(&group_id, now_ms),
            // The leader may have been told the old id, so its assignment would miss the new one.
            GroupState::CompletingRebalance => self.prepare_rebalance(&group_id, now_ms),
            _ => self.maybe_complete_join(&group_id, now_ms),
        }
    }

    pub(crate) fn finish_static_rejoin(&mut self, resume: ResumeStatic, is_durable: bool, now_ms: i64) {
        let ResumeStatic { group_id, generation_id, instance, old, new_id, previous_leader, .. } = resume;
        let Some(group) = self.groups.get_mut(&group_id) else { return };
        let is_current = group.state == GroupState::Stable
            && group.generation_id == generation_id
            && group.static_members.get(&instance) == Some(&new_id);
        // Otherwise the member is parked in a rebalance that has begun since, or was replaced itself.
        if !is_current {
            return;
        }
        let Some(token) = group.members.get_mut(&new_id).and_then(|member| member.awaiting_join.take())
        else {
            return;
        };
        if is_durable {
            let session_ms =
                group.members.get(&new_id).map_or(0, |member| i64::from(member.session_timeout_ms));
            let mut response = group.join_response(&new_id);
            if resume.supports_skipping_assignment {
                response.skip_assignment = group.is_leader(&new_id);
            } else {
                // An old client that is told it leads would make an assignment; it is told of the former leader.
                response.members = Vec::new();
                response.leader = previous_leader.unwrap_or_default();
            }
            // Nobody times out while waiting for an answer, so that the session begins with it.
            self.extend_session(&group_id, &new_id, session_ms, now_ms);
            return self.reply(token, Response::Join(response));
        }
        let old_id = old.member_id.clone();
        let session_ms = i64::from(old.session_timeout_ms);
        group.replace_static(&instance, &new_id, &old_id);
        group.members.insert(old_id.clone(), Member { awaiting_join: None, awaiting_sync: None, ..old });
        let mut response = JoinResponse::refused(GroupError::CoordinatorNotAvailable, "");
        response.generation_id = generation_id;
        self.cancel_session(&group_id, &new_id);
        self.extend_session(&group_id, &old_id, session_ms, now_ms);
        self.reply(token, Response::Join(response));
    }
}

impl Group {
    /// Whether a joining member is within the maximum size. While members join, those already waiting count, so that
    /// the last ones to come are turned away.
    fn has_room_for(&self, member_id: &str, maximum_size: usize) -> bool {
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                self.members.get(member_id).is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join() < maximum_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.members.contains_key(member_id) || self.members.len() < maximum_size
            }
        }
    }
}
