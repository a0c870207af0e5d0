//! The steps that requests ask for: take over, join partitions and groups, end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cadastre_coordinator::{
    End, Ended, Initialize, Initialized, ProducerIdentity, Transaction, TransactionError,
};
use cadastre_protocol::transaction_marker::TransactionResult;
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::ReadError;
use tokio::time::timeout;

use super::{TRIES, Transactions, unavailable};
use crate::listeners::listener_security::chain;

/// How long a client waits for its decided transaction to be complete; it is complete some time later in any case.
const PATIENCE: Duration = Duration::from_secs(5);

impl Transactions {
    /// Makes who asks the producer of a transactional id.
    ///
    /// # Errors
    ///
    /// [`TransactionError::ConcurrentTransactions`] while an earlier transaction is being ended, which this may have caused.
    pub(crate) async fn initialize(
        self: &Arc<Self>,
        id: &str,
        expected: Option<ProducerIdentity>,
        timeout_ms: i32,
    ) -> Result<ProducerIdentity, TransactionError> {
        if id.is_empty() {
            return Err(TransactionError::InvalidRequest);
        }
        if timeout_ms <= 0 || i64::from(timeout_ms) > self.maximum_timeout_ms {
            return Err(TransactionError::InvalidTimeout);
        }
        let fresh_id = self.fresh_id().await?;
        let request = Initialize { expected, timeout_ms, fresh_id };
        self.refresh().await?;
        for _ in 0..TRIES {
            let guard = self.lock(id).await;
            let known = self.known(id)?;
            match Transaction::initialize(known.transaction.as_ref(), &request, self.clock.now_ms())? {
                Initialized::Repeated(producer) => return Ok(producer),
                Initialized::Ready(next) => {
                    if self.write(id, &known, Some(&next), Vec::new(), None).await? {
                        return Ok(next.producer);
                    }
                }
                Initialized::Fencing(next) => {
                    if self.write(id, &known, Some(&next), Vec::new(), None).await? {
                        drop(guard);
                        self.complete_in_background(id);
                        return Err(TransactionError::ConcurrentTransactions);
                    }
                }
            }
        }
        Err(TransactionError::ConcurrentTransactions)
    }

    /// The number of the transaction in which the producer may write to the partition (KIP-890).
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::verify`].
    pub(crate) async fn verify(
        &self,
        id: &str,
        producer: ProducerIdentity,
        partition: TopicPartition,
    ) -> Result<i32, TransactionError> {
        let verify = || {
            let known = self.find(id)?.ok_or(TransactionError::InvalidProducerIdMapping)?;
            known.verify(producer, partition)
        };
        match verify() {
            Ok(number) => Ok(number),
            // Another broker may have done what is missing here.
            Err(_) => {
                self.refresh().await?;
                verify()
            }
        }
    }

    /// Has partitions, and offsets of a group, take part in the producer's transaction, which this may begin. `by_epoch` says that
    /// the producer takes another epoch for each transaction, so that what is known under its epoch is not an earlier one.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::with_participants`].
    pub(crate) async fn join(
        &self,
        id: &str,
        producer: ProducerIdentity,
        partitions: &BTreeSet<TopicPartition>,
        group: Option<&str>,
        by_epoch: bool,
    ) -> Result<(), TransactionError> {
        let mut is_fresh = false;
        for _ in 0..TRIES {
            let _guard = self.lock(id).await;
            let known = self.known(id)?;
            let transaction = known.transaction.as_ref().ok_or(TransactionError::InvalidProducerIdMapping);
            let joined = match transaction.and_then(|it| it.check_open(producer).map(|()| it)) {
                Ok(transaction) => {
                    let missing = transaction.missing(partitions);
                    let has_group = group.is_none_or(|group| transaction.groups.contains(group));
                    if missing.is_empty() && has_group {
                        if is_fresh || by_epoch {
                            return Ok(());
                        }
                        self.refresh().await?;
                        is_fresh = true;
                        continue;
                    }
                    let ends = self.ends(missing).await?;
                    transaction.with_participants(producer, &ends, group, self.clock.now_ms())
                }
                Err(error) => Err(error),
            };
            match joined {
                Ok(next) => {
                    if self.write(id, &known, Some(&next), Vec::new(), None).await? {
                        return Ok(());
                    }
                }
                Err(error) if is_fresh => return Err(error),
                Err(_) => {
                    self.refresh().await?;
                    is_fresh = true;
                }
            }
        }
        Err(TransactionError::ConcurrentTransactions)
    }

    /// Each partition with its end, behind which everything lies that is written from now on. Those that do not exist are left
    /// out.
    async fn ends(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> Result<Vec<(TopicPartition, i64)>, TransactionError> {
        let failed = |error: ReadError| {
            tracing::warn!(error = %chain(&error), "the end of a partition is not known");
            TransactionError::CoordinatorNotAvailable
        };
        self.storage.confirm(partitions.clone()).await.map_err(failed)?;
        let mut ends = Vec::with_capacity(partitions.len());
        for partition in partitions {
            match self.storage.watermarks(partition) {
                Ok(bounds) => ends.push((partition, bounds.high_watermark)),
                Err(ReadError::UnknownPartition { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(ends)
    }

    /// Ends the producer's transaction; who it is from now on. The decision is durable on return, and as a rule carried out.
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::end`].
    pub(crate) async fn end(
        self: &Arc<Self>,
        id: &str,
        producer: ProducerIdentity,
        result: TransactionResult,
        bumps_epoch: bool,
    ) -> Result<ProducerIdentity, TransactionError> {
        let fresh_id = if producer.is_exhausted() { self.fresh_id().await? } else { -1 };
        let request = End { producer, result, bumps_epoch, fresh_id };
        let mut is_fresh = false;
        for _ in 0..TRIES {
            let guard = self.lock(id).await;
            let known = self.known(id)?;
            let transaction = known.transaction.as_ref().ok_or(TransactionError::InvalidProducerIdMapping);
            match transaction.and_then(|it| it.end(&request, self.clock.now_ms()).map(|ended| (it, ended))) {
                Ok((transaction, Ended::Repeated)) if is_fresh => return Ok(transaction.producer),
                // What is known may be the end of an earlier transaction, where others took steps since.
                Ok((_, Ended::Repeated)) => {
                    self.refresh().await?;
                    is_fresh = true;
                }
                Ok((_, Ended::Decided(next))) => {
                    if self.write(id, &known, Some(&next), Vec::new(), None).await? {
                        drop(guard);
                        // In a task of its own: it goes on when the client does not wait.
                        let completing = self.complete_in_background(id);
                        if timeout(PATIENCE, completing).await.is_err() {
                            tracing::debug!("a decided transaction is not complete yet");
                        }
                        return Ok(next.producer_after());
                    }
                }
                Err(error) if is_fresh => return Err(error),
                Err(_) => {
                    self.refresh().await?;
                    is_fresh = true;
                }
            }
        }
        Err(TransactionError::ConcurrentTransactions)
    }

    async fn fresh_id(&self) -> Result<i64, TransactionError> {
        self.storage.allocate_producer_id().await.map_err(|error| unavailable(&error))
    }
}
