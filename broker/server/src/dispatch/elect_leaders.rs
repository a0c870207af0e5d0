//! `ElectLeaders` (KIP-460): every partition has the leader it prefers, so that no election is ever needed.

use cadastre_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use cadastre_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};
use cadastre_protocol::{ResponseError, StrBytes};

use super::api_error::ApiError;
use super::context::RequestContext;
use super::operations::ALTER_CLUSTER;

/// `ElectionType.PREFERRED`.
const PREFERRED: i8 = 0;
/// `ElectionType.UNCLEAN`.
const UNCLEAN: i8 = 1;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let every = request.topic_partitions.is_none();
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
    let is_kind = (PREFERRED..=UNCLEAN).contains(&request.election_type);
    if context.header.version >= 1 && !is_kind {
        let refused = ApiError::from(ResponseError::InvalidRequest);
        let results = asked.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|&index| result(index, &refused));
            ReplicaElectionResult::default()
                .with_partition_result(partitions.collect())
                .with_topic(topic.topic)
        });
        return ElectLeadersResponse::default()
            .with_error_code(refused.code())
            .with_replica_election_results(results.collect());
    }
    if every {
        // Every topic, and of its partitions those with an election: none.
        let topics = context.node.topics.all().into_iter().map(|topic| {
            let name = TopicName(StrBytes::from_string(topic.name.clone()));
            ReplicaElectionResult::default().with_topic(name)
        });
        return ElectLeadersResponse::default().with_replica_election_results(topics.collect());
    }
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
