//! What happens to transactions without a request: timeouts, ends that were not carried out, and entries nobody needs any more.

use std::ops::ControlFlow;
use std::sync::Arc;

use cadastre_coordinator::TransactionError;
use cadastre_storage::{MetadataChange, MetadataKind, ReadError};

use super::{Transactions, tables};
use crate::listeners::listener_security::chain;

/// How long an end may take before somebody else carries it out, in milliseconds.
const GRACE_MS: i64 = 1_000;
/// How many entries are removed at once.
const AT_ONCE: usize = 1_000;

impl Transactions {
    /// Aborts transactions that have taken too long, carries out ends that were decided and not completed, and forgets
    /// transactional ids that nobody uses; of those that this broker looks after.
    pub(crate) async fn maintain(self: &Arc<Self>) {
        if self.refresh().await.is_err() {
            return;
        }
        for (id, transaction) in self.all() {
            if !self.groups.is_coordinator(&id) {
                continue;
            }
            let now_ms = self.clock.now_ms();
            let is_stuck = now_ms.saturating_sub(transaction.changed_at_ms) >= GRACE_MS;
            let done = if transaction.state.is_ending() {
                if is_stuck { self.complete(&id).await } else { Ok(()) }
            } else if transaction.timed_out(now_ms).is_some() {
                self.abort_late(&id).await
            } else if transaction.is_forgotten(self.expiration_ms, now_ms) {
                self.forget(&id).await
            } else {
                Ok(())
            };
            if let Err(error) = done {
                tracing::warn!(%error, "a transaction is to be looked at again");
            }
        }
    }

    /// Aborts a transaction that has taken too long, and fences its producer.
    async fn abort_late(&self, id: &str) -> Result<(), TransactionError> {
        {
            let _guard = self.lock(id).await;
            let known = self.known(id)?;
            let late = known.transaction.as_ref().and_then(|it| it.timed_out(self.clock.now_ms()));
            let Some(aborted) = late else { return Ok(()) };
            if !self.write(id, &known, Some(&aborted), Vec::new(), None).await? {
                return Ok(());
            }
            tracing::info!(producer_id = aborted.producer.id, "a transaction took too long and is aborted");
        }
        self.complete(id).await
    }

    async fn forget(&self, id: &str) -> Result<(), TransactionError> {
        let _guard = self.lock(id).await;
        let known = self.known(id)?;
        let now_ms = self.clock.now_ms();
        let is_idle =
            known.transaction.as_ref().is_some_and(|it| it.is_forgotten(self.expiration_ms, now_ms));
        if is_idle {
            self.write(id, &known, None, Vec::new(), None).await?;
        }
        Ok(())
    }

    /// Removes entries about aborted transactions whose records nobody can read any more.
    pub(crate) async fn prune(&self) {
        if !self.groups.is_coordinator("aborted transactions") {
            return;
        }
        let mut after = String::new();
        loop {
            let mut keys = Vec::with_capacity(AT_ONCE);
            let range = (after.as_str(), "~");
            self.storage.metadata().visit(MetadataKind::AbortedTransaction, range, |key, _value| {
                keys.push(key.to_owned());
                if keys.len() < AT_ONCE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let Some(last) = keys.last() else { return };
            after = format!("{last}\0");
            let mut changes = Vec::new();
            for key in keys {
                if self.is_gone(&key).await {
                    let kind = MetadataKind::AbortedTransaction;
                    changes.push(MetadataChange { kind, key, value: None });
                }
            }
            if changes.is_empty() {
                continue;
            }
            if let Err(error) = self.storage.metadata().commit(changes).await {
                tracing::warn!(error = %chain(&error), "entries about aborted transactions stay for now");
                return;
            }
        }
    }

    async fn is_gone(&self, key: &str) -> bool {
        let Some((partition, marker)) = tables::aborted_place(key) else { return false };
        match self.storage.watermarks(partition) {
            Ok(bounds) => marker < bounds.log_start_offset,
            // Not known here is not gone.
            Err(_) => {
                let latest = self.storage.latest_watermarks(partition).await;
                matches!(latest, Err(ReadError::UnknownPartition { .. }))
            }
        }
    }
}
