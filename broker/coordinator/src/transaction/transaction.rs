//! What is known of a transactional id.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::transaction_marker::{TransactionMarker, TransactionResult};
use cadastre_protocol::types::TopicPartition;

use super::error::TransactionError;
use super::state::TransactionState;

/// A producer id with an epoch: one producer, as opposed to those before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdentity {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

impl ProducerIdentity {
    /// Whether the epoch can rise no further for a producer: the largest one is kept for fencing (KIP-360).
    pub fn is_exhausted(self) -> bool {
        self.epoch >= i16::MAX - 1
    }

    pub(super) fn next(self) -> Self {
        Self { epoch: self.epoch.saturating_add(1), ..self }
    }
}

/// A transactional id with its producer and its last transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The producer that may write.
    pub producer: ProducerIdentity,
    /// Who it was before the last step that gave it another epoch, as far as the request for that step may be repeated.
    pub previous: Option<ProducerIdentity>,
    /// The producer id that takes over when the transaction that is being ended is complete.
    pub next_producer_id: Option<i64>,
    /// The transaction's number: rises with each one of the transactional id, and wraps around.
    pub number: i32,
    /// Where it is.
    pub state: TransactionState,
    /// How long a transaction may take, in milliseconds.
    pub timeout_ms: i32,
    /// The partitions that take part, each with an offset before which nothing of the transaction lies.
    pub partitions: BTreeMap<TopicPartition, i64>,
    /// The groups whose offsets take part.
    pub groups: BTreeSet<String>,
    /// When it began, milliseconds since the epoch.
    pub started_at_ms: Option<i64>,
    /// When it was changed last, milliseconds since the epoch.
    pub changed_at_ms: i64,
    /// Whether its producer expects another epoch after each transaction (transaction version 2, KIP-890).
    pub bumps_epoch: bool,
}

impl Transaction {
    /// Whether the producer is the one that may write.
    ///
    /// # Errors
    /// [`TransactionError::InvalidProducerIdMapping`], [`TransactionError::ProducerFenced`].
    pub fn check_producer(&self, producer: ProducerIdentity) -> Result<(), TransactionError> {
        if producer.id != self.producer.id {
            return Err(TransactionError::InvalidProducerIdMapping);
        }
        if producer.epoch != self.producer.epoch {
            return Err(TransactionError::ProducerFenced);
        }
        Ok(())
    }

    /// The number of the transaction that goes on, if the producer may write to the partition in it (KIP-890).
    ///
    /// # Errors
    /// [`TransactionError::InvalidTransactionState`] when the partition takes no part, beside those of
    /// [`Transaction::check_producer`] and [`TransactionError::ConcurrentTransactions`].
    pub fn verify(
        &self,
        producer: ProducerIdentity,
        partition: TopicPartition,
    ) -> Result<i32, TransactionError> {
        self.check_open(producer)?;
        if self.state == TransactionState::Ongoing && self.partitions.contains_key(&partition) {
            Ok(self.number)
        } else {
            Err(TransactionError::InvalidTransactionState)
        }
    }

    /// As [`Transaction::verify`], for offsets of a group.
    ///
    /// # Errors
    /// As [`Transaction::verify`].
    pub fn verify_group(&self, producer: ProducerIdentity, group: &str) -> Result<i32, TransactionError> {
        self.check_open(producer)?;
        if self.state == TransactionState::Ongoing && self.groups.contains(group) {
            Ok(self.number)
        } else {
            Err(TransactionError::InvalidTransactionState)
        }
    }

    /// Whether the producer may write, or begin to.
    ///
    /// # Errors
    /// [`TransactionError::ConcurrentTransactions`] beside those of [`Transaction::check_producer`].
    pub fn check_open(&self, producer: ProducerIdentity) -> Result<(), TransactionError> {
        self.check_producer(producer)?;
        if self.state.is_ending() {
            return Err(TransactionError::ConcurrentTransactions);
        }
        Ok(())
    }

    /// Those of the partitions that do not take part yet.
    pub fn missing(&self, partitions: &BTreeSet<TopicPartition>) -> Vec<TopicPartition> {
        let is_part = |partition: &TopicPartition| {
            self.state == TransactionState::Ongoing && self.partitions.contains_key(partition)
        };
        partitions.iter().filter(|partition| !is_part(partition)).copied().collect()
    }

    /// The transaction with partitions, each with its end, and groups that take part from now on; begins one if none goes on.
    ///
    /// # Errors
    /// As [`Transaction::check_open`].
    pub fn with_participants(
        &self,
        producer: ProducerIdentity,
        partitions: &[(TopicPartition, i64)],
        group: Option<&str>,
        now_ms: i64,
    ) -> Result<Self, TransactionError> {
        self.check_open(producer)?;
        let mut next = self.clone();
        if self.state != TransactionState::Ongoing {
            next.state = TransactionState::Ongoing;
            next.number = self.number.wrapping_add(1);
            next.started_at_ms = Some(now_ms);
            next.partitions.clear();
            next.groups.clear();
        }
        for (partition, end) in partitions {
            next.partitions.entry(*partition).or_insert(*end);
        }
        next.groups.extend(group.map(ToOwned::to_owned));
        next.changed_at_ms = now_ms;
        Ok(next)
    }

    /// The transaction on its way to be aborted, if it has taken too long; its producer is fenced.
    pub fn timed_out(&self, now_ms: i64) -> Option<Self> {
        let started_at_ms = self.started_at_ms.filter(|_| self.state == TransactionState::Ongoing)?;
        let has_time = now_ms.saturating_sub(started_at_ms) <= i64::from(self.timeout_ms);
        (!has_time).then(|| self.fenced(now_ms))
    }

    /// Whether nobody has used the transactional id for so long that it can be forgotten.
    pub fn is_forgotten(&self, expiration_ms: i64, now_ms: i64) -> bool {
        let is_idle = !matches!(self.state, TransactionState::Ongoing) && !self.state.is_ending();
        is_idle && now_ms.saturating_sub(self.changed_at_ms) >= expiration_ms
    }

    /// The ongoing transaction on its way to be aborted, and its producer fenced.
    pub(super) fn fenced(&self, now_ms: i64) -> Self {
        Self {
            producer: self.producer.next(),
            previous: None,
            state: TransactionState::PrepareAbort,
            changed_at_ms: now_ms,
            ..self.clone()
        }
    }

    /// What the markers of the end that was decided say; `None` when none was.
    pub fn marker(&self) -> Option<TransactionMarker> {
        let result = match self.state {
            TransactionState::PrepareCommit => TransactionResult::Commit,
            TransactionState::PrepareAbort => TransactionResult::Abort,
            _ => return None,
        };
        Some(TransactionMarker {
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            result,
            coordinator_epoch: self.number,
        })
    }

    /// The transaction once all markers are written; `None` when no end was decided.
    pub fn completed(&self, now_ms: i64) -> Option<Self> {
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            TransactionState::PrepareAbort => TransactionState::CompleteAbort,
            _ => return None,
        };
        Some(Self {
            producer: self.producer_after(),
            next_producer_id: None,
            state,
            partitions: BTreeMap::new(),
            groups: BTreeSet::new(),
            started_at_ms: None,
            changed_at_ms: now_ms,
            ..self.clone()
        })
    }
}
