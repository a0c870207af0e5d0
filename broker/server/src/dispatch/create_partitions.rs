//! `CreatePartitions`: adds partitions to topics.

use std::collections::BTreeSet;

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use cadastre_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use cadastre_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::api_error::{ApiError, code_of, message_of};
use super::context::RequestContext;
use super::create_topics::repeated;
use super::operations::ALTER_TOPIC;
use crate::state::topics::{MAXIMUM_PARTITIONS, Topic};

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let duplicates = repeated(request.topics.iter().map(|topic| &topic.name));
    let mut results = Vec::with_capacity(request.topics.len());
    let mut answered = BTreeSet::new();
    for asked in request.topics.iter().filter(|asked| answered.insert(&asked.name)) {
        let outcome = if duplicates.contains(&asked.name) {
            Err(ApiError::new(ResponseError::InvalidRequest, "the request names the topic twice"))
        } else {
            extend(context, asked, request.validate_only).await
        };
        results.push(
            CreatePartitionsTopicResult::default()
                .with_name(asked.name.clone())
                .with_error_code(code_of(&outcome))
                .with_error_message(message_of(&outcome)),
        );
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn extend(
    context: &RequestContext<'_>,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), ApiError> {
    if !context.allows_action(ALTER_TOPIC, &asked.name, Some(format!("{} partitions", asked.count))) {
        return Err(ResponseError::TopicAuthorizationFailed.into());
    }
    let change = context.node.topics.change().await?;
    let topic = context.node.topics.by_name(&asked.name).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if asked.count <= topic.partitions || asked.count > MAXIMUM_PARTITIONS {
        let message = format!(
            "topic has {} partitions: expected a larger number, at most {MAXIMUM_PARTITIONS}",
            topic.partitions
        );
        return Err(ApiError::new(ResponseError::InvalidPartitions, message));
    }
    if let Some(assignments) = &asked.assignments {
        let brokers = context.brokers();
        let here = assignments
            .iter()
            .all(|one| matches!(one.broker_ids.as_slice(), [only] if brokers.get(only.0).is_some()));
        if !here || i32::try_from(assignments.len()) != Ok(asked.count - topic.partitions) {
            let message = "replica assignment must place each new partition on one known broker";
            return Err(ApiError::new(ResponseError::InvalidReplicaAssignment, message));
        }
    }
    if !validate_only {
        context.mutate(asked.count - topic.partitions, 3)?;
        change.put(Topic { partitions: asked.count, ..Topic::clone(&topic) }).await?;
    }
    Ok(())
}
