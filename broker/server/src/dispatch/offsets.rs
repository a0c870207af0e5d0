//! `OffsetCommit`, `OffsetFetch` and `OffsetDelete`: how far groups have read.

use std::collections::BTreeMap;

use cadastre_coordinator as coordinator;
use cadastre_coordinator::{Command, CommittedOffset, GroupError, NO_OFFSET, OffsetCommit, Response};
use cadastre_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use cadastre_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use cadastre_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use cadastre_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use cadastre_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};
use cadastre_protocol::{ResponseError, StrBytes};

use super::context::RequestContext;
use super::groups::{code, text, unanswered};
use super::operations::{DELETE_GROUP, DESCRIBE_GROUP, DESCRIBE_TOPIC, READ_GROUP, READ_TOPIC};

const DENIED: i16 = ResponseError::GroupAuthorizationFailed.code();
const UNAVAILABLE: i16 = ResponseError::CoordinatorNotAvailable.code();

type Offsets = BTreeMap<(String, i32), CommittedOffset>;

pub(super) async fn commit(
    context: &RequestContext<'_>,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    if !context.allows(READ_GROUP, &request.group_id) {
        return commit_response(&request.topics, |_, _| DENIED);
    }
    // What the request itself decides; the rest is the coordinator's.
    let mut refused: BTreeMap<(String, i32), i16> = BTreeMap::new();
    let mut offsets = Vec::new();
    for asked in &request.topics {
        let topic = if context.allows(READ_TOPIC, &asked.name) {
            context.node.topics.by_name(&asked.name).ok_or(ResponseError::UnknownTopicOrPartition)
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        };
        for partition in &asked.partitions {
            let index = partition.partition_index;
            let known = topic.as_ref().map_err(|error| *error).and_then(|topic| {
                if topic.has(index) { Ok(()) } else { Err(ResponseError::UnknownTopicOrPartition) }
            });
            match known {
                Err(error) => {
                    refused.insert((asked.name.to_string(), index), error.code());
                }
                Ok(()) => offsets.push(OffsetCommit {
                    topic: asked.name.to_string(),
                    partition: index,
                    offset: partition.committed_offset,
                    leader_epoch: Some(partition.committed_leader_epoch).filter(|&epoch| epoch >= 0),
                    metadata: partition
                        .committed_metadata
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                }),
            }
        }
    }
    if offsets.is_empty() {
        return commit_response(&request.topics, |topic, partition| {
            refused.get(&(topic.to_owned(), partition)).copied().unwrap_or_default()
        });
    }
    let version = context.header.version;
    let command = Command::CommitOffsets(coordinator::OffsetCommitRequest {
        group_id: request.group_id.to_string(),
        generation_id: request.generation_id_or_member_epoch,
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
        retention_ms: Some(request.retention_time_ms).filter(|&time| version <= 4 && time >= 0),
        understands_group_not_found: version >= 9,
        offsets,
    });
    let _settled = match context.node.groups.settled(&request.group_id).await {
        Ok(settled) => settled,
        Err(error) => return commit_response(&request.topics, |_, _| error.code()),
    };
    let committed = match context.node.groups.ask(&request.group_id, command).await {
        Ok(Response::CommitOffsets(committed)) => committed.partitions,
        other => return commit_response(&request.topics, |_, _| unanswered(&other)),
    };
    let outcomes = committed.into_iter().map(|(topic, partition, error)| ((topic, partition), code(error)));
    refused.extend(outcomes);
    commit_response(&request.topics, |topic, partition| {
        refused.get(&(topic.to_owned(), partition)).copied().unwrap_or(UNAVAILABLE)
    })
}

fn commit_response(
    topics: &[OffsetCommitRequestTopic],
    outcome: impl Fn(&str, i32) -> i16,
) -> OffsetCommitResponse {
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(outcome(&topic.name, partition.partition_index))
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// One group's wish, whatever the version: topics with partitions, or everything.
struct Wish {
    group_id: String,
    topics: Option<Vec<(TopicName, Vec<i32>)>>,
    /// Whether offsets that a transaction may yet change are an error (KIP-447).
    require_stable: bool,
    /// The member that asks, and its epoch: version 9 and later (KIP-848).
    member: (Option<String>, i32),
}

/// Who asks where the request does not say.
const NO_MEMBER: (Option<String>, i32) = (None, -1);

/// What was found for one partition: an error, or an offset if there is one.
type Found = (i32, Result<Option<CommittedOffset>, i16>);

pub(super) async fn fetch(context: &RequestContext<'_>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let confirmed = context.node.groups.confirm().await;
    let require_stable = request.require_stable;
    if context.header.version >= 8 {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            let topics = group.topics.map(|topics| {
                topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Vec<_>>()
            });
            let response = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
            let member = match context.header.version {
                9.. => (group.member_id.as_ref().map(ToString::to_string), group.member_epoch),
                _ => NO_MEMBER,
            };
            let wish = Wish { group_id: group.group_id.to_string(), topics, require_stable, member };
            groups.push(match find(context, confirmed, &wish).await {
                Ok(topics) => response.with_topics(topics.into_iter().map(grouped_topic).collect()),
                Err(error) => response.with_error_code(error),
            });
        }
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let topics = request.topics.map(|topics| {
        topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Vec<_>>()
    });
    let wish = Wish { group_id: request.group_id.to_string(), topics, require_stable, member: NO_MEMBER };
    match find(context, confirmed, &wish).await {
        Ok(topics) => {
            OffsetFetchResponse::default().with_topics(topics.into_iter().map(single_topic).collect())
        }
        // Version 1 has no place for an error but the partitions.
        Err(error) if context.header.version < 2 => {
            let topics = wish.topics.unwrap_or_default().into_iter().map(|(name, partitions)| {
                single_topic((name, partitions.into_iter().map(|index| (index, Err(error))).collect()))
            });
            OffsetFetchResponse::default().with_topics(topics.collect())
        }
        Err(error) => OffsetFetchResponse::default().with_error_code(error),
    }
}

async fn find(
    context: &RequestContext<'_>,
    confirmed: Result<(), GroupError>,
    wish: &Wish,
) -> Result<Vec<(TopicName, Vec<Found>)>, i16> {
    confirmed.map_err(GroupError::code)?;
    if !context.allows(DESCRIBE_GROUP, &wish.group_id) {
        return Err(DENIED);
    }
    let groups = &context.node.groups;
    let (_settled, open) = groups.settled_but(&wish.group_id).await.map_err(GroupError::code)?;
    let (member_id, epoch) = &wish.member;
    groups.check_fetch(&wish.group_id, member_id.as_deref(), *epoch).map_err(GroupError::code)?;
    let stable = |topic: &str, partition, offset| {
        if wish.require_stable && open.contains(&(topic.to_owned(), partition)) {
            Err(ResponseError::UnstableOffsetCommit.code())
        } else {
            Ok(offset)
        }
    };
    let mut committed: Offsets = context.node.groups.offsets(&wish.group_id).map_err(GroupError::code)?;
    let Some(topics) = &wish.topics else {
        let mut by_topic: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        for ((topic, partition), offset) in committed {
            if context.sees(DESCRIBE_TOPIC, &topic) {
                let found = stable(&topic, partition, Some(offset));
                by_topic.entry(topic).or_default().push((partition, found));
            }
        }
        return Ok(by_topic.into_iter().map(|(topic, found)| (TopicName(text(topic)), found)).collect());
    };
    let found = topics.iter().map(|(topic, partitions)| {
        let allowed = context.allows(DESCRIBE_TOPIC, topic);
        let find = |index: &i32| {
            let offset = if allowed {
                stable(topic, *index, committed.remove(&(topic.to_string(), *index)))
            } else {
                Err(ResponseError::TopicAuthorizationFailed.code())
            };
            (*index, offset)
        };
        (topic.clone(), partitions.iter().map(find).collect())
    });
    Ok(found.collect())
}

/// Offset, leader epoch, metadata and error code, as they stand in every version.
fn parts(found: Result<Option<CommittedOffset>, i16>) -> (i64, i32, Option<StrBytes>, i16) {
    match found {
        Ok(Some(found)) => (found.offset, found.leader_epoch.unwrap_or(-1), Some(text(found.metadata)), 0),
        Ok(None) => (NO_OFFSET, -1, Some(StrBytes::new()), 0),
        Err(error) => (NO_OFFSET, -1, Some(StrBytes::new()), error),
    }
}

fn grouped_topic((name, found): (TopicName, Vec<Found>)) -> OffsetFetchResponseTopics {
    let partitions = found.into_iter().map(|(index, found)| {
        let (offset, epoch, metadata, error) = parts(found);
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(epoch)
            .with_metadata(metadata)
            .with_error_code(error)
    });
    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
}

fn single_topic((name, found): (TopicName, Vec<Found>)) -> OffsetFetchResponseTopic {
    let partitions = found.into_iter().map(|(index, found)| {
        let (offset, epoch, metadata, error) = parts(found);
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(epoch)
            .with_metadata(metadata)
            .with_error_code(error)
    });
    OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
}

pub(super) async fn delete(
    context: &RequestContext<'_>,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    if !context.allows(DELETE_GROUP, &request.group_id) {
        return OffsetDeleteResponse::default().with_error_code(DENIED);
    }
    let mut outcomes: BTreeMap<(String, i32), i16> = BTreeMap::new();
    let mut partitions = Vec::new();
    for topic in &request.topics {
        let allowed = context.allows(READ_TOPIC, &topic.name);
        for partition in &topic.partitions {
            let key = (topic.name.to_string(), partition.partition_index);
            let exists = context.node.topics.by_name(&topic.name).is_some_and(|it| it.has(key.1));
            if allowed && exists {
                partitions.push(key);
            } else if allowed {
                outcomes.insert(key, ResponseError::UnknownTopicOrPartition.code());
            } else {
                outcomes.insert(key, ResponseError::TopicAuthorizationFailed.code());
            }
        }
    }
    let command = coordinator::OffsetDeleteRequest { group_id: request.group_id.to_string(), partitions };
    let _settled = match context.node.groups.settled(&request.group_id).await {
        Ok(settled) => settled,
        Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
    };
    let answer = context.node.groups.ask(&request.group_id, Command::DeleteOffsets(command)).await;
    let error: Option<GroupError> = match answer {
        Ok(Response::DeleteOffsets(deleted)) => {
            let deleted_partitions = deleted.partitions.into_iter();
            outcomes.extend(
                deleted_partitions.map(|(topic, partition, error)| ((topic, partition), code(error))),
            );
            deleted.error
        }
        Err(error) => Some(error),
        Ok(_other) => Some(GroupError::CoordinatorNotAvailable),
    };
    if let Some(error) = error {
        return OffsetDeleteResponse::default().with_error_code(error.code());
    }
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let outcome = outcomes.get(&(topic.name.to_string(), index)).copied();
            OffsetDeleteResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(outcome.unwrap_or_default())
        });
        OffsetDeleteResponseTopic::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name.clone())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
