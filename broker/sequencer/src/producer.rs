//! What a partition remembers of an idempotent producer (KIP-98, KIP-360, Kafka's `ProducerStateManager`): in the database of a
//! cluster, and in the snapshots of an embedded log.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::commit::{AppendRefusal, ProducerStamp};

/// How many batches of a producer are remembered: as many as a client may have in flight.
const REMEMBERED_BATCHES: usize = 5;

/// One remembered batch. The field order is part of the schema version and of the log's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct RememberedBatch {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
    appended_at_ms: i64,
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
    /// Its last sequence number.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// When it wrote last, milliseconds since the epoch.
    pub last_appended_at_ms: i64,
}

impl ProducerEntry {
    /// Judges a batch of the producer: `known` is what the partition remembers.
    #[must_use]
    pub fn check(known: Option<&Self>, stamp: &ProducerStamp) -> SequenceVerdict {
        let Some((entry, last)) = known.and_then(|entry| entry.batches.back().map(|last| (entry, last)))
        else {
            return SequenceVerdict::Next;
        };
        if stamp.epoch < entry.epoch {
            return SequenceVerdict::Refused(AppendRefusal::InvalidProducerEpoch {
                found: stamp.epoch,
                known: entry.epoch,
            });
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
            last.last_sequence.checked_add(1).unwrap_or(0)
        };
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
        let mut entry = known
            .filter(|entry| entry.epoch == stamp.epoch)
            .unwrap_or(Self { epoch: stamp.epoch, batches: VecDeque::new() });
        entry.batches.push_back(RememberedBatch {
            base_sequence: stamp.base_sequence,
            last_sequence: stamp.last_sequence,
            base_offset,
            last_offset: end_offset.saturating_sub(1),
            appended_at_ms,
        });
        while entry.batches.len() > REMEMBERED_BATCHES {
            entry.batches.pop_front();
        }
        entry
    }

    /// When the producer wrote last, milliseconds since the epoch.
    #[must_use]
    pub fn last_appended_at_ms(&self) -> i64 {
        self.batches.back().map_or(i64::MIN, |batch| batch.appended_at_ms)
    }

    /// The producer, by what it wrote last.
    #[must_use]
    pub fn summary(&self, producer_id: i64) -> Option<ProducerSummary> {
        let last = self.batches.back()?;
        Some(ProducerSummary {
            producer_id,
            epoch: self.epoch,
            last_sequence: last.last_sequence,
            last_offset: last.last_offset,
            last_appended_at_ms: last.appended_at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: i16, base_sequence: i32, count: i32) -> ProducerStamp {
        let last = (i64::from(base_sequence) + i64::from(count) - 1) & i64::from(i32::MAX);
        ProducerStamp { id: 9, epoch, base_sequence, last_sequence: i32::try_from(last).unwrap() }
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

    #[test]
    fn five_batches_are_remembered() {
        let six: Vec<_> = (0..6).map(|sequence| (stamp(0, sequence, 1), i64::from(sequence))).collect();
        check(&six, stamp(0, 1, 1), Ok(Some(1)));
        check(&six, stamp(0, 0, 1), Err(Some(6)));
    }
}
