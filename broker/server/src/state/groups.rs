//! The consumer groups: the coordinator's state machine, its clock, and its records in the storage's metadata.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cadastre_coordinator::{
    Command, CommittedOffset, CoordinatorConfig, DescribedGroup, Effect, GroupCoordinator, GroupError,
    ListedGroup, PersistId, RecordChange, ReplyToken, Response,
};
use cadastre_storage::{Clock, MetadataChange, MetadataKind, Storage};
use tokio::sync::{mpsc, oneshot};

use super::StateError;
use crate::config::BrokerConfig;
use crate::listeners::listener_security::chain;
use crate::sync::lock;

/// How often the coordinator looks at its deadlines.
const TICK: Duration = Duration::from_millis(50);
/// How many changes are written together at most.
const BATCH: usize = 1000;

/// All groups of the cluster.
#[derive(Debug)]
pub(crate) struct Groups {
    storage: Storage,
    clock: Clock,
    inner: Mutex<Inner>,
    records: Mutex<Option<mpsc::UnboundedReceiver<Record>>>,
}

/// What the coordinator wants written.
type Record = (PersistId, Vec<RecordChange>);

#[derive(Debug)]
struct Inner {
    coordinator: GroupCoordinator,
    waiting: BTreeMap<ReplyToken, oneshot::Sender<Response>>,
    next_token: u64,
    /// Sent under the lock, so that records are written in the order in which the coordinator decided. What waits
    /// here is bounded by the connections: each has one request at a time.
    records: mpsc::UnboundedSender<Record>,
    is_closed: bool,
}

impl Inner {
    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { token, response } => {
                    if let Some(waiting) = self.waiting.remove(&token) {
                        // The connection may be gone; then nobody wants the answer.
                        let _gone = waiting.send(response);
                    }
                }
                Effect::Persist { id, changes } => {
                    // The receiver outlives every request; at shutdown nothing is answered that was not written.
                    let _stopped = self.records.send((id, changes));
                }
            }
        }
    }
}

impl Groups {
    /// Reads the groups that the storage holds.
    pub(crate) fn load(
        storage: &Storage,
        config: &BrokerConfig,
        clock: Clock,
    ) -> Result<Arc<Self>, StateError> {
        let number = |name: &str| config.number(name);
        let small = |name: &str| i32::try_from(config.number(name)).unwrap_or(i32::MAX);
        let count = |name: &str| usize::try_from(config.number(name)).unwrap_or(usize::MAX);
        let settings = CoordinatorConfig {
            initial_rebalance_delay_ms: number("group.initial.rebalance.delay.ms"),
            minimum_session_timeout_ms: small("group.min.session.timeout.ms"),
            maximum_session_timeout_ms: small("group.max.session.timeout.ms"),
            maximum_size: count("group.max.size"),
            maximum_offset_metadata_bytes: count("offset.metadata.max.bytes"),
            offsets_retention_ms: number("offsets.retention.minutes").saturating_mul(60_000),
            offsets_retention_check_interval_ms: number("offsets.retention.check.interval.ms"),
            ..CoordinatorConfig::default()
        };
        let entries = storage.metadata().entries(MetadataKind::GroupOffset);
        let coordinator = GroupCoordinator::restore(settings, entries, clock.now_ms())
            .map_err(|error| StateError::unreadable("group", "", chain(&error)))?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = BTreeMap::new();
        let inner = Inner { coordinator, waiting, next_token: 0, records: sender, is_closed: false };
        let records = Mutex::new(Some(receiver));
        Ok(Arc::new(Self { storage: storage.clone(), clock, inner: Mutex::new(inner), records }))
    }

    /// Has the coordinator carry out a command and waits for its answer, which may take as long as a rebalance.
    ///
    /// # Errors
    ///
    /// [`GroupError::CoordinatorNotAvailable`] when the broker stops first.
    pub(crate) async fn ask(&self, command: Command) -> Result<Response, GroupError> {
        let answer = {
            let mut inner = lock(&self.inner);
            if inner.is_closed {
                return Err(GroupError::CoordinatorNotAvailable);
            }
            let token = ReplyToken(inner.next_token);
            inner.next_token += 1;
            let (sender, answer) = oneshot::channel();
            inner.waiting.insert(token, sender);
            let effects = inner.coordinator.handle(token, command, self.clock.now_ms());
            inner.perform(effects);
            answer
        };
        answer.await.map_err(|_closed| GroupError::CoordinatorNotAvailable)
    }

    /// The groups in one of the states and of one of the types; an empty filter accepts all.
    pub(crate) fn list<S: AsRef<str>>(&self, states: &[S], types: &[S]) -> Vec<ListedGroup> {
        lock(&self.inner).coordinator.list_groups(states, types)
    }

    /// One group; a group that does not exist is described as dead.
    pub(crate) fn describe(&self, group_id: &str) -> DescribedGroup {
        lock(&self.inner).coordinator.describe_group(group_id)
    }

    /// What a group has committed, by topic and partition.
    pub(crate) fn offsets(&self, group_id: &str) -> BTreeMap<(String, i32), CommittedOffset> {
        let inner = lock(&self.inner);
        let offsets = inner.coordinator.committed_offsets(group_id);
        offsets.map(|(topic, partition, offset)| ((topic.to_owned(), partition), offset.clone())).collect()
    }

    /// Forgets what groups committed for a topic that is gone.
    pub(crate) fn topic_deleted(&self, topic: &str) {
        let mut inner = lock(&self.inner);
        let effects = inner.coordinator.topic_deleted(topic);
        inner.perform(effects);
    }

    /// Lets time pass for the groups until `stopped`.
    pub(crate) async fn keep_time(&self, stopped: impl Future<Output = ()>) {
        let mut stopped = std::pin::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                () = tokio::time::sleep(TICK) => {
                    let mut inner = lock(&self.inner);
                    let effects = inner.coordinator.poll_timeouts(self.clock.now_ms());
                    inner.perform(effects);
                }
            }
        }
        let mut inner = lock(&self.inner);
        inner.is_closed = true;
        // Whoever still waits for a rebalance is told to look for another coordinator.
        inner.waiting.clear();
    }

    /// Writes what the coordinator wants written until `stopped`, everything that is due in one go.
    pub(crate) async fn write_records(&self, stopped: impl Future<Output = ()>) {
        let Some(mut records) = lock(&self.records).take() else { return };
        let mut stopped = std::pin::pin!(stopped);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = records.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = &mut stopped => return,
            }
            let (ids, changes): (Vec<PersistId>, Vec<Vec<RecordChange>>) = batch.drain(..).unzip();
            let written =
                self.storage.metadata().commit(changes.into_iter().flatten().map(stored).collect()).await;
            if let Err(error) = &written {
                tracing::error!(error = %chain(error), "group records not written");
            }
            let mut inner = lock(&self.inner);
            for id in ids {
                let effects = inner.coordinator.persisted(id, written.is_ok(), self.clock.now_ms());
                inner.perform(effects);
            }
        }
    }
}

fn stored(change: RecordChange) -> MetadataChange {
    MetadataChange { kind: MetadataKind::GroupOffset, key: change.key, value: change.value }
}
