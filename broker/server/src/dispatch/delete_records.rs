//! `DeleteRecords`: moves the start of partitions forward.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::delete_records_request::DeleteRecordsPartition;
use cadastre_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use cadastre_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::context::RequestContext;
use super::ends::{confirm, read_error};
use super::operations::DELETE_TOPIC;
use crate::listeners::listener_security::chain;
use crate::state::topics::Topic;

/// "Up to the end."
const HIGH_WATERMARK: i64 = -1;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = if context.allows_action(DELETE_TOPIC, &asked.name, Some("records".to_owned())) {
            context.node.topics.by_name(&asked.name).ok_or(ResponseError::UnknownTopicOrPartition)
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        };
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        // What another broker has acknowledged can be deleted through this one.
        let ends = match &topic {
            Ok(topic) => {
                let indexes = asked.partitions.iter().map(|it| it.partition_index);
                confirm(context, topic.existing(indexes)).await
            }
            Err(_refused) => Ok(()),
        };
        for partition in &asked.partitions {
            let outcome = match &topic {
                Ok(topic) => match ends {
                    Ok(()) => delete(context, topic, partition).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(*error),
            };
            partitions.push(
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(partition.partition_index)
                    .with_low_watermark(outcome.unwrap_or(-1))
                    .with_error_code(outcome.err().map_or(0, |error| error.code())),
            );
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(asked.name).with_partitions(partitions));
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

async fn delete(
    context: &RequestContext<'_>,
    topic: &Topic,
    asked: &DeleteRecordsPartition,
) -> Result<i64, ResponseError> {
    let policy = context.node.settings.topic_text(topic, "cleanup.policy").unwrap_or_default();
    if !policy.split(',').any(|policy| policy.trim() == "delete") {
        return Err(ResponseError::PolicyViolation);
    }
    let storage = &context.node.storage;
    let partition = topic.partition(asked.partition_index);
    let watermarks = storage.watermarks(partition).map_err(|error| read_error(&error))?;
    let before = if asked.offset == HIGH_WATERMARK { watermarks.high_watermark } else { asked.offset };
    if before < 0 || before > watermarks.high_watermark {
        return Err(ResponseError::OffsetOutOfRange);
    }
    if before <= watermarks.log_start_offset {
        return Ok(watermarks.log_start_offset);
    }
    match storage.delete_records(partition, before).await {
        Ok(low_watermark) => Ok(low_watermark),
        Err(error) => {
            tracing::error!(error = %chain(&error), "records not deleted");
            Err(ResponseError::KafkaStorageError)
        }
    }
}
