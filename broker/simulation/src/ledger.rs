//! What clients did and saw in a run, and everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::history::{self, Answer, Found, History, Sent};
use cadastre_storage::Fetched;

/// The most bytes that a simulated batch unpacks to.
const UNPACKED_LIMIT: usize = 1 << 20;

/// What a broker must never do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Violation {
    /// A batch was lost, doubled, reordered, or read although it was never committed; or offsets have a gap.
    #[error("{kind}: {message}")]
    History {
        /// Which of them.
        kind: &'static str,
        /// The details.
        message: String,
    },
    /// A batch was read that differs from what was sent.
    #[error("altered: batch {batch} at offset {offset} of `{partition}` is not what was sent")]
    Altered {
        /// The batch.
        batch: u64,
        /// Where.
        partition: TopicPartition,
        /// At which offset.
        offset: i64,
    },
    /// A read returned something else than whole batches, in order, from the offset asked for.
    #[error("misread: a read of `{partition}` at offset {offset} returned {what}")]
    Misread {
        /// Where.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// What came.
        what: String,
    },
    /// Records could be read that had been deleted before.
    #[error("undeleted: `{partition}` starts at {log_start}, and was deleted up to {deleted}")]
    Undeleted {
        /// Where.
        partition: TopicPartition,
        /// The log start that was shown.
        log_start: i64,
        /// The log start that was acknowledged before.
        deleted: i64,
    },
    /// Records are gone that nobody deleted.
    #[error("overdeleted: `{partition}` starts at {log_start}, nobody asked for more than {asked}")]
    Overdeleted {
        /// Where.
        partition: TopicPartition,
        /// The log start that was shown.
        log_start: i64,
        /// The highest that anybody asked for.
        asked: i64,
    },
    /// A high watermark was below what was acknowledged before.
    #[error("forgotten: `{partition}` ends at {high_watermark}, {acknowledged} was acknowledged before")]
    Forgotten {
        /// Where.
        partition: TopicPartition,
        /// The end that was shown.
        high_watermark: i64,
        /// The end that was acknowledged before.
        acknowledged: i64,
    },
    /// A partition is gone that nobody deleted.
    #[error("vanished: `{partition}` does not exist, and nobody deleted it")]
    Vanished {
        /// The partition.
        partition: TopicPartition,
    },
    /// A partition of a deleted topic was served.
    #[error("undead: `{partition}` was served after its topic had been deleted")]
    Undead {
        /// The partition.
        partition: TopicPartition,
    },
    /// A producer that did everything right was refused for good.
    #[error("refused: batch {batch} for `{partition}`: {reason}")]
    Refused {
        /// The batch.
        batch: u64,
        /// Where.
        partition: TopicPartition,
        /// The broker's words.
        reason: String,
    },
    /// A producer id was given out twice.
    #[error("repeated: producer id {id} was given out twice")]
    RepeatedProducerId {
        /// The id.
        id: i64,
    },
    /// A group's offset is not the one that was committed.
    #[error("offset of group `{group}` is {found:?}, expected {low} to {high}")]
    GroupOffset {
        /// The group.
        group: String,
        /// What was found.
        found: Option<u64>,
        /// The last that was acknowledged.
        low: u64,
        /// The last that was sent.
        high: u64,
    },
    /// A broker without any fault around it does not do its work.
    #[error("broken: {what}")]
    Broken {
        /// What it does not do.
        what: String,
    },
}

impl Violation {
    /// A word for the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::History { kind, .. } => kind,
            Self::Altered { .. } => "altered",
            Self::Misread { .. } => "misread",
            Self::Undeleted { .. } => "undeleted",
            Self::Overdeleted { .. } => "overdeleted",
            Self::Forgotten { .. } => "forgotten",
            Self::Vanished { .. } => "vanished",
            Self::Undead { .. } => "undead",
            Self::Refused { .. } => "refused",
            Self::RepeatedProducerId { .. } => "repeated",
            Self::GroupOffset { .. } => "group-offset",
            Self::Broken { .. } => "broken",
        }
    }
}

/// What must hold of a read that begins now.
#[derive(Debug, Clone, Copy)]
pub struct Expectation {
    deleted: i64,
    end: i64,
    is_topic_deleted: bool,
}

/// Everything that is known of a run. Cheap to clone; clones are the same ledger.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    batches: BTreeMap<u64, RecordBatch>,
    history: History,
    seen: Vec<(TopicPartition, Found)>,
    /// Partitions whose final log was read.
    judged: BTreeSet<TopicPartition>,
    /// Offsets that recovery named as lost, from the first to after the last.
    named_holes: BTreeSet<(TopicPartition, i64, i64)>,
    violations: BTreeSet<Violation>,
    topics: BTreeMap<TopicId, Topic>,
    last_topic: u128,
    partitions: BTreeMap<TopicPartition, Partition>,
    groups: BTreeMap<String, Group>,
    producer_ids: BTreeSet<i64>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Topic {
    partitions: i32,
    deletion: Deletion,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Deletion {
    #[default]
    No,
    Asked,
    Done,
}

#[derive(Debug, Default)]
struct Partition {
    /// Log starts: acknowledged, and the highest that anybody asked for.
    deleted: i64,
    asked: i64,
    /// The highest acknowledged end.
    end: i64,
}

#[derive(Debug, Default)]
struct Group {
    acknowledged: u64,
    sent: u64,
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches that were acknowledged.
    pub acknowledged: u64,
    /// Batches whose fate the client does not know.
    pub unknown: u64,
    /// Reads that returned records.
    pub reads: u64,
    /// Reads that named damage.
    pub damaged_reads: u64,
    /// Holes that a loss of power tore into what nobody had been told of, and that the broker names.
    pub named_holes: u64,
    /// Objects that rewriting put in the place of others.
    pub rewritten: u64,
}

impl Ledger {
    // A poisoned lock means that a task panicked, which ends the run.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that rewriting put so many objects in the place of others.
    pub fn rewrote(&self, objects: u64) {
        let counts = &mut self.inner().counts;
        counts.rewritten = counts.rewritten.saturating_add(objects);
    }

    /// Notes something wrong.
    pub fn violation(&self, violation: Violation) {
        self.inner().violations.insert(violation);
    }

    /// How much happened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner().counts
    }

    /// The id of a new topic.
    #[must_use]
    pub fn next_topic(&self) -> TopicId {
        let mut inner = self.inner();
        inner.last_topic = inner.last_topic.saturating_add(1);
        TopicId(inner.last_topic.to_be_bytes())
    }

    /// Notes a topic that exists from now on.
    pub fn topic_created(&self, topic: TopicId, partitions: i32) {
        self.inner().topics.insert(topic, Topic { partitions, deletion: Deletion::No });
    }

    /// Notes that a topic is about to be deleted.
    pub fn topic_deletion_asked(&self, topic: TopicId) {
        self.inner().set_deletion(topic, Deletion::Asked);
    }

    /// Notes that the deletion of a topic was acknowledged.
    pub fn topic_deleted(&self, topic: TopicId) {
        self.inner().set_deletion(topic, Deletion::Done);
    }

    /// Partitions of topics that nobody asked to delete.
    #[must_use]
    pub fn living_partitions(&self) -> Vec<TopicPartition> {
        self.inner().partitions_where(|topic| topic.deletion == Deletion::No)
    }

    /// Partitions of topics that may still exist.
    #[must_use]
    pub fn possible_partitions(&self) -> Vec<TopicPartition> {
        self.inner().partitions_where(|topic| topic.deletion != Deletion::Done)
    }

    /// Partitions of topics whose deletion was acknowledged.
    #[must_use]
    pub fn deleted_partitions(&self) -> Vec<TopicPartition> {
        self.inner().partitions_where(|topic| topic.deletion == Deletion::Done)
    }

    /// The number of a new batch.
    #[must_use]
    pub fn next_batch(&self) -> u64 {
        self.inner().batches.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
    }

    /// Notes a batch before it is sent.
    pub fn sending(&self, number: u64, batch: &RecordBatch) {
        self.inner().batches.insert(number, batch.clone());
    }

    /// Notes what became of a batch. `expected` is from before the last attempt.
    pub fn sent(&self, sent: Sent, expected: Expectation) {
        let mut inner = self.inner();
        inner.history.sent(sent);
        match sent.answer {
            Answer::Acknowledged(base_offset) => {
                inner.counts.acknowledged = inner.counts.acknowledged.saturating_add(1);
                let end = base_offset.saturating_add(i64::from(sent.offsets));
                let partition = inner.partitions.entry(sent.partition).or_default();
                partition.end = partition.end.max(end);
                if expected.is_topic_deleted {
                    inner.violations.insert(Violation::Undead { partition: sent.partition });
                }
            }
            Answer::Unknown => inner.counts.unknown = inner.counts.unknown.saturating_add(1),
            Answer::Refused => {}
        }
    }

    /// Notes that a partition is said not to exist.
    pub fn missing(&self, partition: TopicPartition) {
        let mut inner = self.inner();
        let deletion = inner.topics.get(&partition.topic).map(|topic| topic.deletion);
        if deletion == Some(Deletion::No) {
            inner.violations.insert(Violation::Vanished { partition });
        }
    }

    /// Notes that records before an offset are about to be deleted.
    pub fn deletion_asked(&self, partition: TopicPartition, before: i64) {
        let mut inner = self.inner();
        let known = inner.partitions.entry(partition).or_default();
        known.asked = known.asked.max(before);
    }

    /// Notes the log start that was acknowledged.
    pub fn deleted(&self, partition: TopicPartition, log_start: i64) {
        let mut inner = self.inner();
        let known = inner.partitions.entry(partition).or_default();
        known.deleted = known.deleted.max(log_start);
    }

    /// The highest log start that anybody asked for.
    #[must_use]
    pub fn asked(&self, partition: TopicPartition) -> i64 {
        self.inner().partitions.get(&partition).map_or(0, |known| known.asked)
    }

    /// What must hold of a request that begins now.
    #[must_use]
    pub fn expect(&self, partition: TopicPartition) -> Expectation {
        let inner = self.inner();
        let (deleted, end) = inner.partitions.get(&partition).map_or((0, 0), |it| (it.deleted, it.end));
        let is_topic_deleted =
            inner.topics.get(&partition.topic).is_some_and(|topic| topic.deletion == Deletion::Done);
        Expectation { deleted, end, is_topic_deleted }
    }

    /// Checks the bounds that a broker showed.
    pub fn saw_bounds(
        &self,
        partition: TopicPartition,
        expected: Expectation,
        log_start: i64,
        high_watermark: i64,
    ) {
        let mut inner = self.inner();
        let asked = inner.partitions.get(&partition).map_or(0, |known| known.asked);
        if expected.is_topic_deleted {
            inner.violations.insert(Violation::Undead { partition });
        }
        if log_start < expected.deleted {
            let deleted = expected.deleted;
            inner.violations.insert(Violation::Undeleted { partition, log_start, deleted });
        }
        if log_start > asked {
            inner.violations.insert(Violation::Overdeleted { partition, log_start, asked });
        }
        if high_watermark < expected.end {
            let acknowledged = expected.end;
            inner.violations.insert(Violation::Forgotten { partition, high_watermark, acknowledged });
        }
    }

    /// Checks what a read returned; gives the offset after it, and the batches.
    pub fn saw(
        &self,
        partition: TopicPartition,
        offset: i64,
        expected: Expectation,
        fetched: &Fetched,
    ) -> (i64, Vec<Found>) {
        self.saw_bounds(partition, expected, fetched.log_start_offset, fetched.high_watermark);
        let mut inner = self.inner();
        let misread = |what: String| Violation::Misread { partition, offset, what };
        let batches = match RecordBatch::parse_all(fetched.records.clone()) {
            Ok(batches) => batches,
            Err(error) => {
                inner.violations.insert(misread(error.to_string()));
                return (offset, Vec::new());
            }
        };
        inner.counts.reads = inner.counts.reads.saturating_add(u64::from(!batches.is_empty()));
        let mut next = offset;
        let mut all_found = Vec::with_capacity(batches.len());
        for (index, batch) in batches.iter().enumerate() {
            let (base, end) = (batch.base_offset(), batch.last_offset().saturating_add(1));
            let fits = if index == 0 { base <= offset && offset < end } else { base == next };
            if !fits {
                inner.violations.insert(misread(format!("a batch from {base} to {end}, expected {next}")));
            }
            next = end;
            if end > fetched.high_watermark {
                let beyond = format!("records up to {end}, the high watermark is {}", fetched.high_watermark);
                inner.violations.insert(misread(beyond));
            }
            let Some(number) = number_of(batch) else {
                inner.violations.insert(misread("records without a number".to_owned()));
                continue;
            };
            let same = inner
                .batches
                .get(&number)
                .is_some_and(|sent| sent.with_offsets(0, 0).bytes() == batch.with_offsets(0, 0).bytes());
            if !same {
                inner.violations.insert(Violation::Altered { batch: number, partition, offset: base });
            }
            let offsets = u32::try_from(batch.record_count()).unwrap_or_default();
            let found = Found { batch: number, base_offset: base, offsets };
            inner.seen.push((partition, found));
            all_found.push(found);
        }
        (next, all_found)
    }

    /// Notes a read that named damage.
    pub fn saw_damage(&self) {
        let mut inner = self.inner();
        inner.counts.damaged_reads = inner.counts.damaged_reads.saturating_add(1);
    }

    /// Whether a read at `offset` may be told that it is out of range.
    #[must_use]
    pub fn may_be_out_of_range(&self, partition: TopicPartition, offset: i64, expected: Expectation) -> bool {
        offset < self.asked(partition) || offset > expected.end
    }

    /// Notes a producer id.
    pub fn producer_id(&self, id: i64) {
        let mut inner = self.inner();
        if !inner.producer_ids.insert(id) {
            inner.violations.insert(Violation::RepeatedProducerId { id });
        }
    }

    /// Notes a group's offset before it is committed.
    pub fn group_sending(&self, group: &str, offset: u64) {
        let mut inner = self.inner();
        inner.groups.entry(group.to_owned()).or_default().sent = offset;
    }

    /// Notes that a group's offset was acknowledged.
    pub fn group_acknowledged(&self, group: &str, offset: u64) {
        let mut inner = self.inner();
        inner.groups.entry(group.to_owned()).or_default().acknowledged = offset;
    }

    /// The last offset of a group that was acknowledged.
    #[must_use]
    pub fn group_expected(&self, group: &str) -> u64 {
        self.inner().groups.get(group).map_or(0, |known| known.acknowledged)
    }

    /// Every group.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        self.inner().groups.keys().cloned().collect()
    }

    /// Checks a group's offset; `low` is what was acknowledged before the read.
    pub fn saw_group(&self, group: &str, low: u64, found: Option<u64>) {
        let mut inner = self.inner();
        let high = inner.groups.get(group).map_or(0, |known| known.sent);
        let value = found.unwrap_or(0);
        if value < low || value > high {
            inner.violations.insert(Violation::GroupOffset { group: group.to_owned(), found, low, high });
        }
    }

    /// Takes a hole that the broker names. It is no gap; what was acknowledged in it is lost all the same.
    pub fn named_hole(&self, partition: TopicPartition, from: i64, to: i64) {
        let mut inner = self.inner();
        if inner.named_holes.insert((partition, from, to)) {
            inner.counts.named_holes = inner.counts.named_holes.saturating_add(1);
        }
    }

    /// Takes the final log of a partition.
    pub fn final_log(&self, partition: TopicPartition, log_start: i64, log: Vec<Found>) {
        let mut inner = self.inner();
        inner.judged.insert(partition);
        inner.history.log(partition, log_start, log);
    }

    /// Everything that is wrong, in a fixed order.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let inner = self.inner();
        let mut violations = inner.violations.clone();
        let mut history = inner.history.clone();
        // What was seen of a topic that is gone cannot be compared with anything.
        let seen = inner.seen.iter().filter(|(partition, _)| inner.judged.contains(partition));
        seen.for_each(|(partition, found)| history.seen(*partition, *found));
        let found = history.violations().into_iter().filter(|violation| match violation {
            history::Violation::Gap { partition, expected, found } => {
                !inner.named_holes.contains(&(*partition, *expected, *found))
            }
            _ => true,
        });
        violations.extend(found.map(|it| Violation::History { kind: kind(&it), message: it.to_string() }));
        violations.into_iter().collect()
    }
}

impl Inner {
    fn set_deletion(&mut self, topic: TopicId, deletion: Deletion) {
        self.topics.entry(topic).or_default().deletion = deletion;
    }

    fn partitions_where(&self, wanted: impl Fn(&Topic) -> bool) -> Vec<TopicPartition> {
        let topics = self.topics.iter().filter(|(_, topic)| wanted(topic));
        topics
            .flat_map(|(topic, known)| {
                (0..known.partitions).map(|partition| TopicPartition { topic: *topic, partition })
            })
            .collect()
    }
}

const fn kind(violation: &history::Violation) -> &'static str {
    match violation {
        history::Violation::Lost { .. } => "lost",
        history::Violation::Doubled { .. } => "doubled",
        history::Violation::Unexpected { .. } => "unexpected",
        history::Violation::Gap { .. } => "gap",
        history::Violation::Reordered { .. } => "reordered",
        history::Violation::Uncommitted { .. } => "uncommitted",
    }
}

/// The number that a client wrote into a batch.
fn number_of(batch: &RecordBatch) -> Option<u64> {
    let first = batch.records(UNPACKED_LIMIT).ok()?.next()?.ok()?;
    let value = first.value?;
    Some(u64::from_be_bytes(value.get(..8)?.try_into().ok()?))
}
