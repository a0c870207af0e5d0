//! `DescribeTopicPartitions` (KIP-966): topics page by page.

use cadastre_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use cadastre_protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::ResourceType;

use super::context::RequestContext;
use super::metadata::NO_OPERATIONS;
use super::operations::DESCRIBE_TOPIC;
use crate::state::topics::Topic;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let start = request.cursor.as_ref().map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index));
    let all = request.topics.is_empty();
    let mut names: Vec<String> = if all {
        context.node.topics.all().iter().map(|topic| topic.name.clone()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    names.sort();
    names.dedup();
    let is_wrong = |(topic, partition): &(String, i32)| *partition < 0 || !all && !names.contains(topic);
    if start.as_ref().is_some_and(is_wrong) {
        let refused = names.iter().map(|name| failed(name, ResponseError::InvalidRequest, NO_OPERATIONS));
        return page(refused.collect(), None);
    }
    let maximum =
        i32::try_from(context.node.settings.number("max.request.partition.size.limit")).unwrap_or(2000);
    let mut remaining = request.response_partition_limit.clamp(1, maximum.max(1));
    let mut topics = Vec::new();
    for name in names {
        let first = match &start {
            Some((cursor, _)) if name < *cursor => continue,
            Some((cursor, partition)) if name == *cursor => *partition,
            _ => 0,
        };
        let allowed =
            if all { context.sees(DESCRIBE_TOPIC, &name) } else { context.allows(DESCRIBE_TOPIC, &name) };
        if !allowed {
            if !all {
                topics.push(failed(&name, ResponseError::TopicAuthorizationFailed, NO_OPERATIONS));
            }
            continue;
        }
        let Some(topic) = context.node.topics.by_name(&name) else {
            let operations = context.authorized_operations(ResourceType::Topic, &name);
            topics.push(failed(&name, ResponseError::UnknownTopicOrPartition, operations));
            continue;
        };
        if remaining == 0 {
            return page(topics, Some((name, first)));
        }
        let end = topic.partitions.min(first.saturating_add(remaining));
        remaining -= (end - first).max(0);
        topics.push(described(context, &topic, first, end));
        if end < topic.partitions {
            return page(topics, Some((name, end)));
        }
    }
    page(topics, None)
}

fn page(
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<(String, i32)>,
) -> DescribeTopicPartitionsResponse {
    let next = next.map(|(name, partition)| {
        Cursor::default().with_topic_name(topic_name(&name)).with_partition_index(partition)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics).with_next_cursor(next)
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn failed(name: &str, error: ResponseError, operations: i32) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topic_name(name)))
        .with_error_code(error.code())
        .with_topic_authorized_operations(operations)
}

fn described(
    context: &RequestContext<'_>,
    topic: &Topic,
    first: i32,
    end: i32,
) -> DescribeTopicPartitionsResponseTopic {
    let brokers = context.brokers();
    let partitions = (first..end).map(|index| {
        let node = brokers.leader(topic.partition(index));
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(context.node.leader_epoch())
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    });
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_topic_id(topic.id.into())
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(context.authorized_operations(ResourceType::Topic, &topic.name))
}
