//! The records of consumer groups: one for each group, one for each member with its assignments.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cadastre_protocol::types::TopicId;
use serde::{Deserialize, Serialize};

use crate::consumer::group::{ConsumerGroup, ResolvedPatterns};
use crate::consumer::member::{ClassicPart, ConsumerMember, MemberState};
use crate::consumer::partitions::Partitions;
use crate::consumer::topics::KnownTopic;
use crate::effect::RecordChange;
use crate::error::RestoreError;
use crate::records::{RecordKey, VERSION, base64_bytes, decode, encode};
use crate::request::GroupProtocol;

#[derive(Serialize, Deserialize)]
struct ConsumerGroupRecord {
    version: u32,
    epoch: i32,
    target_epoch: i32,
    session_timeout_ms: i32,
    /// Id and partition count by name.
    topics: BTreeMap<String, (String, i32)>,
    patterns: BTreeMap<String, BTreeSet<String>>,
    patterns_since_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct ConsumerMemberRecord {
    version: u32,
    group_instance_id: Option<String>,
    rack_id: Option<String>,
    client_id: String,
    client_host: String,
    rebalance_timeout_ms: i32,
    subscribed_topics: BTreeSet<String>,
    subscribed_pattern: String,
    assignor: Option<String>,
    epoch: i32,
    previous_epoch: i32,
    state: StateRecord,
    assigned: PartitionsRecord,
    revoking: PartitionsRecord,
    target: PartitionsRecord,
    classic: Option<ClassicRecord>,
}

/// Partition numbers by topic id.
type PartitionsRecord = BTreeMap<String, BTreeSet<i32>>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateRecord {
    Stable,
    Revoking,
    Waiting,
}

#[derive(Serialize, Deserialize)]
struct ClassicRecord {
    session_timeout_ms: i32,
    protocols: Vec<ProtocolRecord>,
}

#[derive(Serialize, Deserialize)]
struct ProtocolRecord {
    name: String,
    #[serde(with = "base64_bytes")]
    metadata: Bytes,
}

impl ConsumerGroup {
    /// The record of the group itself.
    pub(crate) fn change(&self, key: &RecordKey) -> RecordChange {
        let topics = self.topics.iter();
        let record = ConsumerGroupRecord {
            version: VERSION,
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            session_timeout_ms: self.session_timeout_ms,
            topics: topics
                .map(|(name, topic)| (name.clone(), (topic.id.to_string(), topic.partitions)))
                .collect(),
            patterns: self.patterns.topics.clone(),
            patterns_since_ms: self.patterns.since_ms,
        };
        RecordChange { key: key.encode(), value: Some(encode(&record)) }
    }

    /// The record of a member, if it is there.
    pub(crate) fn member_change(&self, key: &RecordKey, member_id: &str) -> Option<RecordChange> {
        let member = self.member(member_id)?;
        let classic = member.classic.as_ref().map(|classic| ClassicRecord {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic
                .protocols
                .iter()
                .map(|protocol| ProtocolRecord {
                    name: protocol.name.clone(),
                    metadata: protocol.metadata.clone(),
                })
                .collect(),
        });
        let record = ConsumerMemberRecord {
            version: VERSION,
            group_instance_id: member.group_instance_id.clone(),
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            subscribed_topics: member.subscribed_topics.clone(),
            subscribed_pattern: member.subscribed_pattern.clone(),
            assignor: member.assignor.clone(),
            epoch: member.epoch,
            previous_epoch: member.previous_epoch,
            state: match member.state {
                MemberState::Stable => StateRecord::Stable,
                MemberState::Revoking => StateRecord::Revoking,
                MemberState::Waiting => StateRecord::Waiting,
            },
            assigned: stored(&member.assigned),
            revoking: stored(&member.revoking),
            target: stored(&self.target_of(member_id)),
            classic,
        };
        Some(RecordChange { key: key.encode(), value: Some(encode(&record)) })
    }
}

/// A group as it was when its record was written, without members.
pub(crate) fn decode_consumer_group(key: &str, value: &[u8]) -> Result<ConsumerGroup, RestoreError> {
    let record: ConsumerGroupRecord = decode(key, value)?;
    let mut group = ConsumerGroup::restored(record.epoch, record.target_epoch);
    group.session_timeout_ms = record.session_timeout_ms;
    for (name, (id, partitions)) in record.topics {
        let id = id.parse().map_err(|_error| RestoreError::Topic { key: key.to_owned(), id })?;
        group.topics.insert(name, KnownTopic { id, partitions });
    }
    // The version of the topics belongs to a coordinator that is gone; the patterns are resolved anew in time.
    group.patterns =
        ResolvedPatterns { topics: record.patterns, since_ms: record.patterns_since_ms, version: 0 };
    Ok(group)
}

/// A member as it was when its record was written, with its part of the target assignment.
pub(crate) fn decode_consumer_member(
    key: &str,
    member_id: String,
    value: &[u8],
) -> Result<(ConsumerMember, Partitions), RestoreError> {
    let record: ConsumerMemberRecord = decode(key, value)?;
    let classic = record.classic.map(|classic| ClassicPart {
        session_timeout_ms: classic.session_timeout_ms,
        protocols: classic
            .protocols
            .into_iter()
            .map(|protocol| GroupProtocol { name: protocol.name, metadata: protocol.metadata })
            .collect(),
    });
    let member = ConsumerMember {
        member_id,
        group_instance_id: record.group_instance_id,
        rack_id: record.rack_id,
        client_id: record.client_id,
        client_host: record.client_host,
        rebalance_timeout_ms: record.rebalance_timeout_ms,
        subscribed_topics: record.subscribed_topics,
        subscribed_pattern: record.subscribed_pattern,
        assignor: record.assignor,
        epoch: record.epoch,
        previous_epoch: record.previous_epoch,
        state: match record.state {
            StateRecord::Stable => MemberState::Stable,
            StateRecord::Revoking => MemberState::Revoking,
            StateRecord::Waiting => MemberState::Waiting,
        },
        assigned: restored(key, record.assigned)?,
        revoking: restored(key, record.revoking)?,
        classic,
    };
    Ok((member, restored(key, record.target)?))
}

fn stored(partitions: &Partitions) -> PartitionsRecord {
    partitions.iter().map(|(topic, indexes)| (topic.to_string(), indexes.clone())).collect()
}

fn restored(key: &str, record: PartitionsRecord) -> Result<Partitions, RestoreError> {
    let parse = |id: String| -> Result<TopicId, RestoreError> {
        id.parse().map_err(|_error| RestoreError::Topic { key: key.to_owned(), id })
    };
    record.into_iter().map(|(id, indexes)| Ok((parse(id)?, indexes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_members_survive_a_round_trip() {
        let topic = KnownTopic { id: TopicId([3; 16]), partitions: 4 };
        let mut group = ConsumerGroup::restored(7, 6);
        group.session_timeout_ms = 45_000;
        group.topics.insert("t".into(), topic);
        group.patterns.topics.insert("t.*".into(), BTreeSet::from(["t".to_owned()]));
        group.patterns.since_ms = 12;
        let target = Partitions::from([(topic.id, BTreeSet::from([1, 2]))]);
        let member = ConsumerMember {
            group_instance_id: Some("one".into()),
            rack_id: Some("r".into()),
            client_id: "c".into(),
            client_host: "/192.0.2.1".into(),
            rebalance_timeout_ms: 60_000,
            subscribed_topics: BTreeSet::from(["t".to_owned()]),
            subscribed_pattern: "t.*".into(),
            assignor: Some("range".into()),
            epoch: 5,
            previous_epoch: 4,
            state: MemberState::Revoking,
            assigned: Partitions::from([(topic.id, BTreeSet::from([1]))]),
            revoking: Partitions::from([(topic.id, BTreeSet::from([0]))]),
            classic: Some(ClassicPart {
                session_timeout_ms: 10_000,
                protocols: vec![GroupProtocol {
                    name: "range".into(),
                    metadata: Bytes::from_static(b"\0\x01"),
                }],
            }),
            ..ConsumerMember::new("m".into())
        };
        group.restore_member(member.clone(), target.clone());
        let key = RecordKey::ConsumerMember("g".into(), "m".into());
        let change = group.member_change(&key, "m").unwrap();
        let read = decode_consumer_member(&change.key, "m".into(), &change.value.unwrap()).unwrap();
        assert_eq!(read, (member, target));
        let change = group.change(&RecordKey::ConsumerGroup("g".into()));
        let read = decode_consumer_group(&change.key, &change.value.unwrap()).unwrap();
        assert_eq!((read.epoch, read.target_epoch, read.session_timeout_ms), (7, 6, 45_000));
        assert_eq!((read.topics, read.patterns), (group.topics, group.patterns));
    }
}
