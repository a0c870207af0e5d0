//! Rebalances: waiting for members, starting a generation, and giving up on those who do not come.

use crate::coordinator::GroupCoordinator;
use crate::error::GroupError;
use crate::group::GroupState;
use crate::member::Member;
use crate::persistence::Work;
use crate::records::group_change;
use crate::response::{JoinResponse, Response, SyncResponse};
use crate::timers::{TimerAction, TimerKey};

/// How soon a rebalance that nobody has joined is looked at again, in milliseconds, should its members have asked for
/// less.
const MINIMUM_RETRY_MS: i64 = 1_000;

impl GroupCoordinator {
    /// Starts a rebalance, or goes on with the one that is under way.
    pub(crate) fn rebalance(&mut self, group_id: &str, now_ms: i64) {
        if self.groups.get(group_id).is_some_and(|group| group.can_rebalance()) {
            self.prepare_rebalance(group_id, now_ms);
        } else {
            self.maybe_complete_join(group_id, now_ms);
        }
    }

    pub(crate) fn prepare_rebalance(&mut self, group_id: &str, now_ms: i64) {
        if self.groups.get(group_id).is_some_and(|group| group.state == GroupState::CompletingRebalance) {
            self.withdraw_assignments(group_id, GroupError::RebalanceInProgress, now_ms);
        }
        self.timers.cancel(&TimerKey::Sync(group_id.to_owned()));
        let Some(group) = self.groups.get_mut(group_id) else { return };
        group.pending_sync.clear();
        let is_initial = group.state == GroupState::Empty;
        group.transition_to(GroupState::PreparingRebalance, now_ms);
        let timeout_ms = group.rebalance_timeout_ms();
        let join = TimerKey::Join(group_id.to_owned());
        if is_initial {
            let delay_ms = self.config.initial_rebalance_delay_ms.max(0);
            let remaining_ms = (timeout_ms - delay_ms).max(0);
            let action = TimerAction::CompleteInitialJoin { delay_ms, remaining_ms };
            self.timers.set(join, now_ms + delay_ms, action);
        } else if group.has_all_members_joined() {
            self.complete_join(group_id, now_ms);
        } else {
            self.timers.set(join, now_ms + timeout_ms, TimerAction::CompleteJoin);
        }
    }

    /// Completes the rebalance if everyone has joined, unless it is the first one, which waits for its time.
    pub(crate) fn maybe_complete_join(&mut self, group_id: &str, now_ms: i64) {
        let is_complete = self.groups.get(group_id).is_some_and(|group| {
            group.state == GroupState::PreparingRebalance
                && group.previous_state != GroupState::Empty
                && group.has_all_members_joined()
        });
        if is_complete {
            self.complete_join(group_id, now_ms);
        }
    }

    /// The first rebalance waits as long as members keep coming, up to the rebalance timeout.
    pub(crate) fn complete_initial_join(
        &mut self,
        group_id: &str,
        delay_ms: i64,
        remaining_ms: i64,
        now_ms: i64,
    ) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        if !group.new_member_added || remaining_ms == 0 {
            return self.complete_join(group_id, now_ms);
        }
        group.new_member_added = false;
        let next_ms = self.config.initial_rebalance_delay_ms.min(remaining_ms).max(0);
        let remaining_ms = (remaining_ms - delay_ms).max(0);
        let action = TimerAction::CompleteInitialJoin { delay_ms: next_ms, remaining_ms };
        self.timers.set(TimerKey::Join(group_id.to_owned()), now_ms + next_ms, action);
    }

    /// Starts the next generation with those who have joined. Dynamic members who have not are removed; static ones
    /// keep their place until their session ends.
    pub(crate) fn complete_join(&mut self, group_id: &str, now_ms: i64) {
        let join = TimerKey::Join(group_id.to_owned());
        self.timers.cancel(&join);
        let Some(group) = self.groups.get_mut(group_id) else { return };
        if group.state != GroupState::PreparingRebalance {
            return;
        }
        let is_missing =
            |member: &&Member| member.awaiting_join.is_none() && member.group_instance_id.is_none();
        let missing: Vec<String> =
            group.members.values().filter(is_missing).map(|member| member.member_id.clone()).collect();
        for member_id in &missing {
            group.remove(member_id);
        }
        if !group.elect_joined_leader() && !group.members.is_empty() {
            let retry_ms = group.rebalance_timeout_ms().max(MINIMUM_RETRY_MS);
            self.timers.set(join, now_ms + retry_ms, TimerAction::CompleteJoin);
        } else {
            group.start_generation(now_ms);
            if group.state == GroupState::Empty {
                let change = group_change(group_id, group, &std::collections::BTreeMap::new());
                self.persist(vec![change], Work::Note);
            } else {
                self.announce_generation(group_id, now_ms);
            }
        }
        for member_id in &missing {
            self.cancel_session(group_id, member_id);
        }
    }

    fn announce_generation(&mut self, group_id: &str, now_ms: i64) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        let generation_id = group.generation_id;
        let deadline_ms = now_ms + group.rebalance_timeout_ms();
        let member_ids: Vec<String> = group.members.keys().cloned().collect();
        group.pending_sync.extend(member_ids.iter().cloned());
        let mut sessions = Vec::new();
        let mut replies = Vec::new();
        for member_id in member_ids {
            let response = group.join_response(&member_id);
            let Some(member) = group.members.get_mut(&member_id) else { continue };
            member.is_new = false;
            replies.extend(member.awaiting_join.take().map(|token| (token, response)));
            sessions.push((member_id, i64::from(member.session_timeout_ms)));
        }
        for (token, response) in replies {
            self.reply(token, Response::Join(response));
        }
        for (member_id, session_ms) in sessions {
            self.extend_session(group_id, &member_id, session_ms, now_ms);
        }
        let sync = TimerKey::Sync(group_id.to_owned());
        self.timers.set(sync, deadline_ms, TimerAction::ExpireSync { generation_id });
    }

    /// Gives up on members that have joined a generation but never asked for their assignment.
    pub(crate) fn expire_sync(&mut self, group_id: &str, generation_id: i32, now_ms: i64) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        let is_waiting = matches!(group.state, GroupState::CompletingRebalance | GroupState::Stable);
        if group.generation_id != generation_id || !is_waiting || group.pending_sync.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut group.pending_sync) {
            let removed = self.groups.get_mut(group_id).and_then(|group| group.remove(&member_id));
            self.dismiss(group_id, removed);
        }
        self.prepare_rebalance(group_id, now_ms);
    }

    /// Gives up on a member that has not been heard of.
    pub(crate) fn expire_session(&mut self, group_id: &str, member_id: &str, now_ms: i64) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        if group.pending_join.contains(member_id) {
            group.remove(member_id);
            if group.state == GroupState::PreparingRebalance && group.has_all_members_joined() {
                self.complete_join(group_id, now_ms);
            }
            return self.drop_unused(group_id);
        }
        if group.members.get(member_id).is_none_or(Member::is_waiting_for_us) {
            return;
        }
        let removed = group.remove(member_id);
        self.dismiss(group_id, removed);
        self.after_removal(group_id, now_ms);
    }

    /// Goes on after a member was lost: the others rebalance.
    fn after_removal(&mut self, group_id: &str, now_ms: i64) {
        let Some(group) = self.groups.get(group_id) else { return };
        match group.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.rebalance(group_id, now_ms),
            GroupState::PreparingRebalance if group.has_all_members_joined() => {
                self.complete_join(group_id, now_ms)
            }
            _ => {}
        }
    }

    /// Answers what a removed member was still waiting for and stops its timer.
    pub(crate) fn dismiss(&mut self, group_id: &str, removed: Option<Member>) {
        let Some(Member { member_id, awaiting_join, awaiting_sync, .. }) = removed else { return };
        self.cancel_session(group_id, &member_id);
        if let Some(token) = awaiting_join {
            self.reply(token, Response::Join(JoinResponse::refused(GroupError::UnknownMemberId, "")));
        }
        if let Some(token) = awaiting_sync {
            self.reply(token, Response::Sync(SyncResponse::refused(GroupError::UnknownMemberId)));
        }
    }

    /// Takes all assignments back and tells those who wait for theirs why.
    pub(crate) fn withdraw_assignments(&mut self, group_id: &str, error: GroupError, now_ms: i64) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        let mut waiting = Vec::new();
        for member in group.members.values_mut() {
            member.assignment = bytes::Bytes::new();
            let session_ms = i64::from(member.session_timeout_ms);
            waiting.extend(
                member.awaiting_sync.take().map(|token| (token, member.member_id.clone(), session_ms)),
            );
        }
        for (token, member_id, session_ms) in waiting {
            self.reply(token, Response::Sync(SyncResponse::refused(error)));
            self.extend_session(group_id, &member_id, session_ms, now_ms);
        }
    }

    /// Forgets a group that was never more than an id handed out.
    fn drop_unused(&mut self, group_id: &str) {
        let is_unused = self.groups.get(group_id).is_some_and(|group| {
            group.state == GroupState::Empty && group.generation_id == 0 && group.pending_join.is_empty()
        });
        if is_unused && !self.offsets.has_any(group_id) {
            self.groups.remove(group_id);
        }
    }
}
