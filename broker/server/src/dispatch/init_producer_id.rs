//! `InitProducerId`: an id for an idempotent producer, or the right to a transactional id (KIP-98, KIP-360).

use cadastre_coordinator::{ProducerIdentity, TransactionError};
use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::context::RequestContext;
use super::operations::{IDEMPOTENT_WRITE, WRITE_TOPIC, WRITE_TRANSACTION};
use super::transactions::code;
use crate::listeners::listener_security::chain;
use cadastre_security::acl::CLUSTER_NAME;

/// The first version whose clients know `PRODUCER_FENCED` (KIP-588).
const FENCING: i16 = 4;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if let Some(id) = &request.transactional_id {
        if !context.allows(WRITE_TRANSACTION, id) {
            return refused(ResponseError::TransactionalIdAuthorizationFailed.code());
        }
        return match initialize(context, id, &request).await {
            Ok(producer) => given(producer),
            Err(error) => refused(code(error, context.header.version >= FENCING)),
        };
    }
    // KIP-679: whoever may write to some topic may do so with an id.
    if !context.sees(IDEMPOTENT_WRITE, CLUSTER_NAME) && !context.allows_any(WRITE_TOPIC) {
        context.record_denial(IDEMPOTENT_WRITE, CLUSTER_NAME);
        return refused(ResponseError::ClusterAuthorizationFailed.code());
    }
    match context.node.storage.allocate_producer_id().await {
        Ok(id) => given(ProducerIdentity { id, epoch: 0 }),
        Err(error) => {
            tracing::error!(error = %chain(&error), "no producer id");
            refused(ResponseError::CoordinatorNotAvailable.code())
        }
    }
}

async fn initialize(
    context: &RequestContext<'_>,
    id: &str,
    request: &InitProducerIdRequest,
) -> Result<ProducerIdentity, TransactionError> {
    let expected = match (request.producer_id.0, request.producer_epoch) {
        // Up to version 2 there are no such fields.
        _ if context.header.version < 3 => None,
        (-1, -1) => None,
        (id, epoch) if id >= 0 && epoch >= 0 => Some(ProducerIdentity { id, epoch }),
        _ => return Err(TransactionError::InvalidRequest),
    };
    context.node.transactions.initialize(id, expected, request.transaction_timeout_ms).await
}

fn given(producer: ProducerIdentity) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
}

fn refused(code: i16) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(code)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}
