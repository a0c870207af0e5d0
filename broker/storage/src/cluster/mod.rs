//! Cluster mode: no local state. Batches go into objects, the sequencer gives them their offsets.

#[expect(clippy::module_inception, reason = "the cluster as a whole, beside one registration in it")]
mod cluster;
mod config;
mod reading;
mod slices;
mod uploader;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use cadastre_objects::{ObjectKeys, ObjectKind, ObjectName, ObjectReader, ObjectWriter, References, Store};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{
    BrokerEpoch, Condition, LeaseObserver, MetadataCommit, MetadataTable, ObjectState, PartitionState,
    ProducerSummary, Registry, Sequencer, SequencerError, Slice,
};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use cluster::Cluster;
pub use config::ClusterConfig;
use reading::{KnownSlices, LEADER_EPOCH, SliceReader, object_id, refused, sequencer_id};
use uploader::{InFlight, Uploader, WaitingAppend, chain};

use crate::error::{AppendError, ReadError, StorageError};
use crate::execution::Cancelled;
use crate::metadata::Sight;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::reader::first_record_since;
use crate::request::{Appended, weight};
use crate::storage::{Fetched, TimestampedOffset, Watermarks};

/// How many slices are looked at for retention, and how many objects are deleted, at once.
const AT_ONCE: usize = 1000;

/// Why a registration takes no more writes.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) reason: String,
    /// Whether registering again would not help.
    pub(crate) is_final: bool,
}

impl Ending {
    /// The ending that an error means, if it means one.
    pub(crate) fn of(error: &SequencerError) -> Option<Self> {
        let is_final = match error {
            SequencerError::Fenced { .. } => false,
            SequencerError::Tampered { .. } => true,
            _ => return None,
        };
        Some(Self { reason: chain(error), is_final })
    }

    /// Keeps the first ending.
    pub(crate) fn note(self, place: &watch::Sender<Option<Self>>) {
        place.send_if_modified(|ending| {
            let is_first = ending.is_none();
            ending.get_or_insert(self);
            is_first
        });
    }
}

/// One registration of a broker, with access to the cluster's records and metadata.
#[derive(Debug)]
pub(crate) struct ClusterStorage {
    config: ClusterConfig,
    epoch: BrokerEpoch,
    sequencer: Arc<dyn Sequencer>,
    reader: SliceReader,
    writer: Arc<ObjectWriter>,
    in_flight: Arc<InFlight>,
    appends: std::sync::Mutex<Option<mpsc::UnboundedSender<WaitingAppend>>>,
    waiting: Arc<Semaphore>,
    ending: watch::Sender<Option<Ending>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    is_closed: AtomicBool,
    registry: watch::Sender<Registry>,
}

impl ClusterStorage {
    /// Registers the broker and starts its background work.
    pub(crate) async fn open(
        config: ClusterConfig,
        keys: ObjectKeys,
        sequencer: Arc<dyn Sequencer>,
        store: Store,
        registry: watch::Sender<Registry>,
    ) -> Result<Self, StorageError> {
        let epoch = sequencer.register(config.node_id, &config.description).await.map_err(state_error)?;
        publish(&registry, sequencer.registry().await.map_err(state_error)?);
        let cluster_id = config.cluster_id.clone();
        let objects = ObjectReader::new(store.clone(), keys.clone(), config.reader.clone());
        let writer = ObjectWriter::new(store, keys, cluster_id.clone(), epoch.0.cast_unsigned());
        let (appends, requests) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let ending = watch::Sender::new(None);
        let writer = Arc::new(writer);
        let in_flight = Arc::new(InFlight::default());
        let uploader = Uploader {
            config: config.clone(),
            epoch,
            writer: Arc::clone(&writer),
            sequencer: Arc::clone(&sequencer),
            in_flight: Arc::clone(&in_flight),
            ending: ending.clone(),
        };
        let living = Living {
            config: config.clone(),
            epoch,
            sequencer: Arc::clone(&sequencer),
            in_flight: Arc::clone(&in_flight),
            ending: ending.clone(),
            registry: registry.clone(),
        }
        .run(stopped);
        let tasks = vec![tokio::spawn(uploader.run(requests)), tokio::spawn(living)];
        Ok(Self {
            reader: SliceReader { cluster_id, objects, known: KnownSlices::default() },
            waiting: Arc::new(Semaphore::new(config.maximum_unflushed_bytes.min(Semaphore::MAX_PERMITS))),
            config,
            epoch,
            sequencer,
            appends: std::sync::Mutex::new(Some(appends)),
            writer,
            in_flight,
            ending,
            stop,
            tasks: Mutex::new(tasks),
            is_closed: AtomicBool::new(false),
            registry,
        })
    }

    pub(crate) const fn epoch(&self) -> BrokerEpoch {
        self.epoch
    }

    pub(crate) fn ending(&self) -> watch::Receiver<Option<Ending>> {
        self.ending.subscribe()
    }

    /// Ends the registration for good, whatever ended it before.
    fn finally(&self, reason: String) {
        self.ending.send_replace(Some(Ending { reason, is_final: true }));
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.ending.borrow().as_ref().map(|ending| ending.reason.clone())
    }

    pub(crate) const fn leader_epoch() -> i32 {
        LEADER_EPOCH
    }

    pub(crate) async fn append(
        &self,
        partition: TopicPartition,
        batch: RecordBatch,
        transaction: Option<i32>,
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
            let appends = self.appends.lock().unwrap_or_else(PoisonError::into_inner);
            let appends = appends.as_ref().ok_or(AppendError::Closed)?;
            appends
                .send(WaitingAppend { partition, batch, transaction, appended_at_ms, permit, reply })
                .map_err(|_closed| AppendError::Closed)?;
        }
        answer.await.map_err(|_gone| AppendError::Closed)?
    }

    pub(crate) async fn commit(&self, changes: Vec<MetadataChange>) -> Result<(), StorageError> {
        self.commit_bound(changes, None, |_| Ok(Condition::Any)).await
    }

    /// Commits what was decided on the registry of that version; nobody else may coordinate by then.
    pub(crate) async fn commit_as_coordinator(
        &self,
        registry: i64,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StorageError> {
        self.commit_bound(changes, Some(registry), |_| Ok(Condition::Any)).await
    }

    /// Commits if every entry still is as it was seen.
    pub(crate) async fn commit_unchanged(
        &self,
        version: u64,
        registry: Option<i64>,
        changes: Vec<(MetadataChange, Sight)>,
    ) -> Result<(), StorageError> {
        let (changes, sights): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        let mut sights = sights.into_iter();
        let view = self.sequencer.metadata();
        let condition = |change: &MetadataChange| {
            let found = view.entry_version(table(change.kind), &change.key);
            match (sights.next(), found) {
                (Some(Sight::Any), _) => Ok(Condition::Any),
                (Some(Sight::Absent), None) => Ok(Condition::Absent),
                (Some(Sight::Present), Some(found)) if found <= version => Ok(Condition::Version(found)),
                _ => Err(StorageError::Conflict { what: format!("entry `{}`", change.key) }),
            }
        };
        self.commit_bound(changes, registry, condition).await
    }

    async fn commit_bound(
        &self,
        changes: Vec<MetadataChange>,
        registry: Option<i64>,
        mut condition: impl FnMut(&MetadataChange) -> Result<Condition, StorageError>,
    ) -> Result<(), StorageError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (bytes, maximum) = (weight(&changes), self.config.maximum_frame_bytes);
        if bytes > maximum {
            return Err(StorageError::TooLarge { what: "a list of metadata changes", bytes, maximum });
        }
        let changes: Result<Vec<_>, StorageError> = changes
            .into_iter()
            .map(|change| {
                Ok(cadastre_sequencer::MetadataChange {
                    condition: condition(&change)?,
                    table: table(change.kind),
                    key: change.key,
                    value: change.value,
                })
            })
            .collect();
        let commit = MetadataCommit { broker: self.epoch, registry, changes: changes? };
        match self.sequencer.commit_metadata(commit).await {
            Ok(_version) => Ok(()),
            Err(error) => {
                if let Some(ending) = Ending::of(&error) {
                    ending.note(&self.ending);
                }
                Err(state_error(error))
            }
        }
    }

    /// The registry as it is now.
    pub(crate) async fn confirm_registry(&self) -> Result<Registry, StorageError> {
        let found = self.sequencer.registry().await.map_err(state_error)?;
        publish(&self.registry, found.clone());
        Ok(found)
    }

    pub(crate) fn entries(&self, kind: MetadataKind) -> BTreeMap<String, Vec<u8>> {
        self.sequencer.metadata().entries(table(kind))
    }

    pub(crate) fn visit(
        &self,
        kind: MetadataKind,
        range: (&str, &str),
        see: impl FnMut(&str, &[u8]) -> ControlFlow<()>,
    ) {
        self.sequencer.metadata().visit(table(kind), range, see);
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
        // Another broker may have said more than is known here; whoever heard it must not be told that it is not there.
        let state = if offset > state.next_offset {
            self.confirm(vec![partition]).await?;
            self.state(partition)?
        } else {
            state
        };
        let (log_start_offset, high_watermark) = (state.log_start, state.next_offset);
        if offset < log_start_offset || offset > high_watermark {
            return Err(ReadError::OffsetOutOfRange { partition, offset, log_start_offset, high_watermark });
        }
        let sequencer = self.sequencer.as_ref();
        let (records, next_offset) =
            self.reader.read(sequencer, partition, offset, high_watermark, maximum_bytes).await?;
        // A slice that another broker has rewritten may reach further than is known here: all of it is committed.
        let high_watermark = high_watermark.max(next_offset);
        Ok(Fetched { records: records.freeze(), next_offset, high_watermark, log_start_offset })
    }

    pub(crate) fn watermarks(&self, partition: TopicPartition) -> Result<Watermarks, ReadError> {
        let state = self.state(partition)?;
        Ok(Watermarks { log_start_offset: state.log_start, high_watermark: state.next_offset })
    }

    /// Makes sure that everything is known here that any broker acknowledged before the call.
    pub(crate) async fn confirm(&self, partitions: Vec<TopicPartition>) -> Result<(), ReadError> {
        let confirmed = self.sequencer.confirm(partitions).await;
        confirmed.map_err(|error| ReadError::Unavailable { reason: chain(&error) })
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
        let (read, _next) =
            self.reader.read(sequencer, partition, start, slice.end_offset, usize::MAX).await?;
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
        self.sequencer.producers(partition).await.map_err(|error| refused(partition, error))
    }

    pub(crate) fn partition_size_bytes(&self, partition: TopicPartition) -> Result<u64, ReadError> {
        Ok(self.state(partition)?.bytes)
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.sequencer.partitions().all().into_iter().map(|(partition, _)| partition).collect()
    }

    pub(crate) fn cluster_id(&self) -> &str {
        &self.config.cluster_id
    }

    /// Tells the kind and id of the object of each slice of a partition.
    pub(crate) async fn each_slice(
        &self,
        partition: TopicPartition,
        mut tell: impl FnMut(ObjectKind, cadastre_objects::ObjectId),
    ) -> Result<(), StorageError> {
        let known = self.sequencer.partitions().get(partition);
        let mut from = known.ok_or(StorageError::UnknownPartition { partition })?.log_start;
        loop {
            let page = self.sequencer.slices(partition, from, AT_ONCE).await.map_err(state_error)?;
            let Some(last) = page.slices.last() else { return Ok(()) };
            from = last.end_offset;
            for slice in &page.slices {
                let kind = if slice.is_compacted { ObjectKind::Partition } else { ObjectKind::Wal };
                tell(kind, object_id(slice.object));
            }
            if from >= page.state.next_offset {
                return Ok(());
            }
        }
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

    /// Whether this broker holds the lease of that name, which it takes if nobody does.
    pub(crate) async fn holds_lease(&self, name: &str) -> Result<bool, StorageError> {
        match self.sequencer.acquire_lease(self.epoch, name).await {
            Ok(_lease) => Ok(true),
            Err(SequencerError::LeaseLost { .. }) => Ok(false),
            Err(error) => Err(state_error(error)),
        }
    }

    /// Every object that the database knows and may still be read, and the epochs that may still commit.
    pub(crate) async fn references(&self) -> Result<References, StorageError> {
        let registry = self.confirm_registry().await?;
        let epochs = registry.brokers.iter().map(|broker| broker.epoch.0.cast_unsigned());
        let mut references = References { active_epochs: epochs.collect(), ..References::default() };
        let latest = references.active_epochs.last().copied().unwrap_or_default();
        references.next_epoch = latest.max(self.epoch.0.cast_unsigned()).saturating_add(1);
        let mut after = None;
        loop {
            let page = self.sequencer.objects(after, AT_ONCE).await.map_err(state_error)?;
            let Some(last) = page.last() else { return Ok(references) };
            after = Some(last.id);
            let known = page.iter().filter(|object| object.state != ObjectState::Abandoned);
            references.objects.extend(known.map(|object| object_id(object.id)));
        }
    }

    /// Makes sure that objects are never committed; returns those for which that is so.
    pub(crate) async fn abandon(
        &self,
        objects: Vec<cadastre_objects::ObjectId>,
    ) -> Result<Vec<cadastre_objects::ObjectId>, StorageError> {
        if objects.is_empty() {
            return Ok(objects);
        }
        let ids = objects.into_iter().map(sequencer_id).collect();
        let abandoned = self.sequencer.abandon(ids).await.map_err(state_error)?;
        Ok(abandoned.into_iter().map(object_id).collect())
    }

    pub(crate) async fn forget(&self, objects: Vec<cadastre_objects::ObjectId>) -> Result<(), StorageError> {
        if objects.is_empty() {
            return Ok(());
        }
        let ids = objects.into_iter().map(sequencer_id).collect();
        self.sequencer.forget(ids).await.map(|_count| ()).map_err(state_error)
    }

    /// Commits what waits and ends the registration.
    pub(crate) async fn end(&self) -> Result<(), StorageError> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Err(StorageError::Closed);
        }
        self.waiting.close();
        // A poisoned lock means that a thread panicked while sending; what it sent is whole or absent.
        drop(self.appends.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ended = self.stop.send(true);
        for task in self.tasks.lock().await.drain(..) {
            task.await.map_err(|error| StorageError::Unavailable {
                reason: format!("a background task ended early: {error}"),
            })?;
        }
        self.sequencer.fence(self.epoch).await.map(|_existed| ()).map_err(state_error)
    }
}

/// Takes note of a registry, unless a newer one is known.
fn publish(place: &watch::Sender<Registry>, found: Registry) {
    place.send_if_modified(|known| {
        let is_news = found.version > known.version;
        if is_news || found.version == known.version {
            *known = found;
        }
        is_news
    });
}

/// What says that the broker lives, and ends the registrations of those that do not.
struct Living {
    config: ClusterConfig,
    epoch: BrokerEpoch,
    sequencer: Arc<dyn Sequencer>,
    in_flight: Arc<InFlight>,
    ending: watch::Sender<Option<Ending>>,
    registry: watch::Sender<Registry>,
}

impl Living {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let started = Instant::now();
        let mut observer = LeaseObserver::new(self.config.lease);
        loop {
            match self.sequencer.heartbeat(self.epoch, self.in_flight.settled()).await {
                Ok(registry) => {
                    for dead in observer.observe(&registry, started.elapsed()) {
                        tracing::warn!(epoch = %dead, "a broker said nothing for its lease and is fenced");
                        if let Err(error) = self.sequencer.fence(dead).await {
                            tracing::warn!(error = %chain(&error), "it is not fenced yet");
                        }
                    }
                    publish(&self.registry, registry);
                }
                Err(error) => match Ending::of(&error) {
                    Some(ending) => return ending.note(&self.ending),
                    None => tracing::warn!(error = %chain(&error), "no heartbeat"),
                },
            }
            // In order, so that the same requests always have the same effect.
            tokio::select! {
                biased;
                () = tokio::time::sleep(self.config.heartbeat_interval) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }
}

/// The number of a table is the place of its kind in the format.
fn table(kind: MetadataKind) -> MetadataTable {
    let place = MetadataKind::ALL.iter().position(|it| *it == kind).unwrap_or(MetadataKind::ALL.len());
    MetadataTable(i16::try_from(place).unwrap_or(i16::MAX))
}

pub(crate) fn state_error(error: SequencerError) -> StorageError {
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
        SequencerError::Conflict { what } => StorageError::Conflict { what },
        SequencerError::RegistryChanged { .. } => StorageError::RegistryChanged,
        other => StorageError::Unavailable { reason: chain(&other) },
    }
}
