//! Rewriting a partition's pieces in the background, in either mode: small ones into objects of their own, and compacted topics
//! by key.
//!
//! What a piece is, and how others take its place, is for the mode to say ([`Pieces`]); what is worth rewriting, and what is
//! left of it, is decided here.

use std::collections::BTreeMap;

use bytes::Bytes;
use cadastre_objects::compaction::{Cleaned, Cleaner, CleaningRules, Extent, Survey, Transactions};
use cadastre_objects::{BuiltObject, ObjectKind, ObjectWriter};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;

use crate::committer::chain;
use crate::error::{ReadError, StorageError};
use crate::execution::{Cancelled, Execution};

/// How much is read at once, in bytes.
const READ_AT_ONCE: usize = 4 << 20;
/// So many pieces are merged, however small they are together.
const PIECES_IN_AN_OBJECT: usize = 1000;
/// The most pieces of a partition that one pass looks at.
pub(crate) const PIECES_IN_A_PASS: usize = 100_000;

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
    /// Pieces that they replaced: slices of a cluster's objects, or shares in an embedded log's.
    pub slices: u64,
    /// Batches before and after.
    pub batches: (u64, u64),
}

/// Where rewriting finds the pieces of one partition, and puts what takes their place.
pub(crate) trait Pieces: Sync {
    /// Consecutive batches that lie together in one object.
    type Piece: Clone + Send + Sync;
    /// Held from before an object is begun until it is referred to, or will never be.
    type Making: Send;

    fn partition(&self) -> TopicPartition;

    fn extent(piece: &Self::Piece) -> Extent;

    /// Whether the piece came of rewriting: offsets may be missing in it.
    fn is_rewritten(piece: &Self::Piece) -> bool;

    fn writer(&self) -> &ObjectWriter;

    fn execution(&self) -> Execution;

    fn log_start(&self) -> Result<i64, ReadError>;

    /// The pieces in order, without those that nobody can read any more. There may be holes where records were lost.
    async fn all(&self) -> Result<Vec<Self::Piece>, StorageError>;

    /// Whole batches from `from` to before `to`, and the offset to read on from.
    async fn read(&self, from: i64, to: i64, maximum_bytes: usize) -> Result<(Bytes, i64), ReadError>;

    /// The last offset that each known producer wrote.
    async fn last_of_producer(&self) -> Result<BTreeMap<i64, i64>, StorageError>;

    /// How far an earlier pass came, as metadata has it under [`cleaned_key`].
    fn cleaned_to(&self) -> i64;

    async fn note_cleaned(&self, to: i64) -> Result<(), StorageError>;

    fn making(&self) -> Self::Making;

    /// Makes the new object durable and puts it in the place of `before`, which it covers whole. `false` when others changed
    /// them meanwhile, so that it must not.
    async fn replace(&self, before: &[Self::Piece], new: NewPiece) -> Result<bool, StorageError>;
}

/// An object of one partition that is to take the place of pieces.
#[derive(Debug)]
pub(crate) struct NewPiece {
    pub(crate) object: BuiltObject,
    pub(crate) blocks: u32,
    /// Sizes of the batches, in bytes.
    pub(crate) bytes: u64,
    /// Milliseconds since the epoch.
    pub(crate) maximum_timestamp: i64,
}

/// The key of the metadata entry, of kind `Cluster`, that says how far a partition was cleaned.
pub(crate) fn cleaned_key(partition: TopicPartition) -> String {
    format!("cleaned/{partition}")
}

/// The value of such an entry.
pub(crate) fn cleaned_offset(value: Option<Vec<u8>>) -> i64 {
    value.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok()).unwrap_or(0)
}

/// Why a group of pieces was not rewritten.
enum Refusal {
    /// Its records cannot be read: it stays as it is.
    Unreadable(ReadError),
    Storage(StorageError),
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Refusal> for StorageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Storage(error) => error,
            Refusal::Unreadable(error) => Self::Unavailable { reason: chain(&error) },
        }
    }
}

/// Rewrites what is worth it.
pub(crate) async fn rewrite<P: Pieces>(
    pieces: &P,
    settings: RewriteSettings,
    now_ms: i64,
) -> Result<RewriteReport, StorageError> {
    let all = pieces.all().await?;
    let rewriting = Rewriting { pieces, settings, now_ms };
    match settings.cleaning {
        None => rewriting.merge(all).await,
        Some(rules) => rewriting.clean(all, rules).await,
    }
}

struct Rewriting<'a, P> {
    pieces: &'a P,
    settings: RewriteSettings,
    now_ms: i64,
}

/// What is left of a batch: itself, others in its place, or nothing.
enum Rule {
    KeepAll,
    Clean(Box<Cleaner>),
}

/// One pass over a partition.
struct Pass<T> {
    rule: Rule,
    /// Pieces of which nothing is left, before those at hand.
    emptied: Vec<T>,
    report: RewriteReport,
}

impl<T> Pass<T> {
    fn new(rule: Rule) -> Self {
        Self { rule, emptied: Vec::new(), report: RewriteReport::default() }
    }
}

/// Neighbouring pieces that become one object when there are enough of them.
struct Group<T> {
    pieces: Vec<T>,
    bytes: u64,
    end_offset: Option<i64>,
}

impl<T> Group<T> {
    const fn new() -> Self {
        Self { pieces: Vec::new(), bytes: 0, end_offset: None }
    }

    /// Whether the extent follows on the group without a hole.
    fn continues(&self, extent: &Extent) -> bool {
        self.end_offset.is_none_or(|end| end == extent.base_offset)
    }

    fn push(&mut self, piece: T, extent: &Extent) {
        self.pieces.push(piece);
        self.bytes = self.bytes.saturating_add(extent.bytes);
        self.end_offset = Some(extent.end_offset);
    }

    fn is_full(&self, object_bytes: u64) -> bool {
        self.bytes >= object_bytes || self.pieces.len() >= PIECES_IN_AN_OBJECT
    }

    /// Empties the group; what follows must still be its neighbour.
    fn take(&mut self) -> Vec<T> {
        self.bytes = 0;
        std::mem::take(&mut self.pieces)
    }
}

impl<P: Pieces> Rewriting<'_, P> {
    /// Puts runs of neighbours that were never rewritten into objects of their own, each record once.
    async fn merge(&self, all: Vec<P::Piece>) -> Result<RewriteReport, StorageError> {
        let mut pass = Pass::new(Rule::KeepAll);
        let mut group = Group::new();
        for piece in all {
            let extent = P::extent(&piece);
            if P::is_rewritten(&piece) {
                group = Group::new();
                continue;
            }
            if !group.continues(&extent) {
                group = Group::new();
            }
            group.push(piece, &extent);
            if !group.is_full(self.settings.object_bytes) {
                continue;
            }
            match self.replace(group.take(), &mut pass).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(Refusal::Unreadable(error @ ReadError::Damaged { .. })) => {
                    let partition = self.pieces.partition();
                    tracing::warn!(%partition, %error, "damaged records stay where they are");
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(pass.report)
    }

    /// Log compaction by key.
    async fn clean(&self, all: Vec<P::Piece>, rules: CleaningRules) -> Result<RewriteReport, StorageError> {
        let all = after_the_last_hole::<P>(all);
        let extents: Vec<Extent> = all.iter().map(P::extent).collect();
        let Some(end) = extents.last().map(|extent| extent.end_offset) else {
            return Ok(RewriteReport::default());
        };
        let Some(plan) = rules.plan(&extents, self.pieces.cleaned_to(), end, self.now_ms) else {
            return Ok(RewriteReport::default());
        };
        let log_start = self.pieces.log_start().map_err(Refusal::from)?;
        let from = plan.dirty_from.max(log_start);
        let transactions = self
            .fold(from, plan.clean_to, Transactions::default(), |transactions, batch| {
                transactions.take(batch);
                true
            })
            .await?;
        let survey = Survey::new(plan, transactions, self.settings.maximum_keys);
        let survey = self.fold(from, plan.clean_to, survey, Survey::take).await?;
        let surveyed = survey.finish();
        let clean_to = surveyed.clean_to();
        let last_of_producer = self.pieces.last_of_producer().await?;
        let cleaner = Cleaner::new(surveyed, last_of_producer, rules.delete_retention_ms, self.now_ms);
        let mut pass = Pass::new(Rule::Clean(Box::new(cleaner)));
        let within: Vec<P::Piece> =
            all.into_iter().filter(|piece| P::extent(piece).end_offset <= clean_to).collect();
        let last = within.last().map(|piece| P::extent(piece).end_offset);
        let mut group = Group::new();
        let mut cleaned_to = None;
        for piece in within {
            let extent = P::extent(&piece);
            group.push(piece, &extent);
            let is_last = Some(extent.end_offset) == last;
            if group.is_full(self.settings.object_bytes) || is_last {
                if !self.replace(group.take(), &mut pass).await? {
                    break;
                }
                cleaned_to = Some(extent.end_offset);
            }
        }
        // All or nothing: keys of a part that was not rewritten still hide others behind it.
        if let Some(to) = cleaned_to.filter(|_| cleaned_to == last) {
            self.pieces.note_cleaned(to).await?;
        }
        Ok(pass.report)
    }

    /// Puts one object in the place of neighbours; `false` when somebody else changed them, or has the right to now.
    async fn replace(&self, group: Vec<P::Piece>, pass: &mut Pass<P::Piece>) -> Result<bool, Refusal> {
        if group.is_empty() {
            return Ok(true);
        }
        let pieces = self.pieces;
        let partition = pieces.partition();
        let failed = |source| Refusal::Storage(StorageError::Object { source: Box::new(source) });
        // The sweep of another broker must not take what is about to be referred to.
        let _making = pieces.making();
        let begun = pieces.writer().start(ObjectKind::Partition, Some(partition.topic), self.now_ms).await;
        let mut builder = begun.map_err(failed)?;
        let (mut blocks, mut bytes, mut maximum_timestamp, mut batches_before) = (0u32, 0u64, i64::MIN, 0u64);
        for piece in &group {
            let Extent { base_offset, end_offset, first_appended_at_ms, .. } = P::extent(piece);
            let mut next = base_offset.max(pieces.log_start()?);
            while next < end_offset {
                let (batches, after) = self.batches(next, end_offset).await?;
                if after <= next {
                    break;
                }
                next = after;
                batches_before = batches_before.saturating_add(batches.len() as u64);
                for left in pass.rule.apply(batches, pieces.execution()).await? {
                    builder.push(partition, &left, first_appended_at_ms).map_err(failed)?;
                    blocks = blocks.saturating_add(1);
                    bytes = bytes.saturating_add(left.size() as u64);
                    maximum_timestamp = maximum_timestamp.max(left.max_timestamp());
                }
            }
        }
        pass.report.batches.0 = pass.report.batches.0.saturating_add(batches_before);
        if blocks == 0 {
            // Nothing is left, and there is no object of nothing; the next one takes over their offsets.
            pass.emptied.extend(group);
            return Ok(true);
        }
        let mut before = std::mem::take(&mut pass.emptied);
        before.extend(group);
        let object = builder.finish().map_err(failed)?;
        let new = NewPiece { object, blocks, bytes, maximum_timestamp };
        let is_replaced = pieces.replace(&before, new).await?;
        if is_replaced {
            let report = &mut pass.report;
            report.objects = report.objects.saturating_add(1);
            report.slices = report.slices.saturating_add(before.len() as u64);
            report.batches.1 = report.batches.1.saturating_add(u64::from(blocks));
        }
        Ok(is_replaced)
    }

    async fn batches(&self, from: i64, to: i64) -> Result<(Vec<RecordBatch>, i64), Refusal> {
        let (read, next) = self.pieces.read(from, to, READ_AT_ONCE).await?;
        let batches = RecordBatch::parse_all(read).map_err(|error| {
            let partition = self.pieces.partition();
            StorageError::Unavailable {
                reason: format!("batches of `{partition}` from offset {from} on cannot be read: {error}"),
            }
        })?;
        Ok((batches, next))
    }

    /// Shows each batch to `take`, until it has enough. Unpacking is done where it may take long.
    async fn fold<T: Send + 'static>(
        &self,
        from: i64,
        to: i64,
        mut all: T,
        take: fn(&mut T, &RecordBatch) -> bool,
    ) -> Result<T, Refusal> {
        let mut next = from;
        while next < to {
            let (batches, after) = self.batches(next, to).await?;
            if after <= next {
                break;
            }
            next = after;
            let taken = self.pieces.execution().run(move || {
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
}

/// The pieces behind the last place where records were lost: nothing may hide that they are.
fn after_the_last_hole<P: Pieces>(mut all: Vec<P::Piece>) -> Vec<P::Piece> {
    let extents: Vec<Extent> = all.iter().map(P::extent).collect();
    let hole = extents.windows(2).rposition(|pair| match pair {
        [before, after] => before.end_offset != after.base_offset,
        _ => false,
    });
    match hole {
        Some(index) => all.split_off(index.saturating_add(1)),
        None => all,
    }
}

impl Rule {
    async fn apply(
        &mut self,
        batches: Vec<RecordBatch>,
        execution: Execution,
    ) -> Result<Vec<RecordBatch>, StorageError> {
        let Self::Clean(cleaner) = std::mem::replace(self, Self::KeepAll) else { return Ok(batches) };
        let cleaning = execution.run(move || {
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

fn cancelled(_ended: Cancelled) -> StorageError {
    StorageError::Unavailable { reason: "rewriting ended early".to_owned() }
}
