//! What the tasks of one sequencer share: connections, keys, copies, and the news to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cadastre_protocol::types::TopicPartition;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSqlOwned, ToSql};

use super::confirmation::Confirmation;
use super::connection::{CallError, Link, chain};
use super::metadata::FollowedMetadata;
use super::rows::tampered;
use super::seal::ClusterSeal;
use super::store::{ReadFailure, Reader, Source};
use super::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::error::SequencerError;
use crate::partition::{PartitionState, PartitionView};

/// How many connections serve everything but commits.
const READ_LINKS: usize = 2;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) seal: ClusterSeal,
    /// For the committer alone.
    pub(crate) commits: Link,
    reads: [Link; READ_LINKS],
    next_read: AtomicUsize,
    pub(crate) metadata: FollowedMetadata,
    pub(crate) partitions: PartitionView,
    pub(crate) confirmation: Confirmation,
    pub(crate) commit_deadline: Duration,
    pub(crate) poll_interval: Duration,
    /// The name under which brokers tell each other what moved.
    pub(crate) channel: String,
    /// Tells own notifications from those of others.
    pub(crate) instance: String,
    news: Mutex<News>,
    pub(crate) has_news: Notify,
    /// Held while the set of partitions in the view is compared with the database, or changed.
    pub(crate) following: tokio::sync::Mutex<()>,
    failure: OnceLock<String>,
}

/// What moved since others were told.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) partitions: BTreeSet<TopicPartition>,
    pub(crate) metadata: bool,
    /// Topics came or went.
    pub(crate) everything: bool,
}

impl Shared {
    pub(crate) fn new(
        seal: ClusterSeal,
        connector: &super::connection::Connector,
        settings: &super::PostgresConfig,
        instance: String,
    ) -> Self {
        let link = || Link::new(connector.clone());
        Self {
            seal,
            commits: link(),
            reads: std::array::from_fn(|_| link()),
            next_read: AtomicUsize::new(0),
            metadata: FollowedMetadata::new(),
            partitions: PartitionView::default(),
            confirmation: Confirmation::default(),
            commit_deadline: settings.commit_deadline,
            poll_interval: settings.poll_interval,
            channel: format!("cadastre {}", settings.schema),
            instance,
            news: Mutex::default(),
            has_news: Notify::new(),
            following: tokio::sync::Mutex::new(()),
            failure: OnceLock::new(),
        }
    }

    /// A connection for reading and small changes, in turn.
    pub(crate) fn link(&self) -> &Link {
        let turn = self.next_read.fetch_add(1, Ordering::Relaxed) % READ_LINKS;
        self.reads.get(turn).unwrap_or(&self.commits)
    }

    /// Refuses everything once the database was found altered.
    pub(crate) fn check(&self) -> Result<(), SequencerError> {
        self.failure.get().map_or(Ok(()), |what| Err(tampered(what.clone())))
    }

    /// Notes an error that ends all trust in the database.
    pub(crate) fn note(&self, error: &SequencerError) {
        if let SequencerError::Tampered { what } = error {
            tracing::error!(%what, "the database was altered; nothing more is read or committed");
            // A second finding is a consequence of the first.
            drop(self.failure.set(what.clone()));
        }
    }

    /// Asks until there is an answer, or it is too late. The statement must be harmless to repeat.
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, SequencerError> {
        let deadline = Instant::now() + self.commit_deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            self.check()?;
            match self.link().query(sql, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(CallError::Lost(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The first column of the only row; as [`Shared::query`].
    pub(crate) async fn value<T: FromSqlOwned>(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<T, SequencerError> {
        let rows = self.query(sql, parameters).await?;
        let row = rows.first().ok_or_else(|| tampered("a function gave no row"))?;
        row.try_get(0).map_err(|error| tampered(chain(&error)))
    }

    /// Reads, trying again while connections are lost.
    pub(crate) const fn reader(&self) -> Reader<'_> {
        Reader { source: Source::Any(self), seal: &self.seal }
    }

    /// Notes what cannot be believed.
    pub(crate) fn noted<T>(&self, read: Result<T, ReadFailure>) -> Result<T, SequencerError> {
        read.map_err(SequencerError::from).inspect_err(|error| self.note(error))
    }

    fn news(&self) -> std::sync::MutexGuard<'_, News> {
        // A poisoned lock means that a thread panicked; news are hints and may be incomplete.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn announce_partition(&self, partition: TopicPartition) {
        self.news().partitions.insert(partition);
        self.has_news.notify_one();
    }

    pub(crate) fn announce_metadata(&self) {
        self.news().metadata = true;
        self.has_news.notify_one();
    }

    pub(crate) fn announce_topics(&self) {
        self.news().everything = true;
        self.has_news.notify_one();
    }

    pub(crate) fn take_news(&self) -> News {
        std::mem::take(&mut *self.news())
    }

    /// Brings both copies up to date.
    pub(crate) async fn refresh(&self) -> Result<(), SequencerError> {
        self.refresh_metadata().await?;
        let _following = self.following.lock().await;
        let before: BTreeMap<_, _> = self.partitions.all().into_iter().collect();
        let found = self.noted(self.reader().all_partitions().await)?;
        let present: BTreeSet<TopicPartition> = found.iter().map(|(partition, _)| *partition).collect();
        self.advance(&before, found)?;
        self.partitions.retain(|partition| present.contains(partition));
        Ok(())
    }

    /// Takes over what was read. What was known before the question was asked can only be older than the answer.
    fn advance(
        &self,
        before: &BTreeMap<TopicPartition, PartitionState>,
        found: Vec<(TopicPartition, PartitionState)>,
    ) -> Result<(), SequencerError> {
        found
            .into_iter()
            .try_for_each(|(partition, state)| match before.get(&partition) {
                Some(known) if known.version > state.version => {
                    Err(tampered(format!("partition `{partition}` was put back")))
                }
                _ => self.partitions.advance(partition, state),
            })
            .inspect_err(|error| self.note(error))
    }

    pub(crate) async fn refresh_metadata(&self) -> Result<(), SequencerError> {
        self.check()?;
        let refreshed = self.metadata.refresh(self.link(), &self.seal).await;
        refreshed.inspect_err(|error| self.note(error))
    }

    /// Brings some partitions up to date.
    pub(crate) async fn refresh_partitions(&self, wanted: &[TopicPartition]) -> Result<(), SequencerError> {
        let _following = self.following.lock().await;
        let known = |it: &TopicPartition| Some((*it, self.partitions.get(*it)?));
        let before: BTreeMap<_, _> = wanted.iter().filter_map(known).collect();
        let found = self.noted(self.reader().partitions(wanted).await)?;
        let mut missing: BTreeSet<TopicPartition> = wanted.iter().copied().collect();
        missing.retain(|partition| found.iter().all(|(present, _)| present != partition));
        self.advance(&before, found)?;
        self.partitions.retain(|partition| !missing.contains(partition));
        Ok(())
    }
}
