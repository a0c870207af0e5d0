//! `DescribeQuorum`: a quorum of one voter, this node, whose log is the metadata.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::describe_quorum_response::{PartitionData, ReplicaState, TopicData};
use cadastre_protocol::messages::{BrokerId, DescribeQuorumRequest, DescribeQuorumResponse};

use super::api_error::ApiError;
use super::context::RequestContext;
use super::operations::DESCRIBE_CLUSTER;

/// The topic under which Kafka describes its metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !context.allows_cluster(DESCRIBE_CLUSTER) {
        let error = ApiError::from(ResponseError::ClusterAuthorizationFailed);
        let response = DescribeQuorumResponse::default().with_error_code(error.code());
        return if context.header.version >= 2 {
            response.with_error_message(error.message())
        } else {
            response
        };
    }
    let topics = request.topics.into_iter().map(|topic| {
        let known = topic.topic_name.as_str() == METADATA_TOPIC;
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            if known && index == 0 {
                metadata_partition(context)
            } else {
                PartitionData::default()
                    .with_partition_index(index)
                    .with_error_code(ResponseError::UnknownTopicOrPartition.code())
            }
        });
        TopicData::default().with_partitions(partitions.collect()).with_topic_name(topic.topic_name)
    });
    DescribeQuorumResponse::default().with_topics(topics.collect())
}

fn metadata_partition(context: &RequestContext<'_>) -> PartitionData {
    let node = BrokerId(context.node.config.node_id);
    let end = context.node.storage.metadata().version();
    let end = i64::try_from(end).unwrap_or(i64::MAX);
    let mut voter = ReplicaState::default().with_replica_id(node).with_log_end_offset(end);
    if context.header.version >= 1 {
        let now_ms = context.node.clock.now_ms();
        voter = voter.with_last_fetch_timestamp(now_ms).with_last_caught_up_timestamp(now_ms);
    }
    PartitionData::default()
        .with_leader_id(node)
        .with_leader_epoch(context.node.leader_epoch())
        .with_high_watermark(end)
        .with_current_voters(vec![voter])
}
