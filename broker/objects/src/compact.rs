//! Carrying a compaction out over objects: three passes over a partition's objects, new objects of bounded size.

use std::collections::BTreeMap;

use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;

use crate::block::Block;
use crate::builder::{BuiltObject, ObjectBuilder};
use crate::compaction::{Cleaned, Cleaner, CleaningPlan, Survey, Transactions};
use crate::damage::Damage;
use crate::error::ObjectError;
use crate::index::PartitionSpan;
use crate::object_id::ObjectKind;
use crate::reader::{ObjectReader, ObjectReference};
use crate::writer::ObjectWriter;

/// One partition's compaction.
#[derive(Debug, Clone)]
pub struct CompactionTask {
    /// The partition.
    pub partition: TopicPartition,
    /// All its objects with their share, from the first offset on, in order.
    pub sources: Vec<(ObjectReference, PartitionSpan)>,
    /// What to clean; not beyond the last source.
    pub plan: CleaningPlan,
    /// The last offset that each known producer wrote.
    pub last_of_producer: BTreeMap<i64, i64>,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// The time, milliseconds since the epoch.
    pub now_ms: i64,
    /// The most keys held in memory, about 40 bytes each.
    pub maximum_keys: usize,
    /// A new object is closed when it has this size, in bytes.
    pub object_bytes: u64,
}

/// What replaces the sources.
#[derive(Debug)]
pub struct Compacted {
    /// New objects, durable but not referenced yet; they hold everything that the sources held and that is left,
    /// also from beyond `cleaned_to`.
    pub objects: Vec<BuiltObject>,
    /// How far the pass came; the next one begins here.
    pub cleaned_to: i64,
    /// Batches before and after.
    pub batches: (u64, u64),
}

/// Compacts a partition. Memory is the map of keys, one request and one new object.
///
/// A damaged block ends the work with its error: compaction never replaces an object that it could not read in full.
///
/// # Errors
/// [`ObjectError`]; nothing is to be referenced then, and what was written is for the sweep.
pub async fn compact(
    reader: &ObjectReader,
    writer: &ObjectWriter,
    task: &CompactionTask,
) -> Result<Compacted, ObjectError> {
    let mut transactions = Transactions::default();
    let dirty = |span: &PartitionSpan| {
        let before = span.end_offset.is_some_and(|end| end <= task.plan.dirty_from);
        let behind = span.base_offset.is_some_and(|base| base >= task.plan.clean_to);
        !before && !behind
    };
    let in_plan = |batch: &RecordBatch| {
        batch.last_offset() >= task.plan.dirty_from && batch.last_offset() < task.plan.clean_to
    };
    for (object, span) in task.sources.iter().filter(|(_, span)| dirty(span)) {
        each(reader, object, span, |_, batch| {
            if in_plan(batch) {
                transactions.take(batch);
            }
            Ok(())
        })
        .await?;
    }
    let mut survey = Survey::new(task.plan, transactions, task.maximum_keys);
    for (object, span) in task.sources.iter().filter(|(_, span)| dirty(span)) {
        let mut more = true;
        each(reader, object, span, |_, batch| {
            more = more && survey.take(batch);
            Ok(())
        })
        .await?;
        if !more {
            break;
        }
    }
    rewrite(reader, writer, task, survey).await
}

async fn rewrite(
    reader: &ObjectReader,
    writer: &ObjectWriter,
    task: &CompactionTask,
    survey: Survey,
) -> Result<Compacted, ObjectError> {
    let surveyed = survey.finish();
    let cleaned_to = surveyed.clean_to();
    let last_of_producer = task.last_of_producer.clone();
    let mut cleaner = Cleaner::new(surveyed, last_of_producer, task.delete_retention_ms, task.now_ms);
    let mut output = Output { writer, task, builder: None, objects: Vec::new(), batches: (0, 0) };
    for (object, span) in &task.sources {
        // Block by block, so that a full object can be written in between.
        let blocks = span.first_block..span.first_block.saturating_add(span.blocks);
        let mut next = blocks.start;
        while next < blocks.end {
            output.close_when_full(false).await?;
            let mut builder = match output.builder.take() {
                Some(builder) => builder,
                None => writer.start(ObjectKind::Partition, Some(task.partition.topic), task.now_ms).await?,
            };
            let part = next..blocks.end.min(next.saturating_add(BLOCKS_AT_ONCE));
            let piece = share(span, part.clone());
            each(reader, object, &piece, |block, batch| {
                output.batches.0 += 1;
                let left = match cleaner.clean(batch) {
                    Ok(Cleaned::Kept) => batch.clone(),
                    Ok(Cleaned::Rewritten(left)) => left,
                    Ok(Cleaned::Dropped) => return Ok(()),
                    // Packing failed: the batch itself is still good.
                    Err(_unpackable) => batch.clone(),
                };
                output.batches.1 += 1;
                builder.push(task.partition, &left, block.appended_at_ms)
            })
            .await?;
            output.builder = Some(builder);
            next = part.end;
        }
    }
    output.close_when_full(true).await?;
    Ok(Compacted { objects: output.objects, cleaned_to, batches: output.batches })
}

/// How many blocks are read before it is asked whether the new object is full.
const BLOCKS_AT_ONCE: u32 = 64;

struct Output<'a> {
    writer: &'a ObjectWriter,
    task: &'a CompactionTask,
    builder: Option<ObjectBuilder>,
    objects: Vec<BuiltObject>,
    batches: (u64, u64),
}

impl Output<'_> {
    async fn close_when_full(&mut self, last: bool) -> Result<(), ObjectError> {
        let Some(builder) = self.builder.take() else { return Ok(()) };
        if builder.is_empty() || (!last && builder.size() < self.task.object_bytes) {
            self.builder = (!last).then_some(builder);
            return Ok(());
        }
        let mut built = builder.finish()?;
        self.writer.write(&built).await?;
        // Written: only what it holds is still of interest.
        built.chunks.clear();
        self.objects.push(built);
        Ok(())
    }
}

fn share(span: &PartitionSpan, blocks: std::ops::Range<u32>) -> PartitionSpan {
    PartitionSpan { first_block: blocks.start, blocks: blocks.end.saturating_sub(blocks.start), ..*span }
}

/// Every batch of a share, in order; a damaged one ends it.
async fn each(
    reader: &ObjectReader,
    object: &ObjectReference,
    span: &PartitionSpan,
    mut take: impl FnMut(&Block, &RecordBatch) -> Result<(), ObjectError>,
) -> Result<(), ObjectError> {
    let blocks = span.first_block..span.first_block.saturating_add(span.blocks);
    let each = |_: u32, block: &Block, batch: Result<RecordBatch, Damage>| take(block, &batch?);
    reader.scan(object, blocks, each).await
}
