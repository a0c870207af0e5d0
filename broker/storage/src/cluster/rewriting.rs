//! Rewriting a partition's slices in the background: small ones into objects of their own, and compacted topics by key.

use std::collections::BTreeMap;

use cadastre_objects::ObjectKind;
use cadastre_objects::compaction::{Cleaned, Cleaner, CleaningRules, Extent, Survey, Transactions};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::{Lease, Replacement, SequencerError, Slice};

use super::{AT_ONCE, ClusterStorage, state_error};
use crate::error::{ReadError, StorageError};
use crate::metadata_kind::{MetadataChange, MetadataKind};

/// How much is read at once, in bytes.
const READ_AT_ONCE: usize = 4 << 20;
/// The right to rewrite; one broker of a cluster has it.
const LEASE: &str = "rewriting";
/// So many slices are merged, however small they are together.
const SLICES_IN_AN_OBJECT: usize = 1000;
/// The most slices of a partition that one pass looks at.
const SLICES_IN_A_PASS: usize = 100_000;

/// How a partition is rewritten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RewriteSettings {
    /// Log compaction by key, for topics that ask for it; the others are only merged.
    pub cleaning: Option<CleaningRules>,
    /// New objects are closed at about this size, in bytes.
    pub object_bytes: u64,
    /// The most keys held in memory, about 40 bytes each.
    pub maximum_keys: usize,
}

/// What a pass over a partition did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RewriteReport {
    /// Objects written, each of one partition.
    pub objects: u64,
    /// Slices that they replaced.
    pub slices: u64,
    /// Batches before and after.
    pub batches: (u64, u64),
}

/// What is left of a batch: itself, others in its place, or nothing.
enum Rule {
    KeepAll,
    Clean(Box<Cleaner>),
}

/// One pass over a partition.
struct Pass {
    rule: Rule,
    /// Slices of which nothing is left, before those at hand.
    emptied: Vec<Slice>,
    report: RewriteReport,
}

impl Pass {
    fn new(rule: Rule) -> Self {
        Self { rule, emptied: Vec::new(), report: RewriteReport::default() }
    }
}

impl ClusterStorage {
    /// Rewrites what is worth it, if this broker has the right to.
    pub(crate) async fn rewrite(
        &self,
        partition: TopicPartition,
        settings: RewriteSettings,
        now_ms: i64,
    ) -> Result<RewriteReport, StorageError> {
        let lease = match self.sequencer.acquire_lease(self.epoch, LEASE).await {
            Ok(lease) => lease,
            Err(SequencerError::LeaseLost { .. }) => return Ok(RewriteReport::default()),
            Err(error) => return Err(state_error(error)),
        };
        let slices = self.all_slices(partition).await?;
        match settings.cleaning {
            None => self.merge(&lease, slices, settings, now_ms).await,
            Some(rules) => self.clean(&lease, partition, slices, rules, settings, now_ms).await,
        }
    }

    async fn all_slices(&self, partition: TopicPartition) -> Result<Vec<Slice>, StorageError> {
        let known = self.sequencer.partitions().get(partition);
        let mut from = known.ok_or(StorageError::UnknownPartition { partition })?.log_start;
        let mut slices: Vec<Slice> = Vec::new();
        while slices.len() < SLICES_IN_A_PASS {
            let page = self.sequencer.slices(partition, from, AT_ONCE).await.map_err(state_error)?;
            let Some(last) = page.slices.last() else { break };
            from = last.end_offset;
            slices.extend(&page.slices);
            if from >= page.state.next_offset {
                break;
            }
        }
        Ok(slices)
    }

    /// Puts runs of neighbouring slices that were never rewritten into objects of their own, each record once.
    async fn merge(
        &self,
        lease: &Lease,
        slices: Vec<Slice>,
        settings: RewriteSettings,
        now_ms: i64,
    ) -> Result<RewriteReport, StorageError> {
        let mut pass = Pass::new(Rule::KeepAll);
        let (mut group, mut bytes) = (Vec::new(), 0u64);
        for slice in slices {
            if slice.is_compacted {
                (group, bytes) = (Vec::new(), 0);
                continue;
            }
            bytes = bytes.saturating_add(slice.bytes);
            group.push(slice);
            if bytes >= settings.object_bytes || group.len() >= SLICES_IN_AN_OBJECT {
                if !self.replace(lease, std::mem::take(&mut group), &mut pass, now_ms).await? {
                    break;
                }
                bytes = 0;
            }
        }
        Ok(pass.report)
    }

    /// Log compaction by key.
    async fn clean(
        &self,
        lease: &Lease,
        partition: TopicPartition,
        slices: Vec<Slice>,
        rules: CleaningRules,
        settings: RewriteSettings,
        now_ms: i64,
    ) -> Result<RewriteReport, StorageError> {
        let extents: Vec<Extent> = slices.iter().map(extent).collect();
        let Some(end) = extents.last().map(|extent| extent.end_offset) else {
            return Ok(RewriteReport::default());
        };
        let Some(plan) = rules.plan(&extents, self.cleaned_to(partition), end, now_ms) else {
            return Ok(RewriteReport::default());
        };
        let log_start = self.state(partition).map_err(|error| unread(&error))?.log_start;
        let from = plan.dirty_from.max(log_start);
        let transactions = self
            .fold(partition, from, plan.clean_to, Transactions::default(), |transactions, batch| {
                transactions.take(batch);
                true
            })
            .await?;
        let survey = Survey::new(plan, transactions, settings.maximum_keys);
        let survey = self.fold(partition, from, plan.clean_to, survey, Survey::take).await?;
        let surveyed = survey.finish();
        let clean_to = surveyed.clean_to();
        let producers = self.sequencer.producers(partition).await.map_err(state_error)?;
        let last_of_producer: BTreeMap<i64, i64> =
            producers.iter().map(|producer| (producer.producer_id, producer.last_offset)).collect();
        let cleaner = Cleaner::new(surveyed, last_of_producer, rules.delete_retention_ms, now_ms);
        let mut pass = Pass::new(Rule::Clean(Box::new(cleaner)));
        let (mut group, mut bytes) = (Vec::new(), 0u64);
        let mut cleaned_to = None;
        let within: Vec<Slice> = slices.into_iter().filter(|slice| slice.end_offset <= clean_to).collect();
        let last = within.last().map(|slice| slice.end_offset);
        for slice in within {
            bytes = bytes.saturating_add(slice.bytes);
            group.push(slice);
            let is_last = Some(slice.end_offset) == last;
            if bytes >= settings.object_bytes || group.len() >= SLICES_IN_AN_OBJECT || is_last {
                if !self.replace(lease, std::mem::take(&mut group), &mut pass, now_ms).await? {
                    break;
                }
                cleaned_to = Some(slice.end_offset);
                bytes = 0;
            }
        }
        // All or nothing: keys of a part that was not rewritten still hide others behind it.
        if cleaned_to.is_some() && cleaned_to == last {
            self.note_cleaned(partition, cleaned_to).await?;
        }
        Ok(pass.report)
    }

    /// Puts one object in the place of neighbouring slices; `false` when somebody else changed them, or has the right to now.
    async fn replace(
        &self,
        lease: &Lease,
        group: Vec<Slice>,
        pass: &mut Pass,
        now_ms: i64,
    ) -> Result<bool, StorageError> {
        let Some(partition) = group.first().map(|slice| slice.partition) else { return Ok(true) };
        // The sweep of another broker must not take what is about to be referenced.
        let place = self.in_flight.begin();
        let replaced = self.replace_noted(lease, partition, group, pass, now_ms).await;
        self.in_flight.end(place);
        self.reader.known.forget(partition);
        replaced
    }

    async fn replace_noted(
        &self,
        lease: &Lease,
        partition: TopicPartition,
        group: Vec<Slice>,
        pass: &mut Pass,
        now_ms: i64,
    ) -> Result<bool, StorageError> {
        let failed = |source| StorageError::Object { source: Box::new(source) };
        let mut builder =
            self.writer.start(ObjectKind::Partition, Some(partition.topic), now_ms).await.map_err(failed)?;
        let (mut blocks, mut bytes, mut maximum_timestamp) = (0u32, 0u64, i64::MIN);
        for slice in &group {
            let log_start = self.state(partition).map_err(|error| unread(&error))?.log_start;
            let mut next = slice.base_offset.max(log_start);
            while next < slice.end_offset {
                let batches = self.batches(partition, next, slice.end_offset).await?;
                let Some(end) = batches.last().map(|batch| batch.last_offset().saturating_add(1)) else {
                    break;
                };
                next = end;
                pass.report.batches.0 = pass.report.batches.0.saturating_add(batches.len() as u64);
                for left in pass.rule.apply(batches).await? {
                    builder.push(partition, &left, slice.appended_at_ms).map_err(failed)?;
                    blocks = blocks.saturating_add(1);
                    bytes = bytes.saturating_add(left.size() as u64);
                    maximum_timestamp = maximum_timestamp.max(left.max_timestamp());
                }
            }
        }
        if blocks == 0 {
            // Nothing is left, and there is no object of nothing; the next one takes over their offsets.
            pass.emptied.extend(group);
            return Ok(true);
        }
        let mut before = std::mem::take(&mut pass.emptied);
        before.extend(group);
        let (Some(first), Some(last)) = (before.first().copied(), before.last().copied()) else {
            return Ok(true);
        };
        let count = before.len() as u64;
        let built = builder.finish().map_err(failed)?;
        self.in_flight.took(built.name.id.sequence);
        self.writer.write(&built).await.map_err(|error| failed(error.into()))?;
        let object = super::sequencer_id(built.name.id);
        let after = Slice {
            partition,
            base_offset: first.base_offset,
            end_offset: last.end_offset,
            object,
            first_block: 0,
            blocks,
            bytes,
            maximum_timestamp,
            appended_at_ms: first.appended_at_ms,
            committed_by: lease.holder,
            is_compacted: true,
        };
        let replacement = Replacement {
            lease: lease.clone(),
            partition,
            before,
            after: vec![after],
            object,
            object_bytes: built.size,
            now_ms,
        };
        match self.sequencer.replace(replacement).await {
            Ok(()) => {
                let report = &mut pass.report;
                report.objects = report.objects.saturating_add(1);
                report.slices = report.slices.saturating_add(count);
                report.batches.1 = report.batches.1.saturating_add(u64::from(blocks));
                Ok(true)
            }
            // Retention or a deletion was faster; the object is for the sweep.
            Err(SequencerError::Conflict { .. } | SequencerError::LeaseLost { .. }) => Ok(false),
            Err(error) => Err(state_error(error)),
        }
    }

    async fn batches(
        &self,
        partition: TopicPartition,
        from: i64,
        to: i64,
    ) -> Result<Vec<RecordBatch>, StorageError> {
        let sequencer = self.sequencer.as_ref();
        let read = self.reader.read(sequencer, partition, from, to, READ_AT_ONCE).await;
        let (read, _next) = read.map_err(|error| unread(&error))?;
        RecordBatch::parse_all(read.freeze()).map_err(|error| StorageError::Unavailable {
            reason: format!("batches of `{partition}` from offset {from} on cannot be read: {error}"),
        })
    }

    /// Shows each batch to `take`, until it has enough. Unpacking is done where it may take long.
    async fn fold<T: Send + 'static>(
        &self,
        partition: TopicPartition,
        from: i64,
        to: i64,
        mut all: T,
        take: fn(&mut T, &RecordBatch) -> bool,
    ) -> Result<T, StorageError> {
        let mut next = from;
        while next < to {
            let batches = self.batches(partition, next, to).await?;
            let Some(last) = batches.last() else { break };
            next = last.last_offset().saturating_add(1);
            let taken = tokio::task::spawn_blocking(move || {
                let goes_on = batches.iter().all(|batch| take(&mut all, batch));
                (all, goes_on)
            });
            let goes_on;
            (all, goes_on) = taken.await.map_err(cancelled)?;
            if !goes_on {
                break;
            }
        }
        Ok(all)
    }

    /// How far an earlier pass came.
    fn cleaned_to(&self, partition: TopicPartition) -> i64 {
        let noted = self.get(MetadataKind::Cluster, &cleaned_key(partition));
        noted.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok()).unwrap_or(0)
    }

    async fn note_cleaned(&self, partition: TopicPartition, to: Option<i64>) -> Result<(), StorageError> {
        let value = to.map(|to| to.to_string().into_bytes());
        self.commit(vec![MetadataChange { kind: MetadataKind::Cluster, key: cleaned_key(partition), value }])
            .await
    }

    /// Forgets how far the passes over a topic came.
    pub(crate) async fn forget_cleaned(&self, partitions: &[TopicPartition]) -> Result<(), StorageError> {
        let keys = partitions.iter().map(|partition| cleaned_key(*partition));
        let noted = keys.filter(|key| self.get(MetadataKind::Cluster, key).is_some());
        let changes = noted.map(|key| MetadataChange { kind: MetadataKind::Cluster, key, value: None });
        self.commit(changes.collect()).await
    }
}

impl Rule {
    async fn apply(&mut self, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, StorageError> {
        let Self::Clean(cleaner) = std::mem::replace(self, Self::KeepAll) else { return Ok(batches) };
        let cleaning = tokio::task::spawn_blocking(move || {
            let mut cleaner = cleaner;
            let mut left = Vec::with_capacity(batches.len());
            for batch in batches {
                match cleaner.clean(&batch) {
                    Ok(Cleaned::Rewritten(rewritten)) => left.push(rewritten),
                    Ok(Cleaned::Dropped) => {}
                    // Packing failed: the batch itself is still good.
                    Ok(Cleaned::Kept) | Err(_) => left.push(batch),
                }
            }
            (cleaner, left)
        });
        let (cleaner, left) = cleaning.await.map_err(cancelled)?;
        *self = Self::Clean(cleaner);
        Ok(left)
    }
}

fn extent(slice: &Slice) -> Extent {
    Extent {
        base_offset: slice.base_offset,
        end_offset: slice.end_offset,
        bytes: slice.bytes,
        maximum_timestamp: slice.maximum_timestamp,
        first_appended_at_ms: slice.appended_at_ms,
    }
}

fn cleaned_key(partition: TopicPartition) -> String {
    format!("cleaned/{partition}")
}

fn unread(error: &ReadError) -> StorageError {
    StorageError::Unavailable { reason: super::chain(error) }
}

fn cancelled(error: tokio::task::JoinError) -> StorageError {
    StorageError::Unavailable { reason: format!("rewriting ended early: {error}") }
}
