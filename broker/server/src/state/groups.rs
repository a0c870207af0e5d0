//! The consumer groups: the coordinator's state machine, its clock, and its records in the storage's metadata.

mod consumers;
mod pending;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cadastre_coordinator::{
    Command, CommittedOffset, CoordinatorConfig, DescribedGroup, Effect, GroupCoordinator, GroupError,
    ListedGroup, PersistId, RecordChange, ReplyToken, Response, RestoreError,
};
use cadastre_storage::{Clock, MetadataChange, MetadataKind, Registry, Storage, StorageError};
use tokio::sync::{mpsc, oneshot};

use self::pending::OffsetLocks;
use super::StateError;
use super::topics::Topics;
use crate::config::BrokerConfig;
use crate::listeners::listener_security::chain;
use crate::sync::lock;

/// How often the coordinator looks at its deadlines.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait before groups that could not be read are read again.
const RETRY: Duration = Duration::from_millis(200);
/// How many changes are written together at most.
const BATCH: usize = 1000;

/// The groups that this broker coordinates: all of them, or its share in a cluster.
#[derive(Debug)]
pub(crate) struct Groups {
    storage: Storage,
    clock: Clock,
    node_id: i32,
    topics: Arc<Topics>,
    /// Whether `group.coordinator.rebalance.protocols` names the newer protocol.
    takes_consumer_protocol: bool,
    settings: CoordinatorConfig,
    inner: Mutex<Inner>,
    records: Mutex<Option<mpsc::UnboundedReceiver<Record>>>,
    offset_locks: OffsetLocks,
}

/// What a coordinator wants written.
#[derive(Debug)]
struct Record {
    /// Which coordinator; one that was replaced is told nothing any more.
    term: u64,
    /// The version of the registry on which it coordinates.
    registry: Option<i64>,
    id: PersistId,
    changes: Vec<RecordChange>,
}

#[derive(Debug)]
struct Inner {
    coordinator: GroupCoordinator,
    waiting: BTreeMap<ReplyToken, oneshot::Sender<Response>>,
    next_token: u64,
    /// Sent under the lock, so that records are written in the order in which the coordinator decided. What waits
    /// here is bounded by the connections: each has one request at a time.
    records: mpsc::UnboundedSender<Record>,
    is_closed: bool,
    /// The brokers among which the groups are shared; `None` in embedded mode.
    registry: Option<Registry>,
    /// Rises each time the groups are shared anew.
    term: u64,
    /// Whether the groups are being read.
    is_loading: bool,
    /// The version of the topics that the coordinator knows.
    topics_version: Option<u64>,
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
                    let registry = self.registry.as_ref().map(|registry| registry.version);
                    let _stopped = self.records.send(Record { term: self.term, registry, id, changes });
                }
            }
        }
    }
}

impl Inner {
    /// Whether this broker coordinates a group at the moment.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotCoordinator`], [`GroupError::CoordinatorNotAvailable`] while the groups are read.
    fn check(&self, node_id: i32, group_id: &str) -> Result<(), GroupError> {
        if self.is_closed || self.is_loading {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if owns(self.registry.as_ref(), node_id, group_id) { Ok(()) } else { Err(GroupError::NotCoordinator) }
    }
}

/// Whether a group is the share of a broker.
fn owns(registry: Option<&Registry>, node_id: i32, group_id: &str) -> bool {
    let coordinator = |registry: &Registry| registry.coordinator(group_id).map(|broker| broker.node_id);
    registry.is_none_or(|registry| coordinator(registry) == Some(node_id))
}

impl Groups {
    /// Reads the groups that the storage holds.
    pub(crate) fn load(
        storage: &Storage,
        config: &BrokerConfig,
        clock: Clock,
        topics: &Arc<Topics>,
    ) -> Result<Arc<Self>, StateError> {
        let settings = settings::of(config);
        let registry = storage.registry().map(|registry| registry.borrow().clone());
        let coordinator = restore(storage, &settings, registry.as_ref(), config.node_id, clock.now_ms())?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let inner = Inner {
            coordinator,
            waiting: BTreeMap::new(),
            next_token: 0,
            records: sender,
            is_closed: false,
            // What was read may be older than the registration: others coordinated until then. It is read again first of all.
            is_loading: registry.is_some(),
            registry,
            term: 0,
            topics_version: None,
        };
        Ok(Arc::new(Self {
            storage: storage.clone(),
            clock,
            node_id: config.node_id,
            topics: Arc::clone(topics),
            takes_consumer_protocol: settings::takes_consumer_protocol(config),
            settings,
            inner: Mutex::new(inner),
            records: Mutex::new(Some(receiver)),
            offset_locks: OffsetLocks::default(),
        }))
    }

    /// The broker that coordinates a group, as far as this one knows.
    pub(crate) fn coordinator(&self, group_id: &str) -> Option<i32> {
        match self.storage.registry() {
            None => Some(self.node_id),
            Some(registry) => registry.borrow().coordinator(group_id).map(|broker| broker.node_id),
        }
    }

    /// Shares the groups anew whenever brokers come or go, until `stopped`.
    pub(crate) async fn follow_registry(&self, stopped: impl Future<Output = ()>) {
        let Some(mut registry) = self.storage.registry() else { return };
        let mut stopped = std::pin::pin!(stopped);
        loop {
            let latest = registry.borrow_and_update().clone();
            let is_known = {
                let inner = lock(&self.inner);
                let known = inner.registry.as_ref();
                !inner.is_loading && known.is_some_and(|known| known.version == latest.version)
            };
            let is_done = is_known || self.share_anew(latest).await;
            tokio::select! {
                () = &mut stopped => return,
                changed = registry.changed(), if is_done => if changed.is_err() { return },
                () = tokio::time::sleep(RETRY), if !is_done => {}
            }
        }
    }

    /// Forgets everything but what is written, reads this broker's share, and goes on with that. Members and offsets that
    /// were written go on where they were; requests that wait are told to look for their coordinator. Whether it worked.
    async fn share_anew(&self, registry: Registry) -> bool {
        {
            let mut inner = lock(&self.inner);
            inner.is_loading = true;
            inner.waiting.clear();
        }
        // What coordinators wrote on an older registry is in the metadata by now, or will never be.
        let refreshed = match self.storage.metadata().refresh().await {
            // A coordinator that knew less of topics than the one before would take partitions away.
            Ok(()) => self.topics.reload().await,
            Err(error) => Err(error.into()),
        };
        let restored = match refreshed {
            Ok(()) => {
                let now_ms = self.clock.now_ms();
                restore(&self.storage, &self.settings, Some(&registry), self.node_id, now_ms)
            }
            Err(error) => Err(error),
        };
        match restored {
            Ok(coordinator) => {
                let mut inner = lock(&self.inner);
                inner.waiting.clear();
                inner.coordinator = coordinator;
                inner.topics_version = None;
                inner.registry = Some(registry);
                inner.term = inner.term.saturating_add(1);
                inner.is_loading = false;
                true
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "groups are not shared anew yet");
                false
            }
        }
    }

    /// Has the coordinator carry out a command and waits for its answer, which may take as long as a rebalance.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotCoordinator`] for a group of another broker, [`GroupError::CoordinatorNotAvailable`] when the broker
    /// stops first, or the groups are shared anew.
    pub(crate) async fn ask(&self, group_id: &str, command: Command) -> Result<Response, GroupError> {
        let answer = {
            let mut inner = lock(&self.inner);
            inner.check(self.node_id, group_id)?;
            let token = ReplyToken(inner.next_token);
            inner.next_token += 1;
            let (sender, answer) = oneshot::channel();
            inner.waiting.insert(token, sender);
            if matches!(command, Command::ConsumerHeartbeat(_) | Command::Join(_) | Command::Sync(_)) {
                self.show_topics(&mut inner);
            }
            let now_ms = self.clock.now_ms();
            // What is due happens before what is asked after it: a member whose time is over is no member any more.
            let effects = inner.coordinator.poll_timeouts(now_ms);
            inner.perform(effects);
            let effects = inner.coordinator.handle(token, command, now_ms);
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
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub(crate) fn describe(&self, group_id: &str) -> Result<DescribedGroup, GroupError> {
        let inner = lock(&self.inner);
        inner.check(self.node_id, group_id)?;
        Ok(inner.coordinator.describe_group(group_id))
    }

    /// Makes sure that this broker still coordinates what it thinks, so that it answers nothing from the past.
    ///
    /// # Errors
    ///
    /// [`GroupError::CoordinatorNotAvailable`] when that cannot be found out.
    pub(crate) async fn confirm(&self) -> Result<(), GroupError> {
        let confirmed = self.storage.confirm_registry().await;
        let registry = confirmed.map_err(|_failed| GroupError::CoordinatorNotAvailable)?;
        let inner = lock(&self.inner);
        match (registry, &inner.registry) {
            (Some(now), Some(known)) if now.version != known.version => {
                Err(GroupError::CoordinatorNotAvailable)
            }
            _ => Ok(()),
        }
    }

    /// What a group has committed, by topic and partition.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub(crate) fn offsets(
        &self,
        group_id: &str,
    ) -> Result<BTreeMap<(String, i32), CommittedOffset>, GroupError> {
        let inner = lock(&self.inner);
        inner.check(self.node_id, group_id)?;
        let offsets = inner.coordinator.committed_offsets(group_id);
        let owned = |(topic, partition, offset): (&str, i32, &CommittedOffset)| {
            ((topic.to_owned(), partition), offset.clone())
        };
        Ok(offsets.map(owned).collect())
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
                    self.follow_topics();
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
            let mut due = std::mem::take(&mut batch).into_iter().peekable();
            // Those of one term are written together.
            while let Some(Record { term, registry, id, changes }) = due.next() {
                let (mut ids, mut together) = (vec![id], changes);
                while let Some(more) = due.next_if(|record| record.term == term) {
                    ids.push(more.id);
                    together.extend(more.changes);
                }
                let is_written = self.write(registry, together).await;
                let mut inner = lock(&self.inner);
                if inner.term != term {
                    continue;
                }
                for id in ids {
                    let effects = inner.coordinator.persisted(id, is_written, self.clock.now_ms());
                    inner.perform(effects);
                }
            }
        }
    }

    /// Writes what was decided on a registry; whether it is durable.
    async fn write(&self, registry: Option<i64>, changes: Vec<RecordChange>) -> bool {
        let metadata = self.storage.metadata();
        let changes = changes.into_iter().map(stored).collect();
        let written = match registry {
            Some(registry) => metadata.commit_as_coordinator(registry, changes).await,
            None => metadata.commit(changes).await,
        };
        match written {
            Ok(()) => true,
            Err(StorageError::RegistryChanged) => {
                // Asking makes the change known, and with it the groups are shared anew.
                if let Err(error) = self.storage.confirm_registry().await {
                    tracing::warn!(error = %chain(&error), "the brokers of the cluster are not known");
                }
                false
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "group records not written");
                false
            }
        }
    }
}

/// A coordinator with the groups that are a broker's share.
fn restore(
    storage: &Storage,
    settings: &CoordinatorConfig,
    registry: Option<&Registry>,
    node_id: i32,
    now_ms: i64,
) -> Result<GroupCoordinator, StateError> {
    let unreadable = |error: RestoreError| StateError::unreadable("group", "", chain(&error));
    let mut own = Vec::new();
    for (key, value) in storage.metadata().entries(MetadataKind::GroupOffset) {
        if owns(registry, node_id, &GroupCoordinator::group_of(&key).map_err(unreadable)?) {
            own.push((key, value));
        }
    }
    GroupCoordinator::restore(settings.clone(), own, now_ms).map_err(unreadable)
}

fn stored(change: RecordChange) -> MetadataChange {
    MetadataChange { kind: MetadataKind::GroupOffset, key: change.key, value: change.value }
}
