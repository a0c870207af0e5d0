//! Cluster mode: no local state. Batches go into objects, the sequencer gives them their offsets.

mod config;
mod reading;
mod uploader;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cadastre_objects::{ObjectKeys, ObjectKind, ObjectName, ObjectReader, ObjectWriter, Store};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{
    BrokerEpoch, Condition, LeaseObserver, MetadataCommit, MetadataTable, PartitionState, Sequencer,
    SequencerError, Slice,
};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use config::ClusterConfig;
use reading::{KnownSlices, LEADER_EPOCH, SliceReader, object_id, refused};
use uploader::{InFlight, Uploader, WaitingAppend, chain};

use crate::error::{AppendError, ReadError, StorageError};
use crate::execution::Cancelled;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::producer::ProducerSummary;
use crate::reader::first_record_since;
use crate::report::RecoveryReport;
use crate::request::{Appended, weight};
use crate::storage::{Fetched, TimestampedOffset, Watermarks};

/// How many slices are looked at for retention, and how many objects are deleted, at once.
const AT_ONCE: usize = 1000;

/// One broker's access to the cluster's records and metadata.
#[derive(Debug)]
pub(crate) struct ClusterStorage {
    config: ClusterConfig,
    epoch: BrokerEpoch,
    sequencer: Arc<dyn Sequencer>,
    reader: SliceReader,
    appends: std::sync::Mutex<Option<mpsc::UnboundedSender<WaitingAppend>>>,
    waiting: Arc<Semaphore>,
    failure: watch::Receiver<Option<String>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    is_closed: AtomicBool,
    report: RecoveryReport,
}

impl ClusterStorage {
    /// Registers the broker and starts its background work.
    pub(crate) async fn open(
        config: ClusterConfig,
        keys: ObjectKeys,
        sequencer: Arc<dyn Sequencer>,
        store: Store,
    ) -> Result<Self, StorageError> {
        let epoch = sequencer.register(config.node_id, &config.description).await.map_err(state_error)?;
        let cluster_id = config.cluster_id.clone();
        let objects = ObjectReader::new(store.clone(), keys.clone(), config.reader.clone());
        let writer = ObjectWriter::new(store, keys, cluster_id.clone(), epoch.0.cast_unsigned());
        let (appends, requests) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (failed, failure) = watch::channel(None);
        let in_flight = Arc::new(InFlight::default());
        let uploader = Uploader {
            config: config.clone(),
            epoch,
            writer: Arc::new(writer),
            sequencer: Arc::clone(&sequencer),
            in_flight: Arc::clone(&in_flight),
            failure: failed.clone(),
        };
        let living = live(config.clone(), epoch, Arc::clone(&sequencer), in_flight, failed, stopped);
        let tasks = vec![tokio::spawn(uploader.run(requests)), tokio::spawn(living)];
        Ok(Self {
            reader: SliceReader { cluster_id, objects, known: KnownSlices::default() },
            waiting: Arc::new(Semaphore::new(config.maximum_unflushed_bytes.min(Semaphore::MAX_PERMITS))),
            config,
            epoch,
            sequencer,
            appends: std::sync::Mutex::new(Some(appends)),
            failure,
            stop,
            tasks: Mutex::new(tasks),
            is_closed: AtomicBool::new(false),
            report: RecoveryReport::default(),
        })
    }

    pub(crate) const fn recovery(&self) -> &RecoveryReport {
        &self.report
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    pub(crate) const fn leader_epoch() -> i32 {
        LEADER_EPOCH
    }

    pub(crate) async fn append(
        &self,
        partition: TopicPartition,
        batch: RecordBatch,
    ) -> Result<Appended, AppendError> {
        let maximum = self.config.maximum_frame_bytes;
        if batch.size() > maximum {
            return Err(AppendError::TooLarge { bytes: batch.size(), maximum });
        }
        if let Some(reason) = self.failure() {
            return Err(AppendError::Unavailable { reason });
        }
        let permits = batch.size().min(self.config.maximum_unflushed_bytes);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.waiting).acquire_many_owned(permits).await;
        let permit = permit.map_err(|_closed| AppendError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let appended_at_ms = self.config.clock.now_ms();
        {
            let appends = self.appends.lock().map_err(|_poisoned| AppendError::Closed)?;
            let appends = appends.as_ref().ok_or(AppendError::Closed)?;
            appends
                .send(WaitingAppend { partition, batch, appended_at_ms, permit, reply })
                .map_err(|_closed| AppendError::Closed)?;
        }
        answer.await.map_err(|_gone| AppendError::Closed)?
    }

    pub(crate) async fn commit(&self, changes: Vec<MetadataChange>) -> Result<(), StorageError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (bytes, maximum) = (weight(&changes), self.config.maximum_frame_bytes);
        if bytes > maximum {
            return Err(StorageError::TooLarge { what: "a list of metadata changes", bytes, maximum });
        }
        let changes = changes.into_iter().map(|change| cadastre_sequencer::MetadataChange {
            table: table(change.kind),
            key: change.key,
            value: change.value,
            condition: Condition::Any,
        });
        let commit = MetadataCommit { broker: self.epoch, registry: None, changes: changes.collect() };
        self.sequencer.commit_metadata(commit).await.map(|_version| ()).map_err(state_error)
    }

    pub(crate) fn entries(&self, kind: MetadataKind) -> BTreeMap<String, Vec<u8>> {
        self.sequencer.metadata().entries(table(kind))
    }

    pub(crate) fn get(&self, kind: MetadataKind, key: &str) -> Option<Vec<u8>> {
        self.sequencer.metadata().get(table(kind), key)
    }

    pub(crate) fn metadata_version(&self) -> u64 {
        self.sequencer.metadata().version()
    }

    fn state(&self, partition: TopicPartition) -> Result<PartitionState, ReadError> {
        self.sequencer.partitions().get(partition).ok_or(ReadError::UnknownPartition { partition })
    }

    pub(crate) async fn read(
        &self,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        let state = self.state(partition)?;
        let (log_start_offset, high_watermark) = (state.log_start, state.next_offset);
        if offset < log_start_offset || offset > high_watermark {
            return Err(ReadError::OffsetOutOfRange { partition, offset, log_start_offset, high_watermark });
        }
        let sequencer = self.sequencer.as_ref();
        let records = self.reader.read(sequencer, partition, offset, high_watermark, maximum_bytes).await?;
        Ok(Fetched { records: records.freeze(), high_watermark, log_start_offset })
    }

    pub(crate) fn watermarks(&self, partition: TopicPartition) -> Result<Watermarks, ReadError> {
        let state = self.state(partition)?;
        Ok(Watermarks { log_start_offset: state.log_start, high_watermark: state.next_offset })
    }

    pub(crate) fn watch(&self, partition: TopicPartition) -> Result<watch::Receiver<i64>, ReadError> {
        self.sequencer.partitions().watch(partition).ok_or(ReadError::UnknownPartition { partition })
    }

    pub(crate) async fn offset_for_timestamp(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let slice = self.sequencer.first_slice_since(partition, timestamp).await;
        match slice.map_err(|error| refused(partition, error))? {
            Some(slice) => self.record_since(slice, timestamp).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn latest_timestamp(
        &self,
        partition: TopicPartition,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let slice =
            self.sequencer.latest_slice(partition).await.map_err(|error| refused(partition, error))?;
        match slice {
            Some(slice) => self.record_since(slice, slice.maximum_timestamp).await,
            None => Ok(None),
        }
    }

    /// The first record of a slice, at or after the log start, with a timestamp of at least `timestamp`.
    async fn record_since(
        &self,
        slice: Slice,
        timestamp: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let (partition, sequencer) = (slice.partition, self.sequencer.as_ref());
        let start = slice.base_offset.max(self.state(partition)?.log_start);
        let read = self.reader.read(sequencer, partition, start, slice.end_offset, usize::MAX).await?;
        let batches = RecordBatch::parse_all(read.freeze()).map_err(|_damage| ReadError::Damaged {
            partition,
            from: start,
            to: slice.end_offset,
        })?;
        let wanted = batches.into_iter().find(|batch| batch.max_timestamp() >= timestamp);
        let Some(batch) = wanted else { return Ok(None) };
        let bytes: Bytes = batch.bytes().clone();
        // Unpacking may take long, which the asynchronous threads must not.
        let found = self
            .config
            .execution
            .run(move || first_record_since(&bytes, timestamp))
            .await
            .map_err(|Cancelled| ReadError::Cancelled)?;
        let leader_epoch = LEADER_EPOCH;
        Ok(found.map(|(offset, timestamp)| TimestampedOffset { offset, timestamp, leader_epoch }))
    }

    pub(crate) fn end_of_epoch(
        &self,
        partition: TopicPartition,
        epoch: i32,
    ) -> Result<Option<(i32, i64)>, ReadError> {
        let state = self.state(partition)?;
        Ok((epoch == LEADER_EPOCH).then_some((epoch, state.next_offset)))
    }

    pub(crate) async fn producers(
        &self,
        partition: TopicPartition,
    ) -> Result<Vec<ProducerSummary>, ReadError> {
        let found = self.sequencer.producers(partition).await.map_err(|error| refused(partition, error))?;
        let summary = |it: &cadastre_sequencer::ProducerSummary| ProducerSummary {
            producer_id: it.producer_id,
            epoch: it.epoch,
            last_sequence: it.last_sequence,
            last_offset: it.last_offset,
            last_appended_at_ms: it.last_appended_at_ms,
        };
        Ok(found.iter().map(summary).collect())
    }

    pub(crate) fn partition_size_bytes(&self, partition: TopicPartition) -> Result<u64, ReadError> {
        Ok(self.state(partition)?.bytes)
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.sequencer.partitions().all().into_iter().map(|(partition, _)| partition).collect()
    }

    pub(crate) async fn create_partitions(&self, topic: TopicId, count: i32) -> Result<(), StorageError> {
        self.sequencer.create_partitions(self.epoch, topic, count).await.map_err(state_error)
    }

    pub(crate) async fn delete_topic(&self, topic: TopicId) -> Result<(), StorageError> {
        let now_ms = self.config.clock.now_ms();
        self.sequencer.delete_topic(self.epoch, topic, now_ms).await.map(|_count| ()).map_err(state_error)
    }

    pub(crate) async fn delete_records(
        &self,
        partition: TopicPartition,
        before: i64,
    ) -> Result<i64, StorageError> {
        let now_ms = self.config.clock.now_ms();
        self.sequencer.move_log_start(self.epoch, partition, before, now_ms).await.map_err(state_error)
    }

    pub(crate) async fn enforce_retention(
        &self,
        partition: TopicPartition,
        retention_ms: i64,
        retention_bytes: i64,
        now_ms: i64,
    ) -> Result<i64, StorageError> {
        let known = self.sequencer.partitions().get(partition);
        let state = known.ok_or(StorageError::UnknownPartition { partition })?;
        let limit = u64::try_from(retention_bytes).ok();
        let mut remaining = state.bytes;
        let mut start = state.log_start;
        'pages: while start < state.next_offset {
            let page = self.sequencer.slices(partition, start, AT_ONCE).await.map_err(state_error)?;
            for slice in &page.slices {
                let age = now_ms.saturating_sub(slice.maximum_timestamp);
                let expired = retention_ms >= 0 && age > retention_ms;
                let surplus = limit.is_some_and(|limit| remaining.saturating_sub(slice.bytes) >= limit);
                if !expired && !surplus {
                    break 'pages;
                }
                remaining = remaining.saturating_sub(slice.bytes);
                start = slice.end_offset;
            }
            if page.slices.len() < AT_ONCE {
                break;
            }
        }
        if start <= state.log_start {
            return Ok(state.log_start);
        }
        self.delete_records(partition, start).await
    }

    pub(crate) async fn expire_producers(&self, idle_since_ms: i64) -> Result<i64, StorageError> {
        let expired =
            self.sequencer.expire_producers(self.epoch, idle_since_ms).await.map_err(state_error)?;
        Ok(i64::try_from(expired).unwrap_or(i64::MAX))
    }

    /// Deletes objects that nothing refers to since the grace period; returns how many.
    pub(crate) async fn reclaim(&self) -> Result<i64, StorageError> {
        let grace = i64::try_from(self.config.deletion_grace.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.config.clock.now_ms().saturating_sub(grace);
        let free = self.sequencer.unreferenced(before_ms, AT_ONCE).await.map_err(state_error)?;
        let store = self.reader.objects.store().clone();
        for id in &free {
            // Which of the two it is, the sequencer does not remember; deleting what is not there is nothing.
            for kind in [ObjectKind::Wal, ObjectKind::Partition] {
                let cluster_id = self.config.cluster_id.clone();
                let name = ObjectName { cluster_id, kind, id: object_id(*id) };
                self.reader.objects.forget(&name);
                store
                    .delete(&name.path())
                    .await
                    .map_err(|error| StorageError::Unavailable { reason: chain(&error) })?;
            }
        }
        let count = i64::try_from(free.len()).unwrap_or(i64::MAX);
        self.sequencer.forget(free).await.map_err(state_error)?;
        Ok(count)
    }

    pub(crate) async fn reserve_producer_ids(&self, count: i64) -> Result<i64, StorageError> {
        self.sequencer.reserve_producer_ids(count).await.map_err(state_error)
    }

    /// Commits what waits, ends the registration, and closes the sequencer.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Err(StorageError::Closed);
        }
        self.waiting.close();
        if let Ok(mut appends) = self.appends.lock() {
            drop(appends.take());
        }
        let _ended = self.stop.send(true);
        for task in self.tasks.lock().await.drain(..) {
            task.await.map_err(|error| StorageError::Unavailable {
                reason: format!("a background task ended early: {error}"),
            })?;
        }
        self.sequencer.fence(self.epoch).await.map_err(state_error)?;
        self.sequencer.close().await.map_err(state_error)
    }
}

/// Says that the broker lives, and ends the registrations of those that do not, until `stopped`.
async fn live(
    config: ClusterConfig,
    epoch: BrokerEpoch,
    sequencer: Arc<dyn Sequencer>,
    in_flight: Arc<InFlight>,
    failed: watch::Sender<Option<String>>,
    mut stopped: watch::Receiver<bool>,
) {
    let started = Instant::now();
    let mut observer = LeaseObserver::new(config.lease);
    loop {
        match sequencer.heartbeat(epoch, in_flight.settled()).await {
            Ok(registry) => {
                for dead in observer.observe(&registry, started.elapsed()) {
                    tracing::warn!(epoch = %dead, "a broker said nothing for its lease and is fenced");
                    if let Err(error) = sequencer.fence(dead).await {
                        tracing::warn!(error = %chain(&error), "it is not fenced yet");
                    }
                }
            }
            Err(error @ (SequencerError::Fenced { .. } | SequencerError::Tampered { .. })) => {
                failed.send_if_modified(|failure| {
                    let is_first = failure.is_none();
                    failure.get_or_insert_with(|| chain(&error));
                    is_first
                });
                return;
            }
            Err(error) => tracing::warn!(error = %chain(&error), "no heartbeat"),
        }
        // In order, so that the same requests always have the same effect.
        tokio::select! {
            biased;
            () = tokio::time::sleep(config.heartbeat_interval) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// The number of a table is the place of its kind in the format.
fn table(kind: MetadataKind) -> MetadataTable {
    let place = MetadataKind::ALL.iter().position(|it| *it == kind).unwrap_or(MetadataKind::ALL.len());
    MetadataTable(i16::try_from(place).unwrap_or(i16::MAX))
}

fn state_error(error: SequencerError) -> StorageError {
    match error {
        SequencerError::UnknownTopic { topic } => StorageError::UnknownTopic { topic },
        SequencerError::UnknownPartition { partition } => StorageError::UnknownPartition { partition },
        SequencerError::PartitionCount { topic, count } => StorageError::PartitionCount { topic, count },
        SequencerError::OffsetOutOfRange { partition, offset, log_start_offset, next_offset } => {
            StorageError::OffsetOutOfRange {
                partition,
                offset,
                log_start_offset,
                high_watermark: next_offset,
            }
        }
        SequencerError::Closed => StorageError::Closed,
        other => StorageError::Unavailable { reason: chain(&other) },
    }
}
