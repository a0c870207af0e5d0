//! `CreateTopics`, and topics that come into being when a client asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use cadastre_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use cadastre_protocol::types::TopicId;
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::CLUSTER_NAME;

use super::api_error::{ApiError, code_of, message_of};
use super::context::{KnownBrokers, RequestContext};
use super::operations::{CREATE_IN_CLUSTER, CREATE_TOPIC, DESCRIBE_TOPIC_CONFIGS};
use crate::config::tables::TOPIC_PROPERTIES;
use crate::node::Node;
use crate::state::topics::{MAXIMUM_PARTITIONS, Topic, check_name};

/// "As many as the broker is set to", for partitions and for replicas (KIP-464).
const DEFAULT: i32 = -1;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let duplicates = repeated(request.topics.iter().map(|topic| &topic.name));
    let names: Vec<&str> = request.topics.iter().map(|topic| topic.name.as_str()).collect();
    let anywhere = !names.is_empty() && context.sees(CREATE_IN_CLUSTER, CLUSTER_NAME);
    if anywhere {
        context.allows_action(CREATE_IN_CLUSTER, CLUSTER_NAME, Some(format!("topics {}", names.join(","))));
    }
    let mut results = Vec::with_capacity(request.topics.len());
    let mut answered = BTreeSet::new();
    for asked in request.topics.iter().filter(|asked| answered.insert(&asked.name)) {
        let outcome = if duplicates.contains(&asked.name) {
            Err(ApiError::new(ResponseError::InvalidRequest, "the request names the topic twice"))
        } else if !anywhere && !context.allows(CREATE_TOPIC, &asked.name) {
            Err(ResponseError::TopicAuthorizationFailed.into())
        } else {
            create(context, asked, request.validate_only).await
        };
        results.push(result(context, asked, &outcome));
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// What is named more than once: nothing is done about it, and it is answered once.
pub(super) fn repeated<'name, Name: Ord + 'name>(
    names: impl Iterator<Item = &'name Name>,
) -> BTreeSet<&'name Name> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

/// Creates a topic because a client asked for its metadata (`auto.create.topics.enable`).
pub(super) async fn create_automatically(
    context: &RequestContext<'_>,
    name: &str,
) -> Result<Arc<Topic>, ApiError> {
    let change = context.node.topics.change().await?;
    if let Some(existing) = context.node.topics.by_name(name) {
        return Ok(existing);
    }
    let partitions = i32::try_from(context.node.settings.number("num.partitions")).unwrap_or(1);
    let topic = Topic { name: name.to_owned(), id: new_id()?, partitions, settings: BTreeMap::new() };
    change.put(topic.clone()).await?;
    Ok(Arc::new(topic))
}

async fn create(
    context: &RequestContext<'_>,
    asked: &CreatableTopic,
    validate_only: bool,
) -> Result<Topic, ApiError> {
    check_name(&asked.name).map_err(|reason| ApiError::new(ResponseError::InvalidTopicException, reason))?;
    let partitions = partition_count(context.node, &context.brokers(), asked)?;
    let settings = settings(asked)?;
    let change = context.node.topics.change().await?;
    if context.node.topics.by_name(&asked.name).is_some() {
        let message = format!("topic `{}` already exists", asked.name.as_str());
        return Err(ApiError::new(ResponseError::TopicAlreadyExists, message));
    }
    if let Some(other) = context.node.topics.colliding(&asked.name) {
        let message = format!("topic `{}` collides with existing topic `{other}`", asked.name.as_str());
        return Err(ApiError::new(ResponseError::InvalidTopicException, message));
    }
    let topic = Topic { name: asked.name.to_string(), id: new_id()?, partitions, settings };
    if !validate_only {
        context.mutate(partitions, 6)?;
        change.put(topic.clone()).await?;
    }
    Ok(topic)
}

fn partition_count(node: &Node, brokers: &KnownBrokers, asked: &CreatableTopic) -> Result<i32, ApiError> {
    let refuse = |error: ResponseError, message: &str| Err(ApiError::new(error, message));
    if !asked.assignments.is_empty() {
        if asked.num_partitions != DEFAULT || asked.replication_factor != -1 {
            let message = "partitions and replication factor must be -1 when replicas are assigned";
            return refuse(ResponseError::InvalidRequest, message);
        }
        let indexes: BTreeSet<i32> =
            asked.assignments.iter().map(|assignment| assignment.partition_index).collect();
        let count = i32::try_from(asked.assignments.len()).unwrap_or(i32::MAX);
        let is_known = |id: i32| brokers.get(id).is_some();
        let here = asked
            .assignments
            .iter()
            .all(|assignment| matches!(assignment.broker_ids.as_slice(), [only] if is_known(only.0)));
        if !here || indexes.into_iter().ne(0..count) || count > MAXIMUM_PARTITIONS {
            let message = "replica assignment must place partitions from 0 on, each on one known broker";
            return refuse(ResponseError::InvalidReplicaAssignment, message);
        }
        return Ok(count);
    }
    if !matches!(asked.replication_factor, -1 | 1) {
        let message =
            format!("replication factor {} is larger than the 1 available broker", asked.replication_factor);
        return refuse(ResponseError::InvalidReplicationFactor, &message);
    }
    match asked.num_partitions {
        DEFAULT => Ok(i32::try_from(node.settings.number("num.partitions")).unwrap_or(1)),
        count if (1..=MAXIMUM_PARTITIONS).contains(&count) => Ok(count),
        _ => {
            let message = format!("number of partitions must be between 1 and {MAXIMUM_PARTITIONS}, or -1");
            refuse(ResponseError::InvalidPartitions, &message)
        }
    }
}

fn settings(asked: &CreatableTopic) -> Result<BTreeMap<String, String>, ApiError> {
    let mut settings = BTreeMap::new();
    for config in &asked.configs {
        let invalid = |message: String| ApiError::new(ResponseError::InvalidConfig, message);
        let value = config
            .value
            .as_ref()
            .ok_or_else(|| invalid(format!("`{}` has no value", config.name.as_str())))?;
        let property = TOPIC_PROPERTIES
            .get(config.name.as_str())
            .ok_or_else(|| invalid(format!("unknown topic config name: `{}`", config.name.as_str())))?;
        let value = property.definition.check(value).map_err(|error| invalid(error.to_string()))?;
        settings.insert(config.name.to_string(), value);
    }
    Ok(settings)
}

/// A random id of the kind Kafka draws: a version 4 UUID that is not reserved.
fn new_id() -> Result<TopicId, ApiError> {
    let random = || {
        crate::random::bytes()
            .map_err(|error| ApiError::new(ResponseError::UnknownServerError, error.to_string()))
            .map(|mut bytes: [u8; 16]| {
                let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
                *version = *version & 0x0f | 0x40;
                *variant = *variant & 0x3f | 0x80;
                TopicId(bytes)
            })
    };
    loop {
        let id = random()?;
        if !id.is_reserved() {
            return Ok(id);
        }
    }
}

fn result(
    context: &RequestContext<'_>,
    asked: &CreatableTopic,
    outcome: &Result<Topic, ApiError>,
) -> CreatableTopicResult {
    let version = context.header.version;
    let mut result =
        CreatableTopicResult::default().with_name(asked.name.clone()).with_error_code(code_of(outcome));
    result = result.with_error_message(message_of(outcome));
    if version < 5 {
        return result;
    }
    let Ok(topic) = outcome else {
        return result.with_configs(Some(Vec::new())).with_num_partitions(-1).with_replication_factor(-1);
    };
    if version >= 7 {
        result = result.with_topic_id(topic.id.into());
    }
    if !context.sees(DESCRIBE_TOPIC_CONFIGS, &topic.name) {
        return result
            .with_topic_config_error_code(ResponseError::TopicAuthorizationFailed.code())
            .with_configs(Some(Vec::new()))
            .with_num_partitions(-1)
            .with_replication_factor(-1);
    }
    let settings = context.node.settings.describe_topic(Some(topic)).into_iter().map(|setting| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_string(setting.name))
            .with_value(setting.value.map(StrBytes::from_string))
            .with_config_source(setting.source.code())
    });
    result
        .with_configs(Some(settings.collect()))
        .with_num_partitions(topic.partitions)
        .with_replication_factor(1)
}
