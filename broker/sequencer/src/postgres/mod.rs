//! The sequencer in PostgreSQL.

mod committer;
mod config;
mod confirmation;
mod connection;
mod follower;
mod metadata;
mod rows;
mod schema;
mod seal;
mod shared;
mod store;
mod transition;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use cadastre_keys::{
    HeldKey, KeyError, KeyProvider, Replacement as KeyReplacement, StoreFuture, WrappedKey, WrappedKeyStore,
};
use cadastre_protocol::types::{TopicId, TopicPartition};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::commit::{CommitOutcome, CommitRequest, Slice};
use crate::error::SequencerError;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::metadata::{MetadataCommit, MetadataView};
use crate::object::{Lease, ObjectState, ObjectSummary, Replacement};
use crate::partition::{MAXIMUM_PARTITIONS, PartitionState, PartitionView};
use crate::plan::check_request;
use crate::producer::ProducerSummary;
use crate::registry::{LiveBroker, Registry};
use crate::sequencer::{Sequencer, SequencerFuture, SlicePage};
use committer::{Committer, Job, Reply};
pub use config::{DatabaseLocation, PostgresConfig};
use connection::Connector;
use rows::{column, partition_fields, tampered};
use seal::{Fields, RowKind};
use shared::Shared;
use store::ReadFailure;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many requests may wait for the committer; further ones wait to be let in.
const WAITING_JOBS: usize = 4096;

const REGISTRY: &str = "SELECT r.version, b.epoch, b.node_id, b.beat, b.description \
     FROM registry r LEFT JOIN broker b ON true ORDER BY b.epoch";

/// A broker's access to the sequencer in PostgreSQL. Cheap to clone; background work ends with the last clone, or by
/// [`Sequencer::close`].
#[derive(Debug, Clone)]
pub struct PostgresSequencer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    jobs: std::sync::Mutex<Option<mpsc::Sender<Job>>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl PostgresSequencer {
    /// Connects; makes the tables in an empty schema, migrates those of an older release, and binds an empty database to the
    /// cluster, with a metadata key from `provider`. When this returns, metadata and bounds are up to date.
    ///
    /// # Errors
    /// [`SequencerError::NewerSchema`], [`SequencerError::ForeignCluster`], [`SequencerError::Key`],
    /// [`SequencerError::Tampered`], [`SequencerError::Setting`], [`SequencerError::Unavailable`].
    pub async fn open(
        settings: PostgresConfig,
        provider: Arc<dyn KeyProvider>,
    ) -> Result<Self, SequencerError> {
        let connector = Connector::new(&settings)?;
        let seal = schema::prepare(&settings, &connector, &provider).await?;
        let mut instance = [0; 8];
        rand::fill(&mut instance)
            .map_err(|_unspecified| KeyError::Cryptography { operation: "draw a random name" })?;
        let instance = format!("{:016x}", u64::from_be_bytes(instance));
        let shared = Arc::new(Shared::new(seal, &connector, &settings, instance));
        shared.refresh().await?;
        let (jobs, queue) = mpsc::channel(WAITING_JOBS);
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(Committer::new(Arc::clone(&shared)).run(queue)),
            tokio::spawn(follower::tell(Arc::clone(&shared), stopped.clone())),
            tokio::spawn(follower::follow(Arc::clone(&shared), connector, stopped)),
        ];
        let inner = Inner { shared, jobs: std::sync::Mutex::new(Some(jobs)), stop, tasks: Mutex::new(tasks) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Why nothing is read or committed any more, if the database was found altered.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared().check().err().map(|error| error.to_string())
    }

    /// Passes an answer on, and notes if it showed that the database was altered.
    fn believed<T>(&self, answer: Result<T, SequencerError>) -> Result<T, SequencerError> {
        answer.inspect_err(|error| self.shared().note(error))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    async fn job<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, SequencerError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.inner.jobs.lock().map_or(None, |jobs| jobs.clone()).ok_or(SequencerError::Closed)?;
        jobs.send(job(reply)).await.map_err(|_closed| SequencerError::Closed)?;
        drop(jobs);
        let answer = answer.await.map_err(|_closed| SequencerError::Closed)?;
        self.believed(answer)
    }

    /// Judges a page, which must be of a known partition, and not of the past.
    fn page(
        &self,
        partition: TopicPartition,
        known: Option<PartitionState>,
        page: Result<Option<SlicePage>, ReadFailure>,
    ) -> Result<SlicePage, SequencerError> {
        let shared = self.shared();
        let page = shared.noted(page)?.ok_or(SequencerError::UnknownPartition { partition })?;
        if known.is_some_and(|known| known.version > page.state.version) {
            return shared.noted(Err(tampered(format!("partition `{partition}` was put back")).into()));
        }
        Ok(page)
    }

    async fn read_registry(&self) -> Result<Registry, SequencerError> {
        let shared = self.shared();
        let rows = shared.query(REGISTRY, &[]).await?;
        let mut registry = Registry::default();
        for row in &rows {
            registry.version = column(row, 0)?;
            let Some(epoch) = column::<Option<i64>>(row, 1)? else { continue };
            let (node_id, sealed): (i32, &[u8]) = (column(row, 2)?, column(row, 4)?);
            let description = shared.seal.open(&broker_place(node_id), sealed).ok_or_else(|| {
                tampered(format!("the registration of node {node_id} does not authenticate"))
            })?;
            let beat = column(row, 3)?;
            registry.brokers.push(LiveBroker { epoch: BrokerEpoch(epoch), node_id, beat, description });
        }
        Ok(registry)
    }
}

fn broker_place(node_id: i32) -> Fields {
    Fields::default().bytes(b"broker").number(i64::from(node_id))
}

/// The name under which the metadata key is held.
const METADATA_KEY: &str = "metadata/key";

impl WrappedKeyStore for PostgresSequencer {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        Box::pin(async move {
            if limit == 0 || after.is_some_and(|after| after >= METADATA_KEY) {
                return Ok(Vec::new());
            }
            let failed = |error: SequencerError| KeyError::Store {
                action: "read the metadata key",
                reason: error.to_string(),
                retriable: error.is_retriable(),
            };
            let read = "SELECT cluster_id, key_id, wrapped_key FROM cluster";
            let rows = self.shared().query(read, &[]).await.map_err(failed)?;
            let held = rows.iter().map(|row| {
                let cluster_id: String = column(row, 0)?;
                let wrapped = WrappedKey { key_id: column(row, 1)?, ciphertext: column(row, 2)? };
                let context = seal::ClusterSeal::encryption_context(&cluster_id);
                Ok(HeldKey { holder: METADATA_KEY.to_owned(), wrapped, context })
            });
            held.collect::<Result<Vec<_>, SequencerError>>().map_err(failed)
        })
    }

    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, KeyReplacement> {
        Box::pin(async move {
            if holder != METADATA_KEY {
                return Ok(KeyReplacement::Gone);
            }
            let replace = "UPDATE cluster SET key_id = $1, wrapped_key = $2 \
                 WHERE key_id = $3 AND wrapped_key = $4 RETURNING 1";
            let replaced = self
                .shared()
                .query(replace, &[&new.key_id, &new.ciphertext, &expected.key_id, &expected.ciphertext])
                .await
                .map_err(|error| KeyError::Store {
                    action: "replace the metadata key",
                    reason: error.to_string(),
                    retriable: error.is_retriable(),
                })?;
            Ok(if replaced.is_empty() { KeyReplacement::Changed } else { KeyReplacement::Done })
        })
    }
}

impl Sequencer for PostgresSequencer {
    fn register<'a>(&'a self, node_id: i32, description: &'a [u8]) -> SequencerFuture<'a, BrokerEpoch> {
        Box::pin(async move {
            let sealed = self.shared().seal.seal(&broker_place(node_id), description)?;
            let register = "SELECT register_broker($1, $2)";
            let epoch = self.shared().value(register, &[&node_id, &sealed]).await?;
            Ok(BrokerEpoch(epoch))
        })
    }

    fn heartbeat(&self, broker: BrokerEpoch, settled: u64) -> SequencerFuture<'_, Registry> {
        Box::pin(async move {
            let settled = rows::signed(settled);
            let beat = "UPDATE broker SET beat = beat + 1, settled = greatest(settled, $2) WHERE epoch = $1 RETURNING 1";
            let rows = self.shared().query(beat, &[&broker.0, &settled]).await?;
            if rows.is_empty() {
                return Err(SequencerError::Fenced { epoch: broker });
            }
            self.believed(self.read_registry().await)
        })
    }

    fn fence(&self, broker: BrokerEpoch) -> SequencerFuture<'_, bool> {
        Box::pin(async move { self.shared().value("SELECT fence_broker($1)", &[&broker.0]).await })
    }

    fn registry(&self) -> SequencerFuture<'_, Registry> {
        Box::pin(async move { self.believed(self.read_registry().await) })
    }

    fn create_partitions(&self, broker: BrokerEpoch, topic: TopicId, count: i32) -> SequencerFuture<'_, ()> {
        Box::pin(async move {
            if !(1..=MAXIMUM_PARTITIONS).contains(&count) {
                return Err(SequencerError::PartitionCount { topic, count });
            }
            let shared = self.shared();
            let id = topic.as_bytes().as_slice();
            let partitions: Vec<TopicPartition> =
                (0..count).map(|partition| TopicPartition { topic, partition }).collect();
            let mac = |it: &TopicPartition| {
                shared.seal.mac(RowKind::Partition, &partition_fields(*it, &PartitionState::EMPTY))
            };
            let macs: Vec<Vec<u8>> = partitions.iter().map(mac).collect();
            let create = "SELECT create_partitions($1, $2, $3)";
            let status: i16 = shared.value(create, &[&broker.0, &id, &macs]).await?;
            match status {
                0 => {}
                1 => return Err(SequencerError::Fenced { epoch: broker }),
                _ => return Err(SequencerError::PartitionCount { topic, count }),
            }
            shared.refresh_partitions(&partitions).await?;
            shared.announce_topics();
            Ok(())
        })
    }

    fn delete_topic(&self, broker: BrokerEpoch, topic: TopicId, now_ms: i64) -> SequencerFuture<'_, u64> {
        Box::pin(async move {
            let shared = self.shared();
            let id = topic.as_bytes().as_slice();
            // Asked before, since an answer may be lost.
            let is_known = shared.partitions.of_topic(topic);
            let gone: i64 =
                shared.value("SELECT delete_topic($1, $2, $3)", &[&broker.0, &id, &now_ms]).await?;
            let _following = shared.following.lock().await;
            shared.partitions.forget_topic(topic);
            shared.announce_topics();
            match u64::try_from(gone) {
                Err(_negative) => Err(SequencerError::Fenced { epoch: broker }),
                Ok(0) if is_known.is_empty() => Err(SequencerError::UnknownTopic { topic }),
                Ok(gone) => Ok(gone),
            }
        })
    }

    fn commit(&self, request: CommitRequest) -> SequencerFuture<'_, CommitOutcome> {
        Box::pin(async move {
            check_request(&request)?;
            self.job(|reply| Job::Commit(request, reply)).await
        })
    }

    fn slices(&self, partition: TopicPartition, from: i64, maximum: usize) -> SequencerFuture<'_, SlicePage> {
        Box::pin(async move {
            let known = self.partitions().get(partition);
            let page = self.shared().reader().page(partition, from, maximum).await;
            let page = self.page(partition, known, page)?;
            let state = page.state;
            if from < state.log_start || from > state.next_offset {
                return Err(SequencerError::OffsetOutOfRange {
                    partition,
                    offset: from,
                    log_start_offset: state.log_start,
                    next_offset: state.next_offset,
                });
            }
            Ok(page)
        })
    }

    fn first_slice_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> SequencerFuture<'_, Option<Slice>> {
        Box::pin(async move {
            let known = self.partitions().get(partition);
            let page = self.shared().reader().first_since(partition, timestamp).await;
            Ok(self.page(partition, known, page)?.slices.first().copied())
        })
    }

    fn latest_slice(&self, partition: TopicPartition) -> SequencerFuture<'_, Option<Slice>> {
        Box::pin(async move {
            let known = self.partitions().get(partition);
            let page = self.shared().reader().latest(partition).await;
            Ok(self.page(partition, known, page)?.slices.first().copied())
        })
    }

    fn move_log_start(
        &self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> SequencerFuture<'_, i64> {
        Box::pin(self.job(move |reply| Job::MoveLogStart { broker, partition, before, now_ms, reply }))
    }

    fn producers(&self, partition: TopicPartition) -> SequencerFuture<'_, Vec<ProducerSummary>> {
        Box::pin(async move {
            let shared = self.shared();
            let is_known = !shared.noted(shared.reader().partitions(&[partition]).await)?.is_empty();
            if !is_known {
                return Err(SequencerError::UnknownPartition { partition });
            }
            let found = shared.noted(shared.reader().partition_producers(partition).await)?;
            Ok(found.iter().filter_map(|((_, id), entry)| entry.summary(*id)).collect())
        })
    }

    fn expire_producers(&self, broker: BrokerEpoch, idle_since_ms: i64) -> SequencerFuture<'_, u64> {
        Box::pin(self.job(move |reply| Job::ExpireProducers { broker, idle_since_ms, reply }))
    }

    fn reserve_producer_ids(&self, count: i64) -> SequencerFuture<'_, i64> {
        Box::pin(async move {
            let count = count.max(0);
            let reserve = "UPDATE producer_id SET next = next + $1 RETURNING next - $1";
            self.shared().value(reserve, &[&count]).await
        })
    }

    fn acquire_lease<'a>(&'a self, broker: BrokerEpoch, name: &'a str) -> SequencerFuture<'a, Lease> {
        Box::pin(async move {
            let acquire = "SELECT acquire_lease($1, $2)";
            let epoch: i64 = self.shared().value(acquire, &[&broker.0, &name]).await?;
            match epoch {
                -1 => Err(SequencerError::Fenced { epoch: broker }),
                0 => Err(SequencerError::LeaseLost { name: name.to_owned() }),
                epoch => Ok(Lease { name: name.to_owned(), epoch, holder: broker }),
            }
        })
    }

    fn release_lease<'a>(&'a self, lease: &'a Lease) -> SequencerFuture<'a, ()> {
        Box::pin(async move {
            // Nobody registers as 0; the epoch stays, so that it never repeats.
            let release = "UPDATE lease SET holder = 0 WHERE name = $1 AND epoch = $2 AND holder = $3";
            self.shared().query(release, &[&lease.name, &lease.epoch, &lease.holder.0]).await.map(|_rows| ())
        })
    }

    fn replace(&self, replacement: Replacement) -> SequencerFuture<'_, ()> {
        Box::pin(async move {
            if let Some(defect) = replacement.defect() {
                return Err(SequencerError::Invalid(defect));
            }
            self.job(|reply| Job::Replace(Box::new(replacement), reply)).await
        })
    }

    fn abandon(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, Vec<ObjectId>> {
        Box::pin(async move {
            let shared = self.shared();
            let ids: Vec<[u8; 16]> = objects.iter().map(|id| id.to_bytes()).collect();
            let keys: Vec<&[u8]> = ids.iter().map(<[u8; 16]>::as_slice).collect();
            let epochs: Vec<i64> = objects.iter().map(|id| id.epoch.0).collect();
            let numbers: Vec<i64> = objects.iter().map(|id| id.number.cast_signed()).collect();
            let mac =
                |id: &ObjectId| shared.seal.mac(RowKind::AbandonedObject, &rows::object_fields(*id, 0, &[]));
            let macs: Vec<Vec<u8>> = objects.iter().map(mac).collect();
            let abandon = "SELECT abandon_objects($1, $2, $3, $4)";
            shared.query(abandon, &[&keys, &epochs, &numbers, &macs]).await?;
            let known = shared.noted(shared.reader().objects(&objects).await)?;
            let abandoned = known.into_iter().filter(|(_, it)| matches!(it, rows::KnownObject::Abandoned));
            let mut abandoned: Vec<ObjectId> = abandoned.map(|(id, _)| id).collect();
            abandoned.sort_unstable();
            Ok(abandoned)
        })
    }

    fn objects(&self, after: Option<ObjectId>, maximum: usize) -> SequencerFuture<'_, Vec<ObjectSummary>> {
        Box::pin(async move {
            let shared = self.shared();
            let after = after.map_or_else(Vec::new, |id| id.to_bytes().to_vec());
            let limit = i64::try_from(maximum).unwrap_or(i64::MAX);
            let list = "SELECT id, bytes, is_abandoned, outcome, mac, slices, unreferenced_since_ms FROM object \
                 WHERE id > $1 ORDER BY id LIMIT $2";
            let rows = shared.query(list, &[&after, &limit]).await?;
            let summary = |row: &tokio_postgres::Row| {
                let (id, known) = rows::object(row, 0, &shared.seal)?;
                let since_ms: Option<i64> = column(row, 6)?;
                let state = match (known, since_ms) {
                    (rows::KnownObject::Abandoned, _) => ObjectState::Abandoned,
                    (rows::KnownObject::Committed(_), Some(since_ms)) => {
                        ObjectState::Unreferenced { since_ms }
                    }
                    (rows::KnownObject::Committed(_), None) => ObjectState::Referenced,
                };
                let bytes = u64::try_from(column::<i64>(row, 1)?).unwrap_or_default();
                let slices = u32::try_from(column::<i32>(row, 5)?).unwrap_or_default();
                Ok(ObjectSummary { id, bytes, slices, state })
            };
            self.believed(rows.iter().map(summary).collect())
        })
    }

    fn unreferenced(&self, before_ms: i64, maximum: usize) -> SequencerFuture<'_, Vec<ObjectId>> {
        Box::pin(async move {
            let limit = i64::try_from(maximum).unwrap_or(i64::MAX);
            let list = "SELECT o.id FROM object o WHERE o.unreferenced_since_ms < $1 \
                 AND NOT EXISTS (SELECT 1 FROM slice s WHERE s.object = o.id) ORDER BY o.id LIMIT $2";
            let rows = self.shared().query(list, &[&before_ms, &limit]).await?;
            rows.iter().map(|row| rows::object_id(row, 0)).collect()
        })
    }

    fn forget(&self, objects: Vec<ObjectId>) -> SequencerFuture<'_, u64> {
        Box::pin(async move {
            let ids: Vec<[u8; 16]> = objects.iter().map(|id| id.to_bytes()).collect();
            let keys: Vec<&[u8]> = ids.iter().map(<[u8; 16]>::as_slice).collect();
            let forget = "SELECT forget_objects($1)";
            let gone: i64 = self.shared().value(forget, &[&keys]).await?;
            Ok(u64::try_from(gone).unwrap_or_default())
        })
    }

    fn commit_metadata(&self, commit: MetadataCommit) -> SequencerFuture<'_, u64> {
        Box::pin(async move {
            let shared = self.shared();
            shared.check()?;
            let deadline = Instant::now() + shared.commit_deadline;
            let committed = shared.metadata.commit(commit, shared.link(), &shared.seal, deadline).await;
            if committed.is_ok() {
                shared.announce_metadata();
            }
            committed.inspect_err(|error| shared.note(error))
        })
    }

    fn metadata(&self) -> &MetadataView {
        self.shared().metadata.view()
    }

    fn partitions(&self) -> &PartitionView {
        &self.shared().partitions
    }

    fn confirm(&self, partitions: Vec<TopicPartition>) -> SequencerFuture<'_, ()> {
        Box::pin(async move {
            let shared = self.shared();
            let ask = |wanted: Vec<TopicPartition>| async move { shared.refresh_partitions(&wanted).await };
            shared.confirmation.of(partitions, ask).await?;
            // Who shared another's question was told only that it failed.
            shared.check()
        })
    }

    fn refresh(&self) -> SequencerFuture<'_, ()> {
        Box::pin(self.shared().refresh())
    }

    fn close(&self) -> SequencerFuture<'_, ()> {
        Box::pin(async move {
            if let Ok(mut jobs) = self.inner.jobs.lock() {
                drop(jobs.take());
            }
            let _ended = self.inner.stop.send(true);
            for task in self.inner.tasks.lock().await.drain(..) {
                task.await.map_err(|error| SequencerError::Unavailable {
                    reason: format!("a background task ended early: {error}"),
                })?;
            }
            Ok(())
        })
    }
}
