//! One partition in memory: its bounds, the index of its batches, its producers.

use std::collections::BTreeMap;
use std::sync::Arc;

use cadastre_objects::{ObjectId, ObjectKind};
use cadastre_sequencer::{ProducerEntry, SequenceVerdict, TransactionRole};
use tokio::sync::watch;

use crate::descriptor::BatchDescription;
use crate::packed::{PackedShare, ShareEntry};
use crate::segment::{FrameLocation, Segment};

/// Where one batch lies, and what is asked of it without reading it.
#[derive(Debug)]
pub(crate) struct BatchEntry {
    pub(crate) location: FrameLocation,
    pub(crate) last_offset: i64,
    pub(crate) maximum_timestamp: i64,
    pub(crate) leader_epoch: i32,
    /// Size of the batch itself, in bytes.
    pub(crate) size: u32,
}

/// A frame to be read, taken out of the index so that no lock is held while reading.
#[derive(Debug, Clone)]
pub(crate) struct PlannedBatch {
    pub(crate) segment: Arc<Segment>,
    pub(crate) position: u64,
    pub(crate) length: u32,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) leader_epoch: i32,
}

/// What a read from an offset finds.
#[derive(Debug)]
pub(crate) enum Plan {
    /// These batches, in order; none at the high watermark.
    Batches(Vec<PlannedBatch>),
    /// The offset is outside the log.
    OutOfRange,
    /// Records from the offset up to this one are lost.
    Hole { to: i64 },
    /// An object holds the offset, and everything up to the end.
    Object { id: ObjectId, kind: ObjectKind, end_offset: i64 },
}

/// What a batch that is not written yet changes in its partition, as it was before.
#[derive(Debug)]
pub(crate) struct BeforeBatch {
    next_offset: i64,
    /// The id of the batch's producer, and what was known of it.
    producer: Option<(i64, Option<ProducerEntry>)>,
}

/// One partition's state.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log_start: i64,
    /// The offset that the next batch gets.
    pub(crate) next_offset: i64,
    /// What objects hold, by base offset: always before the batches that are still in the log.
    shares: BTreeMap<i64, ShareEntry>,
    batches: BTreeMap<i64, BatchEntry>,
    size_bytes: u64,
    pub(crate) producers: BTreeMap<i64, ProducerEntry>,
    high_watermark: watch::Sender<i64>,
}

impl Partition {
    pub(crate) fn new(log_start: i64, end_offset: i64) -> Self {
        Self {
            log_start,
            next_offset: end_offset,
            shares: BTreeMap::new(),
            batches: BTreeMap::new(),
            size_bytes: 0,
            producers: BTreeMap::new(),
            high_watermark: watch::Sender::new(end_offset),
        }
    }

    /// Offset after the last durable record.
    pub(crate) fn high_watermark(&self) -> i64 {
        *self.high_watermark.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.high_watermark.subscribe()
    }

    /// Sum of the sizes of all batches that can be read.
    pub(crate) const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Judges the sequence numbers of a batch that bears no offsets yet, and whether the transaction to which it belongs goes
    /// on.
    pub(crate) fn check_producer(
        &self,
        batch: &BatchDescription,
        transaction: Option<i32>,
    ) -> SequenceVerdict {
        let Some(mut stamp) = batch.stamp() else { return SequenceVerdict::Next };
        if let (TransactionRole::None, Some(number)) = (stamp.role, transaction) {
            stamp.role = TransactionRole::Within(number);
        }
        ProducerEntry::check(self.producers.get(&stamp.id), &stamp)
    }

    /// Takes note of a batch that will be, or was, written: offsets and producers, not yet for readers.
    pub(crate) fn advance(&mut self, batch: &BatchDescription) {
        self.next_offset = self.next_offset.max(batch.end_offset());
        if let Some(stamp) = batch.stamp() {
            let known = self.producers.remove(&stamp.id);
            let (base_offset, end_offset) = (batch.base_offset, batch.end_offset());
            let entry = ProducerEntry::remember(known, &stamp, base_offset, end_offset, batch.appended_at_ms);
            self.producers.insert(stamp.id, entry);
        }
    }

    /// What [`Partition::advance`] is about to change.
    pub(crate) fn before(&self, batch: &BatchDescription) -> BeforeBatch {
        let producer = batch.stamp().map(|stamp| (stamp.id, self.producers.get(&stamp.id).cloned()));
        BeforeBatch { next_offset: self.next_offset, producer }
    }

    /// Takes the latest batch back that was noted and could not be written: its offsets are given to another.
    pub(crate) fn take_back(&mut self, before: BeforeBatch) {
        self.next_offset = before.next_offset;
        match before.producer {
            Some((id, Some(entry))) => drop(self.producers.insert(id, entry)),
            Some((id, None)) => drop(self.producers.remove(&id)),
            None => {}
        }
    }

    /// Forgets that producers wrote what is missing between two offsets: who sends it again is not told that it is there.
    pub(crate) fn forget_sequences(&mut self, from: i64, to: i64) {
        self.producers.retain(|_, entry| {
            entry.forget(from, to);
            !entry.is_empty()
        });
    }

    /// Puts a durable batch into the index; an entry with the same offset gives way.
    pub(crate) fn index(&mut self, batch: &BatchDescription, location: FrameLocation, size: u32) {
        let entry = BatchEntry {
            location,
            last_offset: batch.end_offset().saturating_sub(1),
            maximum_timestamp: batch.maximum_timestamp,
            leader_epoch: batch.leader_epoch,
            size,
        };
        self.size_bytes = self.size_bytes.saturating_add(u64::from(size));
        if let Some(before) = self.batches.insert(batch.base_offset, entry) {
            self.size_bytes = self.size_bytes.saturating_sub(u64::from(before.size));
        }
    }

    /// Shows readers everything up to `next_offset`, which must be durable.
    pub(crate) fn publish(&mut self, end_offset: i64) {
        self.high_watermark.send_if_modified(|high_watermark| {
            let rises = end_offset > *high_watermark;
            *high_watermark = end_offset.max(*high_watermark);
            rises
        });
    }

    /// Forgets batches that end before `offset`; never moves back.
    pub(crate) fn move_log_start(&mut self, offset: i64) {
        self.log_start = self.log_start.max(offset);
        while let Some(first) = self.shares.first_entry() {
            if first.get().end_offset > self.log_start {
                break;
            }
            let bytes = first.remove().bytes;
            self.size_bytes = self.size_bytes.saturating_sub(bytes);
        }
        while let Some(first) = self.batches.first_entry() {
            if first.get().last_offset >= self.log_start {
                break;
            }
            let size = first.remove().size;
            self.size_bytes = self.size_bytes.saturating_sub(u64::from(size));
        }
    }

    /// The batches from the one that holds `offset`, up to `maximum_bytes`, but one at least.
    pub(crate) fn plan(&self, offset: i64, maximum_bytes: usize) -> Plan {
        let high_watermark = self.high_watermark();
        if offset < self.log_start || offset > high_watermark {
            return Plan::OutOfRange;
        }
        if offset == high_watermark {
            return Plan::Batches(Vec::new());
        }
        if offset < self.packed_to() {
            let share = self.shares.range(..=offset).next_back().filter(|(_, it)| it.end_offset > offset);
            return match share {
                Some((_, share)) => {
                    Plan::Object { id: share.object, kind: share.kind, end_offset: share.end_offset }
                }
                None => {
                    let next = self.shares.range(offset..).next();
                    Plan::Hole { to: next.map_or(high_watermark, |(base, _)| *base) }
                }
            };
        }
        let holder =
            self.batches.range(..=offset).next_back().filter(|(_, entry)| entry.last_offset >= offset);
        let Some((first, _)) = holder else {
            let next = self.batches.range(offset..).next();
            return Plan::Hole { to: next.map_or(high_watermark, |(base, _)| *base) };
        };
        let mut planned = Vec::new();
        let mut budget = maximum_bytes;
        let mut expected = *first;
        for (base_offset, entry) in self.batches.range(first..) {
            let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
            // A hole ends the answer; the next read starts in it and is told so.
            let fits = size <= budget || planned.is_empty();
            if !fits || *base_offset != expected || entry.last_offset >= high_watermark {
                break;
            }
            budget = budget.saturating_sub(size);
            expected = entry.last_offset.saturating_add(1);
            planned.push(plan_batch(*base_offset, entry));
        }
        Plan::Batches(planned)
    }

    /// Every batch, in order.
    pub(crate) fn planned_batches(&self) -> impl Iterator<Item = PlannedBatch> {
        self.batches.iter().map(|(base_offset, entry)| plan_batch(*base_offset, entry))
    }

    /// The first batch with a timestamp of at least `timestamp`, milliseconds since the epoch.
    pub(crate) fn first_batch_since(&self, timestamp: i64) -> Option<PlannedBatch> {
        self.batches
            .iter()
            .find(|(_, entry)| entry.maximum_timestamp >= timestamp)
            .map(|(base_offset, entry)| plan_batch(*base_offset, entry))
    }

    /// Offset after the last record that objects hold.
    pub(crate) fn packed_to(&self) -> i64 {
        self.shares.last_key_value().map_or(0, |(_, share)| share.end_offset)
    }

    /// Reads a share from its object from now on; what the log itself held of it is let go.
    pub(crate) fn add_share(&mut self, object: ObjectId, kind: ObjectKind, share: &PackedShare) {
        if share.end_offset <= self.log_start || share.base_offset < self.packed_to() {
            return;
        }
        self.insert_share(object, kind, share);
    }

    /// Reads from a rewritten object what lies between the share's bounds; gives the shares that it replaces, each by base
    /// offset and object.
    pub(crate) fn replace_shares(&mut self, object: ObjectId, share: &PackedShare) -> Vec<(i64, ObjectId)> {
        let within = self.shares.range(share.base_offset..share.end_offset);
        let replaced: Vec<_> = within.map(|(base_offset, entry)| (*base_offset, entry.object)).collect();
        for (base_offset, _) in &replaced {
            let bytes = self.shares.remove(base_offset).map_or(0, |entry| entry.bytes);
            self.size_bytes = self.size_bytes.saturating_sub(bytes);
        }
        if share.end_offset > self.log_start {
            self.insert_share(object, ObjectKind::Partition, share);
        }
        replaced
    }

    fn insert_share(&mut self, object: ObjectId, kind: ObjectKind, share: &PackedShare) {
        while let Some(first) = self.batches.first_entry() {
            if first.get().last_offset >= share.end_offset {
                break;
            }
            let size = first.remove().size;
            self.size_bytes = self.size_bytes.saturating_sub(u64::from(size));
        }
        self.size_bytes = self.size_bytes.saturating_add(share.bytes);
        let entry = ShareEntry {
            object,
            kind,
            end_offset: share.end_offset,
            bytes: share.bytes,
            maximum_timestamp: share.maximum_timestamp,
            epochs: share.epochs.clone(),
        };
        self.shares.insert(share.base_offset, entry);
    }

    /// Forgets what objects hold, before a snapshot says it anew.
    pub(crate) fn forget_shares(&mut self) {
        let bytes: u64 = self.shares.values().map(|share| share.bytes).sum();
        self.size_bytes = self.size_bytes.saturating_sub(bytes);
        self.shares.clear();
    }

    /// Whether the share at `base_offset` is read from `object`.
    pub(crate) fn reads(&self, object: ObjectId, base_offset: i64) -> bool {
        self.shares.get(&base_offset).is_some_and(|share| share.object == object)
    }

    /// Every share, in order.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (i64, &ShareEntry)> {
        self.shares.iter().map(|(base_offset, share)| (*base_offset, share))
    }

    /// The latest timestamp among batches in the log, milliseconds since the epoch.
    pub(crate) fn latest_unpacked(&self) -> Option<i64> {
        self.batches.values().map(|entry| entry.maximum_timestamp).max()
    }

    /// The largest epoch up to `epoch` under which something was written, and the offset where it ends.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let packed = self.shares.values().flat_map(|share| share.epochs.iter().copied());
        let logged = self.batches.iter().map(|(base, entry)| (entry.leader_epoch, *base));
        let starts = || packed.clone().chain(logged.clone());
        let found = starts().map(|(epoch, _)| epoch).filter(|it| *it <= epoch).max()?;
        let end = starts().find(|(epoch, _)| *epoch > found).map(|(_, base)| base);
        Some((found, end.unwrap_or_else(|| self.high_watermark())))
    }

    /// The log start that retention asks for, as Kafka reckons: the oldest batches go while all their
    /// records are older than `retention_ms`, or while `retention_bytes` remain without them. -1 keeps all.
    pub(crate) fn retained_from(&self, retention_ms: i64, retention_bytes: i64, now_ms: i64) -> i64 {
        let limit = u64::try_from(retention_bytes).ok();
        let mut remaining = self.size_bytes;
        let mut start = self.log_start;
        let packed =
            self.shares.values().map(|share| (share.bytes, share.maximum_timestamp, share.end_offset));
        let logged = self.batches.values().map(|entry| {
            (u64::from(entry.size), entry.maximum_timestamp, entry.last_offset.saturating_add(1))
        });
        for (size, maximum_timestamp, end_offset) in packed.chain(logged) {
            let expired = retention_ms >= 0 && now_ms.saturating_sub(maximum_timestamp) > retention_ms;
            let surplus = limit.is_some_and(|limit| remaining.saturating_sub(size) >= limit);
            if !expired && !surplus {
                break;
            }
            remaining = remaining.saturating_sub(size);
            start = end_offset;
        }
        start.max(self.log_start)
    }

    /// Ranges between log start and end that no batch covers, as first and following offset.
    pub(crate) fn holes(&self) -> Vec<(i64, i64)> {
        let mut holes = Vec::new();
        let mut expected = self.log_start;
        let packed = self.shares.iter().map(|(base, share)| (*base, share.end_offset));
        let logged = self.batches.iter().map(|(base, entry)| (*base, entry.last_offset.saturating_add(1)));
        for (base_offset, end_offset) in packed.chain(logged) {
            if base_offset > expected {
                holes.push((expected, base_offset));
            }
            expected = expected.max(end_offset);
        }
        if self.next_offset > expected {
            holes.push((expected, self.next_offset));
        }
        holes
    }
}

fn plan_batch(base_offset: i64, entry: &BatchEntry) -> PlannedBatch {
    PlannedBatch {
        segment: Arc::clone(entry.location.segment()),
        position: entry.location.position(),
        length: entry.location.length(),
        base_offset,
        last_offset: entry.last_offset,
        leader_epoch: entry.leader_epoch,
    }
}
