//! `DescribeProducers`: who has written to a partition lately, and whose transaction goes on there (KIP-664).

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::describe_producers_request::TopicRequest;
use cadastre_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use cadastre_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::context::RequestContext;
use super::ends::read_error;
use super::operations::READ_TOPIC;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let mut partitions = Vec::with_capacity(asked.partition_indexes.len());
        for index in &asked.partition_indexes {
            let response = PartitionResponse::default().with_partition_index(*index);
            partitions.push(match producers(context, &asked, *index).await {
                Ok(producers) => response.with_active_producers(producers),
                Err(error) => response.with_error_code(error.code()),
            });
        }
        topics.push(TopicResponse::default().with_name(asked.name).with_partitions(partitions));
    }
    DescribeProducersResponse::default().with_topics(topics)
}

async fn producers(
    context: &RequestContext<'_>,
    asked: &TopicRequest,
    index: i32,
) -> Result<Vec<ProducerState>, ResponseError> {
    if !context.allows(READ_TOPIC, &asked.name) {
        return Err(ResponseError::TopicAuthorizationFailed);
    }
    let topic = context.node.topics.by_name(&asked.name).filter(|topic| topic.has(index));
    let partition = topic.ok_or(ResponseError::UnknownTopicOrPartition)?.partition(index);
    let refreshed = context.node.transactions.refresh().await;
    refreshed.map_err(|_unavailable| ResponseError::KafkaStorageError)?;
    let known = context.node.storage.producers(partition).await.map_err(|error| read_error(&error))?;
    let states = known.into_iter().map(|producer| {
        let open_since = context.node.transactions.open_since(partition, producer.producer_id);
        ProducerState::default()
            .with_producer_id(ProducerId(producer.producer_id))
            .with_producer_epoch(i32::from(producer.epoch))
            .with_last_sequence(producer.last_sequence)
            .with_last_timestamp(producer.last_appended_at_ms)
            .with_coordinator_epoch(producer.last_transaction.unwrap_or(-1))
            .with_current_txn_start_offset(open_since.unwrap_or(-1))
    });
    Ok(states.collect())
}
