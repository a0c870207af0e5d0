//! Transactions: the coordinator's steps carried out over the storage's metadata, markers, and what readers may see.
//!
//! Every step is committed provided that what is known of the transactional id is still what it was planned on, so that any
//! broker may take it; `docs/rfcs/0006-transactions.md` says why.

mod completion;
mod isolation;
mod maintenance;
mod offsets;
mod steps;
pub(crate) mod tables;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use cadastre_coordinator::{Transaction, TransactionError};
use cadastre_storage::{Clock, MetadataChange, MetadataKind, Sight, Storage, StorageError};
use tokio::sync::{Mutex, MutexGuard, watch};

use self::tables::OpenRecord;
use super::groups::Groups;
use crate::config::BrokerConfig;
use crate::listeners::listener_security::chain;

pub(crate) use self::isolation::AbortedRange;
pub(crate) use self::offsets::TransactionalCommit;

/// How many locks the transactional ids share.
const LOCKS: usize = 64;
/// How often a step is planned anew when others get in between.
const TRIES: usize = 20;

/// The transactions of the cluster.
#[derive(Debug)]
pub(crate) struct Transactions {
    storage: Storage,
    clock: Clock,
    groups: Arc<Groups>,
    maximum_timeout_ms: i64,
    expiration_ms: i64,
    /// Held from reading what is known to writing what is next: in embedded mode nothing else orders the steps.
    locks: Vec<Mutex<()>>,
    /// Rises whenever a transaction is completed here.
    completed: watch::Sender<u64>,
}

/// What is known of a transactional id, and at which version of the metadata.
struct Known {
    version: u64,
    transaction: Option<Transaction>,
}

impl Transactions {
    pub(crate) fn new(
        storage: &Storage,
        config: &BrokerConfig,
        clock: Clock,
        groups: Arc<Groups>,
    ) -> Arc<Self> {
        Arc::new(Self {
            storage: storage.clone(),
            clock,
            groups,
            maximum_timeout_ms: config.number("transaction.max.timeout.ms"),
            expiration_ms: config.number("transactional.id.expiration.ms"),
            locks: std::iter::repeat_with(Mutex::default).take(LOCKS).collect(),
            completed: watch::Sender::new(0),
        })
    }

    /// What is known of a transactional id, as far as this broker has heard.
    ///
    /// # Errors
    ///
    /// [`TransactionError::CoordinatorNotAvailable`] when it cannot be understood.
    pub(crate) fn find(&self, id: &str) -> Result<Option<Transaction>, TransactionError> {
        self.known(id).map(|known| known.transaction)
    }

    /// Every transactional id with what is known of it; what cannot be understood is left out and reported.
    pub(crate) fn all(&self) -> Vec<(String, Transaction)> {
        let entries = self.storage.metadata().entries(MetadataKind::Transaction).into_iter();
        let decoded = entries.filter_map(|(id, value)| decode(&id, &value).ok().map(|found| (id, found)));
        decoded.collect()
    }

    /// Brings this broker's copy up to what others have written.
    ///
    /// # Errors
    ///
    /// [`TransactionError::CoordinatorNotAvailable`].
    pub(crate) async fn refresh(&self) -> Result<(), TransactionError> {
        self.storage.metadata().refresh().await.map_err(|error| unavailable(&error))
    }

    async fn lock(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        match self.locks.get(place) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    fn known(&self, id: &str) -> Result<Known, TransactionError> {
        let metadata = self.storage.metadata();
        // The version first: a change in between is then found when the step is committed.
        let version = metadata.version();
        let value = metadata.get(MetadataKind::Transaction, id);
        let transaction = value.map(|value| decode(id, &value)).transpose()?;
        Ok(Known { version, transaction })
    }

    /// Writes the next state of a transactional id with everything that follows from it, if it still is as it was known.
    /// Whether it was.
    async fn write(
        &self,
        id: &str,
        known: &Known,
        next: Option<&Transaction>,
        more: Vec<(MetadataChange, Sight)>,
        registry: Option<i64>,
    ) -> Result<bool, TransactionError> {
        let before = known.transaction.as_ref();
        let sight = if before.is_some() { Sight::Present } else { Sight::Absent };
        let (kind, key) = (MetadataKind::Transaction, id.to_owned());
        let mut changes = vec![(MetadataChange { kind, key, value: next.map(Transaction::encode) }, sight)];
        changes.extend(participants(before, next));
        changes.extend(more);
        let metadata = self.storage.metadata();
        match metadata.commit_unchanged_as_coordinator(registry, known.version, changes).await {
            Ok(()) => Ok(true),
            Err(StorageError::Conflict { .. }) => {
                self.refresh().await?;
                Ok(false)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// What joining and leaving partitions come to in the table of open transactions.
fn participants(before: Option<&Transaction>, next: Option<&Transaction>) -> Vec<(MetadataChange, Sight)> {
    let open = |transaction: Option<&Transaction>| {
        let of = |it: &Transaction| {
            let id = it.producer.id;
            it.partitions.iter().map(|(at, first)| (tables::open_key(*at, id), *first)).collect()
        };
        transaction.map_or_else(std::collections::BTreeMap::new, of)
    };
    let (before, next) = (open(before), open(next));
    let kind = MetadataKind::OpenTransaction;
    let left = before.keys().filter(|key| !next.contains_key(*key));
    let left = left.map(|key| MetadataChange { kind, key: key.clone(), value: None });
    let joined = next.iter().filter(|(key, _)| !before.contains_key(*key)).map(|(key, first)| {
        let value = OpenRecord::new(*first).encode();
        MetadataChange { kind, key: key.clone(), value: Some(value) }
    });
    left.chain(joined).map(|change| (change, Sight::Any)).collect()
}

fn decode(id: &str, value: &[u8]) -> Result<Transaction, TransactionError> {
    Transaction::decode(id, value).map_err(|error| {
        tracing::error!(error = %chain(&error), "a transaction cannot be read");
        TransactionError::CoordinatorNotAvailable
    })
}

fn unavailable(error: &StorageError) -> TransactionError {
    tracing::warn!(error = %chain(error), "a transaction's step is not written");
    TransactionError::CoordinatorNotAvailable
}
