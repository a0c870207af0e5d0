//! What a partition remembers of an idempotent or transactional producer (KIP-98, KIP-360, KIP-890, Kafka's `ProducerStateManager`): in the database of a
//! cluster, and in the snapshots of an embedded log.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::commit::{AppendRefusal, ProducerStamp, TransactionRole};

/// How many batches of a producer are remembered: as many as a client may have in flight. The marker that ended its last
/// transaction comes on top.
const REMEMBERED_BATCHES: usize = 5;
/// The first sequence number of a marker, which has none; its last one is the number of the transaction.
const MARKER: i32 = -1;

/// One remembered batch. The field order is part of the schema version and of the log's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct RememberedBatch {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
    appended_at_ms: i64,
}

impl RememberedBatch {
    const fn is_marker(&self) -> bool {
        self.base_sequence == MARKER
    }
}

/// A producer as one partition knows it. The field order is part of the schema version and of the log's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerEntry {
    epoch: i16,
    batches: VecDeque<RememberedBatch>,
}

/// What a batch's sequence numbers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceVerdict {
    /// It continues, or nothing is known of the producer.
    Next,
    /// It was appended before.
    Duplicate {
        /// Where it begins.
        base_offset: i64,
        /// When it was appended, milliseconds since the epoch.
        appended_at_ms: i64,
    },
    /// It does not continue.
    Refused(AppendRefusal),
}

/// A producer that has written to a partition lately, for `DescribeProducers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer's id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Its last sequence number under this epoch, -1 for none.
    pub last_sequence: i32,
    /// Offset of its last record; of the marker where there is no record.
    pub last_offset: i64,
    /// The number of the last transaction that was ended here.
    pub last_transaction: Option<i32>,
    /// When it wrote last, milliseconds since the epoch.
    pub last_appended_at_ms: i64,
}

impl ProducerEntry {
    /// Judges a batch of the producer: `known` is what the partition remembers.
    #[must_use]
    pub fn check(known: Option<&Self>, stamp: &ProducerStamp) -> SequenceVerdict {
        let Some(entry) = known.filter(|entry| !entry.batches.is_empty()) else {
            return SequenceVerdict::Next;
        };
        let ended = entry.last_marker();
        if let (TransactionRole::Ends(number), Some(ended)) = (stamp.role, ended)
            && !is_after(number, ended.last_sequence)
        {
            return SequenceVerdict::Duplicate {
                base_offset: ended.base_offset,
                appended_at_ms: ended.appended_at_ms,
            };
        }
        if stamp.epoch < entry.epoch {
            return SequenceVerdict::Refused(AppendRefusal::InvalidProducerEpoch {
                found: stamp.epoch,
                known: entry.epoch,
            });
        }
        if let TransactionRole::Ends(_) = stamp.role {
            return SequenceVerdict::Next;
        }
        let expected = if stamp.epoch > entry.epoch {
            0
        } else {
            let same = |it: &&RememberedBatch| {
                (it.base_sequence, it.last_sequence) == (stamp.base_sequence, stamp.last_sequence)
            };
            if let Some(before) = entry.batches.iter().find(same) {
                return SequenceVerdict::Duplicate {
                    base_offset: before.base_offset,
                    appended_at_ms: before.appended_at_ms,
                };
            }
            // Sequence numbers wrap from the largest to 0.
            entry.last_data().map_or(0, |last| last.last_sequence.checked_add(1).unwrap_or(0))
        };
        if let (TransactionRole::Within(number), Some(ended)) = (stamp.role, ended)
            && !is_after(number, ended.last_sequence)
        {
            return SequenceVerdict::Refused(AppendRefusal::TransactionEnded);
        }
        if stamp.base_sequence == expected {
            return SequenceVerdict::Next;
        }
        SequenceVerdict::Refused(AppendRefusal::OutOfOrderSequence { found: stamp.base_sequence, expected })
    }

    /// Remembers a batch that takes the offsets from `base_offset` to before `end_offset`.
    #[must_use]
    pub fn remember(
        known: Option<Self>,
        stamp: &ProducerStamp,
        base_offset: i64,
        end_offset: i64,
        appended_at_ms: i64,
    ) -> Self {
        let mut entry = known.unwrap_or(Self { epoch: stamp.epoch, batches: VecDeque::new() });
        if entry.epoch != stamp.epoch {
            entry.epoch = stamp.epoch;
            entry.batches.retain(RememberedBatch::is_marker);
        }
        let (base_sequence, last_sequence) = match stamp.role {
            TransactionRole::Ends(number) => {
                entry.batches.retain(|batch| !batch.is_marker());
                (MARKER, number)
            }
            TransactionRole::None | TransactionRole::Within(_) => (stamp.base_sequence, stamp.last_sequence),
        };
        entry.batches.push_back(RememberedBatch {
            base_sequence,
            last_sequence,
            base_offset,
            last_offset: end_offset.saturating_sub(1),
            appended_at_ms,
        });
        while entry.batches.iter().filter(|batch| !batch.is_marker()).count() > REMEMBERED_BATCHES {
            let oldest = entry.batches.iter().position(|batch| !batch.is_marker());
            let _forgotten = oldest.and_then(|oldest| entry.batches.remove(oldest));
        }
        entry
    }

    fn last_marker(&self) -> Option<&RememberedBatch> {
        self.batches.iter().find(|batch| batch.is_marker())
    }

    fn last_data(&self) -> Option<&RememberedBatch> {
        self.batches.iter().rfind(|batch| !batch.is_marker())
    }

    /// Forgets the batches with offsets from `from` to before `to`: they are lost, and may be sent again. That a transaction
    /// ended there stays known.
    pub fn forget(&mut self, from: i64, to: i64) {
        self.batches.retain(|batch| batch.is_marker() || batch.last_offset < from || batch.base_offset >= to);
    }

    /// Whether no batch is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// When the producer wrote last, milliseconds since the epoch.
    #[must_use]
    pub fn last_appended_at_ms(&self) -> i64 {
        self.batches.back().map_or(i64::MIN, |batch| batch.appended_at_ms)
    }

    /// The producer, by what it wrote last.
    #[must_use]
    pub fn summary(&self, producer_id: i64) -> Option<ProducerSummary> {
        let last = self.last_data().or_else(|| self.batches.back())?;
        let marker = self.last_marker();
        Some(ProducerSummary {
            producer_id,
            epoch: self.epoch,
            last_sequence: if last.is_marker() { -1 } else { last.last_sequence },
            last_offset: last.last_offset,
            last_transaction: marker.map(|marker| marker.last_sequence),
            last_appended_at_ms: self.last_appended_at_ms(),
        })
    }
}

/// Whether a transaction's number comes after another's, as serial numbers do (RFC 1982 §3.2).
const fn is_after(number: i32, other: i32) -> bool {
    number.wrapping_sub(other) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: i16, base_sequence: i32, count: i32) -> ProducerStamp {
        let last = (i64::from(base_sequence) + i64::from(count) - 1) & i64::from(i32::MAX);
        let last_sequence = i32::try_from(last).unwrap();
        ProducerStamp { id: 9, epoch, base_sequence, last_sequence, role: TransactionRole::None }
    }

    fn after(stamps: &[(ProducerStamp, i64)]) -> Option<ProducerEntry> {
        stamps.iter().fold(None, |known, (stamp, offset)| {
            Some(ProducerEntry::remember(known, stamp, *offset, *offset, 5))
        })
    }

    /// `Ok(None)` continues, `Ok(Some(offset))` is a duplicate, `Err(expected)` is out of order.
    #[track_caller]
    fn check(
        known: &[(ProducerStamp, i64)],
        next: ProducerStamp,
        expected: Result<Option<i64>, Option<i32>>,
    ) {
        let verdict = match ProducerEntry::check(after(known).as_ref(), &next) {
            SequenceVerdict::Next => Ok(None),
            SequenceVerdict::Duplicate { base_offset, .. } => Ok(Some(base_offset)),
            SequenceVerdict::Refused(AppendRefusal::OutOfOrderSequence { expected, .. }) => {
                Err(Some(expected))
            }
            SequenceVerdict::Refused(_) => Err(None),
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn sequences_are_judged_as_kafka_judges_them() {
        let two = [(stamp(0, 0, 3), 100), (stamp(0, 3, 2), 103)];
        check(&[], stamp(0, 0, 1), Ok(None));
        check(&[], stamp(0, 77, 1), Ok(None));
        check(&two, stamp(0, 5, 1), Ok(None));
        check(&two, stamp(0, 3, 2), Ok(Some(103)));
        check(&two, stamp(0, 0, 3), Ok(Some(100)));
        check(&two, stamp(0, 6, 1), Err(Some(5)));
        check(&two, stamp(0, 3, 1), Err(Some(5)));
        check(&two, stamp(1, 0, 1), Ok(None));
        check(&two, stamp(1, 5, 1), Err(Some(0)));
        check(&[(stamp(3, 0, 1), 0)], stamp(2, 1, 1), Err(None));
        check(&[(stamp(0, i32::MAX, 1), 0)], stamp(0, 0, 1), Ok(None));
        check(&[(stamp(0, i32::MAX - 1, 4), 0)], stamp(0, 2, 1), Ok(None));
    }

    fn within(transaction: i32, stamp: ProducerStamp) -> ProducerStamp {
        ProducerStamp { role: TransactionRole::Within(transaction), ..stamp }
    }

    #[test]
    fn a_marker_ends_its_transaction_once_and_for_all() {
        let end = |epoch, number| ProducerStamp::marker(9, epoch, number);
        // Transactions of one epoch, as clients before KIP-890 write them.
        let same_epoch = [(within(1, stamp(4, 0, 3)), 100), (end(4, 1), 103)];
        check(&same_epoch, end(4, 1), Ok(Some(103)));
        check(&same_epoch, end(4, 2), Ok(None));
        check(&same_epoch, within(1, stamp(4, 3, 1)), Err(None));
        check(&same_epoch, within(1, stamp(4, 0, 3)), Ok(Some(100)));
        check(&same_epoch, within(2, stamp(4, 3, 1)), Ok(None));
        check(&same_epoch, within(2, stamp(4, 4, 1)), Err(Some(3)));
        // A marker that raises the epoch: what the producer sent before comes too late, and it starts from 0.
        let bumped = [(within(1, stamp(4, 0, 3)), 100), (end(5, 1), 103)];
        check(&bumped, within(1, stamp(4, 3, 1)), Err(None));
        check(&bumped, within(2, stamp(5, 0, 1)), Ok(None));
        check(&bumped, within(2, stamp(5, 1, 1)), Err(Some(0)));
        check(&bumped, end(5, 1), Ok(Some(103)));
        check(&bumped, end(4, 2), Err(None));
        // In a partition that was added and never written to.
        check(&[(end(4, 1), 7)], within(2, stamp(4, 0, 1)), Ok(None));
        check(&[(end(4, i32::MAX), 7)], end(4, i32::MIN), Ok(None));
    }

    #[test]
    fn a_late_marker_is_known_however_much_was_written_since() {
        let mut written = vec![(ProducerStamp::marker(9, 0, 1), 0)];
        written.extend((0..20).map(|sequence| (within(2, stamp(0, sequence, 1)), i64::from(sequence) + 1)));
        check(&written, ProducerStamp::marker(9, 0, 1), Ok(Some(0)));
        check(&written, within(2, stamp(0, 15, 1)), Ok(Some(16)));
        check(&written, within(2, stamp(0, 14, 1)), Err(Some(20)));
        let summary = after(&written).unwrap().summary(9).unwrap();
        assert_eq!((summary.last_sequence, summary.last_offset, summary.last_transaction), (19, 19, Some(1)));
    }

    #[test]
    fn lost_batches_may_be_sent_again_and_earlier_ones_are_still_known() {
        let first = ProducerEntry::remember(None, &stamp(0, 0, 3), 100, 103, 5);
        let mut entry = ProducerEntry::remember(Some(first), &stamp(0, 3, 2), 103, 105, 5);
        entry.forget(103, 105);
        assert_eq!(ProducerEntry::check(Some(&entry), &stamp(0, 3, 2)), SequenceVerdict::Next);
        let first = ProducerEntry::check(Some(&entry), &stamp(0, 0, 3));
        assert_eq!(first, SequenceVerdict::Duplicate { base_offset: 100, appended_at_ms: 5 });
        entry.forget(0, 101);
        assert!(entry.is_empty());
    }

    #[test]
    fn five_batches_are_remembered() {
        let six: Vec<_> = (0..6).map(|sequence| (stamp(0, sequence, 1), i64::from(sequence))).collect();
        check(&six, stamp(0, 1, 1), Ok(Some(1)));
        check(&six, stamp(0, 0, 1), Err(Some(6)));
    }
}
