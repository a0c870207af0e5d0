//! The state of a consumer group, and what can be said of it without timers or replies.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::TopicId;

use crate::consumer::assignor::{Assignor, Candidate, Problem};
use crate::consumer::member::{ConsumerMember, MemberState};
use crate::consumer::partitions::{self, Partitions};
use crate::consumer::reconcile::Target;
use crate::consumer::topics::{KnownTopic, KnownTopics};
use crate::error::GroupError;

/// The state of a consumer group, with Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsumerGroupState {
    /// No members; perhaps offsets.
    Empty,
    /// The target assignment is older than the group.
    Assigning,
    /// Members are on their way to the target assignment.
    Reconciling,
    /// Every member has what it shall have.
    Stable,
}

impl ConsumerGroupState {
    /// Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// The topics that a pattern was found to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResolvedPatterns {
    pub(crate) topics: BTreeMap<String, BTreeSet<String>>,
    /// When the oldest of them was resolved, in milliseconds since the epoch.
    pub(crate) since_ms: i64,
    /// The version of the topics then.
    pub(crate) version: u64,
}

/// The cluster around a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'coordinator> {
    pub(crate) topics: &'coordinator KnownTopics,
    /// Rises when topics change.
    pub(crate) version: u64,
    /// What is used when no member asks for another.
    pub(crate) default_assignor: Assignor,
}

/// What has changed and is not written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) group: bool,
    pub(crate) members: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ConsumerGroup {
    pub(crate) epoch: i32,
    pub(crate) target_epoch: i32,
    members: BTreeMap<String, ConsumerMember>,
    /// Member ids by group instance id.
    static_members: BTreeMap<String, String>,
    target: BTreeMap<String, Partitions>,
    /// The subscribed topics that exist, as they were when the epoch last rose.
    pub(crate) topics: BTreeMap<String, KnownTopic>,
    /// The version of the cluster's topics that they were compared with.
    pub(crate) topics_version: Option<u64>,
    pub(crate) patterns: ResolvedPatterns,
    /// The session timeout that members were last given, in milliseconds.
    pub(crate) session_timeout_ms: i32,
    /// Who holds each partition, or has yet to give it up.
    holders: BTreeMap<(TopicId, i32), String>,
    changes: Changes,
}

impl ConsumerGroup {
    /// A group as its records have it.
    pub(crate) fn restored(epoch: i32, target_epoch: i32) -> Self {
        Self { epoch, target_epoch, ..Self::default() }
    }

    /// Takes a member over as its record has it.
    pub(crate) fn restore_member(&mut self, member: ConsumerMember, target: Partitions) {
        self.target.insert(member.member_id.clone(), target);
        self.set(member);
        self.changes = Changes::default();
    }

    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &ConsumerMember> {
        self.members.values()
    }

    pub(crate) fn member(&self, member_id: &str) -> Option<&ConsumerMember> {
        self.members.get(member_id)
    }

    pub(crate) fn static_member(&self, instance: &str) -> Option<&ConsumerMember> {
        self.members.get(self.static_members.get(instance)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn target_of(&self, member_id: &str) -> Partitions {
        self.target.get(member_id).cloned().unwrap_or_default()
    }

    pub(crate) fn is_held(&self, topic: TopicId, index: i32) -> bool {
        self.holders.contains_key(&(topic, index))
    }

    pub(crate) fn state(&self) -> ConsumerGroupState {
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.target_epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    /// The assignor that most members ask for, the first by name among equals.
    pub(crate) fn assignor(&self, default: Assignor) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.assignor.as_deref()) {
            *votes.entry(name).or_default() += 1;
        }
        let most = votes.values().max().copied();
        let elected = votes.into_iter().find(|(_, count)| Some(*count) == most);
        elected.and_then(|(name, _)| name.parse().ok()).unwrap_or(default)
    }

    /// Finds a member by its id, a static one by its name, of which it must be the holder.
    pub(crate) fn find(
        &self,
        member_id: &str,
        instance: Option<&str>,
    ) -> Result<&ConsumerMember, GroupError> {
        let Some(instance) = instance else {
            return self.members.get(member_id).ok_or(GroupError::UnknownMemberId);
        };
        let member = self.static_member(instance).ok_or(GroupError::UnknownMemberId)?;
        if member.member_id == member_id { Ok(member) } else { Err(GroupError::FencedInstanceId) }
    }

    /// The names of the topics that a member reads, whether they exist or not.
    fn subscription<'group>(
        &'group self,
        member: &'group ConsumerMember,
    ) -> impl Iterator<Item = &'group str> {
        let matched = self
            .patterns
            .topics
            .get(&member.subscribed_pattern)
            .filter(|_| !member.subscribed_pattern.is_empty());
        member.subscribed_topics.iter().chain(matched.into_iter().flatten()).map(String::as_str)
    }

    /// Whether any member reads the topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.subscription(member).any(|other| other == topic))
    }

    fn subscribed_topics(&self, known: &KnownTopics) -> BTreeMap<String, KnownTopic> {
        let names: BTreeSet<&str> =
            self.members.values().flat_map(|member| self.subscription(member)).collect();
        names.into_iter().filter_map(|name| Some((name.to_owned(), known.get(name)?))).collect()
    }

    /// Puts a member in, in place of what it was.
    fn set(&mut self, member: ConsumerMember) {
        if let Some(old) = self.members.get(&member.member_id).cloned() {
            self.release(&old);
        }
        for (topic, index) in partitions::each(&member.assigned).chain(partitions::each(&member.revoking)) {
            self.holders.insert((topic, index), member.member_id.clone());
        }
        if let Some(instance) = &member.group_instance_id {
            self.static_members.insert(instance.clone(), member.member_id.clone());
        }
        self.changes.members.insert(member.member_id.clone());
        self.members.insert(member.member_id.clone(), member);
    }

    fn release(&mut self, member: &ConsumerMember) {
        for place in partitions::each(&member.assigned).chain(partitions::each(&member.revoking)) {
            if self.holders.get(&place) == Some(&member.member_id) {
                self.holders.remove(&place);
            }
        }
    }

    /// As [`Self::set`], for a change that concerns nobody else.
    pub(crate) fn put(&mut self, member: ConsumerMember) {
        self.set(member);
    }

    /// Takes a member out; what it held is free.
    fn take(&mut self, member_id: &str) -> Option<ConsumerMember> {
        let member = self.members.remove(member_id)?;
        self.release(&member);
        self.target.remove(member_id);
        if let Some(instance) = &member.group_instance_id
            && self.static_members.get(instance) == Some(&member.member_id)
        {
            self.static_members.remove(instance);
        }
        self.changes.members.insert(member_id.to_owned());
        Some(member)
    }

    /// Removes members; the epoch rises when there was one.
    pub(crate) fn remove(&mut self, member_ids: &[String], surroundings: Surroundings<'_>) {
        let mut has_removed = false;
        for member_id in member_ids {
            has_removed |= self.take(member_id).is_some();
        }
        if has_removed {
            self.forget_unused_patterns();
            self.topics = self.subscribed_topics(surroundings.topics);
            self.raise_epoch();
        }
    }

    /// Gives a static member's place to another id; it begins anew with what the old one had.
    pub(crate) fn replace(&mut self, old_id: &str, new_id: &str) -> Option<ConsumerMember> {
        let target = self.target_of(old_id);
        let old = self.take(old_id)?;
        let new = ConsumerMember { member_id: new_id.to_owned(), epoch: 0, previous_epoch: 0, ..old };
        self.target.insert(new_id.to_owned(), target);
        self.set(new.clone());
        Some(new)
    }

    fn raise_epoch(&mut self) {
        // As generations: no group lives long enough, and an overflow must still not go negative.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        self.changes.group = true;
    }

    fn forget_unused_patterns(&mut self) {
        let members = &self.members;
        let before = self.patterns.topics.len();
        self.patterns
            .topics
            .retain(|pattern, _| members.values().any(|member| member.subscribed_pattern == *pattern));
        self.changes.group |= self.patterns.topics.len() != before;
    }

    /// Notes the topics that patterns match; whether that changes what is read.
    pub(crate) fn resolve(
        &mut self,
        resolved: &BTreeMap<String, BTreeSet<String>>,
        version: u64,
        now_ms: i64,
    ) -> bool {
        if resolved.is_empty() {
            return false;
        }
        let has_all = self.patterns.topics.keys().all(|pattern| resolved.contains_key(pattern));
        if has_all {
            (self.patterns.since_ms, self.patterns.version) = (now_ms, version);
        }
        let mut is_news = false;
        for (pattern, topics) in resolved {
            if self.patterns.topics.get(pattern) != Some(topics) {
                self.patterns.topics.insert(pattern.clone(), topics.clone());
                is_news = true;
            }
        }
        self.changes.group |= is_news;
        is_news
    }

    /// Brings a member up to date: its new self, then the group's epoch, the target assignment, and the member's own step
    /// towards it. Returns the member after all that.
    pub(crate) fn advance(
        &mut self,
        member: ConsumerMember,
        has_news: bool,
        owned: Option<&Partitions>,
        surroundings: Surroundings<'_>,
    ) -> ConsumerMember {
        let member_id = member.member_id.clone();
        let known = self.members.get(&member_id);
        let nobody = ConsumerMember::default();
        let before = known.unwrap_or(&nobody);
        let reads_other = before.subscribed_topics != member.subscribed_topics
            || before.subscribed_pattern != member.subscribed_pattern;
        // A new group leaves epoch 0 even when its first member reads nothing.
        let mut is_bumped = has_news || reads_other || self.epoch == 0;
        if known != Some(&member) {
            self.set(member);
        }
        if is_bumped || self.topics_version != Some(surroundings.version) {
            self.forget_unused_patterns();
            let topics = self.subscribed_topics(surroundings.topics);
            is_bumped |= topics != self.topics;
            self.topics = topics;
            self.topics_version = Some(surroundings.version);
        }
        if is_bumped {
            self.raise_epoch();
        }
        if self.epoch > self.target_epoch {
            self.assign(surroundings.default_assignor);
        }
        let Some(member) = self.members.get(&member_id) else { return ConsumerMember::new(member_id) };
        let target_partitions = self.target_of(&member_id);
        let target = Target {
            epoch: self.target_epoch,
            partitions: &target_partitions,
            is_held: |topic, index| self.is_held(topic, index),
        };
        let next = target.step(member, owned);
        if next != *member {
            self.set(next.clone());
        }
        next
    }

    /// Makes the target assignment for the current epoch.
    fn assign(&mut self, default: Assignor) {
        let nothing = Partitions::new();
        let members = self.members.iter().map(|(member_id, member)| {
            let topics =
                self.subscription(member).filter_map(|name| self.topics.get(name)).map(|topic| topic.id);
            let candidate = Candidate {
                group_instance_id: member.group_instance_id.as_deref(),
                topics: topics.collect(),
                previous: self.target.get(member_id).unwrap_or(&nothing),
            };
            (member_id.as_str(), candidate)
        });
        let topics = self.topics.values().map(|topic| (topic.id, topic.partitions)).collect();
        let problem = Problem { members: members.collect(), topics };
        let target = self.assignor(default).assign(&problem);
        for (member_id, partitions) in &target {
            if self.target.get(member_id) != Some(partitions) {
                self.changes.members.insert(member_id.clone());
            }
        }
        self.target = target;
        self.target_epoch = self.epoch;
        self.changes.group = true;
    }

    /// Takes over a member of the group of the classic protocol that this one was.
    pub(crate) fn adopt(&mut self, member: ConsumerMember, target: Partitions) {
        self.changes.group = true;
        self.target.insert(member.member_id.clone(), target);
        self.set(member);
    }

    /// Whether the member lacks partitions that others still hold.
    pub(crate) fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        member.state == MemberState::Waiting
            && partitions::each(&self.target_of(&member.member_id)).any(|(topic, index)| {
                !partitions::contains(&member.assigned, topic, index) && self.is_held(topic, index)
            })
    }
}
