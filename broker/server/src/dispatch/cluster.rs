//! `DescribeCluster`: who this cluster is.

use cadastre_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use cadastre_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::{CLUSTER_NAME, ResourceType};

use super::api_error::ApiError;
use super::context::RequestContext;
use super::metadata::NO_OPERATIONS;
use super::operations::DESCRIBE_CLUSTER;

/// `EndpointType.BROKER`.
const BROKERS: i8 = 1;
/// `EndpointType.CONTROLLER`.
const CONTROLLERS: i8 = 2;

pub(super) async fn describe(
    context: &RequestContext<'_>,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if context.header.version >= 1 && request.endpoint_type != BROKERS {
        let error = match request.endpoint_type {
            CONTROLLERS => ApiError::new(
                ResponseError::MismatchedEndpointType,
                "this is a broker endpoint, controllers cannot be described here",
            ),
            other => ApiError::new(
                ResponseError::UnsupportedEndpointType,
                format!("endpoint type {other} is none"),
            ),
        };
        return DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(error.message())
            .with_cluster_authorized_operations(NO_OPERATIONS);
    }
    let brokers = context.brokers();
    let brokers = brokers.all().into_iter().map(|peer| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(peer.node_id))
            .with_host(StrBytes::from_string(peer.endpoint.host.clone()))
            .with_port(i32::from(peer.endpoint.port))
            .with_rack(peer.rack.clone().map(StrBytes::from_string))
    });
    let operations = match request.include_cluster_authorized_operations {
        // Kafka answers 0 to those who may not describe the cluster.
        true if !context.allows_cluster(DESCRIBE_CLUSTER) => 0,
        true => context.authorized_operations(ResourceType::Cluster, CLUSTER_NAME),
        false => NO_OPERATIONS,
    };
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(context.node.cluster_id.clone()))
        .with_controller_id(BrokerId(context.node.config.node_id))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(operations)
}
