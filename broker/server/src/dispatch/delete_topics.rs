//! `DeleteTopics`: removes topics with their records.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_protocol::messages::delete_topics_request::DeleteTopicState;
use cadastre_protocol::messages::delete_topics_response::DeletableTopicResult;
use cadastre_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use cadastre_protocol::types::TopicId;
use cadastre_protocol::{ResponseError, StrBytes};

use super::api_error::{ApiError, code_of, message_of};
use super::context::RequestContext;
use super::create_topics::repeated;
use super::operations::{DELETE_TOPIC, DESCRIBE_TOPIC};
use crate::config::definition::boolean;
use crate::state::topics::Topic;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name =
        request.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let asked: Vec<DeleteTopicState> = by_name.chain(request.topics).collect();
    let names: Vec<_> = asked.iter().map(|state| (state.name.clone(), state.topic_id)).collect();
    let duplicates = repeated(names.iter());
    let mut answered = BTreeSet::new();
    let mut responses = Vec::with_capacity(asked.len());
    for (state, name) in asked.into_iter().zip(&names).filter(|(_, name)| answered.insert(*name)) {
        let found = if duplicates.contains(name) {
            Err(ApiError::new(ResponseError::InvalidRequest, "the request names the topic twice"))
        } else {
            find(context, &state)
        };
        let name = match (&found, &state.name) {
            (_, Some(name)) => Some(name.clone()),
            // An id alone tells the name only to those who may know it.
            (Ok(topic), None) if context.sees(DESCRIBE_TOPIC, &topic.name) => Some(topic_name(topic)),
            _ => None,
        };
        let id = match (&found, context.header.version) {
            (Ok(topic), 6..) => topic.id.into(),
            _ => state.topic_id,
        };
        let outcome = match found {
            Ok(topic) => delete(context, &topic).await,
            Err(error) => Err(error),
        };
        let mut result = DeletableTopicResult::default().with_name(name).with_error_code(code_of(&outcome));
        if context.header.version >= 5 {
            result = result.with_error_message(message_of(&outcome));
        }
        let denied = ResponseError::TopicAuthorizationFailed.code();
        if context.header.version >= 6 && result.error_code != denied {
            result = result.with_topic_id(id);
        }
        responses.push(result);
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

fn topic_name(topic: &Topic) -> TopicName {
    TopicName(StrBytes::from_string(topic.name.clone()))
}

fn find(context: &RequestContext<'_>, state: &DeleteTopicState) -> Result<Arc<Topic>, ApiError> {
    if let Some(name) = &state.name {
        if !state.topic_id.is_nil() {
            let message = "a topic is named by its name or by its id, not by both";
            return Err(ApiError::new(ResponseError::InvalidRequest, message));
        }
        if !context.sees(DESCRIBE_TOPIC, name) && !context.allows(DELETE_TOPIC, name) {
            return Err(ResponseError::TopicAuthorizationFailed.into());
        }
        return Ok(context.node.topics.by_name(name).ok_or(ResponseError::UnknownTopicOrPartition)?);
    }
    let topic =
        context.node.topics.by_id(TopicId::from(state.topic_id)).ok_or(ResponseError::UnknownTopicId)?;
    if context.sees(DESCRIBE_TOPIC, &topic.name) {
        Ok(topic)
    } else {
        Err(ResponseError::UnknownTopicId.into())
    }
}

async fn delete(context: &RequestContext<'_>, topic: &Topic) -> Result<(), ApiError> {
    if !context.allows(DELETE_TOPIC, &topic.name) {
        return Err(ResponseError::TopicAuthorizationFailed.into());
    }
    let enabled = context.node.settings.text("delete.topic.enable").as_deref().and_then(boolean);
    if enabled == Some(false) {
        return Err(ResponseError::TopicDeletionDisabled.into());
    }
    let change = context.node.topics.change().await?;
    let current = context.node.topics.by_id(topic.id).ok_or(ResponseError::UnknownTopicOrPartition)?;
    context.mutate(current.partitions, 5)?;
    change.delete(&current).await?;
    if !context.node.config.storage.is_cluster() {
        context.node.groups.topic_deleted(&topic.name);
    }
    Ok(())
}
