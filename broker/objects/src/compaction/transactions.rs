//! Which transactions came to nothing, and which have no end yet: read from headers and markers alone.

use std::collections::BTreeMap;

use cadastre_protocol::record_batch::RecordBatch;

use super::UNPACKED_LIMIT;

/// The transactions between two offsets of a partition.
#[derive(Debug, Clone, Default)]
pub struct Transactions {
    /// First offset of each producer's transaction without a marker so far.
    open: BTreeMap<i64, i64>,
    /// First data offset and marker's offset of each producer's aborted transactions, in order.
    aborted: BTreeMap<i64, Vec<(i64, i64)>>,
}

impl Transactions {
    /// Takes the next batch, in order.
    pub fn take(&mut self, batch: &RecordBatch) {
        if !batch.is_transactional() {
            return;
        }
        if !batch.is_control() {
            self.open.entry(batch.producer_id()).or_insert(batch.base_offset());
            return;
        }
        if is_abort(batch)
            && let Some(first_offset) = self.open.get(&batch.producer_id())
        {
            let range = (*first_offset, batch.base_offset());
            self.aborted.entry(batch.producer_id()).or_default().push(range);
        }
        self.open.remove(&batch.producer_id());
    }

    /// The first offset of a transaction whose end was not seen.
    #[must_use]
    pub fn undecided_from(&self) -> Option<i64> {
        self.open.values().copied().min()
    }

    /// Whether the batch holds data of an aborted transaction.
    pub(super) fn voids(&self, batch: &RecordBatch) -> bool {
        if !batch.is_transactional() || batch.is_control() {
            return false;
        }
        let Some(ranges) = self.aborted.get(&batch.producer_id()) else { return false };
        let next = ranges.partition_point(|(_, marker)| *marker <= batch.base_offset());
        ranges.get(next).is_some_and(|(first, _)| *first <= batch.base_offset())
    }
}

/// Whether a control batch says that a transaction was aborted (Kafka documentation, "Control Batches": the key is
/// version int16, type int16, 0 for abort).
fn is_abort(batch: &RecordBatch) -> bool {
    let first = batch.records(UNPACKED_LIMIT).ok().and_then(|mut records| records.next()?.ok());
    first.and_then(|record| record.key).is_some_and(|key| key.get(2..4) == Some(&[0, 0]))
}
