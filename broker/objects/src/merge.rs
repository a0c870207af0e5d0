//! Merging: from objects of many partitions, and from small ones, to larger objects of one partition.

use std::collections::BTreeMap;

use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;

use crate::block::Block;
use crate::builder::BuiltObject;
use crate::error::ObjectError;
use crate::index::PartitionSpan;
use crate::object_id::{ObjectId, ObjectKind, ObjectName};
use crate::reader::{ObjectReader, ObjectReference};
use crate::writer::ObjectWriter;

/// An object of the manifest, as planning sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its id.
    pub id: ObjectId,
    /// What it holds.
    pub kind: ObjectKind,
    /// Each partition's share, in order, with the offsets assigned.
    pub spans: Vec<PartitionSpan>,
}

/// How merging weighs effort against order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergePlanner {
    /// A partition object is made when this many bytes of batches of a partition lie in shared or small objects.
    pub minimum_bytes: u64,
    /// No object is made larger than this by merging, but where one batch is.
    pub maximum_bytes: u64,
    /// Partition objects below this are small: worth merging with their neighbours.
    pub small_bytes: u64,
}

impl Default for MergePlanner {
    /// From 8 MiB on, to 48 MiB; below 16 MiB is small.
    fn default() -> Self {
        Self { minimum_bytes: 8 << 20, maximum_bytes: 48 << 20, small_bytes: 16 << 20 }
    }
}

/// Blocks to be copied, in order, into one object of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeTask {
    /// The partition.
    pub partition: TopicPartition,
    /// The objects and the share of each, by offset; no other object holds offsets in between.
    pub sources: Vec<(ObjectId, PartitionSpan)>,
}

impl MergePlanner {
    /// The tasks that the objects of a manifest call for, in order of partitions. Pure. A task takes neighbours only, so
    /// that each object's offsets stay in one piece; `force` merges what is below the minimum too, as before a topic's
    /// shared objects can go.
    #[must_use]
    pub fn plan(&self, objects: &[StoredObject], force: bool) -> Vec<MergeTask> {
        let mut shares: BTreeMap<TopicPartition, Vec<(i64, ObjectId, ObjectKind, PartitionSpan)>> =
            BTreeMap::new();
        for object in objects {
            for span in &object.spans {
                let Some(base) = span.base_offset else { continue };
                shares.entry(span.partition).or_default().push((base, object.id, object.kind, *span));
            }
        }
        let mut tasks = Vec::new();
        for (partition, mut shares) in shares {
            shares.sort_by_key(|(base, id, ..)| (*base, *id));
            let mut group: Vec<(ObjectId, ObjectKind, PartitionSpan)> = Vec::new();
            let mut bytes = 0u64;
            for (_, id, kind, span) in shares {
                let worthwhile = kind != ObjectKind::Partition || span.batch_bytes < self.small_bytes;
                let too_large = bytes.saturating_add(span.batch_bytes) > self.maximum_bytes;
                if !worthwhile || too_large {
                    self.close(partition, &mut group, bytes, force, &mut tasks);
                    bytes = 0;
                }
                if worthwhile {
                    bytes = bytes.saturating_add(span.batch_bytes);
                    group.push((id, kind, span));
                }
            }
            self.close(partition, &mut group, bytes, force, &mut tasks);
        }
        tasks
    }

    fn close(
        &self,
        partition: TopicPartition,
        group: &mut Vec<(ObjectId, ObjectKind, PartitionSpan)>,
        bytes: u64,
        force: bool,
        tasks: &mut Vec<MergeTask>,
    ) {
        let group = std::mem::take(group);
        let shared = group.iter().any(|(_, kind, _)| *kind != ObjectKind::Partition);
        let worthwhile = if force {
            shared || group.len() > 1
        } else {
            bytes >= self.minimum_bytes && (shared || group.len() > 1)
        };
        if worthwhile {
            let sources = group.into_iter().map(|(id, _, span)| (id, span)).collect();
            tasks.push(MergeTask { partition, sources });
        }
    }
}

/// A written object that replaces its sources' shares.
#[derive(Debug, Clone)]
pub struct MergedObject {
    /// The object, durable but not referenced yet.
    pub built: BuiltObject,
    /// Damaged blocks that could not be copied: their sources must stay referenced for these offsets.
    pub left_behind: Vec<Block>,
}

/// Carries a task out: copies the batches, run by run, through `place`, which gives each batch its offset and leader
/// epoch (or `None` to leave it out, as for what lies below the log start). Memory is one request and the new object.
///
/// `None` when no batch was left to copy.
///
/// # Errors
/// [`ObjectError`]; nothing is referenced then, and what was written is an orphan.
pub async fn merge(
    reader: &ObjectReader,
    writer: &ObjectWriter,
    task: &MergeTask,
    reference: impl Fn(ObjectId) -> Option<ObjectReference>,
    mut place: impl FnMut(ObjectId, &Block, &RecordBatch) -> Option<RecordBatch>,
    now_ms: i64,
) -> Result<Option<MergedObject>, ObjectError> {
    let mut builder = writer.start(ObjectKind::Partition, Some(task.partition.topic), now_ms).await?;
    let mut left_behind = Vec::new();
    for (id, span) in &task.sources {
        let Some(object) = reference(*id) else {
            let name =
                ObjectName { kind: ObjectKind::Mixed, id: *id, cluster_id: writer.cluster_id().to_owned() };
            return Err(ObjectError::Missing { name: Box::new(name) });
        };
        let blocks = span.first_block..span.first_block.saturating_add(span.blocks);
        reader
            .scan(&object, blocks, |_, block, batch| match batch {
                Ok(batch) => match place(*id, block, &batch) {
                    Some(placed) => builder.push(task.partition, &placed, block.appended_at_ms),
                    None => Ok(()),
                },
                Err(_noted) => {
                    left_behind.push(*block);
                    Ok(())
                }
            })
            .await?;
    }
    if builder.is_empty() {
        return Ok(None);
    }
    let built = builder.finish()?;
    writer.write(&built).await?;
    Ok(Some(MergedObject { built, left_behind }))
}
