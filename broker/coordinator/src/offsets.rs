//! Committed offsets: commit, read, delete and expire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::group::{Group, GroupState};
use crate::persistence::Work;
use crate::records::{RecordKey, deletions, offset_change};
use crate::request::{OffsetCommitRequest, OffsetDeleteRequest};
use crate::response::{OffsetCommitResponse, OffsetDeleteResponse, Response};

/// What OffsetFetch answers for a partition without a committed offset.
pub const NO_OFFSET: i64 = -1;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// The offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the last record read, where the client knew it.
    pub leader_epoch: Option<i32>,
    /// Text of the client's own.
    pub metadata: String,
    /// When it was committed, in milliseconds since the epoch.
    pub commit_ms: i64,
    /// When it expires, where the client said so, in milliseconds since the epoch.
    pub expires_ms: Option<i64>,
}

/// Offsets by group, topic and partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets(BTreeMap<String, BTreeMap<String, BTreeMap<i32, CommittedOffset>>>);

impl Offsets {
    pub(crate) fn set(&mut self, group_id: &str, topic: &str, partition: i32, offset: CommittedOffset) {
        let topics = self.0.entry(group_id.to_owned()).or_default();
        topics.entry(topic.to_owned()).or_default().insert(partition, offset);
    }

    pub(crate) fn remove(&mut self, group_id: &str, topic: &str, partition: i32) {
        let Some(topics) = self.0.get_mut(group_id) else { return };
        if let Some(partitions) = topics.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                topics.remove(topic);
            }
        }
        if topics.is_empty() {
            self.0.remove(group_id);
        }
    }

    pub(crate) fn has_any(&self, group_id: &str) -> bool {
        self.0.contains_key(group_id)
    }

    fn of(&self, group_id: &str) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.0.get(group_id).into_iter().flatten().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, offset)| (topic.as_str(), *partition, offset))
        })
    }

    pub(crate) fn in_groups(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&str, &str, i32)> {
        self.0.keys().filter(move |group_id| is_wanted(group_id)).flat_map(|group_id| {
            self.of(group_id).map(move |(topic, partition, _)| (group_id.as_str(), topic, partition))
        })
    }

    fn get(&self, group_id: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.0.get(group_id)?.get(topic)?.get(&partition)
    }
}

impl GroupCoordinator {
    /// The committed offset of a partition, if there is one; what is not durable yet does not show.
    pub fn committed_offset(&self, group_id: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.offsets.get(group_id, topic, partition)
    }

    /// Every committed offset of a group with its topic and partition, sorted.
    pub fn committed_offsets(&self, group_id: &str) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.offsets.of(group_id)
    }

    pub(crate) fn commit_offsets(&mut self, token: ReplyToken, request: OffsetCommitRequest, now_ms: i64) {
        if let Err(error) = self.validate_commit(&request) {
            let refused =
                request.offsets.into_iter().map(|commit| (commit.topic, commit.partition, Some(error)));
            let response = OffsetCommitResponse { partitions: refused.collect() };
            return self.reply(token, Response::CommitOffsets(response));
        }
        // Only the classic protocol takes a commit for a sign of life.
        let state = self.groups.get(&request.group_id).map(|group| group.state);
        if matches!(state, Some(GroupState::Stable | GroupState::PreparingRebalance)) {
            self.keep_alive(&request.group_id, &request.member_id, now_ms);
        }
        let expires_ms = request.retention_ms.map(|retention_ms| now_ms.saturating_add(retention_ms.max(0)));
        let (mut partitions, mut offsets, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for commit in request.offsets {
            if commit.metadata.len() > self.config.maximum_offset_metadata_bytes {
                partitions.push((commit.topic, commit.partition, Some(GroupError::OffsetMetadataTooLarge)));
                continue;
            }
            let committed = CommittedOffset {
                offset: commit.offset,
                leader_epoch: commit.leader_epoch,
                metadata: commit.metadata,
                commit_ms: now_ms,
                expires_ms,
            };
            let key = RecordKey::Offset(request.group_id.clone(), commit.topic.clone(), commit.partition);
            changes.push(offset_change(&key, &committed));
            partitions.push((commit.topic.clone(), commit.partition, None));
            offsets.push((commit.topic, commit.partition, committed));
        }
        let response = OffsetCommitResponse { partitions };
        if changes.is_empty() {
            return self.reply(token, Response::CommitOffsets(response));
        }
        self.persist(changes, Work::CommitOffsets { token, group_id: request.group_id, offsets, response });
    }

    fn validate_commit(&self, request: &OffsetCommitRequest) -> Result<(), GroupError> {
        if let Some(group) = self.consumers.get(&request.group_id) {
            return group.check_commit(request);
        }
        let is_member = request.generation_id >= 0
            || !request.member_id.is_empty()
            || request.group_instance_id.is_some();
        let Some(group) = self.groups.get(&request.group_id) else {
            return match request.generation_id {
                ..0 => Ok(()),
                _ if request.understands_group_not_found => Err(GroupError::GroupIdNotFound),
                _ => Err(GroupError::IllegalGeneration),
            };
        };
        // A generation of −1 comes from a client that manages its partitions itself, or from an administrator.
        if request.generation_id < 0 && group.state == GroupState::Empty {
            return Ok(());
        }
        if !is_member {
            return Err(GroupError::UnknownMemberId);
        }
        group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation_id {
            return Err(GroupError::IllegalGeneration);
        }
        if group.state == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    pub(crate) fn finish_commit(
        &mut self,
        token: ReplyToken,
        group_id: &str,
        offsets: Vec<(String, i32, CommittedOffset)>,
        mut response: OffsetCommitResponse,
        is_durable: bool,
        now_ms: i64,
    ) {
        if is_durable {
            self.ensure_group(group_id, now_ms);
            for (topic, partition, offset) in offsets {
                self.offsets.set(group_id, &topic, partition, offset);
            }
        } else {
            refuse_accepted(&mut response.partitions);
        }
        self.reply(token, Response::CommitOffsets(response));
    }

    pub(crate) fn delete_offsets(&mut self, token: ReplyToken, request: OffsetDeleteRequest) {
        let OffsetDeleteRequest { group_id, partitions } = request;
        if let Err(error) = self.validate_offset_deletion(&group_id) {
            let response = OffsetDeleteResponse { error: Some(error), partitions: Vec::new() };
            return self.reply(token, Response::DeleteOffsets(response));
        }
        let existing = self.offsets_to_be(|other| other == group_id);
        let (mut answered, mut offsets, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (topic, partition) in partitions {
            if self.is_subscribed_to(&group_id, &topic) {
                answered.push((topic, partition, Some(GroupError::GroupSubscribedToTopic)));
                continue;
            }
            if existing.contains(&(&group_id, &topic, partition)) {
                changes.push(RecordKey::Offset(group_id.clone(), topic.clone(), partition).deletion());
                offsets.push((topic.clone(), partition));
            }
            answered.push((topic, partition, None));
        }
        let response = OffsetDeleteResponse { error: None, partitions: answered };
        if changes.is_empty() {
            return self.reply(token, Response::DeleteOffsets(response));
        }
        self.persist(changes, Work::DeleteOffsets { token, group_id, offsets, response });
    }

    fn is_subscribed_to(&self, group_id: &str, topic: &str) -> bool {
        self.groups.get(group_id).is_some_and(|group| group.is_subscribed_to(topic))
            || self.consumers.get(group_id).is_some_and(|group| group.is_subscribed_to(topic))
    }

    fn validate_offset_deletion(&self, group_id: &str) -> Result<(), GroupError> {
        if group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if self.consumers.contains_key(group_id) {
            return Ok(());
        }
        let group = self.groups.get(group_id).ok_or(GroupError::GroupIdNotFound)?;
        if group.state != GroupState::Empty && !group.uses_consumer_protocol() {
            return Err(GroupError::NonEmptyGroup);
        }
        Ok(())
    }

    pub(crate) fn finish_offset_deletion(
        &mut self,
        token: ReplyToken,
        group_id: &str,
        offsets: &[(String, i32)],
        mut response: OffsetDeleteResponse,
        is_durable: bool,
    ) {
        if is_durable {
            for (topic, partition) in offsets {
                self.offsets.remove(group_id, topic, *partition);
            }
        } else {
            refuse_accepted(&mut response.partitions);
        }
        self.reply(token, Response::DeleteOffsets(response));
    }

    /// Forgets the offsets of a topic that was deleted, in all groups.
    pub fn topic_deleted(&mut self, topic: &str) -> Vec<crate::Effect> {
        let offsets = self
            .offsets_to_be(|_| true)
            .into_iter()
            .filter(|(_, other, _)| *other == topic)
            .map(|(group_id, topic, partition)| (group_id.to_owned(), topic.to_owned(), partition))
            .collect();
        self.expire(offsets, Vec::new());
        std::mem::take(&mut self.effects)
    }

    /// Forgets offsets past their retention and groups that then have nothing left.
    pub(crate) fn expire_offsets(&mut self, now_ms: i64) {
        let retention_ms = self.config.offsets_retention_ms;
        let (mut offsets, mut group_ids) = (Vec::new(), Vec::new());
        for (group_id, group) in &self.groups {
            let mut keeps_any = false;
            for (topic, partition, offset) in self.offsets.of(group_id) {
                if group.has_expired(topic, offset, retention_ms, now_ms) {
                    offsets.push((group_id.clone(), topic.to_owned(), partition));
                } else {
                    keeps_any = true;
                }
            }
            if !keeps_any && group.state == GroupState::Empty && group.pending_join.is_empty() {
                group_ids.push(group_id.clone());
            }
        }
        for (group_id, group) in &self.consumers {
            let mut keeps_any = false;
            for (topic, partition, offset) in self.offsets.of(group_id) {
                let expires_ms =
                    offset.expires_ms.unwrap_or_else(|| offset.commit_ms.saturating_add(retention_ms));
                if now_ms >= expires_ms && !group.is_subscribed_to(topic) {
                    offsets.push((group_id.clone(), topic.to_owned(), partition));
                } else {
                    keeps_any = true;
                }
            }
            if !keeps_any && group.is_empty() {
                group_ids.push(group_id.clone());
            }
        }
        self.expire(offsets, group_ids);
        self.schedule_offset_expiry(now_ms);
    }

    fn expire(&mut self, offsets: Vec<(String, String, i32)>, group_ids: Vec<String>) {
        let changes = deletions(&offsets, &group_ids);
        if !changes.is_empty() {
            self.persist(changes, Work::Expire { offsets, group_ids });
        }
    }
}

impl Group {
    /// Whether an offset has outlived its retention: since the group lost its last member, since the commit where the
    /// group never had members, and in a live consumer group only for topics that it no longer reads.
    fn has_expired(&self, topic: &str, offset: &CommittedOffset, retention_ms: i64, now_ms: i64) -> bool {
        if self.is_subscribed_to(topic) && self.state != GroupState::Empty {
            return false;
        }
        let since_ms = match (&self.protocol_type, self.state) {
            (None, _) => offset.commit_ms,
            (Some(_), GroupState::Empty) => self.state_since_ms,
            (Some(_), GroupState::Stable) if self.subscribed_topics.is_some() => offset.commit_ms,
            _ => return false,
        };
        match offset.expires_ms {
            Some(expires_ms) => now_ms >= expires_ms,
            None => now_ms - since_ms >= retention_ms,
        }
    }
}

/// Turns what would have been accepted into an error that the client may retry.
fn refuse_accepted(partitions: &mut [(String, i32, Option<GroupError>)]) {
    for (_, _, error) in partitions {
        error.get_or_insert(GroupError::CoordinatorNotAvailable);
    }
}
