//! `Metadata`: brokers, topics and partitions.

use std::sync::Arc;

use cadastre_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use cadastre_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use cadastre_protocol::types::TopicId;
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::{CLUSTER_NAME, ResourceType};

use super::context::{KnownBrokers, RequestContext};
use super::create_topics;
use super::operations::{CREATE_IN_CLUSTER, CREATE_TOPIC, DESCRIBE_CLUSTER, DESCRIBE_TOPIC};
use crate::config::definition::boolean;
use crate::state::topics::Topic;

/// No operations were asked for (KIP-430).
pub(super) const NO_OPERATIONS: i32 = i32::MIN;

pub(super) async fn handle(context: &RequestContext<'_>, request: MetadataRequest) -> MetadataResponse {
    let version = context.header.version;
    let brokers = context.brokers();
    let topics = match &request.topics {
        None => visible_topics(context, &request, &brokers),
        Some(topics) if topics.is_empty() && version == 0 => visible_topics(context, &request, &brokers),
        Some(topics) => {
            let mut described = Vec::with_capacity(topics.len());
            for topic in topics {
                described.push(match &topic.name {
                    // Where there is an id it counts: Kafka's client leaves the name empty rather than out.
                    Some(name) if topic.topic_id.is_nil() => {
                        named_topic(context, &request, name, &brokers).await
                    }
                    _ => identified_topic(context, &request, topic.topic_id.into(), &brokers),
                });
            }
            described
        }
    };
    let listed = brokers.all().into_iter().map(|peer| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(peer.node_id))
            .with_host(StrBytes::from_string(peer.endpoint.host.clone()))
            .with_port(i32::from(peer.endpoint.port))
            .with_rack(peer.rack.clone().map(StrBytes::from_string))
    });
    let mut response = MetadataResponse::default()
        .with_brokers(listed.collect())
        // Every broker takes changes; whoever asks here may go on here.
        .with_controller_id(BrokerId(context.node.config.node_id))
        .with_topics(topics);
    if version >= 2 {
        response = response.with_cluster_id(Some(StrBytes::from_string(context.node.cluster_id.clone())));
    }
    if (8..=10).contains(&version) {
        let asked = request.include_cluster_authorized_operations && context.allows_cluster(DESCRIBE_CLUSTER);
        let operations = || context.authorized_operations(ResourceType::Cluster, CLUSTER_NAME);
        response =
            response.with_cluster_authorized_operations(if asked { operations() } else { NO_OPERATIONS });
    }
    response
}

fn visible_topics(
    context: &RequestContext<'_>,
    request: &MetadataRequest,
    brokers: &KnownBrokers,
) -> Vec<MetadataResponseTopic> {
    let topics = context.node.topics.all().into_iter();
    topics
        .filter(|topic| context.sees(DESCRIBE_TOPIC, &topic.name))
        .map(|topic| described(context, request, &topic, brokers))
        .collect()
}

async fn named_topic(
    context: &RequestContext<'_>,
    request: &MetadataRequest,
    name: &TopicName,
    brokers: &KnownBrokers,
) -> MetadataResponseTopic {
    if !context.allows(DESCRIBE_TOPIC, name) {
        return failed(name, ResponseError::TopicAuthorizationFailed);
    }
    if let Some(topic) = context.node.topics.by_name(name) {
        return described(context, request, &topic, brokers);
    }
    if crate::state::topics::check_name(name).is_err() {
        return failed(name, ResponseError::InvalidTopicException);
    }
    let enabled = context.node.settings.text("auto.create.topics.enable").as_deref().and_then(boolean);
    if !request.allow_auto_topic_creation || enabled != Some(true) {
        return failed(name, ResponseError::UnknownTopicOrPartition);
    }
    if !context.sees(CREATE_IN_CLUSTER, CLUSTER_NAME) && !context.allows(CREATE_TOPIC, name) {
        return failed(name, ResponseError::TopicAuthorizationFailed);
    }
    match create_topics::create_automatically(context, name).await {
        Ok(topic) => described(context, request, &topic, brokers),
        // The client asks again and finds it.
        Err(_exists_now) => failed(name, ResponseError::LeaderNotAvailable),
    }
}

fn identified_topic(
    context: &RequestContext<'_>,
    request: &MetadataRequest,
    id: TopicId,
    brokers: &KnownBrokers,
) -> MetadataResponseTopic {
    let topic = context.node.topics.by_id(id).filter(|topic| context.sees(DESCRIBE_TOPIC, &topic.name));
    match topic {
        Some(topic) => described(context, request, &topic, brokers),
        None => MetadataResponseTopic::default()
            .with_topic_id(id.into())
            .with_topic_authorized_operations(NO_OPERATIONS)
            .with_error_code(ResponseError::UnknownTopicId.code()),
    }
}

fn failed(name: &TopicName, error: ResponseError) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_name(Some(name.clone()))
        .with_topic_authorized_operations(NO_OPERATIONS)
        .with_error_code(error.code())
}

fn described(
    context: &RequestContext<'_>,
    request: &MetadataRequest,
    topic: &Arc<Topic>,
    brokers: &KnownBrokers,
) -> MetadataResponseTopic {
    let version = context.header.version;
    let partition = |index: i32| {
        let node = brokers.leader(topic.partition(index));
        let partition = MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node]);
        if version >= 7 { partition.with_leader_epoch(context.node.leader_epoch()) } else { partition }
    };
    let mut response = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.clone()))))
        .with_partitions((0..topic.partitions).map(partition).collect())
        .with_topic_authorized_operations(NO_OPERATIONS);
    if version >= 10 {
        response = response.with_topic_id(topic.id.into());
    }
    if version >= 8 && request.include_topic_authorized_operations {
        let operations = context.authorized_operations(ResourceType::Topic, &topic.name);
        response = response.with_topic_authorized_operations(operations);
    }
    response
}
