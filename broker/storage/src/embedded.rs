//! Embedded mode: the handle to an open log in a directory of this machine.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use cadastre_keys::KeyError;
use cadastre_objects::ObjectError;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::ProducerSummary;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::committer::chain;
use crate::config::StorageConfig;
use crate::error::{AppendError, ReadError, StorageError};
use crate::execution::{Cancelled, Execution};
use crate::log_keys::LogKeys;
use crate::metadata_kind::MetadataChange;
use crate::open::{Opened, open};
use crate::packed::ObjectArea;
use crate::partition::{Partition, Plan, PlannedBatch};
use crate::reader::{first_record_since, from_memory, from_segments};
use crate::report::RecoveryReport;
use crate::request::{Appended, Request, StateChange, weight};
use crate::shared::Shared;
use crate::storage::{Fetched, SegmentSummary, TimestampedOffset, Watermarks};

/// How many producer ids are reserved with one write.
const PRODUCER_ID_BLOCK: i64 = 1000;
/// How often a read begins again when the object was replaced under it.
const READS_TRIED: u32 = 3;

/// An open log. Cheap to clone; the log is ended when the last clone is dropped, or by [`EmbeddedStorage::close`].
#[derive(Debug, Clone)]
pub(crate) struct EmbeddedStorage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    /// Permits are bytes that may wait for durability.
    waiting: Arc<Semaphore>,
    maximum_waiting: usize,
    maximum_frame_bytes: usize,
    execution: Execution,
    report: RecoveryReport,
    objects: Option<ObjectArea>,
    /// Reserved producer ids that were not handed out: the next one, and the end of the block.
    producer_ids: tokio::sync::Mutex<(i64, i64)>,
}

/// A handle that does not keep the log open.
#[derive(Debug, Clone)]
pub(crate) struct WeakEmbedded(Weak<Inner>);

impl WeakEmbedded {
    pub(crate) fn upgrade(&self) -> Option<EmbeddedStorage> {
        self.0.upgrade().map(|inner| EmbeddedStorage { inner })
    }
}

impl EmbeddedStorage {
    pub(crate) fn downgrade(&self) -> WeakEmbedded {
        WeakEmbedded(Arc::downgrade(&self.inner))
    }

    /// Opens the log in `config.directory`, or makes one there; recovers what an earlier process left.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has it open; [`StorageError::NewerFormat`],
    /// [`StorageError::ForeignCluster`] and [`StorageError::Key`] when it is not for this release, cluster or key;
    /// [`StorageError::MetadataDamaged`] unless that is accepted; [`StorageError::File`] for the rest.
    pub(crate) async fn open(config: StorageConfig, keys: LogKeys) -> Result<Self, StorageError> {
        let maximum_waiting = config.maximum_unflushed_bytes.min(Semaphore::MAX_PERMITS);
        let maximum_frame_bytes = config.maximum_frame_bytes;
        let runtime = Handle::current();
        let execution = config.execution;
        let opening = execution.run(move || open(config, keys, runtime));
        let Opened { shared, requests, report, objects } = opening
            .await
            .map_err(|Cancelled| StorageError::Unavailable { reason: "opening ended early".to_owned() })??;
        let inner = Inner {
            shared,
            requests,
            waiting: Arc::new(Semaphore::new(maximum_waiting)),
            maximum_waiting,
            maximum_frame_bytes,
            execution,
            report,
            objects,
            producer_ids: tokio::sync::Mutex::new((0, 0)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn execution(&self) -> Execution {
        self.inner.execution
    }

    pub(crate) fn objects(&self) -> Option<&ObjectArea> {
        self.inner.objects.as_ref()
    }

    /// What opening the log found: torn writes, damage, losses.
    #[must_use]
    pub(crate) fn recovery(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// Why the log takes no more writes, if so. Only opening it again ends this state.
    #[must_use]
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared().failure().map(str::to_owned)
    }

    /// The epoch under which records are appended. Rises when an opening finds that records were lost.
    #[must_use]
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.shared().read().leader_epoch
    }

    /// Appends one batch and returns once it is durable. Waits while too many bytes wait already.
    ///
    /// Offsets and leader epoch are assigned here; everything else of the batch stays as it is.
    ///
    /// # Errors
    /// See [`AppendError`]; after a retriable one the batch may or may not turn up after a restart, as after a
    /// lost connection, and an idempotent producer can safely repeat it.
    pub(crate) async fn append(
        &self,
        partition: TopicPartition,
        batch: RecordBatch,
        transaction: Option<i32>,
    ) -> Result<Appended, AppendError> {
        let maximum = self.inner.maximum_frame_bytes;
        if batch.size() > maximum {
            return Err(AppendError::TooLarge { bytes: batch.size(), maximum });
        }
        let permit = self.wait_for_room(batch.size()).await.ok_or(AppendError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Append { partition, batch, transaction, permit, reply })
            .map_err(|_closed| AppendError::Closed)?;
        answer.await.map_err(|_gone| AppendError::Closed)?
    }

    pub(crate) async fn commit(&self, changes: Vec<MetadataChange>) -> Result<(), StorageError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (bytes, maximum) = (weight(&changes), self.inner.maximum_frame_bytes);
        if bytes > maximum {
            return Err(StorageError::TooLarge { what: "a list of metadata changes", bytes, maximum });
        }
        let permit = self.wait_for_room(bytes).await.ok_or(StorageError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Commit { changes, permit, reply })?;
        answer.await.map_err(|_gone| StorageError::Closed)?
    }

    /// Whole batches from the one that holds `offset`: up to `maximum_bytes` of them, but one at least.
    ///
    /// # Errors
    /// [`ReadError::OffsetOutOfRange`], [`ReadError::Damaged`] where records were lost.
    pub(crate) async fn read(
        &self,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        let mut from = offset;
        loop {
            let fetched = self.read_piece(partition, from, maximum_bytes).await?;
            let is_cleaned_away = fetched.records.is_empty() && fetched.next_offset > from;
            if !is_cleaned_away {
                return Ok(fetched);
            }
            from = fetched.next_offset;
        }
    }

    /// As [`EmbeddedStorage::read`], but of one object, or of the segments, only: empty where the rest of an object's offsets
    /// was cleaned away.
    pub(crate) async fn read_piece(
        &self,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.read_once(partition, offset, maximum_bytes).await {
                // The object was deleted while it was read, since its records were, or are in another one: the bounds say so
                // now.
                Err(ReadError::Object { source, .. })
                    if matches!(*source, ObjectError::Missing { .. }) && tries < READS_TRIED => {}
                other => return other,
            }
        }
    }

    async fn read_once(
        &self,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        let (plan, bounds) =
            self.with_partition(partition, |it| (it.plan(offset, maximum_bytes), watermarks(it)))?;
        let Watermarks { log_start_offset, high_watermark } = bounds;
        let (records, next_offset) = match plan {
            Plan::Batches(planned) => match planned.last().map(|last| last.last_offset.saturating_add(1)) {
                None => (Bytes::new(), offset),
                Some(next_offset) => (self.read_planned(partition, planned).await?, next_offset),
            },
            Plan::OutOfRange => {
                return Err(ReadError::OffsetOutOfRange {
                    partition,
                    offset,
                    log_start_offset,
                    high_watermark,
                });
            }
            Plan::Hole { to } => return Err(ReadError::Damaged { partition, from: offset, to }),
            Plan::Object { id, kind, end_offset } => {
                self.read_packed(partition, offset, maximum_bytes, (id, kind), end_offset).await?
            }
        };
        Ok(Fetched { records, next_offset, high_watermark, log_start_offset })
    }

    async fn read_planned(
        &self,
        partition: TopicPartition,
        planned: Vec<PlannedBatch>,
    ) -> Result<Bytes, ReadError> {
        // Also for what is in memory: a key that was withdrawn ends reads wherever the records are.
        self.renew_keys(&planned).await.map_err(|error| ReadError::Unavailable { reason: chain(&error) })?;
        if let Some(records) = from_memory(self.shared(), partition, &planned) {
            return Ok(records);
        }
        let shared = Arc::clone(&self.inner.shared);
        self.execution()
            .run(move || from_segments(&shared, partition, &planned))
            .await
            .map_err(|Cancelled| ReadError::Cancelled)?
    }

    /// Makes sure that the keys of the segments in which the batches lie can be used.
    pub(crate) async fn renew_keys(&self, planned: &[PlannedBatch]) -> Result<(), KeyError> {
        let mut renewed = None;
        for batch in planned {
            if renewed != Some(batch.segment.id) {
                batch.segment.key().renew().await?;
                renewed = Some(batch.segment.id);
            }
        }
        Ok(())
    }

    /// The bounds of a partition.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub(crate) fn watermarks(&self, partition: TopicPartition) -> Result<Watermarks, ReadError> {
        self.with_partition(partition, watermarks)
    }

    /// Follows the high watermark, for long polls. The channel closes when the partition is deleted.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub(crate) fn watch(&self, partition: TopicPartition) -> Result<watch::Receiver<i64>, ReadError> {
        self.with_partition(partition, Partition::watch)
    }

    /// The first record with a timestamp of at least `timestamp`, milliseconds since the epoch.
    ///
    /// # Errors
    /// As [`EmbeddedStorage::read`].
    pub(crate) async fn offset_for_timestamp(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        if let Some(found) = self.packed_record_since(partition, timestamp).await? {
            return Ok(Some(found));
        }
        let found = self.with_partition(partition, |it| it.first_batch_since(timestamp))?;
        match found {
            Some(batch) => self.record_since(partition, batch, timestamp).await,
            None => Ok(None),
        }
    }

    /// The first record with the latest timestamp of all.
    ///
    /// # Errors
    /// As [`EmbeddedStorage::read`].
    pub(crate) async fn latest_timestamp(
        &self,
        partition: TopicPartition,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let packed = self.latest_packed(partition).await?;
        let logged = self.with_partition(partition, Partition::latest_unpacked)?;
        match packed.max(logged) {
            Some(latest) => self.offset_for_timestamp(partition, latest).await,
            None => Ok(None),
        }
    }

    async fn record_since(
        &self,
        partition: TopicPartition,
        planned: PlannedBatch,
        timestamp: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let leader_epoch = planned.leader_epoch;
        let batch = self.read_planned(partition, vec![planned]).await?;
        // Unpacking may take long, which the asynchronous threads must not.
        let found = self
            .execution()
            .run(move || first_record_since(&batch, timestamp))
            .await
            .map_err(|Cancelled| ReadError::Cancelled)?;
        Ok(found.map(|(offset, timestamp)| TimestampedOffset { offset, timestamp, leader_epoch }))
    }

    /// The largest leader epoch up to `epoch` that is known, and the offset at which it ends, for
    /// `OffsetForLeaderEpoch` (KIP-101, KIP-320). `None` for an epoch that is yet to come or before any record.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub(crate) fn end_of_epoch(
        &self,
        partition: TopicPartition,
        epoch: i32,
    ) -> Result<Option<(i32, i64)>, ReadError> {
        let current = self.leader_epoch();
        self.with_partition(partition, |it| match epoch {
            _ if epoch > current => None,
            _ if epoch == current => Some((epoch, it.high_watermark())),
            _ => it.end_of_epoch(epoch),
        })
    }

    /// Producers that wrote to the partition lately, by id.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub(crate) fn producers(&self, partition: TopicPartition) -> Result<Vec<ProducerSummary>, ReadError> {
        self.with_partition(partition, |it| {
            it.producers.iter().filter_map(|(id, entry)| entry.summary(*id)).collect()
        })
    }

    /// Sum of the sizes of all batches that can be read, in bytes. Where the log starts within an object, the whole of the
    /// partition's share in it counts.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub(crate) fn partition_size_bytes(&self, partition: TopicPartition) -> Result<u64, ReadError> {
        self.with_partition(partition, Partition::size_bytes)
    }

    /// Every partition there is, in order.
    #[must_use]
    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.shared().read().partitions.keys().copied().collect()
    }

    /// Every readable segment, oldest first.
    #[must_use]
    pub(crate) fn segments(&self) -> Vec<SegmentSummary> {
        let segments = self.shared().segments();
        let summaries = segments.iter().map(|segment| SegmentSummary {
            id: segment.id,
            path: segment.path.clone(),
            key_id: segment.key_id.clone(),
            created_at_ms: segment.created_at_ms,
            bytes: segment.length(),
            live_bytes: segment.live_bytes(),
        });
        summaries.collect()
    }

    /// Gives the topic `count` partitions, those that it has included; durable on return.
    ///
    /// # Errors
    /// [`StorageError::PartitionCount`] for less than it has, 0, or more than 100,000.
    pub(crate) async fn create_partitions(&self, topic: TopicId, count: i32) -> Result<(), StorageError> {
        self.change(StateChange::CreatePartitions { topic, count }).await.map(drop)
    }

    /// Deletes the topic's partitions and their records; durable on return. Ids must not be used again.
    ///
    /// # Errors
    /// [`StorageError::UnknownTopic`].
    pub(crate) async fn delete_topic(&self, topic: TopicId) -> Result<(), StorageError> {
        self.change(StateChange::DeleteTopic { topic }).await.map(drop)
    }

    /// Makes records before an offset unreadable, and returns the log start; durable on return.
    ///
    /// # Errors
    /// [`StorageError::OffsetOutOfRange`] beyond the high watermark, [`StorageError::UnknownPartition`].
    pub(crate) async fn delete_records(
        &self,
        partition: TopicPartition,
        before: i64,
    ) -> Result<i64, StorageError> {
        self.change(StateChange::DeleteRecords { partition, before }).await
    }

    /// Drops the oldest batches while all their records are older than `retention_ms` at `now_ms`, or while
    /// `retention_bytes` remain without them; -1 keeps all. Returns the log start.
    ///
    /// # Errors
    /// [`StorageError::UnknownPartition`].
    pub(crate) async fn enforce_retention(
        &self,
        partition: TopicPartition,
        retention_ms: i64,
        retention_bytes: i64,
        now_ms: i64,
    ) -> Result<i64, StorageError> {
        let change = StateChange::EnforceRetention { partition, retention_ms, retention_bytes, now_ms };
        self.change(change).await
    }

    /// Forgets producers that wrote nothing since `idle_since_ms`, milliseconds since the epoch
    /// (`producer.id.expiration.ms` before now); returns how many.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] or [`StorageError::Closed`].
    pub(crate) async fn expire_producers(&self, idle_since_ms: i64) -> Result<i64, StorageError> {
        self.change(StateChange::ExpireProducers { idle_since_ms }).await
    }

    /// Copies live records out of nearly dead segments and deletes dead ones; returns how many. To be called
    /// from time to time; dead segments are also deleted whenever records are.
    ///
    /// # Errors
    /// [`StorageError::File`] when a file cannot be deleted; [`StorageError::Unavailable`].
    pub(crate) async fn reclaim(&self) -> Result<i64, StorageError> {
        self.change(StateChange::Reclaim).await
    }

    /// A producer id that was never given out before, by this process or an earlier one.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] or [`StorageError::Closed`].
    pub(crate) async fn allocate_producer_id(&self) -> Result<i64, StorageError> {
        let mut block = self.inner.producer_ids.lock().await;
        if block.0 >= block.1 {
            let first = self.change(StateChange::ReserveProducerIds { count: PRODUCER_ID_BLOCK }).await?;
            *block = (first, first.saturating_add(PRODUCER_ID_BLOCK));
        }
        let id = block.0;
        block.0 = id.saturating_add(1);
        Ok(id)
    }

    /// Ends the log in order: what waits is written, later requests are refused, the directory is unlocked.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the log had failed before; [`StorageError::Closed`] the second time.
    pub(crate) async fn close(&self) -> Result<(), StorageError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Close { reply })?;
        let closed = answer.await.map_err(|_gone| StorageError::Closed)?;
        self.inner.waiting.close();
        closed
    }

    pub(crate) async fn change(&self, change: StateChange) -> Result<i64, StorageError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Change { change, reply })?;
        answer.await.map_err(|_gone| StorageError::Closed)?
    }

    fn send(&self, request: Request) -> Result<(), StorageError> {
        self.inner.requests.send(request).map_err(|_closed| StorageError::Closed)
    }

    /// Waits until `bytes` more may wait for durability; something larger than all the room waits for all of it.
    async fn wait_for_room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.min(self.inner.maximum_waiting)).unwrap_or(u32::MAX);
        Arc::clone(&self.inner.waiting).acquire_many_owned(permits).await.ok()
    }

    pub(crate) fn with_partition<T>(
        &self,
        partition: TopicPartition,
        ask: impl FnOnce(&Partition) -> T,
    ) -> Result<T, ReadError> {
        let state = self.shared().read();
        state.partitions.get(&partition).map(ask).ok_or(ReadError::UnknownPartition { partition })
    }
}

fn watermarks(partition: &Partition) -> Watermarks {
    Watermarks { log_start_offset: partition.log_start, high_watermark: partition.high_watermark() }
}
