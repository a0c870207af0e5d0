//! What is persisted: a record for each group with members or a history, and one for each committed offset.
//!
//! Keys are JSON arrays, `["group","g"]`, `["offset","g","topic",0]`, `["consumer-group","g"]` and
//! `["consumer-member","g","m"]`, so that no name can be taken for another. Values are JSON objects with a version.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::effect::RecordChange;
use crate::error::RestoreError;
use crate::group::{Group, GroupState};
use crate::member::Member;
use crate::offsets::CommittedOffset;
use crate::request::GroupProtocol;

/// The version of every kind of value.
pub(crate) const VERSION: u32 = 1;

/// A key, decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordKey {
    Group(String),
    ConsumerGroup(String),
    ConsumerMember(String, String),
    Offset(String, String, i32),
}

impl RecordKey {
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::Group(group) => serde_json::json!(["group", group]).to_string(),
            Self::ConsumerGroup(group) => serde_json::json!(["consumer-group", group]).to_string(),
            Self::ConsumerMember(group, member) => {
                serde_json::json!(["consumer-member", group, member]).to_string()
            }
            Self::Offset(group, topic, partition) => {
                serde_json::json!(["offset", group, topic, partition]).to_string()
            }
        }
    }

    pub(crate) fn decode(key: &str) -> Result<Self, RestoreError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Parts {
            Group(String, String),
            Member(String, String, String),
            Offset(String, String, String, i32),
        }
        match serde_json::from_str(key) {
            Ok(Parts::Group(kind, group)) if kind == "group" => Ok(Self::Group(group)),
            Ok(Parts::Group(kind, group)) if kind == "consumer-group" => Ok(Self::ConsumerGroup(group)),
            Ok(Parts::Member(kind, group, member)) if kind == "consumer-member" => {
                Ok(Self::ConsumerMember(group, member))
            }
            Ok(Parts::Offset(kind, group, topic, partition)) if kind == "offset" => {
                Ok(Self::Offset(group, topic, partition))
            }
            _ => Err(RestoreError::Key(key.to_owned())),
        }
    }

    pub(crate) fn deletion(&self) -> RecordChange {
        RecordChange { key: self.encode(), value: None }
    }
}

#[derive(Serialize, Deserialize)]
struct GroupRecord {
    version: u32,
    generation_id: i32,
    protocol_type: Option<String>,
    protocol_name: Option<String>,
    leader: Option<String>,
    state_since_ms: i64,
    members: Vec<MemberRecord>,
}

#[derive(Serialize, Deserialize)]
struct MemberRecord {
    member_id: String,
    group_instance_id: Option<String>,
    client_id: String,
    client_host: String,
    session_timeout_ms: i32,
    rebalance_timeout_ms: i32,
    #[serde(with = "base64_bytes")]
    metadata: Bytes,
    #[serde(with = "base64_bytes")]
    assignment: Bytes,
}

#[derive(Serialize, Deserialize)]
struct OffsetRecord {
    version: u32,
    #[serde(flatten)]
    offset: CommittedOffset,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// The record of a group, with the assignments that the members are about to have.
pub(crate) fn group_change(
    group_id: &str,
    group: &Group,
    assignments: &BTreeMap<String, Bytes>,
) -> RecordChange {
    let protocol = group.protocol_name.as_deref();
    let members = group.members.values().map(|member| MemberRecord {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        session_timeout_ms: member.session_timeout_ms,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        metadata: member.metadata(protocol),
        assignment: assignments.get(&member.member_id).cloned().unwrap_or_default(),
    });
    let record = GroupRecord {
        version: VERSION,
        generation_id: group.generation_id,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        leader: group.leader.clone(),
        state_since_ms: group.state_since_ms,
        members: members.collect(),
    };
    RecordChange { key: RecordKey::Group(group_id.to_owned()).encode(), value: Some(encode(&record)) }
}

/// The changes that delete offsets and groups.
pub(crate) fn deletions(offsets: &[(String, String, i32)], group_ids: &[String]) -> Vec<RecordChange> {
    let of_offsets = offsets
        .iter()
        .map(|(group_id, topic, partition)| RecordKey::Offset(group_id.clone(), topic.clone(), *partition));
    let of_groups = group_ids.iter().flat_map(|group_id| {
        [RecordKey::Group(group_id.clone()), RecordKey::ConsumerGroup(group_id.clone())]
    });
    of_offsets.chain(of_groups).map(|key| key.deletion()).collect()
}

/// The record of an offset.
pub(crate) fn offset_change(key: &RecordKey, offset: &CommittedOffset) -> RecordChange {
    let record = OffsetRecord { version: VERSION, offset: offset.clone() };
    RecordChange { key: key.encode(), value: Some(encode(&record)) }
}

pub(crate) fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::json!(record).to_string().into_bytes()
}

pub(crate) fn decode<'a, R: Deserialize<'a>>(key: &str, value: &'a [u8]) -> Result<R, RestoreError> {
    let invalid = |source| RestoreError::Value { key: key.to_owned(), source };
    let VersionOnly { version } = serde_json::from_slice(value).map_err(invalid)?;
    if version > VERSION {
        return Err(RestoreError::Version { key: key.to_owned(), version });
    }
    serde_json::from_slice(value).map_err(invalid)
}

pub(crate) fn decode_offset(key: &str, value: &[u8]) -> Result<CommittedOffset, RestoreError> {
    decode::<OffsetRecord>(key, value).map(|record| record.offset)
}

/// A group as it was when its record was written: stable with members, empty without.
pub(crate) fn decode_group(key: &str, value: &[u8]) -> Result<Group, RestoreError> {
    let record: GroupRecord = decode(key, value)?;
    let mut group = Group::new(record.state_since_ms);
    group.generation_id = record.generation_id;
    group.protocol_name = record.protocol_name;
    for stored in record.members {
        let protocol_name = group.protocol_name.clone().unwrap_or_default();
        let member = Member {
            member_id: stored.member_id,
            group_instance_id: stored.group_instance_id,
            client_id: stored.client_id,
            client_host: stored.client_host,
            session_timeout_ms: stored.session_timeout_ms,
            rebalance_timeout_ms: stored.rebalance_timeout_ms,
            protocols: vec![GroupProtocol { name: protocol_name, metadata: stored.metadata }],
            assignment: stored.assignment,
            is_new: false,
            awaiting_join: None,
            awaiting_sync: None,
        };
        group.add(member, record.protocol_type.clone().unwrap_or_default());
    }
    group.protocol_type = record.protocol_type;
    group.leader = record.leader;
    if !group.members.is_empty() {
        group.state = GroupState::Stable;
    }
    group.subscribed_topics = group.compute_subscribed_topics();
    Ok(group)
}

pub(crate) mod base64_bytes {
    use super::{BASE64, Bytes};
    use base64::Engine as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_survive_a_round_trip(group in ".*", topic in ".*", partition: i32) {
            for key in [
                RecordKey::Group(group.clone()),
                RecordKey::ConsumerGroup(group.clone()),
                RecordKey::ConsumerMember(group.clone(), topic.clone()),
                RecordKey::Offset(group.clone(), topic.clone(), partition),
            ] {
                prop_assert_eq!(RecordKey::decode(&key.encode()).unwrap(), key);
            }
        }

        #[test]
        fn offsets_survive_a_round_trip(
            offset: i64, leader_epoch: Option<i32>, metadata in ".*", commit_ms: i64, expires_ms: Option<i64>,
        ) {
            let committed = CommittedOffset { offset, leader_epoch, metadata, commit_ms, expires_ms };
            let change = offset_change(&RecordKey::Offset("g".into(), "t".into(), 0), &committed);
            prop_assert_eq!(decode_offset(&change.key, &change.value.unwrap()).unwrap(), committed);
        }
    }

    #[test]
    fn foreign_and_newer_records_are_refused() {
        for key in ["", "group", r#"["group"]"#, r#"["offset","g","t"]"#, r#"["other","g"]"#] {
            assert!(matches!(RecordKey::decode(key), Err(RestoreError::Key(_))), "{key}");
        }
        let newer = decode_offset("k", br#"{"version":2,"everything":"else"}"#).unwrap_err();
        assert_eq!(newer.to_string(), "record under `k` has version 2, which is newer than this broker");
        assert!(matches!(decode_group("k", b"{}"), Err(RestoreError::Value { .. })));
    }
}
