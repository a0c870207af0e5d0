//! What `read_committed` may see of a partition.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use cadastre_protocol::batch_outline::BatchOutline;
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::MetadataKind;
use tokio::sync::watch;

use super::Transactions;
use super::tables::{self, AbortedRecord, OpenRecord, UnreadableEntry};

/// Records of a producer that count for nothing, as `Fetch` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AbortedRange {
    /// Nothing of the transaction lies before this offset.
    pub(crate) first_offset: i64,
    /// Whose.
    pub(crate) producer_id: i64,
}

impl Transactions {
    /// The offset from which on nothing is decided yet: the lowest at which a transaction may go on. `None` when none does.
    ///
    /// # Errors
    ///
    /// An entry that cannot be read: nothing may be said to be stable.
    pub(crate) fn first_open(&self, partition: TopicPartition) -> Result<Option<i64>, UnreadableEntry> {
        self.first_open_but(partition, None)
    }

    /// As [`Transactions::first_open`], without the transaction of one producer.
    pub(super) fn first_open_but(
        &self,
        partition: TopicPartition,
        producer_id: Option<i64>,
    ) -> Result<Option<i64>, UnreadableEntry> {
        let (from, to) = tables::of_partition(partition);
        let own = producer_id.map(|id| tables::open_key(partition, id));
        let mut first = Ok(None::<i64>);
        self.storage.metadata().visit(MetadataKind::OpenTransaction, (&from, &to), |key, value| {
            if own.as_deref() == Some(key) {
                return ControlFlow::Continue(());
            }
            match (OpenRecord::decode(value), &mut first) {
                (Ok(open), Ok(first)) => {
                    let lowest = first.map_or(open.first_offset, |known| known.min(open.first_offset));
                    *first = Some(lowest);
                    ControlFlow::Continue(())
                }
                (Err(error), _) => {
                    first = Err(error);
                    ControlFlow::Break(())
                }
                (Ok(_), Err(_)) => ControlFlow::Break(()),
            }
        });
        first
    }

    /// The first offset of a producer's transaction that goes on in a partition.
    pub(crate) fn open_since(&self, partition: TopicPartition, producer_id: i64) -> Option<i64> {
        let key = tables::open_key(partition, producer_id);
        let value = self.storage.metadata().get(MetadataKind::OpenTransaction, &key)?;
        OpenRecord::decode(&value).ok().map(|open| open.first_offset)
    }

    /// The aborted transactions of which these batches hold records. To be asked after [`Transactions::first_open`]: who leaves
    /// that table enters this one.
    ///
    /// # Errors
    ///
    /// An entry that cannot be read.
    pub(crate) fn aborted_in(
        &self,
        partition: TopicPartition,
        batches: &[BatchOutline],
    ) -> Result<Vec<AbortedRange>, UnreadableEntry> {
        // Without records there is nothing to leave out, and the marker may be gone.
        let data = || {
            batches
                .iter()
                .filter(|batch| batch.is_transactional && !batch.is_control && batch.record_count > 0)
        };
        let (Some(first), Some(last)) = (data().next(), data().next_back()) else { return Ok(Vec::new()) };
        let end = last.last_offset;
        let from = tables::aborted_key(partition, first.base_offset);
        let to = tables::of_partition(partition).1;
        let mut found = Ok(BTreeSet::new());
        self.storage.metadata().visit(MetadataKind::AbortedTransaction, (&from, &to), |key, value| {
            let entry = AbortedRecord::decode(value)
                .and_then(|record| Ok((tables::aborted_place(key).ok_or(UnreadableEntry)?.1, record)));
            match (entry, &mut found) {
                (Ok((marker, record)), Ok(ranges)) => {
                    let AbortedRecord { producer_id, first_offset, last_stable_offset, .. } = record;
                    let covered = first_offset..marker;
                    let is_covered = |batch: &BatchOutline| {
                        batch.producer_id == producer_id && covered.contains(&batch.base_offset)
                    };
                    if data().any(is_covered) {
                        ranges.insert(AbortedRange { first_offset, producer_id });
                    }
                    if last_stable_offset > end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                }
                (Err(error), _) => {
                    found = Err(error);
                    ControlFlow::Break(())
                }
                (Ok(_), Err(_)) => ControlFlow::Break(()),
            }
        });
        found.map(|ranges| ranges.into_iter().collect())
    }

    /// Follows the ends of transactions: every change of the metadata in a cluster, where others end some, and what is completed
    /// here.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        let mut changes = self.storage.metadata().subscribe().unwrap_or_else(|| self.completed.subscribe());
        changes.mark_unchanged();
        changes
    }
}
