//! ConsumerGroupHeartbeat: members that come, stay and change their minds.

use crate::consumer::group::{ConsumerGroup, Surroundings};
use crate::consumer::member::{ConsumerMember, LEAVING, LEAVING_FOR_A_WHILE, MemberState};
use crate::consumer::partitions::{self, Partitions};
use crate::consumer::pattern::TopicPattern;
use crate::consumer::request::{ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, Refusal};
use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::response::Response;
use crate::timers::{TimerAction, TimerKey};

/// How long patterns stay as they were resolved although topics have changed, in milliseconds.
const MINIMUM_PATTERN_AGE_MS: i64 = 10_000;

impl GroupCoordinator {
    pub(crate) fn consumer_heartbeat(
        &mut self,
        token: ReplyToken,
        request: &ConsumerHeartbeatRequest,
        now_ms: i64,
    ) {
        match self.try_consumer_heartbeat(request, now_ms) {
            Ok(response) => {
                let response = Response::ConsumerHeartbeat(response);
                self.answer_once_written(&request.group_id, token, response);
            }
            Err(refusal) => {
                self.reply(token, Response::ConsumerHeartbeat(ConsumerHeartbeatResponse::refused(refusal)));
                self.write_changes(&request.group_id);
            }
        }
    }

    fn try_consumer_heartbeat(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        now_ms: i64,
    ) -> Result<ConsumerHeartbeatResponse, Refusal> {
        request.check()?;
        self.check_assignor(request.assignor.as_deref())?;
        if self.topics.is_none() {
            return Err(GroupError::CoordinatorNotAvailable.into());
        }
        if matches!(request.member_epoch, LEAVING | LEAVING_FOR_A_WHILE) {
            return self.leave_consumer_group(request, now_ms);
        }
        if let Some(pattern) = request.subscribed_pattern.as_deref().filter(|pattern| !pattern.is_empty()) {
            TopicPattern::new(pattern)
                .map_err(|error| Refusal::new(GroupError::InvalidRegularExpression, error.to_string()))?;
        }
        self.found_consumer_group(&request.group_id, request.member_epoch == 0, now_ms)?;
        self.beat(request, now_ms)
    }

    fn check_assignor(&self, wanted: Option<&str>) -> Result<(), Refusal> {
        let Some(wanted) = wanted else { return Ok(()) };
        let names: Vec<&str> = self.config.assignors.iter().map(|assignor| assignor.as_str()).collect();
        if names.contains(&wanted) {
            return Ok(());
        }
        let names = names.join(", ");
        let message = format!("assignor `{wanted}` is not supported; supported are: {names}");
        Err(Refusal::new(GroupError::UnsupportedAssignor, message))
    }

    /// The patterns whose topics the next heartbeat must bring: the member's own if it is new, and all of the group once topics have
    /// changed or time has passed, since what a client may know of changes as well.
    pub fn patterns_to_resolve(&self, group_id: &str, pattern: Option<&str>, now_ms: i64) -> Vec<String> {
        let group = self.consumers.get(group_id);
        let known = group.map(|group| &group.patterns);
        let mut wanted: Vec<String> = Vec::new();
        if let Some(known) = known {
            let age_ms = now_ms.saturating_sub(known.since_ms);
            let is_stale = known.version != self.topics_version && age_ms >= MINIMUM_PATTERN_AGE_MS
                || age_ms >= self.config.pattern_refresh_interval_ms;
            wanted.extend(known.topics.keys().filter(|_| is_stale).cloned());
        }
        let own = pattern.filter(|own| !own.is_empty());
        wanted.extend(
            own.filter(|own| !known.is_some_and(|known| known.topics.contains_key(*own))).map(str::to_owned),
        );
        wanted
    }

    fn beat(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        now_ms: i64,
    ) -> Result<ConsumerHeartbeatResponse, Refusal> {
        let group_id = request.group_id.as_str();
        let (maximum_size, version) = (self.config.consumer_maximum_size, self.topics_version);
        let default_assignor = self.config.default_assignor();
        let group = self.consumers.get_mut(group_id).ok_or(GroupError::GroupIdNotFound)?;
        let member_id =
            if request.member_id.is_empty() { request.unique.clone() } else { request.member_id.clone() };
        if group.len() >= maximum_size && group.member(&member_id).is_none() {
            let message = format!("the group has reached its maximum size of {maximum_size} members");
            return Err(Refusal::new(GroupError::GroupMaxSizeReached, message));
        }
        let (member, replaced) = group.member_of(request, &member_id)?;
        let member = request.applied_to(member);
        if group.session_timeout_ms != request.session_timeout_ms {
            group.session_timeout_ms = request.session_timeout_ms;
        }
        let Some(topics) = self.topics.as_ref() else {
            return Err(GroupError::CoordinatorNotAvailable.into());
        };
        let surroundings = Surroundings { topics, version, default_assignor };
        let has_news = group.resolve(&request.resolved_patterns, version, now_ms);
        let next = group.advance(member.clone(), has_news, request.owned.as_ref(), surroundings);
        if let Some(replaced) = replaced.filter(|replaced| *replaced != member_id) {
            self.cancel_member_timers(group_id, &replaced);
        }
        self.schedule_rebalance_timeout(group_id, &member, &next, now_ms);
        self.extend_session(group_id, &member_id, i64::from(request.session_timeout_ms), now_ms);
        let is_told = request.is_full() || next.assigned != member.assigned;
        Ok(ConsumerHeartbeatResponse {
            refusal: None,
            member_id: Some(member_id),
            member_epoch: next.epoch,
            heartbeat_interval_ms: request.heartbeat_interval_ms,
            assignment: is_told.then_some(next.assigned),
        })
    }

    /// Bounds how long a member may take to give partitions up.
    fn schedule_rebalance_timeout(
        &mut self,
        group_id: &str,
        before: &ConsumerMember,
        after: &ConsumerMember,
        now_ms: i64,
    ) {
        if before == after {
            return;
        }
        let key = TimerKey::Rebalance(group_id.to_owned(), after.member_id.clone());
        if after.state == MemberState::Revoking {
            let deadline_ms = now_ms + i64::from(after.rebalance_timeout_ms.max(0));
            self.timers.set(key, deadline_ms, TimerAction::ExpireRevocation { epoch: after.epoch });
        } else {
            self.timers.cancel(&key);
        }
    }
}

impl ConsumerGroup {
    /// The member that a request comes from, as it is or as a new one; for a static member that comes back, whose place it takes.
    fn member_of(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        member_id: &str,
    ) -> Result<(ConsumerMember, Option<String>), Refusal> {
        let is_joining = request.member_epoch == 0;
        let Some(instance) = request.group_instance_id.as_deref() else {
            return match self.member(member_id) {
                Some(member) => {
                    request.check_epoch(member)?;
                    Ok((member.clone(), None))
                }
                None if is_joining => Ok((ConsumerMember::new(member_id.to_owned()), None)),
                None => Err(unknown(member_id)),
            };
        };
        if !is_joining {
            let member = self.find(member_id, Some(instance)).map_err(|error| match error {
                GroupError::UnknownMemberId => unknown(instance),
                error => {
                    Refusal::new(error, format!("another member has taken the instance id `{instance}` over"))
                }
            })?;
            request.check_epoch(member)?;
            return Ok((member.clone(), None));
        }
        let Some(old) = self.static_member(instance) else {
            let known = self.member(member_id).cloned();
            return Ok((known.unwrap_or_else(|| ConsumerMember::new(member_id.to_owned())), None));
        };
        if old.classic.is_none() && old.epoch != LEAVING_FOR_A_WHILE {
            let message =
                format!("the instance id `{instance}` is still in use by member `{}`", old.member_id);
            return Err(Refusal::new(GroupError::UnreleasedInstanceId, message));
        }
        let old_id = old.member_id.clone();
        let member = self.replace(&old_id, member_id).ok_or_else(|| unknown(instance))?;
        Ok((member, Some(old_id)))
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(GroupError::UnknownMemberId, format!("`{name}` is not a member of the group"))
}

impl ConsumerHeartbeatRequest {
    /// What can be wrong with a request whatever the group.
    fn check(&self) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::new(GroupError::InvalidRequest, message));
        let is_blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
        let must_name_itself = self.requires_member_id || self.member_epoch != 0;
        if must_name_itself && self.member_id.trim().is_empty() {
            return refuse("member id must not be empty");
        }
        if is_blank(Some(&self.group_id)) {
            return refuse("group id must not be empty");
        }
        if is_blank(self.group_instance_id.as_deref()) {
            return refuse("instance id must not be empty");
        }
        if is_blank(self.rack_id.as_deref()) {
            return refuse("rack id must not be empty");
        }
        match self.member_epoch {
            0 if self.rebalance_timeout_ms.is_none() => {
                refuse("rebalance timeout must be given by a member that joins")
            }
            0 if !self.owned.as_ref().is_some_and(Partitions::is_empty) => {
                refuse("a member that joins must hold no partitions")
            }
            0 if self.subscribed_topics.is_none() && self.subscribed_pattern.is_none() => {
                refuse("a member that joins must subscribe by names or by a regular expression")
            }
            LEAVING_FOR_A_WHILE if self.group_instance_id.is_none() => {
                refuse("instance id must be given by a static member that leaves for a while")
            }
            ..LEAVING_FOR_A_WHILE => refuse("member epoch is invalid"),
            _ => Ok(()),
        }
    }

    /// Whether it says everything, as after an error: then the answer does as well.
    fn is_full(&self) -> bool {
        let says_all = self.rebalance_timeout_ms.is_some()
            && (self.subscribed_topics.is_some() || self.subscribed_pattern.is_some())
            && self.owned.is_some();
        self.member_epoch == 0 || says_all
    }

    /// A member is at the epoch that it was last told, or at the one before if that answer was lost.
    fn check_epoch(&self, member: &ConsumerMember) -> Result<(), Refusal> {
        let holds_no_more =
            self.owned.as_ref().is_some_and(|owned| partitions::is_subset(owned, &member.assigned));
        let is_behind_by_an_answer =
            self.member_epoch < member.epoch && self.member_epoch == member.previous_epoch && holds_no_more;
        if self.member_epoch == member.epoch || is_behind_by_an_answer {
            return Ok(());
        }
        let message = format!(
            "the member's epoch is {}, not {}; it must give up all its partitions and join again",
            member.epoch, self.member_epoch
        );
        Err(Refusal::new(GroupError::FencedMemberEpoch, message))
    }

    fn applied_to(&self, mut member: ConsumerMember) -> ConsumerMember {
        if self.group_instance_id.is_some() {
            member.group_instance_id.clone_from(&self.group_instance_id);
        }
        if self.rack_id.is_some() {
            member.rack_id.clone_from(&self.rack_id);
        }
        if let Some(rebalance_timeout_ms) = self.rebalance_timeout_ms {
            member.rebalance_timeout_ms = rebalance_timeout_ms;
        }
        if let Some(topics) = &self.subscribed_topics {
            member.subscribed_topics.clone_from(topics);
        }
        if let Some(pattern) = &self.subscribed_pattern {
            member.subscribed_pattern.clone_from(pattern);
        }
        if self.assignor.is_some() {
            member.assignor.clone_from(&self.assignor);
        }
        member.client_id.clone_from(&self.client_id);
        member.client_host.clone_from(&self.client_host);
        member.classic = None;
        member
    }
}
