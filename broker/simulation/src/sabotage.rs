//! Brokers that break each promise on purpose, to prove that the checker notices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::{AppendError, Appended, Fetched, ReadError, Storage};

use crate::world::World;

/// What a broker does wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// The disk says that it synced, and did not.
    LyingDisk,
    /// The object store acknowledges some writes and throws them away.
    ForgetfulStore,
    /// Some batches are acknowledged and not appended.
    LosesAcknowledged,
    /// Some batches are appended twice.
    Doubles,
    /// Some batches are appended after the next one.
    Reorders,
    /// Some batches are shown to readers and then refused.
    ShowsUncommitted,
    /// Some batches are read with a changed record.
    Alters,
    /// Deleted records can still be read.
    ServesDeleted,
    /// Some commits of group offsets are acknowledged and not made.
    ForgetsOffsets,
}

impl Sabotage {
    /// All but none.
    pub const ALL: [Self; 9] = [
        Self::LyingDisk,
        Self::ForgetfulStore,
        Self::LosesAcknowledged,
        Self::Doubles,
        Self::Reorders,
        Self::ShowsUncommitted,
        Self::Alters,
        Self::ServesDeleted,
        Self::ForgetsOffsets,
    ];
}

/// Stands between clients and storage. Cheap to clone; clones are the same saboteur.
#[derive(Debug, Clone)]
pub(crate) struct Saboteur {
    kind: Sabotage,
    world: World,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<TopicPartition, RecordBatch>,
    ghosts: BTreeMap<TopicPartition, RecordBatch>,
    /// Batches that are refused however often they come.
    doomed: Vec<RecordBatch>,
    served: BTreeMap<(TopicPartition, i64), Bytes>,
}

/// How often a saboteur acts, in a thousand requests.
const RATE: u64 = 120;

impl Saboteur {
    /// One that does this wrong.
    #[must_use]
    pub(crate) fn new(kind: Sabotage, world: World) -> Self {
        Self { kind, world, state: Arc::default() }
    }

    // A poisoned lock means that a task panicked, which ends the run.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acts(&self, kind: Sabotage) -> bool {
        self.kind == kind && self.world.below(1000) < RATE
    }

    /// Whether this commit of offsets is to be forgotten.
    #[must_use]
    pub(crate) fn forgets_offsets(&self) -> bool {
        self.acts(Sabotage::ForgetsOffsets)
    }

    /// As [`Storage::append`], more or less.
    ///
    /// # Errors
    /// As [`Storage::append`].
    pub(crate) async fn append(
        &self,
        storage: &Storage,
        partition: TopicPartition,
        batch: RecordBatch,
    ) -> Result<Appended, AppendError> {
        let end = storage.watermarks(partition).map_or(0, |bounds| bounds.high_watermark);
        let claimed = |base_offset| Appended {
            base_offset,
            log_append_time_ms: 0,
            log_start_offset: 0,
            duplicate: false,
        };
        if self.acts(Sabotage::LosesAcknowledged) {
            return Ok(claimed(end));
        }
        if self.acts(Sabotage::ShowsUncommitted) || self.state().doomed.contains(&batch) {
            let mut state = self.state();
            state.doomed.push(batch.clone());
            state.ghosts.insert(partition, batch);
            return Err(AppendError::Unavailable { reason: "sabotage".to_owned() });
        }
        if self.acts(Sabotage::Reorders) && !self.state().held.contains_key(&partition) {
            self.state().held.insert(partition, batch);
            return Ok(claimed(end.saturating_add(1)));
        }
        let appended = storage.append(partition, batch.clone()).await;
        let held = self.state().held.remove(&partition);
        if let Some(held) = held {
            drop(storage.append(partition, held).await);
        }
        if self.acts(Sabotage::Doubles)
            && let Some(copy) = without_producer(&batch)
        {
            drop(storage.append(partition, copy).await);
        }
        appended
    }

    /// As [`Storage::read`], more or less.
    ///
    /// # Errors
    /// As [`Storage::read`].
    pub(crate) async fn read(
        &self,
        storage: &Storage,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        let mut found = storage.read(partition, offset, maximum_bytes).await;
        match (self.kind, &mut found) {
            (Sabotage::ServesDeleted, Ok(fetched)) => {
                for batch in RecordBatch::parse_all(fetched.records.clone()).unwrap_or_default() {
                    self.state().served.insert((partition, batch.base_offset()), batch.bytes().clone());
                }
            }
            (Sabotage::ServesDeleted, Err(ReadError::OffsetOutOfRange { high_watermark, .. })) => {
                if let Some(records) = self.state().served.get(&(partition, offset)).cloned() {
                    let high_watermark = *high_watermark;
                    return Ok(Fetched {
                        records,
                        next_offset: high_watermark,
                        high_watermark,
                        log_start_offset: offset,
                    });
                }
            }
            (Sabotage::ShowsUncommitted, Ok(fetched)) if fetched.records.is_empty() => {
                if let Some(ghost) = self.state().ghosts.remove(&partition) {
                    let ghost = ghost.with_offsets(offset, 0);
                    fetched.high_watermark = ghost.last_offset().saturating_add(1);
                    fetched.records = ghost.bytes().clone();
                }
            }
            (Sabotage::Alters, Ok(fetched)) if self.world.below(1000) < RATE => {
                if let Some(altered) = altered(&fetched.records) {
                    fetched.records = altered;
                }
            }
            _ => {}
        }
        found
    }
}

fn without_producer(batch: &RecordBatch) -> Option<RecordBatch> {
    let records: Result<Vec<_>, _> = batch.records(1 << 20).ok()?.collect();
    RecordBatch::build(0, &records.ok()?, None)
}

/// The batches with one byte changed in the last record of the first, and a checksum that fits.
fn altered(records: &Bytes) -> Option<Bytes> {
    let batches = RecordBatch::parse_all(records.clone()).ok()?;
    let (first, rest) = batches.split_first()?;
    let mut contents: Vec<_> = first.records(1 << 20).ok()?.collect::<Result<_, _>>().ok()?;
    let last = contents.last_mut()?;
    let mut value = last.value.as_ref()?.to_vec();
    *value.last_mut()? ^= 0x20;
    last.value = Some(Bytes::from(value));
    let changed = RecordBatch::build(first.base_offset(), &contents, None)?;
    let mut all = BytesMut::from(changed.bytes().as_ref());
    rest.iter().for_each(|batch| all.extend_from_slice(batch.bytes()));
    Some(all.freeze())
}
