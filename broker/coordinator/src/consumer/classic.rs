//! Members of the classic protocol within a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup in terms of epochs and
//! assignments (KIP-848, "Online migration").

use crate::consumer::embedded::{self, Subscription};
use crate::consumer::group::{ConsumerGroup, Surroundings};
use crate::consumer::member::{ClassicPart, ConsumerMember, MemberState};
use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::request::{HeartbeatRequest, JoinRequest, LeavingMember, SyncRequest};
use crate::response::{JoinResponse, LeftMember, Response, SyncResponse};
use crate::subscription::CONSUMER;
use crate::timers::{TimerAction, TimerKey};

impl GroupCoordinator {
    pub(crate) fn join_consumer_group(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let group_id = request.group_id.clone();
        let is_new = request.member_id.is_empty();
        let stem = request.group_instance_id.as_ref().unwrap_or(&request.client_id);
        let member_id = if is_new { format!("{stem}-{}", request.unique) } else { request.member_id.clone() };
        if is_new && request.requires_known_member_id && request.group_instance_id.is_none() {
            return match self.check_join(&request, &member_id) {
                Ok(_) => self.refuse_join(token, GroupError::MemberIdRequired, &member_id),
                Err(error) => self.refuse_join(token, error, ""),
            };
        }
        if self.downgrades_for(&request) {
            return self.join_downgraded(token, request, now_ms);
        }
        match self.try_join(&request, &member_id, now_ms) {
            Ok(response) => self.answer_once_written(&group_id, token, Response::Join(response)),
            Err(error) => self.refuse_join(token, error, &request.member_id),
        }
    }

    fn check_join(&self, request: &JoinRequest, member_id: &str) -> Result<Subscription, GroupError> {
        let group = self.consumers.get(&request.group_id).ok_or(GroupError::UnknownMemberId)?;
        if group.len() >= self.config.consumer_maximum_size && group.member(member_id).is_none() {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if !group.supports(request) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let first = request.protocols.first().ok_or(GroupError::InconsistentGroupProtocol)?;
        Subscription::read(&first.metadata).ok_or(GroupError::InconsistentGroupProtocol)
    }

    fn try_join(
        &mut self,
        request: &JoinRequest,
        member_id: &str,
        now_ms: i64,
    ) -> Result<JoinResponse, GroupError> {
        let subscription = self.check_join(request, member_id)?;
        let (version, default_assignor) = (self.topics_version, self.config.default_assignor());
        let topics = self.topics.as_ref().ok_or(GroupError::CoordinatorNotAvailable)?;
        let owned = subscription.owned(topics);
        let group = self.consumers.get_mut(&request.group_id).ok_or(GroupError::UnknownMemberId)?;
        let (member, replaced) = group.classic_member_of(request, member_id)?;
        let member = applied(request, subscription, member);
        let surroundings = Surroundings { topics, version, default_assignor };
        let next = group.advance(member, false, Some(&owned), surroundings);
        if let Some(replaced) = replaced.filter(|replaced| replaced != member_id) {
            self.cancel_member_timers(&request.group_id, &replaced);
        }
        let name = || (request.group_id.clone(), member_id.to_owned());
        let (group_id, member) = name();
        self.timers.cancel(&TimerKey::MemberJoin(group_id, member));
        let (group_id, member) = name();
        self.timers.cancel(&TimerKey::Rebalance(group_id, member));
        self.extend_session(&request.group_id, member_id, i64::from(request.session_timeout_ms), now_ms);
        let (group_id, member) = name();
        let deadline_ms = now_ms + i64::from(request.rebalance_timeout_ms.max(0));
        self.timers.set(TimerKey::MemberSync(group_id, member), deadline_ms, TimerAction::ExpireSession);
        Ok(JoinResponse {
            error: None,
            generation_id: next.epoch,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: request.protocols.first().map(|protocol| protocol.name.clone()),
            // Nobody leads: the coordinator itself assigns.
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        })
    }

    pub(crate) fn sync_in_consumer_group(
        &mut self,
        token: ReplyToken,
        request: &SyncRequest,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        let group_id = request.group_id.as_str();
        let group = self.consumers.get(group_id).ok_or(GroupError::UnknownMemberId)?;
        let instance = request.group_instance_id.as_deref();
        let (member, classic) = group.find_classic(&request.member_id, instance)?;
        if request.generation_id != member.epoch {
            return Err(GroupError::IllegalGeneration);
        }
        let first = classic.protocols.first();
        let is_other = |given: &Option<String>, own: Option<&str>| given.is_some() && given.as_deref() != own;
        if is_other(&request.protocol_type, Some(CONSUMER))
            || is_other(&request.protocol_name, first.map(|protocol| protocol.name.as_str()))
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        // Who has yet to give partitions up has joined for the new epoch already, as far as it can.
        if group.epoch > member.epoch && member.state != MemberState::Revoking {
            let rebalance_ms = i64::from(member.rebalance_timeout_ms.max(0));
            self.await_join(group_id, &request.member_id, rebalance_ms, now_ms);
            return Err(GroupError::RebalanceInProgress);
        }
        let topics = self.topics.as_ref().ok_or(GroupError::CoordinatorNotAvailable)?;
        let version =
            first.and_then(|first| Subscription::read(&first.metadata)).map_or(0, |read| read.version);
        let assignment = embedded::write_assignment(version, &member.assigned, topics);
        let session_ms = i64::from(classic.session_timeout_ms);
        let response = SyncResponse {
            error: None,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment,
        };
        let key = TimerKey::MemberSync(request.group_id.clone(), request.member_id.clone());
        self.timers.cancel(&key);
        self.extend_session(group_id, &request.member_id, session_ms, now_ms);
        self.answer_once_written(group_id, token, Response::Sync(response));
        Ok(())
    }

    pub(crate) fn heartbeat_in_consumer_group(
        &mut self,
        request: &HeartbeatRequest,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        let group_id = request.group_id.as_str();
        let group = self.consumers.get(group_id).ok_or(GroupError::UnknownMemberId)?;
        let instance = request.group_instance_id.as_deref();
        let (member, classic) = group.find_classic(&request.member_id, instance)?;
        if request.generation_id != member.epoch {
            return Err(GroupError::IllegalGeneration);
        }
        // It must join again to learn of another epoch, to have it known that partitions are given up, or to get those that it
        // waited for.
        let must_join = member.epoch < group.epoch
            || member.state == MemberState::Revoking
            || member.state == MemberState::Waiting && !group.waits_for_others(member);
        let session_ms = i64::from(classic.session_timeout_ms);
        let rebalance_ms = i64::from(member.rebalance_timeout_ms.max(0));
        self.extend_session(group_id, &request.member_id, session_ms, now_ms);
        if must_join {
            self.await_join(group_id, &request.member_id, rebalance_ms, now_ms);
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Bounds how long a member may take to join again, from the first time that it was asked to.
    fn await_join(&mut self, group_id: &str, member_id: &str, rebalance_ms: i64, now_ms: i64) {
        let key = TimerKey::MemberJoin(group_id.to_owned(), member_id.to_owned());
        if !self.timers.has(&key) {
            self.timers.set(key, now_ms + rebalance_ms, TimerAction::ExpireSession);
        }
    }

    /// Removes members of either protocol, static ones also by their names alone, as an administrator does.
    pub(crate) fn leave_from_consumer_group(
        &mut self,
        group_id: &str,
        members: Vec<LeavingMember>,
        now_ms: i64,
    ) -> Vec<LeftMember> {
        let mut leaving = Vec::new();
        let mut left = Vec::new();
        for LeavingMember { member_id, group_instance_id } in members {
            let found = self.consumers.get(group_id).map_or(Err(GroupError::UnknownMemberId), |group| {
                let instance = group_instance_id.as_deref();
                let holder = instance.and_then(|instance| group.static_member(instance));
                let named = match holder {
                    Some(holder) if member_id.is_empty() => holder.member_id.as_str(),
                    _ => member_id.as_str(),
                };
                group.find(named, instance).map(|member| member.member_id.clone())
            });
            let error = found.as_ref().err().copied();
            left.push(LeftMember { member_id, group_instance_id, error });
            leaving.extend(found);
        }
        self.fence(group_id, &leaving, now_ms);
        left
    }
}

impl ConsumerGroup {
    /// A member of the classic protocol, by its id or, for a static one, as the holder of its name.
    fn find_classic(
        &self,
        member_id: &str,
        instance: Option<&str>,
    ) -> Result<(&ConsumerMember, &ClassicPart), GroupError> {
        let member = self.find(member_id, instance)?;
        member.classic.as_ref().map(|classic| (member, classic)).ok_or(GroupError::UnknownMemberId)
    }

    /// Whether a member may join with what it offers: a protocol that all classic members support.
    fn supports(&self, request: &JoinRequest) -> bool {
        request.protocol_type == CONSUMER
            && request.protocols.iter().any(|offered| {
                self.members()
                    .filter_map(|member| member.classic.as_ref())
                    .all(|classic| classic.protocols.iter().any(|protocol| protocol.name == offered.name))
            })
    }

    /// The member that joins, as it is or as a new one; for a static member that comes back, whose place it takes.
    fn classic_member_of(
        &mut self,
        request: &JoinRequest,
        member_id: &str,
    ) -> Result<(ConsumerMember, Option<String>), GroupError> {
        let known = self.member(member_id).cloned();
        let member = || known.unwrap_or_else(|| ConsumerMember::new(member_id.to_owned()));
        let Some(instance) = request.group_instance_id.as_deref() else { return Ok((member(), None)) };
        if !request.member_id.is_empty() {
            return self.find(member_id, Some(instance)).map(|member| (member.clone(), None));
        }
        let Some(old_id) = self.static_member(instance).map(|old| old.member_id.clone()) else {
            return Ok((member(), None));
        };
        let member = self.replace(&old_id, member_id).ok_or(GroupError::UnknownMemberId)?;
        Ok((member, Some(old_id)))
    }
}

fn applied(request: &JoinRequest, subscription: Subscription, mut member: ConsumerMember) -> ConsumerMember {
    if request.group_instance_id.is_some() {
        member.group_instance_id.clone_from(&request.group_instance_id);
    }
    if subscription.rack_id.is_some() {
        member.rack_id = subscription.rack_id;
    }
    if request.rebalance_timeout_ms != -1 {
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    member.subscribed_topics = subscription.topics;
    member.client_id.clone_from(&request.client_id);
    member.client_host.clone_from(&request.client_host);
    member.classic = Some(ClassicPart {
        session_timeout_ms: request.session_timeout_ms,
        protocols: request.protocols.clone(),
    });
    member
}
