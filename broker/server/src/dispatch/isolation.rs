//! What `read_committed` gets of what was read: nothing that is not decided, and with it the list of what to leave out (KIP-98).

use bytes::Bytes;
use cadastre_protocol::ResponseError;
use cadastre_protocol::batch_outline::BatchOutline;
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::Fetched;

use super::context::RequestContext;
use crate::state::transactions::AbortedRange;

/// The isolation level of clients that want committed records only.
const READ_COMMITTED: i8 = 1;

/// Whether a request asks for committed records only.
pub(super) const fn is_committed(isolation_level: i8) -> bool {
    isolation_level == READ_COMMITTED
}

/// Records as `read_committed` may have them.
pub(super) struct Committed {
    pub(super) records: Bytes,
    pub(super) last_stable_offset: i64,
    pub(super) aborted: Vec<AbortedRange>,
}

/// The last stable offset of a partition that ends at `high_watermark`, as far as this broker has heard of transactions.
///
/// # Errors
///
/// `KAFKA_STORAGE_ERROR` when that cannot be told.
pub(super) fn last_stable(
    context: &RequestContext<'_>,
    partition: TopicPartition,
    high_watermark: i64,
) -> Result<i64, ResponseError> {
    match context.node.transactions.first_open(partition) {
        Ok(first) => Ok(first.map_or(high_watermark, |first| first.min(high_watermark))),
        Err(error) => {
            tracing::error!(%error, %partition, "the last stable offset is not known");
            Err(ResponseError::KafkaStorageError)
        }
    }
}

/// Cuts off what is not decided. The records were read before, so that transactions they belong to are known by now: here, or
/// to whoever else wrote them.
///
/// # Errors
///
/// `KAFKA_STORAGE_ERROR` when it cannot be told what is decided.
pub(super) async fn restrict(
    context: &RequestContext<'_>,
    partition: TopicPartition,
    fetched: &Fetched,
) -> Result<Committed, ResponseError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, %partition, "committed records cannot be told from others");
        ResponseError::KafkaStorageError
    };
    let mut batches = BatchOutline::read_all(&fetched.records).map_err(|error| unreadable(&error))?;
    if batches.iter().any(|batch| batch.is_transactional) {
        let refreshed = context.node.transactions.refresh().await;
        refreshed.map_err(|_unavailable| ResponseError::KafkaStorageError)?;
    }
    let last_stable_offset = last_stable(context, partition, fetched.high_watermark)?;
    let stable = batches.partition_point(|batch| batch.last_offset < last_stable_offset);
    batches.truncate(stable);
    let bytes = batches.iter().map(|batch| batch.size).sum::<usize>();
    let records = fetched.records.slice(..bytes.min(fetched.records.len()));
    let aborted = context.node.transactions.aborted_in(partition, &batches);
    Ok(Committed { records, last_stable_offset, aborted: aborted.map_err(|error| unreadable(&error))? })
}
