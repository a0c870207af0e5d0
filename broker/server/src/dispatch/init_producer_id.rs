//! `InitProducerId`: an id for an idempotent producer. Transactions are refused: there is no coordinator for them.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::context::RequestContext;
use super::operations::{IDEMPOTENT_WRITE, WRITE_TOPIC, WRITE_TRANSACTION};
use crate::listeners::listener_security::chain;
use cadastre_security::acl::CLUSTER_NAME;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if let Some(id) = &request.transactional_id {
        let allowed = context.allows(WRITE_TRANSACTION, id);
        return refused(if allowed {
            // The one code at which every client gives up at once instead of asking again.
            ResponseError::UnsupportedVersion
        } else {
            ResponseError::TransactionalIdAuthorizationFailed
        });
    }
    // KIP-679: whoever may write to some topic may do so with an id.
    if !context.sees(IDEMPOTENT_WRITE, CLUSTER_NAME) && !context.allows_any(WRITE_TOPIC) {
        context.record_denial(IDEMPOTENT_WRITE, CLUSTER_NAME);
        return refused(ResponseError::ClusterAuthorizationFailed);
    }
    match context.node.storage.allocate_producer_id().await {
        Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(error) => {
            tracing::error!(error = %chain(&error), "no producer id");
            refused(ResponseError::CoordinatorNotAvailable)
        }
    }
}

fn refused(error: ResponseError) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(error.code())
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}
