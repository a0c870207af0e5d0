//! From offsets to batches: slices say which blocks of which object, and the offsets that the blocks do not bear.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use cadastre_objects::{Block, ObjectError, ObjectId, ObjectKind, ObjectName, ObjectReader, ObjectReference};
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::{BrokerEpoch, Sequencer, SequencerError, Slice};

use tokio::time::Instant;

use super::uploader::chain;
use crate::error::ReadError;

/// How many slices are asked for at once.
const SLICES_AT_ONCE: usize = 64;
/// How many slices are remembered.
const REMEMBERED_SLICES: usize = 100_000;
/// The leader epoch of everything: the sequencer never takes anything back, so that no epoch ends.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// How long slices are remembered. What another broker compacted is served as it was for this long.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// Slices that were read lately. They stay right until a compaction replaces them; their objects go some time later.
#[derive(Debug)]
pub(crate) struct KnownSlices(Mutex<Remembered>);

#[derive(Debug)]
struct Remembered {
    since: Instant,
    slices: BTreeMap<(TopicPartition, i64), Slice>,
}

impl Default for KnownSlices {
    fn default() -> Self {
        Self(Mutex::new(Remembered { since: Instant::now(), slices: BTreeMap::new() }))
    }
}

impl KnownSlices {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        // A poisoned lock means that a thread panicked; slices are put in one by one.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.since.elapsed() >= REMEMBERED_FOR {
            *known = Remembered { since: Instant::now(), slices: BTreeMap::new() };
        }
        known
    }

    fn holding(&self, partition: TopicPartition, offset: i64) -> Option<Slice> {
        let known = self.lock();
        let (_, slice) = known.slices.range((partition, i64::MIN)..=(partition, offset)).next_back()?;
        (slice.end_offset > offset).then_some(*slice)
    }

    fn remember(&self, slices: &[Slice]) {
        let mut known = self.lock();
        if known.slices.len() >= REMEMBERED_SLICES {
            known.slices.clear();
        }
        known.slices.extend(slices.iter().map(|slice| ((slice.partition, slice.base_offset), *slice)));
    }

    pub(crate) fn forget(&self, partition: TopicPartition) {
        self.lock().slices.retain(|(of, _), _| *of != partition);
    }
}

/// Reads for one broker.
#[derive(Debug)]
pub(crate) struct SliceReader {
    pub(crate) cluster_id: String,
    pub(crate) objects: ObjectReader,
    pub(crate) known: KnownSlices,
}

impl SliceReader {
    /// Whole batches from the one that holds `offset` to before `end`: up to `maximum_bytes`, but one at least; and the offset
    /// to read on from.
    pub(crate) async fn read(
        &self,
        sequencer: &dyn Sequencer,
        partition: TopicPartition,
        offset: i64,
        end: i64,
        maximum_bytes: usize,
    ) -> Result<(BytesMut, i64), ReadError> {
        let mut records = BytesMut::new();
        let mut next = offset;
        while next < end && (records.is_empty() || records.len() < maximum_bytes) {
            let budget = maximum_bytes.saturating_sub(records.len());
            let mut found = self.read_slice(sequencer, partition, next, budget, records.is_empty()).await;
            if matches!(found, Err(Failure::Gone)) {
                // A compaction replaced the slices that were remembered.
                self.known.forget(partition);
                found = self.read_slice(sequencer, partition, next, budget, records.is_empty()).await;
            }
            match found {
                // The budget is used up, where nothing was passed over.
                Ok((more, after)) if more.is_empty() && after <= next => break,
                Ok((more, after)) => {
                    records.unsplit(more);
                    next = after;
                }
                // What precedes the failure is returned; the next read starts with it and fails.
                Err(_later) if !records.is_empty() => break,
                Err(Failure::Gone) => {
                    return Err(ReadError::Damaged { partition, from: next, to: end });
                }
                Err(Failure::Final(error)) => return Err(error),
            }
        }
        Ok((records, next))
    }

    /// Batches of the slice that holds `offset`, and the offset after them.
    async fn read_slice(
        &self,
        sequencer: &dyn Sequencer,
        partition: TopicPartition,
        offset: i64,
        budget: usize,
        is_first: bool,
    ) -> Result<(BytesMut, i64), Failure> {
        let slice = self.slice(sequencer, partition, offset).await?;
        let reference = self.reference(&slice);
        let failed = |error| failure(partition, &slice, error);
        let opened = self.objects.open(&reference).await.map_err(failed)?;
        let damaged = || {
            let (from, to) = (slice.base_offset, slice.end_offset);
            Failure::Final(ReadError::Damaged { partition, from, to })
        };
        let placed = place(&slice, opened.index().blocks()).ok_or_else(damaged)?;
        let from = placed.partition_point(|(_, end, _)| *end <= offset);
        if slice.is_compacted && from >= placed.len() {
            // Records to the end of the slice were cleaned away.
            return Ok((BytesMut::new(), slice.end_offset));
        }
        let mut bytes = 0usize;
        let mut wanted = placed.get(from..).unwrap_or_default().iter().take_while(|(_, _, size)| {
            let fits = bytes.saturating_add(*size) <= budget || (is_first && bytes == 0);
            bytes = bytes.saturating_add(*size);
            fits
        });
        let Some(first) = wanted.next() else { return Ok((BytesMut::new(), offset)) };
        let count = 1 + wanted.count();
        let start = slice.first_block.saturating_add(u32::try_from(from).unwrap_or(u32::MAX));
        let numbers = start..start.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        let batches = self.objects.blocks(&reference, numbers).await.map_err(failed)?;
        let mut records = BytesMut::with_capacity(bytes);
        let mut after = first.0;
        for (stored, (base_offset, end_offset, _)) in
            batches.iter().zip(placed.get(from..).unwrap_or_default())
        {
            if slice.is_compacted {
                records.extend_from_slice(stored.batch.bytes());
            } else {
                records.extend_from_slice(stored.batch.with_offsets(*base_offset, LEADER_EPOCH).bytes());
            }
            after = *end_offset;
        }
        Ok((records, after))
    }

    async fn slice(
        &self,
        sequencer: &dyn Sequencer,
        partition: TopicPartition,
        offset: i64,
    ) -> Result<Slice, Failure> {
        if let Some(slice) = self.known.holding(partition, offset) {
            return Ok(slice);
        }
        let page = sequencer.slices(partition, offset, SLICES_AT_ONCE).await;
        let page = page.map_err(|error| Failure::Final(refused(partition, error)))?;
        self.known.remember(&page.slices);
        page.slices.first().copied().ok_or(Failure::Gone)
    }

    fn reference(&self, slice: &Slice) -> ObjectReference {
        ObjectReference::new(ObjectName {
            cluster_id: self.cluster_id.clone(),
            kind: if slice.is_compacted { ObjectKind::Partition } else { ObjectKind::Wal },
            id: object_id(slice.object),
        })
    }
}

/// An object's name as the store knows it.
pub(crate) const fn object_id(id: cadastre_sequencer::ObjectId) -> ObjectId {
    ObjectId { writer_epoch: id.epoch.0.cast_unsigned(), sequence: id.number }
}

/// An object's name as the sequencer knows it.
pub(crate) const fn sequencer_id(id: ObjectId) -> cadastre_sequencer::ObjectId {
    cadastre_sequencer::ObjectId { epoch: BrokerEpoch(id.writer_epoch.cast_signed()), number: id.sequence }
}

/// First offset, offset after, and size of each block of a slice. `None` when the object does not hold what the slice
/// says.
fn place(slice: &Slice, blocks: &[Block]) -> Option<Vec<(i64, i64, usize)>> {
    let first = usize::try_from(slice.first_block).ok()?;
    let count = usize::try_from(slice.blocks).ok()?;
    let blocks = blocks.get(first..first.checked_add(count)?)?;
    let mut next = slice.base_offset;
    let mut placed = Vec::with_capacity(count);
    for block in blocks.iter() {
        let base_offset = block.base_offset().unwrap_or(next);
        let end = base_offset.checked_add(i64::from(block.last_offset_delta))?.checked_add(1)?;
        if block.partition != slice.partition || base_offset < next || end > slice.end_offset {
            return None;
        }
        placed.push((base_offset, end, block.batch_size() as usize));
        next = end;
    }
    let is_whole = slice.is_compacted || next == slice.end_offset;
    is_whole.then_some(placed)
}

/// Why a slice could not be read.
#[derive(Debug)]
enum Failure {
    /// Its object is not there.
    Gone,
    Final(ReadError),
}

fn failure(partition: TopicPartition, slice: &Slice, error: ObjectError) -> Failure {
    match error {
        ObjectError::Missing { .. } => Failure::Gone,
        ObjectError::Damaged(damage) => {
            tracing::error!(%damage, %partition, "an object is damaged");
            let (from, to) = (slice.base_offset, slice.end_offset);
            Failure::Final(ReadError::Damaged { partition, from, to })
        }
        other => Failure::Final(ReadError::Unavailable { reason: chain(&other) }),
    }
}

/// What the sequencer says, as readers are told.
pub(crate) fn refused(partition: TopicPartition, error: SequencerError) -> ReadError {
    match error {
        SequencerError::UnknownPartition { .. } => ReadError::UnknownPartition { partition },
        SequencerError::OffsetOutOfRange { offset, log_start_offset, next_offset, .. } => {
            ReadError::OffsetOutOfRange { partition, offset, log_start_offset, high_watermark: next_offset }
        }
        other => ReadError::Unavailable { reason: chain(&other) },
    }
}
