//! Members that leave, or are made to.

use crate::consumer::group::{ConsumerGroup, Surroundings};
use crate::consumer::member::{ConsumerMember, LEAVING_FOR_A_WHILE};
use crate::consumer::partitions::Partitions;
use crate::consumer::request::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, Refusal};
use crate::coordinator::GroupCoordinator;
use crate::error::GroupError;
use crate::group::Group;
use crate::records::RecordKey;
use crate::timers::TimerKey;

impl GroupCoordinator {
    /// Makes sure that there is a consumer group: an empty group of the classic protocol becomes one.
    pub(crate) fn found_consumer_group(
        &mut self,
        group_id: &str,
        is_joining: bool,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let not_found =
            |what: &str| Refusal::new(GroupError::GroupIdNotFound, format!("group `{group_id}` {what}"));
        if self.consumers.contains_key(group_id) {
            return Ok(());
        }
        let classic = self.groups.get(group_id);
        if !is_joining {
            let what = if classic.is_some() { "is not a consumer group" } else { "does not exist" };
            return Err(not_found(what));
        }
        if classic.is_some_and(|group| !group.members.is_empty()) {
            return self.upgrade(group_id, now_ms);
        }
        self.drop_classic_group(group_id);
        self.consumers.insert(group_id.to_owned(), ConsumerGroup::default());
        Ok(())
    }

    /// Takes a group of the classic protocol away, without its offsets.
    pub(crate) fn drop_classic_group(&mut self, group_id: &str) {
        let Some(group) = self.groups.remove(group_id) else { return };
        for member_id in &group.pending_join {
            self.cancel_session(group_id, member_id);
        }
        self.timers.cancel(&TimerKey::Join(group_id.to_owned()));
        self.timers.cancel(&TimerKey::Sync(group_id.to_owned()));
        self.note_change(group_id, RecordKey::Group(group_id.to_owned()));
    }

    /// An empty consumer group becomes one of the classic protocol.
    pub(crate) fn drop_empty_consumer_group(&mut self, group_id: &str, now_ms: i64) {
        if self.consumers.get(group_id).is_some_and(ConsumerGroup::is_empty) {
            self.note_changes(group_id);
            self.consumers.remove(group_id);
            self.note_change(group_id, RecordKey::ConsumerGroup(group_id.to_owned()));
            self.groups.insert(group_id.to_owned(), Group::new(now_ms));
            self.write_changes(group_id);
        }
    }

    pub(crate) fn leave_consumer_group(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        now_ms: i64,
    ) -> Result<ConsumerHeartbeatResponse, Refusal> {
        let group_id = request.group_id.as_str();
        self.found_consumer_group(group_id, false, now_ms)?;
        let group = self.consumers.get_mut(group_id).ok_or(GroupError::GroupIdNotFound)?;
        let member = group.find(&request.member_id, request.group_instance_id.as_deref())?.clone();
        if request.member_epoch == LEAVING_FOR_A_WHILE {
            // Nobody gets what it has until its session is over; what it had to give up it has.
            let away = ConsumerMember { epoch: LEAVING_FOR_A_WHILE, revoking: Partitions::new(), ..member };
            group.put(away);
        } else {
            self.fence(group_id, &[member.member_id], now_ms);
        }
        Ok(ConsumerHeartbeatResponse {
            refusal: None,
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        })
    }

    /// Removes members; what they held is free. Without the last one of the newer protocol the group is a classic one.
    pub(crate) fn fence(&mut self, group_id: &str, member_ids: &[String], now_ms: i64) {
        if let [member_id] = member_ids
            && self.downgrades_without(group_id, member_id, false)
        {
            return self.downgrade(group_id, member_id, now_ms);
        }
        for member_id in member_ids {
            self.cancel_member_timers(group_id, member_id);
        }
        let default_assignor = self.config.default_assignor();
        let nothing = crate::KnownTopics::default();
        let topics = self.topics.as_ref().unwrap_or(&nothing);
        let surroundings = Surroundings { topics, version: self.topics_version, default_assignor };
        if let Some(group) = self.consumers.get_mut(group_id) {
            group.remove(member_ids, surroundings);
        }
    }

    /// Removes a member that has not been heard of.
    pub(crate) fn expire_consumer(&mut self, group_id: &str, member_id: &str, now_ms: i64) {
        self.fence(group_id, &[member_id.to_owned()], now_ms);
        self.write_changes(group_id);
    }

    /// Removes a member that has not given up in time what it had to.
    pub(crate) fn expire_revocation(&mut self, group_id: &str, member_id: &str, epoch: i32, now_ms: i64) {
        let member = self.consumers.get(group_id).and_then(|group| group.member(member_id));
        if member.is_some_and(|member| member.epoch == epoch) {
            self.expire_consumer(group_id, member_id, now_ms);
        }
    }

    pub(crate) fn cancel_member_timers(&mut self, group_id: &str, member_id: &str) {
        self.cancel_session(group_id, member_id);
        let name = || (group_id.to_owned(), member_id.to_owned());
        let (group, member) = name();
        self.timers.cancel(&TimerKey::Rebalance(group, member));
        let (group, member) = name();
        self.timers.cancel(&TimerKey::MemberJoin(group, member));
        let (group, member) = name();
        self.timers.cancel(&TimerKey::MemberSync(group, member));
    }
}
