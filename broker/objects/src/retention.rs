//! Retention by time and size, and which objects nobody can read any more: pure functions over extents.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::{TopicId, TopicPartition};

use crate::compaction::Extent;
use crate::index::PartitionSpan;
use crate::object_id::ObjectId;

/// A topic's settings for `cleanup.policy=delete`; -1 keeps all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionRules {
    /// `retention.ms`.
    pub retention_ms: i64,
    /// `retention.bytes`, for a partition.
    pub retention_bytes: i64,
}

/// The log start that retention asks for, as Kafka reckons: the oldest extents go while all their records are older
/// than `retention_ms`, or while `retention_bytes` remain without them. The last extent goes by age only.
///
/// `extents` are those of one partition, in order, from batches or from objects: with objects, a log start is found
/// at the granularity of objects, without reading their indexes. Never moves the log start back.
#[must_use]
pub fn log_start_after(rules: RetentionRules, extents: &[Extent], log_start: i64, now_ms: i64) -> i64 {
    let limit = u64::try_from(rules.retention_bytes).ok();
    let mut remaining = extents.iter().fold(0u64, |sum, extent| sum.saturating_add(extent.bytes));
    let mut start = log_start;
    for extent in extents {
        let age = now_ms.saturating_sub(extent.maximum_timestamp);
        let expired = rules.retention_ms >= 0 && age > rules.retention_ms;
        let surplus = limit.is_some_and(|limit| remaining.saturating_sub(extent.bytes) >= limit);
        if !expired && !surplus {
            break;
        }
        remaining = remaining.saturating_sub(extent.bytes);
        start = start.max(extent.end_offset);
    }
    start
}

/// The objects of which nothing can be read any more: every partition in them is deleted, or its log starts behind all
/// that the object holds of it. `log_starts` are the partitions that exist.
///
/// An object whose offsets are not known yet is never dead by offset, only by deletion of all its topics.
#[must_use]
pub fn dead_objects<'a>(
    objects: impl IntoIterator<Item = (ObjectId, &'a [PartitionSpan])>,
    log_starts: &BTreeMap<TopicPartition, i64>,
) -> BTreeSet<ObjectId> {
    let dead = |span: &PartitionSpan| match (log_starts.get(&span.partition), span.end_offset) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(start), Some(end)) => end <= *start,
    };
    let objects = objects.into_iter().filter(|(_, spans)| spans.iter().all(dead));
    objects.map(|(id, _)| id).collect()
}

/// The objects that hold something of a topic: all of them have to be deleted or merged anew before the topic has left
/// nothing behind.
#[must_use]
pub fn objects_of_topic<'a>(
    objects: impl IntoIterator<Item = (ObjectId, &'a [PartitionSpan])>,
    topic: TopicId,
) -> BTreeSet<ObjectId> {
    let holds = |spans: &[PartitionSpan]| spans.iter().any(|span| span.partition.topic == topic);
    objects.into_iter().filter(|(_, spans)| holds(spans)).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents() -> Vec<Extent> {
        [(0, 10, 100), (12, 20, 200), (20, 30, 150)]
            .map(|(base_offset, end_offset, time)| Extent {
                base_offset,
                end_offset,
                bytes: 1000,
                maximum_timestamp: time,
                first_appended_at_ms: time,
            })
            .into()
    }

    #[track_caller]
    fn check(retention_ms: i64, retention_bytes: i64, log_start: i64, now_ms: i64, expected: i64) {
        let rules = RetentionRules { retention_ms, retention_bytes };
        assert_eq!(log_start_after(rules, &extents(), log_start, now_ms), expected);
    }

    #[test]
    fn the_oldest_go_by_age_and_size_and_never_out_of_turn() {
        check(-1, -1, 5, i64::MAX, 5);
        check(50, -1, 0, 150, 0);
        check(50, -1, 0, 151, 10);
        // The third is old enough, the second before it is not.
        check(50, -1, 0, 250, 10);
        check(50, -1, 0, 251, 30);
        check(-1, 2000, 0, 0, 10);
        check(-1, 2001, 0, 0, 0);
        check(-1, 0, 0, 0, 30);
        check(-1, 2000, 15, 0, 15);
    }

    fn span(topic: u8, end_offset: Option<i64>) -> PartitionSpan {
        PartitionSpan {
            partition: TopicPartition { topic: TopicId([topic; 16]), partition: 0 },
            base_offset: end_offset.map(|_| 0),
            end_offset,
            first_block: 0,
            blocks: 1,
            batch_bytes: 1,
            maximum_timestamp: 0,
        }
    }

    #[test]
    fn an_object_dies_with_the_last_readable_record() {
        let id = |sequence| ObjectId { writer_epoch: 1, sequence };
        let spans = [
            vec![span(1, Some(10)), span(2, Some(10))],
            vec![span(1, Some(10)), span(2, Some(11))],
            vec![span(3, Some(99))],
            vec![span(1, None)],
            vec![span(3, None)],
        ];
        let objects = || (0..).map(id).zip(spans.iter().map(Vec::as_slice));
        let partition = |topic| TopicPartition { topic: TopicId([topic; 16]), partition: 0 };
        let log_starts = BTreeMap::from([(partition(1), 10), (partition(2), 10)]);
        assert_eq!(dead_objects(objects(), &log_starts), BTreeSet::from([id(0), id(2), id(4)]));
        assert_eq!(objects_of_topic(objects(), TopicId([2; 16])), BTreeSet::from([id(0), id(1)]));
    }
}
