//! `ListOffsets`: the offset for a point in time.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use cadastre_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use cadastre_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use cadastre_storage::{ReadError, TimestampedOffset, Watermarks};

use super::context::RequestContext;
use super::create_topics::repeated;
use super::ends::{confirm, read_error};
use super::isolation::{is_committed, last_stable};
use super::operations::DESCRIBE_TOPIC;
use crate::state::topics::Topic;

/// After the last record.
const LATEST: i64 = -1;
/// Before the first record.
const EARLIEST: i64 = -2;
/// The record with the latest timestamp (KIP-734).
const MAXIMUM_TIMESTAMP: i64 = -3;
/// Before the first record on the broker's own disk (KIP-405); there is no other place here.
const EARLIEST_LOCAL: i64 = -4;
/// The last record in remote storage (KIP-1005).
const LATEST_TIERED: i64 = -5;
/// The first record not yet in remote storage (KIP-1023).
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Where in time, where in the log, and the leader epoch there.
type Found = Option<(i64, i64, i32)>;

pub(super) async fn handle(context: &RequestContext<'_>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let found: Vec<Result<Arc<Topic>, ResponseError>> =
        request.topics.iter().map(|asked| topic(context, asked)).collect();
    let wanted =
        request.topics.iter().zip(&found).filter_map(|(asked, topic)| Some((asked, topic.as_ref().ok()?)));
    let wanted = wanted
        .flat_map(|(asked, topic)| topic.existing(asked.partitions.iter().map(|it| it.partition_index)));
    let mut ends = confirm(context, wanted.collect()).await;
    let committed = is_committed(request.isolation_level);
    // After the ends: what was acknowledged before them belongs to transactions that are known then.
    if committed && context.node.transactions.refresh().await.is_err() {
        ends = Err(ResponseError::KafkaStorageError);
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for (asked, topic) in request.topics.into_iter().zip(found) {
        let topic = topic.and_then(|topic| ends.map(|()| topic));
        let duplicates = repeated(asked.partitions.iter().map(|partition| &partition.partition_index));
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        let mut answered = BTreeSet::new();
        for partition in asked.partitions.iter().filter(|asked| answered.insert(asked.partition_index)) {
            let found = match &topic {
                Ok(_) if duplicates.contains(&partition.partition_index) => {
                    Err(ResponseError::InvalidRequest)
                }
                Ok(topic) => find(context, topic, partition, committed).await,
                Err(error) => Err(*error),
            };
            partitions.push(response(context, partition.partition_index, found));
        }
        topics.push(ListOffsetsTopicResponse::default().with_name(asked.name).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

fn topic(context: &RequestContext<'_>, asked: &ListOffsetsTopic) -> Result<Arc<Topic>, ResponseError> {
    if !context.allows(DESCRIBE_TOPIC, &asked.name) {
        return Err(ResponseError::TopicAuthorizationFailed);
    }
    context.node.topics.by_name(&asked.name).ok_or(ResponseError::UnknownTopicOrPartition)
}

async fn find(
    context: &RequestContext<'_>,
    topic: &Topic,
    asked: &ListOffsetsPartition,
    committed: bool,
) -> Result<Found, ResponseError> {
    if !topic.has(asked.partition_index) {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    context.node.check_leader_epoch(asked.current_leader_epoch)?;
    let storage = &context.node.storage;
    let partition = topic.partition(asked.partition_index);
    let failed = |error: ReadError| read_error(&error);
    let here = |offset| Some((-1, offset, context.node.leader_epoch()));
    // A batch may begin before the first record that can still be read.
    let Watermarks { log_start_offset: start, high_watermark } =
        storage.watermarks(partition).map_err(failed)?;
    let end = if committed { last_stable(context, partition, high_watermark)? } else { high_watermark };
    let stamped = |found: Option<TimestampedOffset>| {
        let found = found.filter(|found| !committed || found.offset < end)?;
        Some((found.timestamp, found.offset.max(start), found.leader_epoch))
    };
    if context.header.version < first_version(asked.timestamp) {
        return Err(ResponseError::UnsupportedVersion);
    }
    Ok(match asked.timestamp {
        LATEST => here(end),
        EARLIEST | EARLIEST_LOCAL | EARLIEST_PENDING_UPLOAD => here(start),
        LATEST_TIERED => None,
        MAXIMUM_TIMESTAMP => stamped(storage.latest_timestamp(partition).await.map_err(failed)?),
        time if time >= 0 => stamped(storage.offset_for_timestamp(partition, time).await.map_err(failed)?),
        _ => return Err(ResponseError::UnsupportedVersion),
    })
}

/// The version of the request in which a special timestamp came to be.
fn first_version(timestamp: i64) -> i16 {
    match timestamp {
        MAXIMUM_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => 0,
    }
}

fn response(
    context: &RequestContext<'_>,
    index: i32,
    found: Result<Found, ResponseError>,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    let (code, (timestamp, offset, epoch)) = match found {
        Ok(found) => (0, found.unwrap_or((-1, -1, -1))),
        Err(error) => (error.code(), (-1, -1, -1)),
    };
    let response = response.with_error_code(code).with_timestamp(timestamp).with_offset(offset);
    if context.header.version >= 4 { response.with_leader_epoch(epoch) } else { response }
}
