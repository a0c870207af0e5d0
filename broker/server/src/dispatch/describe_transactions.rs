//! `DescribeTransactions` (KIP-664): there are no transactions, so every id that may be described is unknown.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::describe_transactions_response::TransactionState;
use cadastre_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::context::RequestContext;
use super::operations::DESCRIBE_TRANSACTION;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let states = request.transactional_ids.into_iter().map(|id| {
        let error = if context.allows(DESCRIBE_TRANSACTION, &id) {
            ResponseError::TransactionalIdNotFound
        } else {
            ResponseError::TransactionalIdAuthorizationFailed
        };
        TransactionState::default().with_error_code(error.code()).with_transactional_id(id)
    });
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}
