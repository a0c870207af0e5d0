//! `ElectLeaders` (KIP-460): every partition has the leader it prefers, so that no election is ever needed.

use cadastre_protocol::messages::elect_leaders_request::TopicPartitions;
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
        let denied = ApiError::from(ResponseError::ClusterAuthorizationFailed);
        let code = denied.code();
        let response = answer(asked, |_, _| denied.clone());
        return match context.header.version {
            1.. => response.with_error_code(code),
            _ => response,
        };
    }
    let is_kind = (PREFERRED..=UNCLEAN).contains(&request.election_type);
    if context.header.version >= 1 && !is_kind {
        let refused = ApiError::from(ResponseError::InvalidRequest);
        return answer(asked, |_, _| refused.clone()).with_error_code(refused.code());
    }
    if every {
        // Every topic, and of its partitions those with an election: none.
        let topics = context.node.topics.all().into_iter().map(|topic| {
            let name = TopicName(StrBytes::from_string(topic.name.clone()));
            ReplicaElectionResult::default().with_topic(name)
        });
        return ElectLeadersResponse::default().with_replica_election_results(topics.collect());
    }
    answer(asked, |topic, index| match context.node.topics.by_name(topic) {
        Some(topic) if topic.has(index) => {
            ApiError::new(ResponseError::ElectionNotNeeded, "leader election not needed for topic partition")
        }
        _ => ApiError::from(ResponseError::UnknownTopicOrPartition),
    })
}

/// What each partition that was asked for is told.
fn answer(asked: Vec<TopicPartitions>, told: impl Fn(&TopicName, i32) -> ApiError) -> ElectLeadersResponse {
    let results = asked.into_iter().map(|asked| {
        let partitions = asked.partitions.iter().map(|&index| result(index, &told(&asked.topic, index)));
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
