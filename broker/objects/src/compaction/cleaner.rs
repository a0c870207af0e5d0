//! The second pass: what is left of each batch.

use std::collections::BTreeMap;

use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{RecordBatch, RecordBatchError};

use super::UNPACKED_LIMIT;
use super::survey::Surveyed;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleaned {
    /// It stays as it is.
    Kept,
    /// It stays with fewer records, perhaps none, or with a delete horizon.
    Rewritten(RecordBatch),
    /// Nothing of it is left.
    Dropped,
}

/// Says of each batch of the partition, from its first on, what is left.
#[derive(Debug)]
pub struct Cleaner {
    surveyed: Surveyed,
    /// The offset of each producer's last batch.
    last_of_producer: BTreeMap<i64, i64>,
    delete_retention_ms: i64,
    now_ms: i64,
    /// Producers with data of an unfinished transaction left in front of the batch at hand.
    with_data: BTreeMap<i64, bool>,
}

impl Cleaner {
    /// `last_of_producer` holds the last offset that each producer the broker still remembers wrote to the partition:
    /// the batch there stays, if need be empty, so that its sequence number can be found again.
    #[must_use]
    pub const fn new(
        surveyed: Surveyed,
        last_of_producer: BTreeMap<i64, i64>,
        delete_retention_ms: i64,
        now_ms: i64,
    ) -> Self {
        Self { surveyed, last_of_producer, delete_retention_ms, now_ms, with_data: BTreeMap::new() }
    }

    /// Where the pass ends; batches from there on are kept.
    #[must_use]
    pub const fn clean_to(&self) -> i64 {
        self.surveyed.clean_to()
    }

    /// Judges the next batch, in order.
    ///
    /// # Errors
    /// [`RecordBatchError`] when the records that are left cannot be packed. A batch whose records cannot be unpacked is
    /// kept, since nothing is known of its keys.
    pub fn clean(&mut self, batch: &RecordBatch) -> Result<Cleaned, RecordBatchError> {
        if batch.last_offset() >= self.clean_to() {
            return Ok(Cleaned::Kept);
        }
        let horizon_passed = batch.delete_horizon_ms().is_some_and(|horizon| horizon <= self.now_ms);
        // A marker without data in front of it, or data that a marker made void.
        let void = self.is_void(batch);
        let discard = if batch.is_control() { void && horizon_passed } else { void };
        let Ok(records) = batch.records(UNPACKED_LIMIT).and_then(Iterator::collect::<Result<Vec<_>, _>>)
        else {
            return Ok(Cleaned::Kept);
        };
        let left: Vec<Record> = records
            .iter()
            .filter(|record| !discard && (batch.is_control() || self.stays(record, horizon_passed)))
            .cloned()
            .collect();
        let tombstones = !batch.is_control() && left.iter().any(|record| record.value.is_none());
        let horizon = ((tombstones || (batch.is_control() && void)) && batch.delete_horizon_ms().is_none())
            .then(|| self.now_ms.saturating_add(self.delete_retention_ms));
        let of_use = !records.is_empty() || self.must_stay(batch);
        if of_use && horizon.is_none() && left.len() == records.len() {
            return Ok(Cleaned::Kept);
        }
        if left.is_empty() && !self.must_stay(batch) {
            return Ok(Cleaned::Dropped);
        }
        batch.with_records(&left, horizon).map(Cleaned::Rewritten)
    }

    fn is_void(&mut self, batch: &RecordBatch) -> bool {
        if batch.is_control() {
            return !self.with_data.remove(&batch.producer_id()).unwrap_or(false);
        }
        if !batch.is_transactional() {
            return false;
        }
        // Also void data counts for its marker, which therefore goes one pass later than the data.
        let data = batch.record_count() > 0;
        let seen = self.with_data.entry(batch.producer_id()).or_insert(false);
        *seen |= data;
        self.surveyed.transactions.voids(batch)
    }

    /// Whether a record is its key's last, and no tombstone whose time is over. Records without a key have no place
    /// in a compacted topic, and Kafka's cleaner drops them too.
    fn stays(&self, record: &Record, horizon_passed: bool) -> bool {
        let Some(key) = &record.key else { return false };
        let latest = self.surveyed.keys.last(key).is_none_or(|last| last <= record.offset);
        latest && (record.value.is_some() || !horizon_passed)
    }

    fn must_stay(&self, batch: &RecordBatch) -> bool {
        let of_producer = batch.has_producer_id()
            && self.last_of_producer.get(&batch.producer_id()) == Some(&batch.last_offset());
        // The last batch of the pass keeps the offsets from ending early.
        of_producer || batch.last_offset().saturating_add(1) == self.clean_to()
    }
}
