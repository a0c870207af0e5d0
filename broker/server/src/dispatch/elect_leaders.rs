//! `ElectLeaders` (KIP-460): every partition has the leader it prefers, so that no election is ever needed.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use cadastre_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::api_error::ApiError;
use super::context::RequestContext;
use super::operations::ALTER_CLUSTER;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let asked = request.topic_partitions.unwrap_or_default();
    if !context.allows_cluster(ALTER_CLUSTER) {
        // Version 0 has no place for an error of the whole (KIP-183).
        let denied = ResponseError::ClusterAuthorizationFailed;
        let results = asked.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|&index| result(index, &denied.into()));
            ReplicaElectionResult::default()
                .with_partition_result(partitions.collect())
                .with_topic(topic.topic)
        });
        let response = ElectLeadersResponse::default().with_replica_election_results(results.collect());
        return match context.header.version {
            1.. => response.with_error_code(denied.code()),
            _ => response,
        };
    }
    // Whoever asks for all partitions is told only of those with an election: none.
    let results = asked.into_iter().map(|asked| {
        let topic = context.node.topics.by_name(&asked.topic);
        let partitions = asked.partitions.iter().map(|&index| {
            let error = match &topic {
                Some(topic) if topic.has(index) => ApiError::new(
                    ResponseError::ElectionNotNeeded,
                    "leader election not needed for topic partition",
                ),
                _ => ApiError::from(ResponseError::UnknownTopicOrPartition),
            };
            result(index, &error)
        });
        ReplicaElectionResult::default().with_partition_result(partitions.collect()).with_topic(asked.topic)
    });
    ElectLeadersResponse::default().with_replica_election_results(results.collect())
}

fn result(index: i32, error: &ApiError) -> PartitionResult {
    PartitionResult::default()
        .with_partition_id(index)
        .with_error_code(error.code())
        .with_error_message(error.message())
}
