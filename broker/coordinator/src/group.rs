//! The state of one group, and what can be said of it without time, timers or replies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::error::GroupError;
use crate::member::Member;
use crate::request::GroupProtocol;
use crate::response::{JoinResponse, JoinedMember};
use crate::subscription::{self, CONSUMER};

/// The state of a group, with Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members are joining.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Everyone has an assignment.
    Stable,
    /// No such group.
    Dead,
}

impl GroupState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Empty, Self::PreparingRebalance, Self::CompletingRebalance, Self::Stable, Self::Dead];

    /// Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// A name that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a group state")]
pub struct GroupStateError(String);

impl FromStr for GroupState {
    type Err = GroupStateError;

    /// Reads a name without regard to case or surrounding blanks, as the filter of ListGroups does.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| GroupStateError(text.to_owned()))
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) state: GroupState,
    pub(crate) previous_state: GroupState,
    pub(crate) state_since_ms: i64,
    pub(crate) generation_id: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Member ids by group instance id.
    pub(crate) static_members: BTreeMap<String, String>,
    /// Ids handed out but not yet used.
    pub(crate) pending_join: BTreeSet<String>,
    /// Members of the generation that have not synced.
    pub(crate) pending_sync: BTreeSet<String>,
    /// Whether someone came during the first rebalance, which then waits a little more.
    pub(crate) new_member_added: bool,
    /// The topics that the members read; `None` when that is not known.
    pub(crate) subscribed_topics: Option<BTreeSet<String>>,
}

impl Group {
    pub(crate) fn new(now_ms: i64) -> Self {
        Self {
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_since_ms: now_ms,
            generation_id: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            new_member_added: false,
            subscribed_topics: None,
        }
    }

    pub(crate) fn transition_to(&mut self, state: GroupState, now_ms: i64) {
        self.previous_state = self.state;
        self.state = state;
        self.state_since_ms = now_ms;
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(crate) fn can_rebalance(&self) -> bool {
        matches!(self.state, GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable)
    }

    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// How many members are waiting for the answer to a join.
    pub(crate) fn awaiting_join(&self) -> usize {
        self.members.values().filter(|member| member.awaiting_join.is_some()).count()
    }

    pub(crate) fn has_all_members_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    /// The longest rebalance timeout among the members, in milliseconds.
    pub(crate) fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0).max(0)
    }

    /// Whether a member with these protocols fits: into an empty group if it has any, otherwise if the type is the
    /// same and all members support one of them.
    pub(crate) fn supports(&self, protocol_type: &str, protocols: &[GroupProtocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|protocol| self.members.values().all(|member| member.supports(&protocol.name)))
    }

    /// The protocol that all members support and most prefer; the first by name among equals.
    pub(crate) fn select_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        let is_candidate = |name: &str| self.members.values().all(|member| member.supports(name));
        for member in self.members.values() {
            let vote = member
                .protocols
                .iter()
                .map(|protocol| protocol.name.as_str())
                .find(|name| is_candidate(name))?;
            *votes.entry(vote).or_default() += 1;
        }
        let most = *votes.values().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    /// Adds a member; the first one leads.
    pub(crate) fn add(&mut self, member: Member, protocol_type: String) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type);
        }
        if let Some(instance) = &member.group_instance_id {
            self.static_members.insert(instance.clone(), member.member_id.clone());
        }
        self.leader.get_or_insert_with(|| member.member_id.clone());
        self.pending_join.remove(&member.member_id);
        self.members.insert(member.member_id.clone(), member);
    }

    /// Removes a member, pending or not; another one leads if it led.
    pub(crate) fn remove(&mut self, member_id: &str) -> Option<Member> {
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        let removed = self.members.remove(member_id);
        if let Some(instance) = removed.as_ref().and_then(|member| member.group_instance_id.as_ref()) {
            self.static_members.remove(instance);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        removed
    }

    /// Gives a static member a new id, keeping everything else, and returns what it was.
    pub(crate) fn replace_static(&mut self, instance: &str, old_id: &str, new_id: &str) -> Option<Member> {
        let old = self.members.remove(old_id)?;
        let new = Member {
            member_id: new_id.to_owned(),
            is_new: false,
            awaiting_join: None,
            awaiting_sync: None,
            ..old.clone()
        };
        self.members.insert(new_id.to_owned(), new);
        self.static_members.insert(instance.to_owned(), new_id.to_owned());
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        Some(old)
    }

    /// Makes sure that the leader has joined, electing another if it has not; false when nobody has joined.
    pub(crate) fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |member: &Member| member.awaiting_join.is_some();
        match self.leader.as_ref().and_then(|leader| self.members.get(leader)) {
            None => false,
            Some(leader) if has_joined(leader) => true,
            Some(_) => {
                let joined = self.members.values().find(|member| has_joined(member));
                let elected = joined.map(|member| member.member_id.clone());
                let is_elected = elected.is_some();
                self.leader = elected.or(self.leader.take());
                is_elected
            }
        }
    }

    /// Starts the next generation with the members there are.
    pub(crate) fn start_generation(&mut self, now_ms: i64) {
        // Kafka's generations are 32 bits wide and no group lives long enough; an overflow must still not go negative.
        self.generation_id = self.generation_id.checked_add(1).unwrap_or(1);
        self.pending_sync.clear();
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        let next = if self.members.is_empty() { GroupState::Empty } else { GroupState::CompletingRebalance };
        self.transition_to(next, now_ms);
    }

    pub(crate) fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let protocol = self.protocol_name.as_deref();
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscription::topics(&member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// Whether offsets of the topic are in use; a consumer group of unknown subscription uses all.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Checks that a request comes from a current member, and for a static one from its current holder.
    pub(crate) fn validate_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(holder) if holder != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// The members as the leader must see them.
    pub(crate) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref();
        let members = self.members.values();
        members
            .map(|member| JoinedMember {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                metadata: member.metadata(protocol),
            })
            .collect()
    }

    /// The answer to a member that is in the current generation.
    pub(crate) fn join_response(&self, member_id: &str) -> JoinResponse {
        JoinResponse {
            error: None,
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: if self.is_leader(member_id) { self.joined_members() } else { Vec::new() },
        }
    }
}
