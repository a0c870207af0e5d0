//! What a partition remembers of an idempotent producer (KIP-98, KIP-360, Kafka's `ProducerStateManager`).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::descriptor::BatchDescription;
use crate::error::AppendError;

/// How many batches of a producer are remembered: as many as a client may have in flight.
const REMEMBERED_BATCHES: usize = 5;

/// One remembered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProducerBatch {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
    appended_at_ms: i64,
}

/// A producer as one partition knows it. The field order is part of the snapshot's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProducerEntry {
    epoch: i16,
    batches: VecDeque<ProducerBatch>,
}

/// What a batch's sequence numbers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceVerdict {
    /// It continues, or nothing is known of the producer.
    Next,
    /// It was appended before.
    Duplicate { base_offset: i64, appended_at_ms: i64 },
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
    /// Judges a batch of the producer: `known` is what the partition remembers. The batch bears no offsets yet.
    pub(crate) fn check(
        known: Option<&Self>,
        batch: &BatchDescription,
    ) -> Result<SequenceVerdict, AppendError> {
        let Some((entry, last)) = known.and_then(|entry| entry.batches.back().map(|last| (entry, last)))
        else {
            return Ok(SequenceVerdict::Next);
        };
        if batch.producer_epoch < entry.epoch {
            return Err(AppendError::InvalidProducerEpoch {
                partition: batch.partition,
                producer_id: batch.producer_id,
                found: batch.producer_epoch,
                known: entry.epoch,
            });
        }
        let expected = if batch.producer_epoch > entry.epoch {
            0
        } else {
            let same = |it: &&ProducerBatch| {
                (it.base_sequence, it.last_sequence) == (batch.base_sequence, batch.last_sequence)
            };
            if let Some(before) = entry.batches.iter().find(same) {
                return Ok(SequenceVerdict::Duplicate {
                    base_offset: before.base_offset,
                    appended_at_ms: before.appended_at_ms,
                });
            }
            // Sequence numbers wrap from the largest to 0.
            last.last_sequence.checked_add(1).unwrap_or(0)
        };
        if batch.base_sequence == expected {
            return Ok(SequenceVerdict::Next);
        }
        Err(AppendError::OutOfOrderSequence {
            partition: batch.partition,
            producer_id: batch.producer_id,
            found: batch.base_sequence,
            expected,
        })
    }

    /// Remembers an appended batch.
    pub(crate) fn remember(known: Option<Self>, batch: &BatchDescription) -> Self {
        let mut entry = known
            .filter(|entry| entry.epoch == batch.producer_epoch)
            .unwrap_or(Self { epoch: batch.producer_epoch, batches: VecDeque::new() });
        entry.batches.push_back(ProducerBatch {
            base_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence,
            base_offset: batch.base_offset,
            last_offset: batch.end_offset().saturating_sub(1),
            appended_at_ms: batch.appended_at_ms,
        });
        while entry.batches.len() > REMEMBERED_BATCHES {
            entry.batches.pop_front();
        }
        entry
    }

    /// When the producer wrote last, milliseconds since the epoch.
    pub(crate) fn last_appended_at_ms(&self) -> i64 {
        self.batches.back().map_or(i64::MIN, |batch| batch.appended_at_ms)
    }

    pub(crate) fn summary(&self, producer_id: i64) -> Option<ProducerSummary> {
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
    use cadastre_protocol::types::{TopicId, TopicPartition};

    use super::*;

    fn batch(epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchDescription {
        let last = (i64::from(base_sequence) + i64::from(count) - 1) & i64::from(i32::MAX);
        BatchDescription {
            partition: TopicPartition { topic: TopicId([1; 16]), partition: 0 },
            base_offset,
            last_offset_delta: count - 1,
            leader_epoch: 0,
            maximum_timestamp: 0,
            producer_id: 9,
            producer_epoch: epoch,
            base_sequence,
            last_sequence: i32::try_from(last).unwrap(),
            appended_at_ms: 5,
        }
    }

    fn after(batches: &[BatchDescription]) -> Option<ProducerEntry> {
        batches.iter().fold(None, |known, batch| Some(ProducerEntry::remember(known, batch)))
    }

    /// `Ok(None)` continues, `Ok(Some(offset))` is a duplicate, `Err(expected)` is out of order.
    #[track_caller]
    fn check(known: &[BatchDescription], next: BatchDescription, expected: Result<Option<i64>, Option<i32>>) {
        let verdict = match ProducerEntry::check(after(known).as_ref(), &next) {
            Ok(SequenceVerdict::Next) => Ok(None),
            Ok(SequenceVerdict::Duplicate { base_offset, .. }) => Ok(Some(base_offset)),
            Err(AppendError::OutOfOrderSequence { expected, .. }) => Err(Some(expected)),
            Err(_) => Err(None),
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn sequences_are_judged_as_kafka_judges_them() {
        let two = [batch(0, 0, 3, 100), batch(0, 3, 2, 103)];
        check(&[], batch(0, 0, 1, 0), Ok(None));
        check(&[], batch(0, 77, 1, 0), Ok(None));
        check(&two, batch(0, 5, 1, 0), Ok(None));
        check(&two, batch(0, 3, 2, 0), Ok(Some(103)));
        check(&two, batch(0, 0, 3, 0), Ok(Some(100)));
        check(&two, batch(0, 6, 1, 0), Err(Some(5)));
        check(&two, batch(0, 3, 1, 0), Err(Some(5)));
        check(&two, batch(1, 0, 1, 0), Ok(None));
        check(&two, batch(1, 5, 1, 0), Err(Some(0)));
        check(&[batch(3, 0, 1, 0)], batch(2, 1, 1, 0), Err(None));
        check(&[batch(0, i32::MAX, 1, 0)], batch(0, 0, 1, 0), Ok(None));
        check(&[batch(0, i32::MAX - 1, 4, 0)], batch(0, 2, 1, 0), Ok(None));
    }

    #[test]
    fn five_batches_are_remembered() {
        let six: Vec<_> = (0..6).map(|sequence| batch(0, sequence, 1, i64::from(sequence))).collect();
        check(&six, batch(0, 1, 1, 0), Ok(Some(1)));
        check(&six, batch(0, 0, 1, 0), Err(Some(6)));
    }
}
