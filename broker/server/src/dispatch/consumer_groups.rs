//! `ConsumerGroupHeartbeat` and `ConsumerGroupDescribe`: groups of the newer protocol (KIP-848).

use std::collections::{BTreeMap, BTreeSet};

use cadastre_coordinator as coordinator;
use cadastre_coordinator::{
    Command, DescribedConsumer, DescribedConsumerGroup, DescribedTopic, GroupError, Partitions, Response,
    TopicPattern,
};
use cadastre_protocol::messages::consumer_group_describe_response as describe_response;
use cadastre_protocol::messages::consumer_group_heartbeat_response as heartbeat_response;
use cadastre_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, GroupId, TopicName,
};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::ResourceType;

use super::context::RequestContext;
use super::groups::{DENIED, owned, text, unique};
use super::metadata::NO_OPERATIONS;
use super::operations::{DESCRIBE_GROUP, DESCRIBE_TOPIC, READ_GROUP};

pub(super) async fn heartbeat(
    context: &RequestContext<'_>,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let refused = |code: i16, message: Option<String>| {
        ConsumerGroupHeartbeatResponse::default().with_error_code(code).with_error_message(message.map(text))
    };
    if !context.node.groups.takes_consumer_protocol() {
        return refused(ResponseError::UnsupportedVersion.code(), None);
    }
    if !context.allows(READ_GROUP, &request.group_id) {
        return refused(DENIED, None);
    }
    let mut names = request.subscribed_topic_names.iter().flatten();
    // Who may not know of a topic is not told whether it exists.
    if !names.all(|name| context.allows(DESCRIBE_TOPIC, name)) {
        return refused(ResponseError::TopicAuthorizationFailed.code(), None);
    }
    let Ok(unique) = unique() else { return refused(GroupError::CoordinatorNotAvailable.code(), None) };
    let group_id = request.group_id.to_string();
    let resolved_patterns = resolve(context, &request);
    let settings = |name: &str| {
        let value = context.node.settings.group_text(&group_id, name);
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(i32::MAX)
    };
    let topics = request.subscribed_topic_names;
    let held = request.topic_partitions;
    let command = Command::ConsumerHeartbeat(Box::new(coordinator::ConsumerHeartbeatRequest {
        group_id: group_id.clone(),
        member_id: request.member_id.to_string(),
        member_epoch: request.member_epoch,
        group_instance_id: owned(request.instance_id.as_ref()),
        rack_id: owned(request.rack_id.as_ref()),
        rebalance_timeout_ms: Some(request.rebalance_timeout_ms).filter(|&timeout_ms| timeout_ms != -1),
        subscribed_topics: topics.map(|names| names.iter().map(|name| name.to_string()).collect()),
        subscribed_pattern: owned(request.subscribed_topic_regex.as_ref()),
        assignor: owned(request.server_assignor.as_ref()),
        owned: held.map(|topics| {
            let mut partitions = Partitions::new();
            for topic in topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
                partitions.entry(topic.topic_id.into()).or_default().extend(topic.partitions);
            }
            partitions
        }),
        client_id: context.client_id().to_owned(),
        client_host: format!("/{}", context.address),
        session_timeout_ms: settings("consumer.session.timeout.ms"),
        heartbeat_interval_ms: settings("consumer.heartbeat.interval.ms"),
        resolved_patterns,
        requires_member_id: context.header.version >= 1,
        unique,
    }));
    let answer = match context.node.groups.ask(&group_id, command).await {
        Ok(Response::ConsumerHeartbeat(answer)) => answer,
        Ok(_other) => return refused(GroupError::CoordinatorNotAvailable.code(), None),
        Err(error) => return refused(error.code(), None),
    };
    if let Some(refusal) = answer.refusal {
        return refused(refusal.error.code(), Some(refusal.message));
    }
    let assignment = answer.assignment.map(|partitions| {
        let topics = partitions.into_iter().map(|(topic, indexes)| {
            heartbeat_response::TopicPartitions::default()
                .with_topic_id(topic.into())
                .with_partitions(indexes.into_iter().collect())
        });
        heartbeat_response::Assignment::default().with_topic_partitions(topics.collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(answer.member_id.map(text))
        .with_member_epoch(answer.member_epoch)
        .with_heartbeat_interval_ms(answer.heartbeat_interval_ms)
        .with_assignment(assignment)
}

/// What the patterns that the group asks for match, of what this client may know.
fn resolve(
    context: &RequestContext<'_>,
    request: &ConsumerGroupHeartbeatRequest,
) -> BTreeMap<String, BTreeSet<String>> {
    let own = request.subscribed_topic_regex.as_deref();
    let wanted = context.node.groups.patterns_to_resolve(&request.group_id, own);
    // What cannot be compiled is refused by the coordinator, with words.
    let patterns: Vec<(String, TopicPattern)> = wanted
        .into_iter()
        .filter_map(|text| TopicPattern::new(&text).ok().map(|pattern| (text, pattern)))
        .collect();
    if patterns.is_empty() {
        return BTreeMap::new();
    }
    let topics = context.node.topics.all();
    let visible: Vec<&str> = topics
        .iter()
        .map(|topic| topic.name.as_str())
        .filter(|name| patterns.iter().any(|(_, pattern)| pattern.matches(name)))
        .filter(|name| context.sees(DESCRIBE_TOPIC, name))
        .collect();
    let matched = |pattern: &TopicPattern| {
        visible.iter().filter(|name| pattern.matches(name)).map(|name| (*name).to_owned()).collect()
    };
    patterns.iter().map(|(text, pattern)| (text.clone(), matched(pattern))).collect()
}

pub(super) async fn describe(
    context: &RequestContext<'_>,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let groups = request.group_ids.into_iter().map(|group_id| {
        let response = describe_response::DescribedGroup::default()
            .with_group_id(group_id.clone())
            .with_authorized_operations(NO_OPERATIONS);
        if !context.allows(DESCRIBE_GROUP, &group_id) {
            return response.with_error_code(DENIED);
        }
        let found = match context.node.groups.describe_consumer_group(&group_id) {
            Ok(found) => found,
            Err(refusal) => {
                return response
                    .with_error_code(refusal.error.code())
                    .with_error_message(Some(text(refusal.message)));
            }
        };
        let mut topics =
            found.members.iter().flat_map(|member| member.assignment.iter().chain(&member.target));
        if !topics.all(|topic| context.sees(DESCRIBE_TOPIC, &topic.name)) {
            let message = "the group uses topics that the client may not describe";
            return response
                .with_error_code(ResponseError::TopicAuthorizationFailed.code())
                .with_error_message(Some(StrBytes::from_static_str(message)));
        }
        let response = described(found, group_id.clone(), context.header.version);
        if request.include_authorized_operations {
            let operations = context.authorized_operations(ResourceType::Group, &group_id);
            return response.with_authorized_operations(operations);
        }
        response
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

fn described(
    found: DescribedConsumerGroup,
    group_id: GroupId,
    version: i16,
) -> describe_response::DescribedGroup {
    let members = found.members.into_iter().map(|member| described_member(member, version));
    describe_response::DescribedGroup::default()
        .with_group_id(group_id)
        .with_authorized_operations(NO_OPERATIONS)
        .with_group_state(StrBytes::from_static_str(found.state))
        .with_group_epoch(found.epoch)
        .with_assignment_epoch(found.target_epoch)
        .with_assignor_name(text(found.assignor))
        .with_members(members.collect())
}

fn described_member(member: DescribedConsumer, version: i16) -> describe_response::Member {
    let names = member.subscribed_topics.into_iter().map(|name| TopicName(text(name)));
    let response = describe_response::Member::default()
        .with_member_id(text(member.member_id))
        .with_instance_id(member.group_instance_id.map(text))
        .with_rack_id(member.rack_id.map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(member.client_id))
        .with_client_host(text(member.client_host))
        .with_subscribed_topic_names(names.collect())
        .with_subscribed_topic_regex(Some(text(member.subscribed_pattern)))
        .with_assignment(described_topics(member.assignment))
        .with_target_assignment(described_topics(member.target));
    // KIP-1099: which protocol the member speaks.
    if version >= 1 { response.with_member_type(i8::from(!member.is_classic)) } else { response }
}

fn described_topics(topics: Vec<DescribedTopic>) -> describe_response::Assignment {
    let topics = topics.into_iter().map(|topic| {
        describe_response::TopicPartitions::default()
            .with_topic_id(topic.id.into())
            .with_topic_name(TopicName(text(topic.name)))
            .with_partitions(topic.partitions)
    });
    describe_response::Assignment::default().with_topic_partitions(topics.collect())
}
