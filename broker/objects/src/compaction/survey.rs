//! The first pass over the records: where each key stands last.

use cadastre_protocol::record_batch::RecordBatch;

use super::key_map::KeyMap;
use super::transactions::Transactions;
use super::{CleaningPlan, UNPACKED_LIMIT};

/// Reads the batches of a plan, in order.
#[derive(Debug)]
pub struct Survey {
    plan: CleaningPlan,
    transactions: Transactions,
    keys: KeyMap,
    /// The end of the batches that were taken in whole, once no more fit.
    full_at: Option<i64>,
    mapped_to: i64,
}

/// What a [`Survey`] found.
#[derive(Debug)]
pub struct Surveyed {
    pub(super) keys: KeyMap,
    pub(super) transactions: Transactions,
    clean_to: i64,
}

impl Surveyed {
    /// Records from here on must be left alone: they were not surveyed, or belong to a transaction whose end was not
    /// seen. The next pass begins here.
    #[must_use]
    pub const fn clean_to(&self) -> i64 {
        self.clean_to
    }
}

impl Survey {
    /// For a plan, with the transactions between its bounds; at most `maximum_keys` keys are held in memory, about 40
    /// bytes each.
    #[must_use]
    pub fn new(mut plan: CleaningPlan, transactions: Transactions, maximum_keys: usize) -> Self {
        // A transaction that may yet be aborted must not outshine what it would replace.
        plan.clean_to = plan.clean_to.min(transactions.undecided_from().unwrap_or(i64::MAX));
        let mapped_to = plan.dirty_from;
        Self { plan, transactions, keys: KeyMap::new(maximum_keys), full_at: None, mapped_to }
    }

    /// Takes the next batch; `false` when no further one is of use.
    pub fn take(&mut self, batch: &RecordBatch) -> bool {
        if self.full_at.is_some() || batch.last_offset() >= self.plan.clean_to {
            return false;
        }
        if batch.last_offset() < self.plan.dirty_from {
            return true;
        }
        let counts = !batch.is_control() && !self.transactions.voids(batch);
        if counts && !self.note_keys(batch) {
            // Keys of this batch that were noted stand in for records that stay: nothing from here on is cleaned.
            self.full_at = Some(self.mapped_to);
            return false;
        }
        self.mapped_to = batch.last_offset().saturating_add(1);
        true
    }

    /// `false` when the map is full.
    fn note_keys(&mut self, batch: &RecordBatch) -> bool {
        // What cannot be unpacked is kept as it is, and its keys hide nobody else's.
        let Ok(records) = batch.records(UNPACKED_LIMIT) else { return true };
        let Ok(records) = records.collect::<Result<Vec<_>, _>>() else { return true };
        records.iter().all(|record| record.key.as_ref().is_none_or(|key| self.keys.note(key, record.offset)))
    }

    /// Ends the pass.
    #[must_use]
    pub fn finish(self) -> Surveyed {
        let clean_to = self.full_at.unwrap_or(self.plan.clean_to).min(self.plan.clean_to);
        Surveyed { keys: self.keys, transactions: self.transactions, clean_to }
    }
}
