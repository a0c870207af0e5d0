//! `OffsetForLeaderEpoch`: where a leader epoch ended.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use cadastre_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use cadastre_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::context::RequestContext;
use super::ends::confirm;
use super::operations::DESCRIBE_TOPIC;
use crate::state::topics::Topic;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = if context.allows(DESCRIBE_TOPIC, &asked.topic) {
            context.node.topics.by_name(&asked.topic).ok_or(ResponseError::UnknownTopicOrPartition)
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        };
        // An end that is behind would tell a consumer beyond it that what it read was taken back.
        let topic = match topic {
            Ok(topic) => {
                let indexes = asked.partitions.iter().map(|it| it.partition);
                confirm(context, topic.existing(indexes)).await.map(|()| topic)
            }
            Err(error) => Err(error),
        };
        let answer = |partition: &OffsetForLeaderPartition| {
            let found =
                topic.as_ref().map_err(|error| *error).and_then(|topic| end(context, topic, partition));
            response(partition.partition, found)
        };
        let partitions = asked.partitions.iter().map(answer).collect();
        results
            .push(OffsetForLeaderTopicResult::default().with_topic(asked.topic).with_partitions(partitions));
    }
    OffsetForLeaderEpochResponse::default().with_topics(results)
}

fn end(
    context: &RequestContext<'_>,
    topic: &Topic,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ResponseError> {
    if !topic.has(asked.partition) {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    context.node.check_leader_epoch(asked.current_leader_epoch)?;
    let end = context.node.storage.end_of_epoch(topic.partition(asked.partition), asked.leader_epoch);
    Ok(end.map_err(|_unknown| ResponseError::UnknownTopicOrPartition)?.unwrap_or((-1, -1)))
}

fn response(partition: i32, found: Result<(i32, i64), ResponseError>) -> EpochEndOffset {
    let response = EpochEndOffset::default().with_partition(partition);
    match found {
        Ok((epoch, offset)) => response.with_leader_epoch(epoch).with_end_offset(offset),
        Err(error) => response.with_error_code(error.code()).with_leader_epoch(-1).with_end_offset(-1),
    }
}
