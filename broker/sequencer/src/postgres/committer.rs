//! The one task of a broker that changes partitions: it commits everything that waits in one transaction, and keeps what
//! it knows from its last one, so that the next needs no reading.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cadastre_protocol::types::TopicPartition;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connection::{CallError, Session};
use super::rows::{KnownObject, tampered};
use super::shared::Shared;
use super::store::{ReadFailure, Reader, Source};
use super::transition::{Applied, Transition};
use super::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::commit::{BatchOutcome, CommitOutcome, CommitRequest, Slice};
use crate::error::SequencerError;
use crate::ids::{BrokerEpoch, ObjectId};
use crate::object::Replacement;
use crate::partition::PartitionState;
use crate::plan::{Plan, ProducerKey, WorkingSet, needs, plan};
use crate::producer::ProducerEntry;

/// How many objects are committed together at most.
const LARGEST_GROUP: usize = 64;
/// How many slices or producers one transaction lets go at most.
const REMOVED_AT_ONCE: usize = 1000;
/// What is remembered of producers is dropped beyond this many.
const REMEMBERED_PRODUCERS: usize = 200_000;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, SequencerError>>;

/// A change of partitions.
#[derive(Debug)]
pub(crate) enum Job {
    Commit(CommitRequest, Reply<CommitOutcome>),
    MoveLogStart {
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
        reply: Reply<i64>,
    },
    Replace(Box<Replacement>, Reply<()>),
    ExpireProducers {
        broker: BrokerEpoch,
        idle_since_ms: i64,
        reply: Reply<u64>,
    },
}

#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    partitions: BTreeMap<TopicPartition, PartitionState>,
    producers: BTreeMap<ProducerKey, Option<ProducerEntry>>,
    /// A job that was taken from the queue and does not fit into the group.
    next: Option<Job>,
}

/// Why an attempt did not succeed.
#[derive(Debug)]
enum Failure {
    /// Not even sent.
    Unsent(String),
    /// Sent, and no answer.
    Lost(String),
    Conflict,
    ObjectExists,
    Fenced,
    LeaseLost,
    Final(SequencerError),
}

impl From<ReadFailure> for Failure {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Call(CallError::Lost(reason)) => Self::Unsent(reason),
            other => Self::Final(other.into()),
        }
    }
}

impl From<SequencerError> for Failure {
    fn from(error: SequencerError) -> Self {
        Self::Final(error)
    }
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, partitions: BTreeMap::new(), producers: BTreeMap::new(), next: None }
    }

    /// Works until the queue is closed.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            let job = match self.next.take() {
                Some(job) => Some(job),
                None => jobs.recv().await,
            };
            let Some(job) = job else { return };
            match job {
                Job::Commit(request, reply) => {
                    let group = self.gather(request, reply, &mut jobs);
                    self.commit_group(group).await;
                }
                Job::MoveLogStart { broker, partition, before, now_ms, reply } => {
                    answer(reply, self.move_log_start(broker, partition, before, now_ms).await);
                }
                Job::Replace(replacement, reply) => answer(reply, self.replace(&replacement).await),
                Job::ExpireProducers { broker, idle_since_ms, reply } => {
                    answer(reply, self.expire_producers(broker, idle_since_ms).await);
                }
            }
            if self.producers.len() > REMEMBERED_PRODUCERS {
                self.producers.clear();
            }
        }
    }

    /// Takes what waits and may share a transaction: commits of the same epoch, of different objects.
    fn gather(
        &mut self,
        request: CommitRequest,
        reply: Reply<CommitOutcome>,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Vec<(CommitRequest, Reply<CommitOutcome>)> {
        let epoch = request.object.epoch;
        let mut objects = BTreeSet::from([request.object]);
        let mut group = vec![(request, reply)];
        while group.len() < LARGEST_GROUP {
            match jobs.try_recv() {
                Ok(Job::Commit(request, reply))
                    if request.object.epoch == epoch && objects.insert(request.object) =>
                {
                    group.push((request, reply));
                }
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(_empty) => break,
            }
        }
        group
    }

    async fn commit_group(&mut self, mut group: Vec<(CommitRequest, Reply<CommitOutcome>)>) {
        let deadline = Instant::now() + self.shared.commit_deadline;
        let mut pause = FIRST_PAUSE;
        let mut is_unknown = false;
        while let Some(epoch) = group.first().map(|(request, _)| request.object.epoch) {
            let requests: Vec<CommitRequest> = group.iter().map(|(request, _)| request.clone()).collect();
            let failure = match self.attempt(epoch, &requests).await {
                Ok(outcomes) => {
                    group
                        .drain(..)
                        .zip(outcomes)
                        .for_each(|((_, reply), outcome)| answer(reply, Ok(outcome)));
                    return;
                }
                Err(failure) => failure,
            };
            self.forget(requests.iter().flat_map(|request| request.appends.iter().map(|it| it.partition)));
            let is_late = Instant::now() >= deadline;
            match failure {
                // Another broker committed; a wait would only help it to do so again.
                Failure::Conflict if !is_late => {}
                Failure::ObjectExists => {
                    if let Err(error) = self.answer_known(&mut group).await {
                        return refuse(group, |_| again(&error));
                    }
                }
                Failure::Unsent(reason) | Failure::Lost(reason) if is_late => {
                    return refuse(group, |object| unresolved(object, is_unknown, &reason));
                }
                Failure::Conflict => {
                    return refuse(group, |object| {
                        unresolved(object, is_unknown, "others commit all the time")
                    });
                }
                Failure::Unsent(reason) => {
                    tracing::warn!(%reason, "a commit waits for the database");
                    wait(&mut pause).await;
                }
                Failure::Lost(reason) => {
                    tracing::warn!(%reason, "the outcome of a commit is not known yet");
                    is_unknown = true;
                    wait(&mut pause).await;
                }
                Failure::Fenced => {
                    // Nothing of this epoch can be under way any more, so that what is not there will not be.
                    if is_unknown && let Err(error) = self.answer_known(&mut group).await {
                        return refuse(group, |object| unresolved(object, true, &error.to_string()));
                    }
                    return refuse(group, |_| SequencerError::Fenced { epoch });
                }
                Failure::LeaseLost => return refuse(group, |_| SequencerError::Closed),
                Failure::Final(error) => {
                    let unresolved = |object| match &error {
                        SequencerError::Tampered { .. } => again(&error),
                        other if is_unknown => unresolved(object, true, &other.to_string()),
                        other => again(other),
                    };
                    return refuse(group, unresolved);
                }
            }
        }
    }

    /// Plans on what is known, reads what is not, and applies.
    async fn attempt(
        &mut self,
        epoch: BrokerEpoch,
        requests: &[CommitRequest],
    ) -> Result<Vec<CommitOutcome>, Failure> {
        let session = self.session().await?;
        let (mut partitions, mut producers) = (BTreeSet::new(), BTreeSet::new());
        for (more_partitions, more_producers) in requests.iter().map(needs) {
            partitions.extend(more_partitions);
            producers.extend(more_producers);
        }
        let known = self.learn(&session, &partitions, &producers).await?;
        let planned = plan(requests, &known);
        // What looks like a producer's repetition may be this very object, committed by a call whose answer was lost.
        // Asked after what is known was read: a commit that was seen there has its object's row here.
        let repeated: Vec<ObjectId> = requests
            .iter()
            .zip(&planned.outcomes)
            .filter(|(_, outcome)| {
                outcome.appends.iter().flatten().any(|it| matches!(it, BatchOutcome::Duplicate(_)))
            })
            .map(|(request, _)| request.object)
            .collect();
        if !repeated.is_empty() && !self.reader(&session).objects(&repeated).await?.is_empty() {
            return Err(Failure::ObjectExists);
        }
        let transition = transition(epoch, requests, &planned, &known)?;
        if !transition.is_empty() {
            self.apply(&session, &transition).await?;
        }
        let Plan { outcomes, partitions, producers, .. } = planned;
        for (key, entry) in producers {
            self.producers.insert(key, Some(entry));
        }
        self.advance(partitions.into_iter().map(|(partition, (_, state))| (partition, state)))?;
        Ok(outcomes)
    }

    async fn session(&self) -> Result<Arc<Session>, Failure> {
        self.shared.check()?;
        match self.shared.commits.session().await {
            Ok(session) => Ok(session),
            Err(CallError::Lost(reason)) => Err(Failure::Unsent(reason)),
            Err(other) => Err(Failure::Final(other.into())),
        }
    }

    async fn apply(&self, session: &Arc<Session>, transition: &Transition) -> Result<(), Failure> {
        match transition.apply(session, &self.shared.seal).await {
            Ok(Applied::Yes) => Ok(()),
            Ok(Applied::Fenced) => Err(Failure::Fenced),
            Ok(Applied::LeaseLost) => Err(Failure::LeaseLost),
            Ok(Applied::Conflict) => Err(Failure::Conflict),
            Err(CallError::ObjectExists) => Err(Failure::ObjectExists),
            Err(CallError::Lost(reason)) => {
                self.shared.commits.give_up(session).await;
                Err(Failure::Lost(reason))
            }
            Err(other) => Err(Failure::Final(other.into())),
        }
    }

    /// What is remembered of partitions and producers, and the rest from the database. What is remembered may be old; the
    /// comparison of versions finds that. Partitions are read before producers, so that a producer is never older.
    async fn learn(
        &mut self,
        session: &Session,
        partitions: &BTreeSet<TopicPartition>,
        producers: &BTreeSet<ProducerKey>,
    ) -> Result<WorkingSet, Failure> {
        let unknown: Vec<TopicPartition> =
            partitions.iter().filter(|it| !self.partitions.contains_key(it)).copied().collect();
        if !unknown.is_empty() {
            let before: Vec<_> = unknown.iter().map(|it| self.shared.partitions.get(*it)).collect();
            self.producers.retain(|(partition, _), _| !unknown.contains(partition));
            let found: BTreeMap<_, _> =
                self.reader(session).partitions(&unknown).await?.into_iter().collect();
            for (partition, before) in unknown.iter().zip(before) {
                let is_older = |state: &PartitionState| before.is_some_and(|it| it.version > state.version);
                if found.get(partition).is_some_and(is_older) {
                    return Err(tampered(format!("partition `{partition}` was put back")).into());
                }
            }
            self.partitions.extend(found);
        }
        let unknown: Vec<ProducerKey> = producers
            .iter()
            .filter(|key| self.partitions.contains_key(&key.0) && !self.producers.contains_key(key))
            .copied()
            .collect();
        if !unknown.is_empty() {
            let found: BTreeMap<_, _> = self.reader(session).producers(&unknown).await?.into_iter().collect();
            self.producers.extend(unknown.into_iter().map(|key| (key, found.get(&key).cloned())));
        }
        Ok(WorkingSet {
            partitions: partitions.iter().map(|it| (*it, self.partitions.get(it).copied())).collect(),
            producers: producers
                .iter()
                .map(|key| (*key, self.producers.get(key).cloned().flatten()))
                .collect(),
        })
    }

    fn forget(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        for partition in partitions {
            self.partitions.remove(&partition);
        }
    }

    /// Remembers and publishes what was committed.
    fn advance(
        &mut self,
        changed: impl IntoIterator<Item = (TopicPartition, PartitionState)>,
    ) -> Result<(), SequencerError> {
        for (partition, state) in changed {
            self.partitions.insert(partition, state);
            self.shared.partitions.advance(partition, state)?;
            self.shared.announce_partition(partition);
        }
        Ok(())
    }

    /// Answers for objects that exist, and leaves the others in the group.
    async fn answer_known(
        &self,
        group: &mut Vec<(CommitRequest, Reply<CommitOutcome>)>,
    ) -> Result<(), SequencerError> {
        let ids: Vec<ObjectId> = group.iter().map(|(request, _)| request.object).collect();
        let mut known = self.known_objects(&ids).await?;
        for (request, reply) in std::mem::take(group) {
            let object = request.object;
            match known.remove(&object) {
                None => group.push((request, reply)),
                Some(KnownObject::Committed(Some(outcome))) => answer(reply, Ok(outcome)),
                Some(KnownObject::Committed(None) | KnownObject::Abandoned) => {
                    answer(reply, Err(SequencerError::Abandoned { object }));
                }
            }
        }
        Ok(())
    }

    async fn known_objects(
        &self,
        ids: &[ObjectId],
    ) -> Result<BTreeMap<ObjectId, KnownObject>, SequencerError> {
        let found = self.shared.reader().objects(ids).await?;
        Ok(found.into_iter().collect())
    }

    fn reader<'a>(&'a self, session: &'a Session) -> Reader<'a> {
        Reader { source: Source::One(session), seal: &self.shared.seal }
    }

    async fn state(
        &mut self,
        session: &Session,
        partition: TopicPartition,
    ) -> Result<PartitionState, Failure> {
        let known = self.learn(session, &BTreeSet::from([partition]), &BTreeSet::new()).await?;
        let state = known.partitions.get(&partition).copied().flatten();
        state.ok_or(Failure::Final(SequencerError::UnknownPartition { partition }))
    }

    async fn move_log_start(
        &mut self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> Result<i64, SequencerError> {
        let mut retry = Retry::new(&self.shared);
        loop {
            match self.try_to_move(broker, partition, before, now_ms).await {
                Ok(start) if start >= before => return Ok(start),
                Ok(_partly) => {}
                Err(failure) => {
                    self.forget([partition]);
                    retry.after(failure).await.map_err(|failure| failed(failure, broker, ""))?;
                }
            }
        }
    }

    /// Moves the log start, as far as one transaction goes.
    async fn try_to_move(
        &mut self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        before: i64,
        now_ms: i64,
    ) -> Result<i64, Failure> {
        let session = self.session().await?;
        let mut state = self.state(&session, partition).await?;
        if before > state.next_offset {
            // What is remembered may be older than what the caller has seen.
            self.forget([partition]);
            state = self.state(&session, partition).await?;
        }
        if before < 0 || before > state.next_offset {
            return Err(Failure::Final(SequencerError::OffsetOutOfRange {
                partition,
                offset: before,
                log_start_offset: state.log_start,
                next_offset: state.next_offset,
            }));
        }
        if before <= state.log_start {
            return Ok(state.log_start);
        }
        let page = self.reader(&session).page(partition, state.log_start, REMOVED_AT_ONCE).await?;
        let page = page.filter(|page| page.state == state).ok_or(Failure::Conflict)?;
        let is_whole = page.slices.len() < REMOVED_AT_ONCE
            || page.slices.last().is_none_or(|last| last.end_offset >= before);
        let gone: Vec<Slice> = page.slices.into_iter().filter(|slice| slice.end_offset <= before).collect();
        let start = if is_whole { before } else { gone.last().map_or(before, |last| last.end_offset) };
        let mut after = state;
        after.version = state.version.saturating_add(1);
        after.log_start = start;
        after.bytes = state.bytes.saturating_sub(gone.iter().map(|slice| slice.bytes).sum());
        let mut transition = Transition::new(broker, now_ms);
        transition.partition(partition, state.version, after);
        transition.remove(&gone);
        self.apply(&session, &transition).await?;
        self.advance([(partition, after)])?;
        Ok(start)
    }

    async fn replace(&mut self, replacement: &Replacement) -> Result<(), SequencerError> {
        let (object, lease) = (replacement.object, &replacement.lease);
        let mut retry = Retry::new(&self.shared);
        loop {
            let Err(failure) = self.try_to_replace(replacement, retry.is_repeated).await else {
                return Ok(());
            };
            self.forget([replacement.partition]);
            retry.after(failure).await.map_err(|failure| match failure {
                Failure::ObjectExists => SequencerError::Abandoned { object },
                other => failed(other, lease.holder, &lease.name),
            })?;
        }
    }

    async fn try_to_replace(&mut self, replacement: &Replacement, is_repeated: bool) -> Result<(), Failure> {
        let (object, partition, lease) = (replacement.object, replacement.partition, &replacement.lease);
        if is_repeated
            && let Some(KnownObject::Committed(_)) = self.known_objects(&[object]).await?.remove(&object)
        {
            return Ok(());
        }
        let session = self.session().await?;
        let state = self.state(&session, partition).await?;
        let changed =
            || Failure::Final(SequencerError::Conflict { what: format!("partition `{partition}`") });
        let first = replacement.before.first().ok_or_else(changed)?;
        if state.log_start >= first.end_offset {
            return Err(changed());
        }
        let from = first.base_offset.max(state.log_start);
        let count = replacement.before.len();
        let page = self.reader(&session).page(partition, from, count).await?.ok_or(Failure::Conflict)?;
        if page.state != state {
            return Err(Failure::Conflict);
        }
        if page.slices != replacement.before {
            return Err(changed());
        }
        let sum = |slices: &[Slice]| slices.iter().map(|slice| slice.bytes).sum::<u64>();
        let mut after = state;
        after.version = state.version.saturating_add(1);
        let remaining = state.bytes.saturating_sub(sum(&replacement.before));
        after.bytes = remaining.saturating_add(sum(&replacement.after));
        let mut transition =
            Transition::new(lease.holder, replacement.now_ms).under_lease(&lease.name, lease.epoch);
        transition.partition(partition, state.version, after);
        transition.remove(&replacement.before);
        transition.object(object, replacement.object_bytes, &replacement.after, Vec::new());
        self.apply(&session, &transition).await?;
        self.advance([(partition, after)])?;
        Ok(())
    }

    async fn expire_producers(
        &mut self,
        broker: BrokerEpoch,
        idle_since_ms: i64,
    ) -> Result<u64, SequencerError> {
        let maximum = i64::try_from(REMOVED_AT_ONCE).unwrap_or(i64::MAX);
        let mut expired: u64 = 0;
        loop {
            let idle = self.shared.reader().idle_producers(idle_since_ms, maximum).await?;
            let mut by_partition: BTreeMap<TopicPartition, BTreeSet<ProducerKey>> = BTreeMap::new();
            for key in idle {
                by_partition.entry(key.0).or_default().insert(key);
            }
            let mut gone: u64 = 0;
            for (partition, keys) in by_partition {
                gone = gone.saturating_add(self.expire(broker, partition, &keys, idle_since_ms).await?);
            }
            expired = expired.saturating_add(gone);
            if gone == 0 {
                return Ok(expired);
            }
        }
    }

    async fn expire(
        &mut self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        keys: &BTreeSet<ProducerKey>,
        idle_since_ms: i64,
    ) -> Result<u64, SequencerError> {
        let mut retry = Retry::new(&self.shared);
        loop {
            match self.try_to_expire(broker, partition, keys, idle_since_ms).await {
                Ok(gone) => return Ok(gone),
                Err(Failure::Final(SequencerError::UnknownPartition { .. })) => return Ok(0),
                Err(failure) => {
                    self.forget([partition]);
                    retry.after(failure).await.map_err(|failure| failed(failure, broker, ""))?;
                }
            }
        }
    }

    async fn try_to_expire(
        &mut self,
        broker: BrokerEpoch,
        partition: TopicPartition,
        keys: &BTreeSet<ProducerKey>,
        idle_since_ms: i64,
    ) -> Result<u64, Failure> {
        let session = self.session().await?;
        let state = self.state(&session, partition).await?;
        let known = self.learn(&session, &BTreeSet::from([partition]), keys).await?;
        let idle = |entry: &ProducerEntry| entry.last_appended_at_ms() < idle_since_ms;
        let known = known.producers.iter().filter(|(_, entry)| entry.as_ref().is_some_and(idle));
        let gone: Vec<ProducerKey> = known.map(|(key, _)| *key).collect();
        if gone.is_empty() {
            return Ok(0);
        }
        let mut after = state;
        after.version = state.version.saturating_add(1);
        let mut transition = Transition::new(broker, idle_since_ms);
        transition.partition(partition, state.version, after);
        transition.expire(gone.iter().copied());
        self.apply(&session, &transition).await?;
        self.producers.extend(gone.iter().map(|key| (*key, None)));
        self.advance([(partition, after)])?;
        Ok(gone.len() as u64)
    }
}

/// When a change that is harmless to repeat is tried again.
struct Retry {
    deadline: Instant,
    pause: std::time::Duration,
    /// Whether an earlier try may have succeeded.
    is_repeated: bool,
}

impl Retry {
    fn new(shared: &Shared) -> Self {
        Self { deadline: Instant::now() + shared.commit_deadline, pause: FIRST_PAUSE, is_repeated: false }
    }

    /// Waits as the failure asks for; gives it back when there is nothing to wait for.
    async fn after(&mut self, failure: Failure) -> Result<(), Failure> {
        if Instant::now() >= self.deadline {
            return Err(failure);
        }
        match failure {
            Failure::Conflict => {}
            Failure::Unsent(_) => wait(&mut self.pause).await,
            Failure::Lost(_) => {
                self.is_repeated = true;
                wait(&mut self.pause).await;
            }
            other => return Err(other),
        }
        Ok(())
    }
}

/// The transition that brings a plan about.
fn transition(
    epoch: BrokerEpoch,
    requests: &[CommitRequest],
    planned: &Plan,
    known: &WorkingSet,
) -> Result<Transition, SequencerError> {
    let encoding = |_error| SequencerError::Invalid("an outcome cannot be encoded");
    let now_ms = requests.iter().map(|request| request.appended_at_ms).max().unwrap_or_default();
    let mut transition = Transition::new(epoch, now_ms);
    for (partition, (expected, state)) in &planned.partitions {
        transition.partition(*partition, *expected, *state);
    }
    for (partition, expected) in &planned.consulted {
        if let Some(state) = known.partitions.get(partition).copied().flatten() {
            transition.partition(*partition, *expected, state);
        }
    }
    let committed = requests.iter().zip(&planned.slices).zip(&planned.outcomes);
    for ((request, slices), outcome) in committed.filter(|((_, slices), _)| !slices.is_empty()) {
        let outcome = postcard::to_allocvec(outcome).map_err(encoding)?;
        transition.object(request.object, request.object_bytes, slices, outcome);
    }
    for (key, entry) in &planned.producers {
        transition.producer(*key, entry).map_err(encoding)?;
    }
    Ok(transition)
}

fn failed(failure: Failure, broker: BrokerEpoch, lease: &str) -> SequencerError {
    match failure {
        Failure::Fenced => SequencerError::Fenced { epoch: broker },
        Failure::LeaseLost => SequencerError::LeaseLost { name: lease.to_owned() },
        Failure::Final(error) => error,
        Failure::Unsent(reason) | Failure::Lost(reason) => SequencerError::Unavailable { reason },
        Failure::Conflict | Failure::ObjectExists => {
            SequencerError::Unavailable { reason: "others commit all the time".to_owned() }
        }
    }
}

fn unresolved(object: ObjectId, is_unknown: bool, reason: &str) -> SequencerError {
    let reason = reason.to_owned();
    if is_unknown {
        SequencerError::Ambiguous { object, reason }
    } else {
        SequencerError::Unavailable { reason }
    }
}

/// The same error for another of those who wait.
fn again(error: &SequencerError) -> SequencerError {
    match error {
        SequencerError::Tampered { what } => SequencerError::Tampered { what: what.clone() },
        SequencerError::Closed => SequencerError::Closed,
        SequencerError::Invalid(reason) => SequencerError::Invalid(reason),
        SequencerError::Unavailable { reason } => SequencerError::Unavailable { reason: reason.clone() },
        other => SequencerError::Unavailable { reason: other.to_string() },
    }
}

fn refuse(group: Vec<(CommitRequest, Reply<CommitOutcome>)>, error: impl Fn(ObjectId) -> SequencerError) {
    for (request, reply) in group {
        answer(reply, Err(error(request.object)));
    }
}

/// Sends a reply. A caller that gave up waiting is told nothing; what was committed stays.
fn answer<T>(reply: Reply<T>, value: Result<T, SequencerError>) {
    drop(reply.send(value));
}

async fn wait(pause: &mut std::time::Duration) {
    tokio::time::sleep(*pause).await;
    *pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
}
