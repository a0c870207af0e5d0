//! `FindCoordinator`: the broker that coordinates a group; in embedded mode there is one.

use cadastre_protocol::messages::find_coordinator_response::Coordinator;
use cadastre_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use cadastre_protocol::{ResponseError, StrBytes};

use super::api_error::ApiError;
use super::context::RequestContext;
use crate::peers::Peer;

use super::operations::{DESCRIBE_GROUP, DESCRIBE_TRANSACTION};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if context.header.version >= 4 {
        let keys = request.coordinator_keys.into_iter();
        let coordinators = keys.map(|key| coordinator(context, request.key_type, key)).collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let found = coordinator(context, request.key_type, request.key);
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(found.error_message)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn coordinator(context: &RequestContext<'_>, key_type: i8, key: StrBytes) -> Coordinator {
    let refused = match key_type {
        GROUP if !context.allows(DESCRIBE_GROUP, &key) => {
            Some(ResponseError::GroupAuthorizationFailed.into())
        }
        TRANSACTION if !context.allows(DESCRIBE_TRANSACTION, &key) => {
            Some(ResponseError::TransactionalIdAuthorizationFailed.into())
        }
        GROUP | TRANSACTION => None,
        _ => Some(ApiError::new(ResponseError::InvalidRequest, "share groups are not supported")),
    };
    let node_id = context.node.groups.coordinator(&key);
    let brokers = context.brokers();
    let coordinator = Coordinator::default().with_key(key);
    let found: Result<&Peer, ApiError> = match refused {
        Some(error) => Err(error),
        // Not there at the moment, or without the listener that this client uses.
        None => node_id
            .and_then(|id| brokers.get(id))
            .ok_or_else(|| ResponseError::CoordinatorNotAvailable.into()),
    };
    match found {
        Ok(peer) => coordinator
            .with_node_id(BrokerId(peer.node_id))
            .with_host(StrBytes::from_string(peer.endpoint.host.clone()))
            .with_port(i32::from(peer.endpoint.port)),
        Err(error) => coordinator
            .with_error_code(error.code())
            .with_error_message(error.message())
            .with_node_id(BrokerId(-1))
            .with_port(-1),
    }
}
