//! From a request's bytes to its answer: a file for each API, or for a family that shares its logic.

mod acls;
mod alter_configs;
mod alter_replica_log_dirs;
pub(crate) mod api_error;
mod cluster;
mod consumer_groups;
pub(crate) mod context;
mod create_partitions;
mod create_topics;
mod delegation_tokens;
mod delete_records;
mod delete_topics;
mod describe_configs;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod elect_leaders;
mod ends;
mod features;
mod fetch;
mod find_coordinator;
mod groups;
mod init_producer_id;
mod isolation;
mod list_config_resources;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod offsets;
pub(crate) mod operations;
mod partition_reassignments;
mod produce;
mod quotas;
mod scram;
mod throttled;
mod timestamps;
mod transactional_offsets;
mod transactions;
mod update_features;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cadastre_protocol::api::{self, EnvelopeError, RequestHeader};
use cadastre_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use cadastre_protocol::{ApiKey, ResponseError};
use tokio::time::Instant;

use self::context::RequestContext;
use self::throttled::Throttled;
use crate::listeners::session::Reply;
use crate::node::Node;

/// Decodes the body, calls the handler, and encodes what it returns.
macro_rules! call {
    ($context:expr, $body:expr, $handler:path) => {{
        let request = api::decode_request($context.header.version, $body)?;
        let started = Instant::now();
        let response = $handler($context, request).await;
        finish($context, response, started.elapsed(), 0)
    }};
}

/// Answers one request of an authenticated client.
///
/// # Errors
///
/// [`EnvelopeError`] when the request cannot be decoded; the connection must be closed.
pub(crate) async fn answer(context: &RequestContext<'_>, body: Bytes) -> Result<Reply, EnvelopeError> {
    let RequestHeader { api, version, .. } = *context.header;
    if !context.node.apis.supports(api, version) {
        tracing::debug!(?api, version, "unsupported request version");
        return Ok(Reply::CLOSE);
    }
    match api {
        ApiKey::Produce => produce::answer(context, body).await,
        ApiKey::Fetch => fetch::answer(context, body).await,
        ApiKey::ListOffsets => call!(context, body, list_offsets::handle),
        ApiKey::Metadata => call!(context, body, metadata::handle),
        ApiKey::OffsetCommit => call!(context, body, offsets::commit),
        ApiKey::OffsetFetch => call!(context, body, offsets::fetch),
        ApiKey::OffsetDelete => call!(context, body, offsets::delete),
        ApiKey::FindCoordinator => call!(context, body, find_coordinator::handle),
        ApiKey::JoinGroup => call!(context, body, groups::join),
        ApiKey::Heartbeat => call!(context, body, groups::heartbeat),
        ApiKey::LeaveGroup => call!(context, body, groups::leave),
        ApiKey::SyncGroup => call!(context, body, groups::sync),
        ApiKey::ConsumerGroupHeartbeat => call!(context, body, consumer_groups::heartbeat),
        ApiKey::ConsumerGroupDescribe => call!(context, body, consumer_groups::describe),
        ApiKey::DescribeGroups => call!(context, body, groups::describe),
        ApiKey::ListGroups => call!(context, body, groups::list),
        ApiKey::DeleteGroups => call!(context, body, groups::delete),
        ApiKey::CreateTopics => call!(context, body, create_topics::handle),
        ApiKey::DeleteTopics => call!(context, body, delete_topics::handle),
        ApiKey::DeleteRecords => call!(context, body, delete_records::handle),
        ApiKey::InitProducerId => call!(context, body, init_producer_id::handle),
        ApiKey::OffsetForLeaderEpoch => call!(context, body, offset_for_leader_epoch::handle),
        ApiKey::DescribeAcls => call!(context, body, acls::describe),
        ApiKey::CreateAcls => call!(context, body, acls::create),
        ApiKey::DeleteAcls => call!(context, body, acls::delete),
        ApiKey::DescribeConfigs => call!(context, body, describe_configs::handle),
        ApiKey::AlterConfigs => call!(context, body, alter_configs::replace),
        ApiKey::IncrementalAlterConfigs => call!(context, body, alter_configs::incremental),
        ApiKey::DescribeLogDirs => call!(context, body, describe_log_dirs::handle),
        ApiKey::CreatePartitions => call!(context, body, create_partitions::handle),
        ApiKey::DescribeDelegationToken => call!(context, body, delegation_tokens::describe),
        ApiKey::DescribeClientQuotas => call!(context, body, quotas::describe),
        ApiKey::AlterClientQuotas => call!(context, body, quotas::alter),
        ApiKey::DescribeUserScramCredentials => call!(context, body, scram::describe),
        ApiKey::AlterUserScramCredentials => call!(context, body, scram::alter),
        ApiKey::DescribeQuorum => call!(context, body, describe_quorum::handle),
        ApiKey::UpdateFeatures => call!(context, body, update_features::handle),
        ApiKey::DescribeCluster => call!(context, body, cluster::describe),
        ApiKey::DescribeTopicPartitions => call!(context, body, describe_topic_partitions::handle),
        ApiKey::DescribeTransactions => call!(context, body, describe_transactions::handle),
        ApiKey::ListTransactions => call!(context, body, describe_transactions::list),
        ApiKey::DescribeProducers => call!(context, body, describe_producers::handle),
        ApiKey::AddPartitionsToTxn => call!(context, body, transactions::add_partitions),
        ApiKey::AddOffsetsToTxn => call!(context, body, transactions::add_offsets),
        ApiKey::EndTxn => call!(context, body, transactions::end),
        ApiKey::TxnOffsetCommit => call!(context, body, transactional_offsets::commit),
        ApiKey::ElectLeaders => call!(context, body, elect_leaders::handle),
        ApiKey::AlterPartitionReassignments => call!(context, body, partition_reassignments::alter),
        ApiKey::ListPartitionReassignments => call!(context, body, partition_reassignments::list),
        ApiKey::AlterReplicaLogDirs => call!(context, body, alter_replica_log_dirs::handle),
        ApiKey::CreateDelegationToken => call!(context, body, delegation_tokens::create),
        ApiKey::RenewDelegationToken => call!(context, body, delegation_tokens::renew),
        ApiKey::ExpireDelegationToken => call!(context, body, delegation_tokens::expire),
        ApiKey::ListConfigResources => call!(context, body, list_config_resources::handle),
        _ => Ok(Reply::CLOSE),
    }
}

/// Answers `ApiVersions`, which needs no authentication.
///
/// # Errors
///
/// [`EnvelopeError`] when the request cannot be decoded; the connection must be closed.
pub(crate) fn api_versions(node: &Node, header: &RequestHeader, body: Bytes) -> Result<Reply, EnvelopeError> {
    if !node.apis.supports(header.api, header.version) {
        let response = api::unsupported_api_versions(&node.apis);
        return api::encode_response(header.api, 0, header.correlation_id, &response).map(Reply::from);
    }
    let request: ApiVersionsRequest = api::decode_request(header.version, body)?;
    let named =
        is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version);
    let response = ApiVersionsResponse::default().with_api_keys(node.apis.to_response());
    let response = if header.version >= 3 && !named {
        ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code())
    } else {
        features::announce(response, header.version)
    };
    api::encode_response(header.api, header.version, header.correlation_id, &response).map(Reply::from)
}

/// KIP-511: letters and digits, with `-` and `.` in between.
fn is_software_name(name: &str) -> bool {
    let edge = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '.'))
        && edge(name.chars().next())
        && edge(name.chars().next_back())
}

/// Encodes a response, with the throttle time that the client's quotas ask for.
fn finish<T: Throttled>(
    context: &RequestContext<'_>,
    response: T,
    busy: Duration,
    bytes_throttle_ms: u32,
) -> Result<Reply, EnvelopeError> {
    let request_throttle = context.node.quotas.request(context, busy);
    let held_back = context.held_back_ms.load(Ordering::Relaxed);
    let throttle_ms = request_throttle.max(bytes_throttle_ms).max(held_back);
    let header = context.header;
    let response = response.with_throttle(i32::try_from(throttle_ms).unwrap_or(i32::MAX));
    let payload = api::encode_response(header.api, header.version, header.correlation_id, &response)?;
    let mute = Duration::from_millis(u64::from(throttle_ms));
    Ok(Reply { payload: Some(payload), mute, close: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kip_511() {
        for good in ["apache-kafka-java", "librdkafka", "v2.14.1", "a"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a_b"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
