//! Groups with members that change their protocol (KIP-848, "Online migration"): a classic group becomes a consumer group with the first
//! member of the newer protocol, and a classic group again once all members speak the classic one.

use crate::consumer::embedded::{Subscription, read_assignment, write_assignment};
use crate::consumer::group::ConsumerGroup;
use crate::consumer::member::{ClassicPart, ConsumerMember};
use crate::consumer::request::Refusal;
use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::group::{Group, GroupState};
use crate::member::Member;
use crate::records::RecordKey;
use crate::request::JoinRequest;
use crate::response::{JoinResponse, Response, SyncResponse};
use crate::subscription::CONSUMER;

impl GroupCoordinator {
    /// Makes a consumer group of a classic one with members, which are asked to join again.
    pub(crate) fn upgrade(&mut self, group_id: &str, now_ms: i64) -> Result<(), Refusal> {
        let refuse = |why: &str| {
            Err(Refusal::new(
                GroupError::GroupIdNotFound,
                format!("group `{group_id}` is a classic group, {why}"),
            ))
        };
        let Some(classic) = self.groups.get(group_id) else { return Ok(()) };
        if !self.config.migration.upgrades {
            return refuse("and `group.consumer.migration.policy` does not let it become another");
        }
        if !classic.uses_consumer_protocol() {
            return refuse("and not one of consumers");
        }
        if classic.members.len() >= self.config.consumer_maximum_size {
            return refuse("and has too many members for a consumer group");
        }
        let Some(topics) = self.topics.as_ref() else {
            return Err(GroupError::CoordinatorNotAvailable.into());
        };
        let protocol = classic.protocol_name.as_deref();
        let mut group = ConsumerGroup::restored(classic.generation_id, classic.generation_id);
        for member in classic.members.values() {
            let first = member.protocols.first().map(|first| first.metadata.clone()).unwrap_or_default();
            let metadata = if protocol.is_some() { member.metadata(protocol) } else { first };
            let read = Subscription::read(&metadata).zip(read_assignment(&member.assignment, topics));
            let Some((subscription, assigned)) = read else {
                return refuse("and its members' subscriptions cannot be read");
            };
            let consumer = ConsumerMember {
                group_instance_id: member.group_instance_id.clone(),
                rack_id: subscription.rack_id,
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                subscribed_topics: subscription.topics,
                epoch: classic.generation_id,
                previous_epoch: classic.generation_id,
                assigned: assigned.clone(),
                classic: Some(ClassicPart {
                    session_timeout_ms: member.session_timeout_ms,
                    protocols: member.protocols.clone(),
                }),
                ..ConsumerMember::new(member.member_id.clone())
            };
            group.adopt(consumer, assigned);
        }
        let mut waiting = Vec::new();
        for member in classic.members.values() {
            let session_ms = i64::from(member.session_timeout_ms);
            waiting.push((member.member_id.clone(), session_ms, member.awaiting_join, member.awaiting_sync));
        }
        self.drop_classic_group(group_id);
        self.consumers.insert(group_id.to_owned(), group);
        for (member_id, session_ms, awaiting_join, awaiting_sync) in waiting {
            self.extend_session(group_id, &member_id, session_ms, now_ms);
            if let Some(token) = awaiting_join {
                let response = JoinResponse::refused(GroupError::RebalanceInProgress, &member_id);
                self.reply(token, Response::Join(response));
            }
            if let Some(token) = awaiting_sync {
                self.reply(token, Response::Sync(SyncResponse::refused(GroupError::RebalanceInProgress)));
            }
        }
        Ok(())
    }

    /// Whether a consumer group shall be a classic one once a member of the newer protocol is gone, or replaced by a classic one.
    pub(crate) fn downgrades_without(&self, group_id: &str, member_id: &str, is_replaced: bool) -> bool {
        let Some(group) = self.consumers.get(group_id) else { return false };
        let is_last =
            group.members().all(|member| member.classic.is_some() != (member.member_id == member_id));
        let remaining = group.len().saturating_sub(usize::from(!is_replaced));
        self.config.migration.downgrades
            && is_last
            && group.member(member_id).is_some()
            && (1..=self.config.maximum_size).contains(&remaining)
    }

    /// Whether the member that joins takes the place of the last one of the newer protocol.
    pub(crate) fn downgrades_for(&self, request: &JoinRequest) -> bool {
        let group = self.consumers.get(&request.group_id).filter(|_| request.member_id.is_empty());
        let instance = request.group_instance_id.as_deref();
        let replaced = group.and_then(|group| group.static_member(instance?));
        replaced.is_some_and(|old| self.downgrades_without(&request.group_id, &old.member_id, true))
    }

    /// Makes the group a classic one, and lets the member join that.
    pub(crate) fn join_downgraded(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        let group = self.consumers.get(&request.group_id);
        let instance = request.group_instance_id.as_deref();
        let replaced = group.and_then(|group| Some(group.static_member(instance?)?.member_id.clone()));
        if let Some(replaced) = replaced {
            self.downgrade(&request.group_id, &replaced, now_ms);
        }
        // As a new member of the classic group, which waits for its members anyway.
        self.join(token, request, now_ms);
    }

    /// Makes a classic group of a consumer group whose members speak the classic protocol, all but the one who is gone.
    pub(crate) fn downgrade(&mut self, group_id: &str, gone: &str, now_ms: i64) {
        self.note_changes(group_id);
        let Some(consumers) = self.consumers.remove(group_id) else { return };
        let nothing = crate::KnownTopics::default();
        let topics = self.topics.as_ref().unwrap_or(&nothing);
        let mut group = Group::new(now_ms);
        group.generation_id = consumers.epoch;
        let mut member_ids = Vec::new();
        for member in consumers.members() {
            member_ids.push(member.member_id.clone());
            let Some(classic) = member.classic.as_ref().filter(|_| member.member_id != gone) else {
                continue;
            };
            let first = classic.protocols.first();
            let version =
                first.and_then(|first| Subscription::read(&first.metadata)).map_or(0, |read| read.version);
            let classic = Member {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                session_timeout_ms: classic.session_timeout_ms,
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                protocols: classic.protocols.clone(),
                assignment: write_assignment(version, &member.assigned, topics),
                is_new: false,
                awaiting_join: None,
                awaiting_sync: None,
            };
            group.add(classic, CONSUMER.to_owned());
        }
        group.protocol_type = Some(CONSUMER.to_owned());
        group.protocol_name = group.select_protocol();
        group.subscribed_topics = group.compute_subscribed_topics();
        let is_empty = group.members.is_empty();
        if !is_empty {
            group.transition_to(GroupState::Stable, now_ms);
        }
        let sessions: Vec<(String, i64)> = group
            .members
            .values()
            .map(|member| (member.member_id.clone(), i64::from(member.session_timeout_ms)))
            .collect();
        self.groups.insert(group_id.to_owned(), group);
        self.note_change(group_id, RecordKey::ConsumerGroup(group_id.to_owned()));
        self.note_change(group_id, RecordKey::Group(group_id.to_owned()));
        for member_id in member_ids {
            self.cancel_member_timers(group_id, &member_id);
            self.note_change(group_id, RecordKey::ConsumerMember(group_id.to_owned(), member_id));
        }
        for (member_id, session_ms) in sessions {
            self.extend_session(group_id, &member_id, session_ms, now_ms);
        }
        self.write_changes(group_id);
        if !is_empty {
            self.prepare_rebalance(group_id, now_ms);
        }
    }
}
