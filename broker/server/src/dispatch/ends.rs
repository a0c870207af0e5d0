//! Where partitions end: no answer may say that a record is not there which another broker has acknowledged.

use std::time::Duration;

use cadastre_protocol::ResponseError;
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::ReadError;
use tokio::time::timeout;

use super::context::RequestContext;
use crate::listeners::listener_security::chain;

/// How long the database may take to say where partitions end; clients give up later.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes sure that what any broker acknowledged before this request is known here, with one question for all partitions.
///
/// # Errors
///
/// `KAFKA_STORAGE_ERROR`, after which clients try again: nothing can be said about the end of any of them.
pub(super) async fn confirm(
    context: &RequestContext<'_>,
    partitions: Vec<TopicPartition>,
) -> Result<(), ResponseError> {
    if partitions.is_empty() {
        return Ok(());
    }
    match timeout(PATIENCE, context.node.storage.confirm(partitions)).await {
        Ok(confirmed) => confirmed.map_err(|error| read_error(&error)),
        Err(_elapsed) => {
            tracing::warn!("the database did not say in time where partitions end");
            Err(ResponseError::KafkaStorageError)
        }
    }
}

/// What a client is told about a partition whose bounds could not be had.
pub(super) fn read_error(error: &ReadError) -> ResponseError {
    match error {
        ReadError::UnknownPartition { .. } => ResponseError::UnknownTopicOrPartition,
        error => {
            tracing::error!(error = %chain(error), "offset not found");
            ResponseError::KafkaStorageError
        }
    }
}
