//! `AlterPartitionReassignments` and `ListPartitionReassignments` (KIP-455).
//!
//! Records lie in shared storage and each partition has one replica, led by a broker that the cluster chooses. So a partition may be
//! assigned to any one broker that is there, which moves nothing and is done at once, and no reassignment is ever under way.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use cadastre_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use cadastre_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, BrokerId,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use super::api_error::{ApiError, code_of, message_of};
use super::context::{KnownBrokers, RequestContext};
use super::operations::{ALTER_CLUSTER, DESCRIBE_CLUSTER};

pub(super) async fn alter(
    context: &RequestContext<'_>,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    if !context.allows_cluster(ALTER_CLUSTER) {
        return AlterPartitionReassignmentsResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code());
    }
    let brokers = context.brokers();
    let responses = request.topics.into_iter().map(|asked| {
        let topic = context.node.topics.by_name(&asked.name);
        let partitions = asked.partitions.iter().map(|partition| {
            let outcome = match &topic {
                Some(topic) if topic.has(partition.partition_index) => check(partition, &brokers),
                _ => Err(ResponseError::UnknownTopicOrPartition.into()),
            };
            ReassignablePartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code_of(&outcome))
                .with_error_message(message_of(&outcome))
        });
        ReassignableTopicResponse::default().with_partitions(partitions.collect()).with_name(asked.name)
    });
    AlterPartitionReassignmentsResponse::default().with_responses(responses.collect())
}

/// Whether a partition may be where the client wants it.
fn check(partition: &ReassignablePartition, brokers: &KnownBrokers) -> Result<(), ApiError> {
    match partition.replicas.as_deref() {
        None => Err(ResponseError::NoReassignmentInProgress.into()),
        Some([BrokerId(only)]) if brokers.get(*only).is_some() => Ok(()),
        Some(_) => Err(ApiError::new(
            ResponseError::InvalidReplicaAssignment,
            "a partition has one replica, on a broker of the cluster: records lie in shared storage",
        )),
    }
}

pub(super) async fn list(
    context: &RequestContext<'_>,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let response = ListPartitionReassignmentsResponse::default().with_error_message(None);
    if context.allows_cluster(DESCRIBE_CLUSTER) {
        response
    } else {
        response.with_error_code(ResponseError::ClusterAuthorizationFailed.code())
    }
}
