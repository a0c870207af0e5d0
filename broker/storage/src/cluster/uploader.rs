//! From batches that wait to acknowledged offsets: collected into objects, uploaded side by side, committed in order.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use cadastre_objects::{BuiltObject, ObjectError, ObjectKind, ObjectWriter, StoreError};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::{
    BatchFacts, BatchOutcome, BrokerEpoch, CommitOutcome, CommitRequest, ObjectId, PartitionAppend,
    Sequencer, SequencerError,
};
use futures::stream::{FuturesOrdered, FuturesUnordered, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{ClusterConfig, Ending};
use crate::error::AppendError;
use crate::request::Appended;

/// How often an upload is repeated under another name when its own was taken.
const NAMES_TRIED: u32 = 4;

/// A batch that waits.
#[derive(Debug)]
pub(crate) struct WaitingAppend {
    pub(crate) partition: TopicPartition,
    pub(crate) batch: RecordBatch,
    /// The number of the transaction to which the batch belongs.
    pub(crate) transaction: Option<i32>,
    pub(crate) appended_at_ms: i64,
    /// Held until the reply: back-pressure counts what waits.
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// The objects that may still be committed, for the orphan sweep of other brokers.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// The number after the highest that is known to be taken.
    next: AtomicU64,
    floors: std::sync::Mutex<BTreeSet<(u64, u64)>>,
    serial: AtomicU64,
}

impl InFlight {
    fn floors(&self) -> std::sync::MutexGuard<'_, BTreeSet<(u64, u64)>> {
        // A poisoned lock means that a thread panicked; the set is changed in single steps.
        self.floors.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notes an object whose number is yet to be drawn; it will not be below what is taken now.
    pub(crate) fn begin(&self) -> (u64, u64) {
        let place = (self.next.load(Ordering::Acquire), self.serial.fetch_add(1, Ordering::Relaxed));
        self.floors().insert(place);
        place
    }

    pub(crate) fn end(&self, place: (u64, u64)) {
        self.floors().remove(&place);
    }

    /// Notes a number that was drawn.
    pub(crate) fn took(&self, number: u64) {
        self.next.fetch_max(number.saturating_add(1), Ordering::AcqRel);
    }

    /// No object with a smaller number will be committed any more.
    pub(crate) fn settled(&self) -> u64 {
        let next = self.next.load(Ordering::Acquire);
        self.floors().first().map_or(next, |(floor, _)| *floor)
    }
}

/// The stage between appends and the sequencer.
pub(crate) struct Uploader {
    pub(crate) config: ClusterConfig,
    pub(crate) epoch: BrokerEpoch,
    pub(crate) writer: Arc<ObjectWriter>,
    pub(crate) sequencer: Arc<dyn Sequencer>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) ending: watch::Sender<Option<Ending>>,
}

/// An object that is durable, or why it is not.
struct Uploaded {
    group: Vec<WaitingAppend>,
    place: (u64, u64),
    object: Result<BuiltObject, ObjectError>,
}

impl Uploader {
    /// Works until no more requests come and all are answered.
    pub(crate) async fn run(self, mut requests: mpsc::UnboundedReceiver<WaitingAppend>) {
        let mut waiting: Vec<WaitingAppend> = Vec::new();
        let mut bytes = 0usize;
        let mut due = Instant::now();
        let mut uploads: FuturesOrdered<JoinHandle<Uploaded>> = FuturesOrdered::new();
        let mut commits = FuturesUnordered::new();
        let mut is_open = true;
        loop {
            let is_full = bytes >= self.config.object_bytes;
            let may_upload = uploads.len() < self.config.objects_in_flight.max(1);
            if !waiting.is_empty() && may_upload && (is_full || !is_open || Instant::now() >= due) {
                uploads.push_back(self.upload(std::mem::take(&mut waiting)));
                bytes = 0;
                continue;
            }
            // In order, so that the same requests always have the same effect. What is under way goes first: it makes room.
            tokio::select! {
                biased;
                Some(uploaded) = uploads.next(), if !uploads.is_empty() => {
                    let Ok(uploaded) = uploaded else {
                        // The task was cancelled with the runtime, and those who wait with it.
                        continue;
                    };
                    if let Some((request, uploaded)) = self.request(uploaded) {
                        // Calling puts the request into the sequencer's queue, hence in the order of uploads.
                        let mut commit = self.sequencer.commit(request);
                        let first = std::future::poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
                        commits.push(async move {
                            let outcome = match first {
                                Poll::Ready(outcome) => outcome,
                                Poll::Pending => commit.await,
                            };
                            (uploaded, outcome)
                        });
                    }
                }
                Some((uploaded, outcome)) = commits.next(), if !commits.is_empty() => {
                    self.answer(uploaded, outcome);
                }
                request = requests.recv(), if is_open && !is_full => match request {
                    Some(request) => {
                        if waiting.is_empty() {
                            due = Instant::now() + self.config.linger;
                        }
                        bytes = bytes.saturating_add(request.batch.size());
                        waiting.push(request);
                    }
                    None => is_open = false,
                },
                () = sleep_until(due), if !waiting.is_empty() && may_upload => {}
                else => return,
            }
        }
    }

    /// Seals and uploads a group in a task of its own.
    fn upload(&self, mut group: Vec<WaitingAppend>) -> JoinHandle<Uploaded> {
        // Stable, so that batches of a partition stay in their order.
        group.sort_by_key(|append| append.partition);
        let place = self.in_flight.begin();
        let (writer, in_flight, clock) =
            (Arc::clone(&self.writer), Arc::clone(&self.in_flight), self.config.clock.clone());
        tokio::spawn(async move {
            let mut tries = 0;
            let object = loop {
                tries += 1;
                match seal_and_write(&writer, &in_flight, &group, clock.now_ms()).await {
                    Err(ObjectError::Store(StoreError::AlreadyExists { .. })) if tries < NAMES_TRIED => {}
                    other => break other,
                }
            };
            Uploaded { group, place, object }
        })
    }

    /// What the sequencer is asked for an uploaded object. A failed upload is answered here.
    fn request(&self, mut uploaded: Uploaded) -> Option<(CommitRequest, Uploaded)> {
        let (id, object_bytes) = match &uploaded.object {
            Ok(object) => (object.name.id, object.size),
            Err(error) => {
                let reason = chain(error);
                self.in_flight.end(uploaded.place);
                refuse(std::mem::take(&mut uploaded.group), &reason);
                return None;
            }
        };
        let mut appends: Vec<PartitionAppend> = Vec::new();
        for (append, block) in uploaded.group.iter().zip(0u32..) {
            let facts = BatchFacts::within(&append.batch, append.transaction);
            match appends.last_mut().filter(|last| last.partition == append.partition) {
                Some(last) => last.batches.push(facts),
                None => appends.push(PartitionAppend {
                    partition: append.partition,
                    first_block: block,
                    batches: vec![facts],
                }),
            }
        }
        let appended_at_ms =
            uploaded.group.iter().map(|append| append.appended_at_ms).max().unwrap_or_default();
        let object = ObjectId { epoch: self.epoch, number: id.sequence };
        Some((CommitRequest { object, object_bytes, appended_at_ms, appends }, uploaded))
    }

    fn answer(&self, uploaded: Uploaded, outcome: Result<CommitOutcome, SequencerError>) {
        self.in_flight.end(uploaded.place);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let reason = chain(&error);
                if let Some(ending) = Ending::of(&error) {
                    tracing::error!(%reason, "this registration takes no more writes");
                    ending.note(&self.ending);
                }
                refuse(uploaded.group, &reason);
                return;
            }
        };
        for (append, outcome) in uploaded.group.into_iter().zip(outcome.appends.into_iter().flatten()) {
            let answer = appended(&append, &outcome);
            drop(append.permit);
            // A caller that gave up waiting is told nothing; what was committed stays.
            drop(append.reply.send(answer));
        }
    }
}

async fn seal_and_write(
    writer: &ObjectWriter,
    in_flight: &InFlight,
    group: &[WaitingAppend],
    now_ms: i64,
) -> Result<BuiltObject, ObjectError> {
    let mut builder = pin!(writer.start(ObjectKind::Wal, None, now_ms)).await?;
    for append in group {
        builder.push(append.partition, &append.batch, append.appended_at_ms)?;
    }
    let object = builder.finish()?;
    in_flight.took(object.name.id.sequence);
    writer.write(&object).await?;
    Ok(object)
}

fn appended(append: &WaitingAppend, outcome: &BatchOutcome) -> Result<Appended, AppendError> {
    let (partition, producer_id) = (append.partition, append.batch.producer_id());
    let (placement, duplicate) = match *outcome {
        BatchOutcome::Appended(placement) => (placement, false),
        BatchOutcome::Duplicate(placement) => (placement, true),
        BatchOutcome::Refused(refusal) => {
            return Err(AppendError::refused(partition, producer_id, refusal));
        }
    };
    Ok(Appended {
        base_offset: placement.base_offset,
        log_append_time_ms: placement.appended_at_ms,
        log_start_offset: placement.log_start_offset,
        duplicate,
    })
}

fn refuse(group: Vec<WaitingAppend>, reason: &str) {
    for append in group {
        drop(append.permit);
        drop(append.reply.send(Err(AppendError::Unavailable { reason: reason.to_owned() })));
    }
}

/// The error with its causes, for those who get a reason instead of the error.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
