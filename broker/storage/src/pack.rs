//! Moving records from old segments into objects, and reading them there.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use cadastre_objects::{Damage, ObjectError, ObjectId, ObjectKind, References, StoreError, StoredBatch};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;

use crate::committer::{chain, unavailable};
use crate::embedded::EmbeddedStorage;
use crate::error::{ReadError, StorageError};
use crate::execution::Cancelled;
use crate::packed::{ObjectArea, PackedObject, PackedShare};
use crate::partition::PlannedBatch;
use crate::reader::first_record_since;
use crate::request::StateChange;
use crate::segment::FrameReadError;
use crate::storage::TimestampedOffset;

/// How often an object is written under another name when the first is taken.
const NAMES_TRIED: u32 = 3;

/// What a round of packing did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackReport {
    /// Objects written and referenced.
    pub objects: u64,
    /// Batches in them.
    pub batches: u64,
    /// Sizes of the objects, in bytes.
    pub bytes: u64,
}

/// A batch that was read out of a segment.
struct Taken {
    partition: TopicPartition,
    batch: RecordBatch,
    appended_at_ms: i64,
}

impl EmbeddedStorage {
    /// Moves the records of all segments but the two newest into objects, after which the segments are deleted. To be
    /// called from time to time; does nothing without an object store. Appends go on meanwhile.
    ///
    /// Nothing is let go before the object is durable and the reference to it is. A batch that cannot be read stays
    /// where it is, and with it what follows in its partition.
    ///
    /// # Errors
    /// [`StorageError::Object`] when an object cannot be written; the records stay in the log.
    pub(crate) async fn pack(&self, now_ms: i64) -> Result<PackReport, StorageError> {
        let mut report = PackReport::default();
        let Some(area) = self.objects() else { return Ok(report) };
        let _turn = area.packing.lock().await;
        let mut damaged = BTreeSet::new();
        loop {
            let candidates = self.packable(area.object_bytes, &damaged);
            if candidates.is_empty() {
                return Ok(report);
            }
            let planned: Vec<_> = candidates.iter().map(|(_, planned)| planned.clone()).collect();
            let renewed = self.renew_keys(&planned).await;
            renewed.map_err(|error| unavailable(&chain(&error)))?;
            let (taken, newly_damaged) =
                self.execution().run(move || take(candidates)).await.map_err(|Cancelled| {
                    StorageError::Unavailable { reason: "packing ended early".to_owned() }
                })??;
            damaged.extend(newly_damaged);
            if taken.is_empty() {
                continue;
            }
            let object = write(area, &taken, now_ms).await?;
            let (id, bytes) = (object.object_id(), object.size);
            if self.change(StateChange::AddObject { object }).await? == 0 {
                // Everything in it was deleted while it was written. Nothing ever referred to it.
                let deleted = area.reader.store().delete(&area.name(id, ObjectKind::Mixed).path()).await;
                deleted.map_err(|source| StorageError::Object { source: Box::new(source.into()) })?;
                continue;
            }
            report.objects += 1;
            report.batches += taken.len() as u64;
            report.bytes += bytes;
        }
    }

    /// Batches of old segments, and what precedes them in their partitions: up to `maximum_bytes`, but one at least.
    fn packable(
        &self,
        maximum_bytes: u64,
        damaged: &BTreeSet<TopicPartition>,
    ) -> Vec<(TopicPartition, PlannedBatch)> {
        let newest_old = {
            let segments = self.shared().segments();
            let older = segments.len().saturating_sub(2);
            segments.iter().take(older).map(|segment| segment.id).max()
        };
        let Some(newest_old) = newest_old else { return Vec::new() };
        let state = self.shared().read();
        let mut candidates = Vec::new();
        let mut bytes = 0u64;
        for (id, partition) in state.partitions.iter().filter(|(id, _)| !damaged.contains(id)) {
            let batches: Vec<_> = partition.planned_batches().collect();
            let Some(last) = batches.iter().rposition(|batch| batch.segment.id <= newest_old) else {
                continue;
            };
            for batch in batches.into_iter().take(last.saturating_add(1)) {
                bytes = bytes.saturating_add(u64::from(batch.length));
                if bytes > maximum_bytes && !candidates.is_empty() {
                    return candidates;
                }
                candidates.push((*id, batch));
            }
        }
        candidates
    }

    /// What the sweep has to know: the objects that the log refers to, and its own epoch.
    #[must_use]
    pub(crate) fn object_references(&self) -> Option<References> {
        let area = self.objects()?;
        let epoch = area.writer.writer_epoch();
        Some(References {
            objects: self.shared().read().objects.keys().copied().collect(),
            active_epochs: [epoch].into(),
            next_epoch: epoch.saturating_add(1),
        })
    }

    /// Reads from the object that holds `offset` and what follows up to `end_offset`; also gives the offset to read on from.
    pub(crate) async fn read_packed(
        &self,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
        (id, kind): (ObjectId, ObjectKind),
        end_offset: i64,
    ) -> Result<(Bytes, i64), ReadError> {
        let failed = |source| object_error(partition, offset, end_offset, source);
        let Some(area) = self.objects() else { return Err(ReadError::Cancelled) };
        let read = area.reader.read(&area.reference(id, kind), partition, offset, maximum_bytes).await;
        let batches = read.map_err(failed)?;
        let mut records = BytesMut::new();
        let mut expected = offset;
        // Rewriting left nothing out that it could not read, so that what is missing there was cleaned away.
        let may_miss = kind == ObjectKind::Partition;
        for StoredBatch { batch, .. } in &batches {
            // A hole ends the answer; the next read starts in it and is told so.
            if batch.base_offset() > expected && !may_miss {
                break;
            }
            expected = batch.last_offset().saturating_add(1);
            records.extend_from_slice(batch.bytes());
        }
        if records.is_empty() && may_miss {
            return Ok((Bytes::new(), end_offset));
        }
        if records.is_empty() {
            let to = batches.first().map_or(end_offset, |next| next.batch.base_offset());
            return Err(ReadError::Damaged { partition, from: offset, to });
        }
        Ok((records.freeze(), expected))
    }

    /// The first record in an object with a timestamp of at least `timestamp`.
    pub(crate) async fn packed_record_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let (log_start, candidates) = self.with_partition(partition, |it| {
            let late = it.shares().filter(|(_, share)| share.maximum_timestamp >= timestamp);
            (
                it.log_start,
                late.map(|(base, share)| (base, share.object, share.kind, share.end_offset))
                    .collect::<Vec<_>>(),
            )
        })?;
        let Some(area) = self.objects() else { return Ok(None) };
        for (base_offset, id, kind, end_offset) in candidates {
            let failed = |source| object_error(partition, base_offset, end_offset, source);
            let object = area.reference(id, kind);
            let opened = area.reader.open(&object).await.map_err(failed)?;
            let own = opened.index().of_partition(partition);
            let found = own.zip_blocks(opened.index().blocks()).find(|(_, block)| {
                block.maximum_timestamp >= timestamp && block.end_offset().is_some_and(|end| end > log_start)
            });
            let Some((number, _)) = found else { continue };
            let read = area.reader.blocks(&object, number..number.saturating_add(1)).await.map_err(failed)?;
            let Some(StoredBatch { batch, .. }) = read.into_iter().next() else { continue };
            let leader_epoch = batch.partition_leader_epoch();
            let bytes = batch.bytes().clone();
            // Unpacking may take long, which the asynchronous threads must not.
            let found = self
                .execution()
                .run(move || first_record_since(&bytes, timestamp))
                .await
                .map_err(|Cancelled| ReadError::Cancelled)?;
            return Ok(found.map(|(offset, timestamp)| TimestampedOffset {
                offset,
                timestamp,
                leader_epoch,
            }));
        }
        Ok(None)
    }

    /// The latest timestamp of a batch in an object that can be read.
    pub(crate) async fn latest_packed(&self, partition: TopicPartition) -> Result<Option<i64>, ReadError> {
        let (log_start, shares) = self.with_partition(partition, |it| {
            let shares = it.shares().map(|(base, share)| (base, share.clone()));
            (it.log_start, shares.collect::<Vec<_>>())
        })?;
        let Some(area) = self.objects() else { return Ok(None) };
        let mut latest = None;
        for (base_offset, share) in shares {
            if base_offset >= log_start {
                latest = latest.max(Some(share.maximum_timestamp));
                continue;
            }
            // Part of it lies before the log start.
            let failed = |source| object_error(partition, log_start, share.end_offset, source);
            let opened = area.reader.open(&area.reference(share.object, share.kind)).await.map_err(failed)?;
            let own = opened.index().of_partition(partition);
            let readable = own
                .zip_blocks(opened.index().blocks())
                .filter(|(_, block)| block.end_offset().is_some_and(|end| end > log_start));
            latest = latest.max(readable.map(|(_, block)| block.maximum_timestamp).max());
        }
        Ok(latest)
    }
}

/// Block numbers with their blocks.
trait ZipBlocks {
    fn zip_blocks(
        self,
        blocks: &[cadastre_objects::Block],
    ) -> impl Iterator<Item = (u32, &cadastre_objects::Block)>;
}

impl ZipBlocks for std::ops::Range<usize> {
    fn zip_blocks(
        self,
        blocks: &[cadastre_objects::Block],
    ) -> impl Iterator<Item = (u32, &cadastre_objects::Block)> {
        self.filter_map(|number| Some((u32::try_from(number).ok()?, blocks.get(number)?)))
    }
}

/// Reads batches out of their segments, in order; also gives the partitions in which that came to an end. Blocks.
fn take(
    candidates: Vec<(TopicPartition, PlannedBatch)>,
) -> Result<(Vec<Taken>, BTreeSet<TopicPartition>), StorageError> {
    let mut taken = Vec::with_capacity(candidates.len());
    let mut damaged = BTreeSet::new();
    for (partition, planned) in candidates {
        // What follows damage stays with it, so that objects come before segments in every partition.
        if damaged.contains(&partition) {
            continue;
        }
        let frame = match planned.segment.read_frame(planned.position, planned.length) {
            Ok(frame) => frame,
            Err(FrameReadError::File(source)) => {
                let path = planned.segment.path.clone();
                return Err(StorageError::File { action: "read", path, source });
            }
            Err(FrameReadError::Expired) => {
                return Err(unavailable("the lease of a segment's key is over"));
            }
            Err(FrameReadError::Defect(_)) => {
                tracing::error!(segment = planned.segment.id, %partition, "a damaged frame stays in the log");
                damaged.insert(partition);
                continue;
            }
        };
        let parsed = RecordBatch::parse(&mut Bytes::from(frame.body));
        match (parsed, frame.descriptor.batch) {
            (Ok(batch), Some(description))
                if description.partition == partition && batch.base_offset() == planned.base_offset =>
            {
                taken.push(Taken { partition, batch, appended_at_ms: description.appended_at_ms });
            }
            _ => {
                tracing::error!(segment = planned.segment.id, %partition, "an unexpected frame stays in the log");
                damaged.insert(partition);
            }
        }
    }
    Ok((taken, damaged))
}

/// Writes an object with the batches; durable on return.
async fn write(area: &ObjectArea, taken: &[Taken], now_ms: i64) -> Result<PackedObject, StorageError> {
    let failed = |source| StorageError::Object { source: Box::new(source) };
    let mut tried = 0;
    loop {
        tried += 1;
        let mut builder = area.writer.start(ObjectKind::Mixed, None, now_ms).await.map_err(failed)?;
        for Taken { partition, batch, appended_at_ms } in taken {
            builder.push(*partition, batch, *appended_at_ms).map_err(failed)?;
        }
        let built = builder.finish().map_err(failed)?;
        match area.writer.write(&built).await {
            Ok(()) => {
                let ObjectId { writer_epoch, sequence } = built.name.id;
                return Ok(PackedObject {
                    id: (writer_epoch, sequence),
                    size: built.size,
                    shares: shares(taken),
                });
            }
            Err(StoreError::AlreadyExists { .. }) if tried < NAMES_TRIED => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
}

fn shares(taken: &[Taken]) -> Vec<PackedShare> {
    let mut shares: Vec<PackedShare> = Vec::new();
    for Taken { partition, batch, .. } in taken {
        let epoch = batch.partition_leader_epoch();
        let (base_offset, end_offset) = (batch.base_offset(), batch.last_offset().saturating_add(1));
        match shares.last_mut() {
            Some(share) if share.topic_partition() == *partition => {
                share.end_offset = end_offset;
                share.bytes = share.bytes.saturating_add(batch.size() as u64);
                share.maximum_timestamp = share.maximum_timestamp.max(batch.max_timestamp());
                if share.epochs.last().is_none_or(|(last, _)| *last != epoch) {
                    share.epochs.push((epoch, base_offset));
                }
            }
            _ => shares.push(PackedShare {
                topic: partition.topic.0,
                partition: partition.partition,
                base_offset,
                end_offset,
                bytes: batch.size() as u64,
                maximum_timestamp: batch.max_timestamp(),
                epochs: vec![(epoch, base_offset)],
            }),
        }
    }
    shares
}

/// Damage by offsets; the rest as it is.
fn object_error(partition: TopicPartition, offset: i64, end_offset: i64, error: ObjectError) -> ReadError {
    match error {
        ObjectError::Damaged(damage) => {
            let (from, to) = damaged_offsets(&damage).unwrap_or((offset, end_offset));
            ReadError::Damaged { partition, from, to }
        }
        source => ReadError::Object { partition, offset, source: Box::new(source) },
    }
}

fn damaged_offsets(damage: &Damage) -> Option<(i64, i64)> {
    damage.held?.offsets
}
