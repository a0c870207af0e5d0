//! From a decision to its end: markers in every partition, then one commit that completes the transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use cadastre_coordinator::{Transaction, TransactionError};
use cadastre_protocol::transaction_marker::{TransactionMarker, TransactionResult};
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::{AppendError, MetadataChange, MetadataKind, Sight};
use futures::stream::{self, StreamExt as _};
use tokio::task::JoinHandle;

use super::tables::{self, AbortedRecord};
use super::{TRIES, Transactions};
use crate::listeners::listener_security::chain;

/// How many markers are appended at once.
const MARKERS_AT_ONCE: usize = 64;

impl Transactions {
    /// Completes a decided transaction in a task of its own.
    pub(super) fn complete_in_background(self: &Arc<Self>, id: &str) -> JoinHandle<()> {
        let (transactions, id) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = transactions.complete(&id).await {
                // The decision is durable; whoever looks after the transactional id tries again.
                tracing::warn!(%error, "a decided transaction is not complete yet");
            }
        })
    }

    /// Writes the markers of a decided transaction and completes it. Others may do the same at the same time.
    ///
    /// # Errors
    ///
    /// [`TransactionError::CoordinatorNotAvailable`] when something cannot be written; to be tried again.
    pub(super) async fn complete(&self, id: &str) -> Result<(), TransactionError> {
        for _ in 0..TRIES {
            let Some(decided) = self.find(id)? else { return Ok(()) };
            let Some(marker) = decided.marker() else { return Ok(()) };
            let written = match self.write_markers(&decided, marker).await {
                Ok(written) => written,
                Err(error) => {
                    self.refresh().await?;
                    // Somebody else may have completed it, and more.
                    let is_decided = self.find(id)?.is_some_and(|now| now.marker() == Some(marker));
                    return if is_decided { Err(error) } else { Ok(()) };
                }
            };
            let guard = self.lock(id).await;
            let known = self.known(id)?;
            let Some(current) = known.transaction.as_ref().filter(|now| now.marker() == Some(marker)) else {
                return Ok(());
            };
            let now_ms = self.clock.now_ms();
            let Some(next) = current.completed(now_ms) else { return Ok(()) };
            let mut changes = self.settle_offsets(current, marker, now_ms)?;
            if marker.result == TransactionResult::Abort {
                changes.extend(self.aborted(current, &written)?);
            }
            if self.write(id, &known, Some(&next), changes, None).await? {
                self.completed.send_modify(|count| *count = count.wrapping_add(1));
                let groups = current.groups.clone();
                drop(guard);
                for group in groups {
                    self.groups.settle_soon(&group).await;
                }
                return Ok(());
            }
        }
        Err(TransactionError::CoordinatorNotAvailable)
    }

    /// Appends the marker to each partition; where it is, for those that still exist.
    async fn write_markers(
        &self,
        decided: &Transaction,
        marker: TransactionMarker,
    ) -> Result<BTreeMap<TopicPartition, i64>, TransactionError> {
        let batch = marker.to_batch(self.clock.now_ms());
        let appends = stream::iter(decided.partitions.keys().copied()).map(|partition| {
            let batch = batch.clone();
            async move { (partition, self.storage.append(partition, batch).await) }
        });
        let appended: Vec<_> = appends.buffer_unordered(MARKERS_AT_ONCE).collect().await;
        let mut written = BTreeMap::new();
        for (partition, outcome) in appended {
            match outcome {
                Ok(appended) => {
                    written.insert(partition, appended.base_offset);
                }
                Err(AppendError::UnknownPartition { .. }) => {}
                Err(error) => {
                    tracing::warn!(%partition, error = %chain(&error), "a marker is not written yet");
                    return Err(TransactionError::CoordinatorNotAvailable);
                }
            }
        }
        Ok(written)
    }

    /// The entries that tell readers what to leave out.
    fn aborted(
        &self,
        transaction: &Transaction,
        written: &BTreeMap<TopicPartition, i64>,
    ) -> Result<Vec<(MetadataChange, Sight)>, TransactionError> {
        let own = transaction.producer.id;
        let mut entries = Vec::with_capacity(written.len());
        for (partition, marker) in written {
            let Some(first_offset) = transaction.partitions.get(partition) else { continue };
            let others = self.first_open_but(*partition, Some(own)).map_err(|error| {
                tracing::error!(%error, %partition, "open transactions are not known");
                TransactionError::CoordinatorNotAvailable
            })?;
            let after = marker.saturating_add(1);
            let last_stable_offset = others.map_or(after, |others| others.min(after));
            let record = AbortedRecord::new(own, *first_offset, last_stable_offset);
            let (kind, key) = (MetadataKind::AbortedTransaction, tables::aborted_key(*partition, *marker));
            entries.push((MetadataChange { kind, key, value: Some(record.encode()) }, Sight::Any));
        }
        Ok(entries)
    }
}
