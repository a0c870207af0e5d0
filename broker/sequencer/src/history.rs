//! What clients saw, and whether one log can explain it: no acknowledged batch lost, doubled, reordered or altered.
//!
//! Batches are told apart by a number that the test writes into them. The checker compares three things: what was sent
//! and answered, the final log as read back, and what readers saw on the way.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::TopicPartition;

/// One batch that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The number that tells the batch from all others.
    pub batch: u64,
    /// Who sent it. A client sends the next batch to a partition only after the answer for the one before.
    pub client: u32,
    /// Whether it was sent again with the same sequence number after an unknown outcome.
    pub is_idempotent: bool,
    /// Where it was to go.
    pub partition: TopicPartition,
    /// How many offsets it takes.
    pub offsets: u32,
    /// What the client was told.
    pub answer: Answer,
}

/// What a client was told of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged with this base offset.
    Acknowledged(i64),
    /// Refused: it must not be in the log.
    Refused,
    /// The client does not know, or was told to try again: it may be in the log.
    Unknown,
}

/// One batch found in a log, or by a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The number in the batch.
    pub batch: u64,
    /// Its first offset.
    pub base_offset: i64,
    /// How many offsets it takes.
    pub offsets: u32,
}

/// What is wrong with a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An acknowledged batch is not where its acknowledgement says.
    #[error("batch {batch} was acknowledged at offset {offset} of `{partition}` and is not there")]
    Lost {
        /// The batch.
        batch: u64,
        /// Where it was said to be.
        partition: TopicPartition,
        /// The offset that was said.
        offset: i64,
    },
    /// A batch is in the log more often than it may.
    #[error("batch {batch} is in `{partition}` {times} times")]
    Doubled {
        /// The batch.
        batch: u64,
        /// Where.
        partition: TopicPartition,
        /// How often.
        times: usize,
    },
    /// The log holds what nobody sent there, or what was refused.
    #[error("batch {batch} is in `{partition}` and must not be")]
    Unexpected {
        /// The batch.
        batch: u64,
        /// Where.
        partition: TopicPartition,
    },
    /// Offsets are not dense.
    #[error("offset {found} of `{partition}` follows, expected {expected}")]
    Gap {
        /// Where.
        partition: TopicPartition,
        /// The offset that should follow.
        expected: i64,
        /// The offset that does.
        found: i64,
    },
    /// Two batches of one client are in the wrong order.
    #[error("client {client} sent batch {first} to `{partition}` before batch {second}, which precedes it")]
    Reordered {
        /// The client.
        client: u32,
        /// Where.
        partition: TopicPartition,
        /// Sent first.
        first: u64,
        /// Sent second.
        second: u64,
    },
    /// A reader saw something else than the log holds.
    #[error("a reader saw batch {batch} at offset {offset} of `{partition}`, the log does not hold it there")]
    Uncommitted {
        /// The batch.
        batch: u64,
        /// Where.
        partition: TopicPartition,
        /// At which offset.
        offset: i64,
    },
}

/// Everything that was seen.
#[derive(Debug, Clone, Default)]
pub struct History {
    sent: Vec<Sent>,
    log: BTreeMap<TopicPartition, (i64, Vec<Found>)>,
    seen: Vec<(TopicPartition, Found)>,
}

impl History {
    /// Notes a batch and its answer; batches of one client in the order of sending.
    pub fn sent(&mut self, sent: Sent) {
        self.sent.push(sent);
    }

    /// Notes what a reader saw while clients were at work.
    pub fn seen(&mut self, partition: TopicPartition, found: Found) {
        self.seen.push((partition, found));
    }

    /// Notes the final log of a partition, from its log start on.
    pub fn log(&mut self, partition: TopicPartition, log_start: i64, found: Vec<Found>) {
        self.log.insert(partition, (log_start, found));
    }

    /// How many batches were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.sent.iter().filter(|sent| matches!(sent.answer, Answer::Acknowledged(_))).count()
    }

    /// Everything that is wrong, in a fixed order. An empty list is a sound history.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (partition, (log_start, log)) in &self.log {
            self.check_log(*partition, *log_start, log, &mut violations);
        }
        self.check_answers(&mut violations);
        self.check_order(&mut violations);
        self.check_readers(&mut violations);
        violations
    }

    fn check_log(
        &self,
        partition: TopicPartition,
        log_start: i64,
        log: &[Found],
        violations: &mut Vec<Violation>,
    ) {
        let mut expected = log.first().map_or(log_start, |first| first.base_offset.min(log_start));
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        for found in log {
            if found.base_offset != expected {
                violations.push(Violation::Gap { partition, expected, found: found.base_offset });
            }
            expected = found.base_offset.saturating_add(i64::from(found.offsets));
            *times.entry(found.batch).or_default() += 1;
        }
        let may_be: BTreeMap<u64, &Sent> = self
            .sent
            .iter()
            .filter(|sent| sent.partition == partition)
            .map(|sent| (sent.batch, sent))
            .collect();
        for (batch, times) in times {
            match may_be.get(&batch) {
                None | Some(Sent { answer: Answer::Refused, .. }) => {
                    violations.push(Violation::Unexpected { batch, partition });
                }
                // Only a client that repeats without a sequence number may find its batch twice.
                Some(sent) if times > 1 && (sent.is_idempotent || sent.answer != Answer::Unknown) => {
                    violations.push(Violation::Doubled { batch, partition, times });
                }
                Some(_) => {}
            }
        }
    }

    fn check_answers(&self, violations: &mut Vec<Violation>) {
        let places: BTreeSet<(TopicPartition, u64, i64, u32)> = self
            .log
            .iter()
            .flat_map(|(partition, (_, log))| {
                log.iter().map(|it| (*partition, it.batch, it.base_offset, it.offsets))
            })
            .collect();
        for sent in &self.sent {
            let Answer::Acknowledged(offset) = sent.answer else { continue };
            let (batch, partition) = (sent.batch, sent.partition);
            let Some((log_start, _)) = self.log.get(&partition) else { continue };
            let is_there = places.contains(&(partition, batch, offset, sent.offsets));
            let is_deleted = offset.saturating_add(i64::from(sent.offsets)) <= *log_start;
            if !is_there && !is_deleted {
                violations.push(Violation::Lost { batch, partition, offset });
            }
        }
    }

    fn check_order(&self, violations: &mut Vec<Violation>) {
        let mut last: BTreeMap<(u32, TopicPartition), (u64, i64)> = BTreeMap::new();
        for sent in &self.sent {
            let Answer::Acknowledged(offset) = sent.answer else { continue };
            let (client, partition, second) = (sent.client, sent.partition, sent.batch);
            if let Some((first, before)) = last.insert((client, partition), (second, offset))
                && before >= offset
            {
                violations.push(Violation::Reordered { client, partition, first, second });
            }
        }
    }

    fn check_readers(&self, violations: &mut Vec<Violation>) {
        let log: BTreeSet<(TopicPartition, i64, u64)> = self
            .log
            .iter()
            .flat_map(|(partition, (_, log))| log.iter().map(|it| (*partition, it.base_offset, it.batch)))
            .collect();
        for (partition, found) in &self.seen {
            let log_start = self.log.get(partition).map_or(i64::MIN, |(log_start, _)| *log_start);
            let is_there = log.contains(&(*partition, found.base_offset, found.batch));
            if !is_there && found.base_offset >= log_start {
                let (batch, offset) = (found.batch, found.base_offset);
                violations.push(Violation::Uncommitted { batch, partition: *partition, offset });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cadastre_protocol::types::TopicId;

    use super::*;

    const PARTITION: TopicPartition = TopicPartition { topic: TopicId([1; 16]), partition: 0 };

    fn sent(batch: u64, answer: Answer) -> Sent {
        Sent { batch, client: 1, is_idempotent: true, partition: PARTITION, offsets: 2, answer }
    }

    fn found(batch: u64, base_offset: i64) -> Found {
        Found { batch, base_offset, offsets: 2 }
    }

    #[track_caller]
    fn check(sent: &[Sent], log: &[Found], seen: &[Found], expected: &[Violation]) {
        let mut history = History::default();
        sent.iter().for_each(|sent| history.sent(*sent));
        seen.iter().for_each(|found| history.seen(PARTITION, *found));
        history.log(PARTITION, 0, log.to_vec());
        assert_eq!(history.violations(), expected);
    }

    #[test]
    fn each_kind_of_violation_is_named() {
        use Answer::{Acknowledged, Refused, Unknown};
        let partition = PARTITION;
        let two = [sent(1, Acknowledged(0)), sent(2, Acknowledged(2))];
        let log = [found(1, 0), found(2, 2)];
        check(&two, &log, &log, &[]);
        check(&[two[0], sent(2, Unknown)], &log, &[], &[]);
        check(&[two[0], sent(2, Unknown)], &log[..1], &[], &[]);
        check(&two, &log[..1], &[], &[Violation::Lost { batch: 2, partition, offset: 2 }]);
        check(&[two[0], sent(2, Refused)], &log, &[], &[Violation::Unexpected { batch: 2, partition }]);
        check(&two[..1], &log, &[], &[Violation::Unexpected { batch: 2, partition }]);
        let doubled = [found(1, 0), found(1, 2)];
        check(&two[..1], &doubled, &[], &[Violation::Doubled { batch: 1, partition, times: 2 }]);
        check(&[sent(1, Unknown)], &doubled, &[], &[Violation::Doubled { batch: 1, partition, times: 2 }]);
        let apart = [found(1, 0), found(2, 3)];
        check(
            &[two[0], sent(2, Acknowledged(3))],
            &apart,
            &[],
            &[Violation::Gap { partition, expected: 2, found: 3 }],
        );
        let swapped = [sent(1, Acknowledged(2)), sent(2, Acknowledged(0))];
        let reordered = Violation::Reordered { client: 1, partition, first: 1, second: 2 };
        check(&swapped, &[found(2, 0), found(1, 2)], &[], &[reordered]);
        check(&two, &log, &[found(1, 2)], &[Violation::Uncommitted { batch: 1, partition, offset: 2 }]);
    }
}
