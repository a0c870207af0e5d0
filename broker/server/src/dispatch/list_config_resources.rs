//! `ListConfigResources` (KIP-1142): which resources have settings.

use cadastre_protocol::messages::list_config_resources_response::ConfigResource;
use cadastre_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use cadastre_protocol::{ResponseError, StrBytes};

use super::context::RequestContext;
use super::describe_configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::operations::DESCRIBE_CLUSTER_CONFIGS;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let failed = |error: ResponseError| ListConfigResourcesResponse::default().with_error_code(error.code());
    if !context.allows_cluster(DESCRIBE_CLUSTER_CONFIGS) {
        return failed(ResponseError::ClusterAuthorizationFailed);
    }
    // Version 0 lists client metrics subscriptions alone (KIP-1000), and there are none.
    if context.header.version == 0 {
        return ListConfigResourcesResponse::default();
    }
    let known = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
    if request.resource_types.iter().any(|asked| !known.contains(asked)) {
        return failed(ResponseError::UnsupportedVersion);
    }
    let wanted = |kind: i8| request.resource_types.is_empty() || request.resource_types.contains(&kind);
    let node = context.node.config.node_id.to_string();
    let mut found: Vec<(i8, String)> = Vec::new();
    if wanted(TOPIC) {
        found.extend(context.node.topics.all().iter().map(|topic| (TOPIC, topic.name.clone())));
    }
    for kind in [BROKER, BROKER_LOGGER] {
        if wanted(kind) {
            found.push((kind, node.clone()));
        }
    }
    if wanted(GROUP) {
        found.extend(context.node.settings.groups().into_iter().map(|group| (GROUP, group)));
    }
    let resources = found.into_iter().map(|(kind, name)| {
        ConfigResource::default().with_resource_type(kind).with_resource_name(StrBytes::from_string(name))
    });
    ListConfigResourcesResponse::default().with_config_resources(resources.collect())
}
