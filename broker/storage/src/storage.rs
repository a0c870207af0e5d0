//! The handle through which a broker uses its storage, whichever mode it runs in.

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use cadastre_keys::KeyScope;
use cadastre_objects::{ObjectKeys, References, Store};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{ProducerSummary, Registry, Sequencer};
use tokio::sync::watch;

use crate::cluster::{Cluster, ClusterConfig, ClusterStorage};
use crate::config::StorageConfig;
use crate::embedded::{EmbeddedStorage, WeakEmbedded};
use crate::error::{AppendError, ReadError, StorageError};
use crate::log_keys::LogKeys;
use crate::metadata::Metadata;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::pack::PackReport;
use crate::report::RecoveryReport;
use crate::request::Appended;
use crate::rewriting::{RewriteReport, RewriteSettings, cleaned_key};

/// The records and metadata of a broker. Cheap to clone; ended when the last clone is dropped, or by [`Storage::close`].
#[derive(Debug, Clone)]
pub struct Storage {
    mode: Mode,
}

/// A handle that does not keep the storage open.
#[derive(Debug)]
pub(crate) enum WeakStorage {
    Embedded(WeakEmbedded),
    Cluster(Weak<Cluster>),
}

impl WeakStorage {
    pub(crate) fn upgrade(&self) -> Option<Storage> {
        let mode = match self {
            Self::Embedded(storage) => Mode::Embedded(storage.upgrade()?),
            Self::Cluster(cluster) => Mode::Cluster(cluster.upgrade()?),
        };
        Some(Storage { mode })
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// A log in a directory of this machine.
    Embedded(EmbeddedStorage),
    /// Objects in a shared store, ordered by a shared sequencer.
    Cluster(Arc<Cluster>),
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Whole batches; the first one holds the offset asked for. Empty at the high watermark.
    pub records: Bytes,
    /// Offset to read on from: after the records, and after a gap behind them that log compaction left.
    pub next_offset: i64,
    /// Offset after the last durable record.
    pub high_watermark: i64,
    /// First offset that can be read.
    pub log_start_offset: i64,
}

/// The bounds of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// First offset that can be read.
    pub log_start_offset: i64,
    /// Offset after the last durable record.
    pub high_watermark: i64,
}

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// The record's offset.
    pub offset: i64,
    /// Its timestamp, milliseconds since the epoch.
    pub timestamp: i64,
    /// The epoch under which its batch was appended.
    pub leader_epoch: i32,
}

/// One segment file, for the broker's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSummary {
    /// The segment's id.
    pub id: u64,
    /// Its file.
    pub path: PathBuf,
    /// The key that wraps its data key.
    pub key_id: String,
    /// When it was made, milliseconds since the epoch.
    pub created_at_ms: i64,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Bytes of it that hold readable records.
    pub live_bytes: u64,
}

impl Storage {
    /// Opens the log in `config.directory`, or makes one there; recovers what an earlier process left.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has it open; [`StorageError::NewerFormat`],
    /// [`StorageError::ForeignCluster`] and [`StorageError::Key`] when it is not for this release, cluster or key;
    /// [`StorageError::MetadataDamaged`] unless that is accepted; [`StorageError::File`] for the rest.
    pub async fn open(config: StorageConfig, keys: impl Into<LogKeys>) -> Result<Self, StorageError> {
        Ok(Self { mode: Mode::Embedded(EmbeddedStorage::open(config, keys.into()).await?) })
    }

    /// Joins a cluster: registers the broker with `sequencer`, which this storage closes in the end, and writes objects to
    /// `store`. A broker that is open under the same node id is fenced.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the sequencer cannot be asked.
    pub async fn open_cluster(
        config: ClusterConfig,
        keys: impl Into<ObjectKeys>,
        sequencer: Arc<dyn Sequencer>,
        store: Store,
    ) -> Result<Self, StorageError> {
        Ok(Self { mode: Mode::Cluster(Cluster::open(config, keys.into(), sequencer, store).await?) })
    }

    pub(crate) fn downgrade(&self) -> WeakStorage {
        match &self.mode {
            Mode::Embedded(storage) => WeakStorage::Embedded(storage.downgrade()),
            Mode::Cluster(cluster) => WeakStorage::Cluster(Arc::downgrade(cluster)),
        }
    }

    pub(crate) const fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The metadata area.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        Metadata::new(self.clone())
    }

    /// What opening the log found: torn writes, damage, losses.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryReport {
        match &self.mode {
            Mode::Embedded(storage) => storage.recovery(),
            Mode::Cluster(cluster) => cluster.recovery(),
        }
    }

    /// Why the log takes no more writes, if so. Only opening it again ends this state.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match &self.mode {
            Mode::Embedded(storage) => storage.failure(),
            Mode::Cluster(cluster) => cluster.current().failure(),
        }
    }

    /// The epoch under which records are appended. Rises when an opening finds that records were lost.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        match &self.mode {
            Mode::Embedded(storage) => storage.leader_epoch(),
            Mode::Cluster(_) => ClusterStorage::leader_epoch(),
        }
    }

    /// Appends one batch and returns once it is durable. Waits while too many bytes wait already.
    ///
    /// Offsets and leader epoch are assigned here; everything else of the batch stays as it is.
    ///
    /// # Errors
    /// See [`AppendError`]; after a retriable one the batch may or may not turn up after a restart, as after a
    /// lost connection, and an idempotent producer can safely repeat it.
    pub async fn append(
        &self,
        partition: TopicPartition,
        batch: RecordBatch,
    ) -> Result<Appended, AppendError> {
        self.append_batch(partition, batch, None).await
    }

    /// As [`Storage::append`], for a batch of the transaction with this number: refused once the partition holds the marker that
    /// ends it, however late the batch comes. A marker itself is appended by [`Storage::append`]; a second one for the same
    /// transaction is answered as a duplicate.
    ///
    /// # Errors
    /// [`AppendError::TransactionEnded`] beside those of [`Storage::append`].
    pub async fn append_in_transaction(
        &self,
        partition: TopicPartition,
        batch: RecordBatch,
        number: i32,
    ) -> Result<Appended, AppendError> {
        self.append_batch(partition, batch, Some(number)).await
    }

    async fn append_batch(
        &self,
        partition: TopicPartition,
        batch: RecordBatch,
        transaction: Option<i32>,
    ) -> Result<Appended, AppendError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.append(partition, batch, transaction).await,
            Mode::Cluster(cluster) => cluster.current().append(partition, batch, transaction).await,
        }
    }

    /// Whole batches from the one that holds `offset`: up to `maximum_bytes` of them, but one at least.
    ///
    /// # Errors
    /// [`ReadError::OffsetOutOfRange`], [`ReadError::Damaged`] where records were lost.
    pub async fn read(
        &self,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.read(partition, offset, maximum_bytes).await,
            Mode::Cluster(cluster) => cluster.current().read(partition, offset, maximum_bytes).await,
        }
    }

    /// The bounds of a partition.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub fn watermarks(&self, partition: TopicPartition) -> Result<Watermarks, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.watermarks(partition),
            Mode::Cluster(cluster) => cluster.current().watermarks(partition),
        }
    }

    /// The bounds of a partition with everything that any broker acknowledged before the call; [`Storage::watermarks`] may be
    /// a moment behind the other brokers.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`], [`ReadError::Unavailable`].
    pub async fn latest_watermarks(&self, partition: TopicPartition) -> Result<Watermarks, ReadError> {
        self.confirm(vec![partition]).await?;
        self.watermarks(partition)
    }

    /// Makes sure that everything is known here that any broker acknowledged before the call: what [`Storage::watermarks`],
    /// [`Storage::end_of_epoch`] and [`Storage::read`] then say of the end of these partitions is not behind. One question to
    /// the database for all of them, shared by many callers at once; none in embedded mode.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the database cannot be asked. Partitions that do not exist are no error.
    pub async fn confirm(&self, partitions: Vec<TopicPartition>) -> Result<(), ReadError> {
        match &self.mode {
            Mode::Cluster(cluster) if !partitions.is_empty() => cluster.current().confirm(partitions).await,
            // One process takes everything, and it knows.
            Mode::Cluster(_) | Mode::Embedded(_) => Ok(()),
        }
    }

    /// Which brokers live, as last heard; `None` in embedded mode. The channel follows.
    #[must_use]
    pub fn registry(&self) -> Option<watch::Receiver<Registry>> {
        match &self.mode {
            Mode::Embedded(_) => None,
            Mode::Cluster(cluster) => Some(cluster.registry()),
        }
    }

    /// Which brokers live at this moment; `None` in embedded mode.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the database cannot be asked.
    pub async fn confirm_registry(&self) -> Result<Option<Registry>, StorageError> {
        match &self.mode {
            Mode::Embedded(_) => Ok(None),
            Mode::Cluster(cluster) => cluster.current().confirm_registry().await.map(Some),
        }
    }

    /// Follows the high watermark, for long polls. The channel closes when the partition is deleted.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub fn watch(&self, partition: TopicPartition) -> Result<watch::Receiver<i64>, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.watch(partition),
            Mode::Cluster(cluster) => cluster.current().watch(partition),
        }
    }

    /// The first record with a timestamp of at least `timestamp`, milliseconds since the epoch.
    ///
    /// # Errors
    /// As [`Storage::read`].
    pub async fn offset_for_timestamp(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.offset_for_timestamp(partition, timestamp).await,
            Mode::Cluster(cluster) => cluster.current().offset_for_timestamp(partition, timestamp).await,
        }
    }

    /// The first record with the latest timestamp of all.
    ///
    /// # Errors
    /// As [`Storage::read`].
    pub async fn latest_timestamp(
        &self,
        partition: TopicPartition,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.latest_timestamp(partition).await,
            Mode::Cluster(cluster) => cluster.current().latest_timestamp(partition).await,
        }
    }

    /// The largest leader epoch up to `epoch` that is known, and the offset at which it ends, for
    /// `OffsetForLeaderEpoch` (KIP-101, KIP-320). `None` for an epoch that is yet to come or before any record.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub fn end_of_epoch(
        &self,
        partition: TopicPartition,
        epoch: i32,
    ) -> Result<Option<(i32, i64)>, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.end_of_epoch(partition, epoch),
            Mode::Cluster(cluster) => cluster.current().end_of_epoch(partition, epoch),
        }
    }

    /// Producers that wrote to the partition lately, by id.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub async fn producers(&self, partition: TopicPartition) -> Result<Vec<ProducerSummary>, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.producers(partition),
            Mode::Cluster(cluster) => cluster.current().producers(partition).await,
        }
    }

    /// Sum of the sizes of all batches that can be read, in bytes.
    ///
    /// # Errors
    /// [`ReadError::UnknownPartition`].
    pub fn partition_size_bytes(&self, partition: TopicPartition) -> Result<u64, ReadError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.partition_size_bytes(partition),
            Mode::Cluster(cluster) => cluster.current().partition_size_bytes(partition),
        }
    }

    /// Every partition there is, in order.
    #[must_use]
    pub fn partitions(&self) -> Vec<TopicPartition> {
        match &self.mode {
            Mode::Embedded(storage) => storage.partitions(),
            Mode::Cluster(cluster) => cluster.current().partitions(),
        }
    }

    /// Every readable segment, oldest first.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentSummary> {
        match &self.mode {
            Mode::Embedded(storage) => storage.segments(),
            Mode::Cluster(_) => Vec::new(),
        }
    }

    /// Gives the topic `count` partitions, those that it has included; durable on return.
    ///
    /// # Errors
    /// [`StorageError::PartitionCount`] for less than it has, 0, or more than 100,000.
    pub async fn create_partitions(&self, topic: TopicId, count: i32) -> Result<(), StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.create_partitions(topic, count).await,
            Mode::Cluster(cluster) => cluster.current().create_partitions(topic, count).await,
        }
    }

    /// Deletes the topic's partitions and their records, and the key of its own under which its objects lie, if it has one;
    /// durable on return. Ids must not be used again.
    ///
    /// # Errors
    /// [`StorageError::UnknownTopic`].
    pub async fn delete_topic(&self, topic: TopicId) -> Result<(), StorageError> {
        self.forget_cleaned(topic).await?;
        let deleted = match &self.mode {
            Mode::Embedded(storage) => storage.delete_topic(topic).await,
            Mode::Cluster(cluster) => cluster.current().delete_topic(topic).await,
        };
        // Also when there was nothing left to delete: an earlier attempt may have ended here.
        if matches!(deleted, Ok(()) | Err(StorageError::UnknownTopic { .. })) {
            let key = KeyScope::Topic(topic.to_string()).to_string();
            if self.metadata().get(MetadataKind::ScopeKey, &key).is_some() {
                let gone = MetadataChange { kind: MetadataKind::ScopeKey, key, value: None };
                self.metadata().commit(vec![gone]).await?;
            }
        }
        deleted
    }

    /// Forgets how far compaction of a topic came.
    async fn forget_cleaned(&self, topic: TopicId) -> Result<(), StorageError> {
        let own = self.partitions().into_iter().filter(|partition| partition.topic == topic).map(cleaned_key);
        let metadata = self.metadata();
        let noted = own.filter(|key| metadata.get(MetadataKind::Cluster, key).is_some());
        let forget = |key| MetadataChange { kind: MetadataKind::Cluster, key, value: None };
        let changes: Vec<_> = noted.map(forget).collect();
        if changes.is_empty() { Ok(()) } else { metadata.commit(changes).await }
    }

    /// Makes records before an offset unreadable, and returns the log start; durable on return.
    ///
    /// # Errors
    /// [`StorageError::OffsetOutOfRange`] beyond the high watermark, [`StorageError::UnknownPartition`].
    pub async fn delete_records(&self, partition: TopicPartition, before: i64) -> Result<i64, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.delete_records(partition, before).await,
            Mode::Cluster(cluster) => cluster.current().delete_records(partition, before).await,
        }
    }

    /// Drops the oldest batches while all their records are older than `retention_ms` at `now_ms`, or while
    /// `retention_bytes` remain without them; -1 keeps all. Returns the log start.
    ///
    /// # Errors
    /// [`StorageError::UnknownPartition`].
    pub async fn enforce_retention(
        &self,
        partition: TopicPartition,
        retention_ms: i64,
        retention_bytes: i64,
        now_ms: i64,
    ) -> Result<i64, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => {
                storage.enforce_retention(partition, retention_ms, retention_bytes, now_ms).await
            }
            Mode::Cluster(cluster) => {
                cluster.current().enforce_retention(partition, retention_ms, retention_bytes, now_ms).await
            }
        }
    }

    /// Forgets producers that wrote nothing since `idle_since_ms`, milliseconds since the epoch
    /// (`producer.id.expiration.ms` before now); returns how many.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] or [`StorageError::Closed`].
    pub async fn expire_producers(&self, idle_since_ms: i64) -> Result<i64, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.expire_producers(idle_since_ms).await,
            Mode::Cluster(cluster) => cluster.current().expire_producers(idle_since_ms).await,
        }
    }

    /// Copies live records out of nearly dead segments and deletes dead ones; returns how many. To be called
    /// from time to time; dead segments are also deleted whenever records are.
    ///
    /// # Errors
    /// [`StorageError::File`] when a file cannot be deleted; [`StorageError::Unavailable`].
    pub async fn reclaim(&self) -> Result<i64, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.reclaim().await,
            Mode::Cluster(cluster) => cluster.current().reclaim().await,
        }
    }

    /// A producer id that was never given out before, by this process or an earlier one.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] or [`StorageError::Closed`].
    pub async fn allocate_producer_id(&self) -> Result<i64, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.allocate_producer_id().await,
            Mode::Cluster(cluster) => cluster.allocate_producer_id().await,
        }
    }

    /// Moves the records of all segments but the two newest into objects, after which the segments are deleted. To be
    /// called from time to time; does nothing without an object store. Appends go on meanwhile.
    ///
    /// Nothing is let go before the object is durable and the reference to it is. A batch that cannot be read stays
    /// where it is, and with it what follows in its partition.
    ///
    /// # Errors
    /// [`StorageError::Object`] when an object cannot be written; the records stay in the log.
    pub async fn pack(&self, now_ms: i64) -> Result<PackReport, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.pack(now_ms).await,
            // Everything is in objects from the start.
            Mode::Cluster(_) => Ok(PackReport::default()),
        }
    }

    /// Rewrites a partition's records where that is worth it: many small pieces into objects of the partition alone, and for
    /// topics with log compaction only the last record of each key. To be called from time to time; reads and appends go
    /// on meanwhile. In a cluster one broker rewrites at a time. In embedded mode only what was packed is rewritten.
    ///
    /// # Errors
    /// [`StorageError::UnknownPartition`]; [`StorageError::Object`] and [`StorageError::Unavailable`], after which all is as
    /// before.
    pub async fn rewrite(
        &self,
        partition: TopicPartition,
        settings: RewriteSettings,
        now_ms: i64,
    ) -> Result<RewriteReport, StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.rewrite(partition, settings, now_ms).await,
            Mode::Cluster(cluster) => cluster.current().rewrite(partition, settings, now_ms).await,
        }
    }

    /// What the sweep has to know: the objects that the log refers to, and its own epoch. `None` in cluster mode.
    #[must_use]
    pub fn object_references(&self) -> Option<References> {
        match &self.mode {
            Mode::Embedded(storage) => storage.object_references(),
            Mode::Cluster(_) => None,
        }
    }

    /// Ends the log in order: what waits is written, later requests are refused, the directory is unlocked.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the log had failed before; [`StorageError::Closed`] the second time.
    pub async fn close(&self) -> Result<(), StorageError> {
        match &self.mode {
            Mode::Embedded(storage) => storage.close().await,
            Mode::Cluster(cluster) => cluster.close().await,
        }
    }
}
