//! Offsets that groups get when a transaction is committed (KIP-98, KIP-447).

use std::ops::ControlFlow;

use cadastre_coordinator::{OffsetCommit, ProducerIdentity, Transaction, TransactionError};
use cadastre_protocol::transaction_marker::{TransactionMarker, TransactionResult};
use cadastre_storage::{MetadataChange, MetadataKind, Sight};

use super::tables::{self, PendingRecord};
use super::{TRIES, Transactions};

/// Offsets of a group to be committed with a producer's transaction.
#[derive(Debug)]
pub(crate) struct TransactionalCommit<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer: ProducerIdentity,
    pub(crate) group_id: &'a str,
    /// Whether the group joins the transaction by this request (KIP-890).
    pub(crate) joins: bool,
    pub(crate) offsets: &'a [OffsetCommit],
}

impl Transactions {
    /// Writes offsets that count once the transaction is committed. `registry` says on which brokers the caller found itself the
    /// group's coordinator.
    ///
    /// # Errors
    ///
    /// [`TransactionError::InvalidTransactionState`] when the group takes no part.
    pub(crate) async fn commit_offsets(
        &self,
        commit: &TransactionalCommit<'_>,
        registry: Option<i64>,
    ) -> Result<(), TransactionError> {
        let TransactionalCommit { transactional_id: id, producer, group_id, joins, offsets } = *commit;
        let mut is_fresh = false;
        for _ in 0..TRIES {
            let _guard = self.lock(id).await;
            let known = self.known(id)?;
            let transaction = known.transaction.as_ref().ok_or(TransactionError::InvalidProducerIdMapping);
            let planned = transaction.and_then(|it| {
                let now_ms = self.clock.now_ms();
                let next = if joins {
                    it.with_participants(producer, &[], Some(group_id), now_ms)?
                } else {
                    it.clone()
                };
                let number = next.verify_group(producer, group_id)?;
                Ok((next, number))
            });
            match planned {
                Ok((next, number)) => {
                    let pending = offsets.iter().map(|commit| pending(group_id, producer.id, number, commit));
                    // Written even where it says the same as before: so the offsets are refused once an end is decided.
                    if self.write(id, &known, Some(&next), pending.collect(), registry).await? {
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

    /// What an end means for the offsets of its groups: they are marked committed, or gone.
    pub(super) fn settle_offsets(
        &self,
        transaction: &Transaction,
        marker: TransactionMarker,
        now_ms: i64,
    ) -> Result<Vec<(MetadataChange, Sight)>, TransactionError> {
        let mut changes = Vec::new();
        let mut outcome = Ok(());
        for group in &transaction.groups {
            let (from, to) = tables::of_group(group);
            self.storage.metadata().visit(MetadataKind::PendingOffset, (&from, &to), |key, value| {
                let entry = tables::pending_place(key)
                    .and_then(|(_, _, producer_id)| Ok((producer_id, PendingRecord::decode(value)?)));
                let (producer_id, record) = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        tracing::error!(%error, "a pending offset cannot be read");
                        outcome = Err(TransactionError::CoordinatorNotAvailable);
                        return ControlFlow::Break(());
                    }
                };
                let is_own = producer_id == marker.producer_id
                    && record.number == marker.coordinator_epoch
                    && record.committed_at_ms.is_none();
                if is_own {
                    let value = match marker.result {
                        TransactionResult::Commit => Some(record.committed(now_ms).encode()),
                        TransactionResult::Abort => None,
                    };
                    let (kind, key) = (MetadataKind::PendingOffset, key.to_owned());
                    changes.push((MetadataChange { kind, key, value }, Sight::Any));
                }
                ControlFlow::Continue(())
            });
        }
        outcome.map(|()| changes)
    }
}

fn pending(group_id: &str, producer_id: i64, number: i32, commit: &OffsetCommit) -> (MetadataChange, Sight) {
    let record = PendingRecord::new(number, commit.offset, commit.leader_epoch, commit.metadata.clone());
    let key = tables::pending_key(group_id, &commit.topic, commit.partition, producer_id);
    let (kind, value) = (MetadataKind::PendingOffset, Some(record.encode()));
    (MetadataChange { kind, key, value }, Sight::Any)
}
