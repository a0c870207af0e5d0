//! The coordinator of all groups: takes commands in, gives effects out.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::CoordinatorConfig;
use crate::consumer::group::ConsumerGroup;
use crate::consumer::member::{ConsumerMember, MemberState};
use crate::consumer::partitions::Partitions;
use crate::consumer::records::{decode_consumer_group, decode_consumer_member};
use crate::consumer::topics::KnownTopics;
use crate::consumer::unwritten::Unwritten;
use crate::effect::{Effect, PersistId, ReplyToken};
use crate::error::RestoreError;
use crate::group::Group;
use crate::offsets::Offsets;
use crate::persistence::InFlight;
use crate::records::{RecordKey, decode_group, decode_offset};
use crate::request::Command;
use crate::response::Response;
use crate::timers::{TimerAction, TimerKey, Timers};

/// Every group with its members, offsets and deadlines.
///
/// Effects must be carried out in the order in which they are returned; replies to requests that no longer have a
/// connection are simply dropped.
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(crate) config: CoordinatorConfig,
    /// Groups of the classic protocol; a name is in one of the two at most.
    pub(crate) groups: BTreeMap<String, Group>,
    /// Groups of the newer protocol.
    pub(crate) consumers: BTreeMap<String, ConsumerGroup>,
    /// What consumer groups have yet to write.
    pub(crate) unwritten: BTreeMap<String, Unwritten>,
    /// The cluster's topics; `None` until the coordinator has been told.
    pub(crate) topics: Option<KnownTopics>,
    /// Rises when topics change.
    pub(crate) topics_version: u64,
    pub(crate) offsets: Offsets,
    pub(crate) timers: Timers,
    pub(crate) effects: Vec<Effect>,
    pub(crate) in_flight: BTreeMap<PersistId, InFlight>,
    pub(crate) last_persist: u64,
}

impl GroupCoordinator {
    /// A coordinator without groups.
    pub fn new(config: CoordinatorConfig, now_ms: i64) -> Self {
        let mut coordinator = Self {
            config,
            groups: BTreeMap::new(),
            consumers: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            topics: None,
            topics_version: 0,
            offsets: Offsets::default(),
            timers: Timers::default(),
            effects: Vec::new(),
            in_flight: BTreeMap::new(),
            last_persist: 0,
        };
        coordinator.schedule_offset_expiry(now_ms);
        coordinator
    }

    /// A coordinator with what its [`Effect::Persist`]s have left in storage. Members get a full session timeout to be
    /// heard of again.
    ///
    /// # Errors
    /// A record that cannot be understood.
    pub fn restore<K: AsRef<str>, V: AsRef<[u8]>>(
        config: CoordinatorConfig,
        records: impl IntoIterator<Item = (K, V)>,
        now_ms: i64,
    ) -> Result<Self, RestoreError> {
        let mut coordinator = Self::new(config, now_ms);
        let (mut with_offsets, mut members) = (BTreeSet::new(), Vec::new());
        for (key, value) in records {
            let (key, value) = (key.as_ref(), value.as_ref());
            match RecordKey::decode(key)? {
                RecordKey::Group(group_id) => {
                    let group = decode_group(key, value)?;
                    for member in group.members.values() {
                        let session = TimerKey::Session(group_id.clone(), member.member_id.clone());
                        let deadline_ms = now_ms + i64::from(member.session_timeout_ms);
                        coordinator.timers.set(session, deadline_ms, TimerAction::ExpireSession);
                    }
                    coordinator.groups.insert(group_id, group);
                }
                RecordKey::Offset(group_id, topic, partition) => {
                    coordinator.offsets.set(&group_id, &topic, partition, decode_offset(key, value)?);
                    with_offsets.insert(group_id);
                }
                RecordKey::ConsumerGroup(group_id) => {
                    coordinator.consumers.insert(group_id, decode_consumer_group(key, value)?);
                }
                RecordKey::ConsumerMember(group_id, member_id) => {
                    members.push((group_id, decode_consumer_member(key, member_id, value)?));
                }
            }
        }
        for (group_id, (member, target)) in members {
            coordinator.restore_consumer(&group_id, member, target, now_ms);
        }
        for group_id in with_offsets {
            coordinator.ensure_group(&group_id, now_ms);
        }
        Ok(coordinator)
    }

    fn restore_consumer(&mut self, group_id: &str, member: ConsumerMember, target: Partitions, now_ms: i64) {
        let group = self.consumers.entry(group_id.to_owned()).or_default();
        if group.session_timeout_ms == 0 {
            group.session_timeout_ms = self.config.consumer_session_timeout_ms;
        }
        let classic_ms = member.classic.as_ref().map(|classic| classic.session_timeout_ms);
        let session_ms = i64::from(classic_ms.unwrap_or(group.session_timeout_ms));
        let (member_id, epoch) = (member.member_id.clone(), member.epoch);
        let is_revoking = member.state == MemberState::Revoking && member.classic.is_none();
        let deadline_ms = now_ms + i64::from(member.rebalance_timeout_ms.max(0));
        group.restore_member(member, target);
        self.extend_session(group_id, &member_id, session_ms, now_ms);
        if is_revoking {
            let key = TimerKey::Rebalance(group_id.to_owned(), member_id);
            self.timers.set(key, deadline_ms, TimerAction::ExpireRevocation { epoch });
        }
    }

    /// Tells the coordinator of the cluster's topics. It must know of them before members of consumer groups are answered.
    pub fn set_topics(&mut self, topics: KnownTopics) {
        if self.topics.as_ref() != Some(&topics) {
            self.topics = Some(topics);
            self.topics_version += 1;
        }
    }

    /// Whether there are groups to which topics matter.
    pub fn has_consumer_groups(&self) -> bool {
        !self.consumers.is_empty()
    }

    /// Makes sure that there is a group for offsets that nobody joined for.
    pub(crate) fn ensure_group(&mut self, group_id: &str, now_ms: i64) {
        if !self.consumers.contains_key(group_id) {
            self.groups.entry(group_id.to_owned()).or_insert_with(|| Group::new(now_ms));
        }
    }

    /// The group that a record under `key` belongs to: who coordinates some groups only restores only their records.
    ///
    /// # Errors
    /// A key that cannot be understood.
    pub fn group_of(key: &str) -> Result<String, RestoreError> {
        match RecordKey::decode(key)? {
            RecordKey::Group(group_id)
            | RecordKey::ConsumerGroup(group_id)
            | RecordKey::ConsumerMember(group_id, _)
            | RecordKey::Offset(group_id, _, _) => Ok(group_id),
        }
    }

    /// Carries a command out. The reply, named by `token`, may be among the effects or come later.
    pub fn handle(&mut self, token: ReplyToken, command: Command, now_ms: i64) -> Vec<Effect> {
        match command {
            Command::Join(request) => self.join(token, request, now_ms),
            Command::Sync(request) => self.sync(token, request, now_ms),
            Command::Heartbeat(request) => self.heartbeat(token, &request, now_ms),
            Command::ConsumerHeartbeat(request) => self.consumer_heartbeat(token, &request, now_ms),
            Command::Leave(request) => self.leave(token, request, now_ms),
            Command::CommitOffsets(request) => self.commit_offsets(token, request, now_ms),
            Command::DeleteGroups(groups) => self.delete_groups(token, groups),
            Command::DeleteOffsets(request) => self.delete_offsets(token, request),
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`poll_timeouts`](Self::poll_timeouts) is next due, in milliseconds since the epoch.
    pub fn next_timeout_ms(&self) -> Option<i64> {
        self.timers.next_deadline_ms()
    }

    /// Does what has become due: rebalances that end, members that have not been heard of, offsets that are too old.
    pub fn poll_timeouts(&mut self, now_ms: i64) -> Vec<Effect> {
        // What an action schedules anew is left for the next call, so that this one ends.
        for _ in 0..self.timers.len() {
            let Some((key, action)) = self.timers.pop_due(now_ms) else { break };
            match (key, action) {
                (TimerKey::Join(group), TimerAction::CompleteInitialJoin { delay_ms, remaining_ms }) => {
                    self.complete_initial_join(&group, delay_ms, remaining_ms, now_ms);
                }
                (TimerKey::Join(group), _) => self.complete_join(&group, now_ms),
                (TimerKey::Sync(group), TimerAction::ExpireSync { generation_id }) => {
                    self.expire_sync(&group, generation_id, now_ms);
                }
                (TimerKey::Session(group, member), _) if self.consumers.contains_key(&group) => {
                    self.expire_consumer(&group, &member, now_ms);
                }
                (TimerKey::Session(group, member), _) => self.expire_session(&group, &member, now_ms),
                (TimerKey::Rebalance(group, member), TimerAction::ExpireRevocation { epoch }) => {
                    self.expire_revocation(&group, &member, epoch, now_ms);
                }
                (TimerKey::MemberJoin(group, member) | TimerKey::MemberSync(group, member), _) => {
                    self.expire_consumer(&group, &member, now_ms);
                }
                (TimerKey::OffsetExpiry, _) => self.expire_offsets(now_ms),
                (TimerKey::Sync(_) | TimerKey::Rebalance(..), _) => {}
            }
        }
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(Effect::Reply { token, response });
    }

    /// Gives a member another session timeout, or another span, from now.
    pub(crate) fn extend_session(&mut self, group_id: &str, member_id: &str, span_ms: i64, now_ms: i64) {
        let session = TimerKey::Session(group_id.to_owned(), member_id.to_owned());
        self.timers.set(session, now_ms + span_ms, TimerAction::ExpireSession);
    }

    pub(crate) fn cancel_session(&mut self, group_id: &str, member_id: &str) {
        self.timers.cancel(&TimerKey::Session(group_id.to_owned(), member_id.to_owned()));
    }

    pub(crate) fn schedule_offset_expiry(&mut self, now_ms: i64) {
        let deadline_ms = now_ms + self.config.offsets_retention_check_interval_ms.max(1);
        self.timers.set(TimerKey::OffsetExpiry, deadline_ms, TimerAction::ExpireOffsets);
    }
}
