//! `EndTxn`: a producer commits or aborts.

use cadastre_protocol::transaction_marker::TransactionResult;

use super::error::TransactionError;
use super::state::TransactionState;
use super::transaction::{ProducerIdentity, Transaction};

/// Who asks for the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Who asks.
    pub producer: ProducerIdentity,
    /// How it shall end.
    pub result: TransactionResult,
    /// Whether the producer takes another epoch for its next transaction (version 5 of `EndTxn`).
    pub bumps_epoch: bool,
    /// A producer id that was never given out, for the case that one is needed.
    pub fresh_id: i64,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// To be written; then the markers are to be written and the transaction completed.
    Decided(Transaction),
    /// It was ended so before.
    Repeated,
}

impl Transaction {
    /// Decides how the transaction ends.
    ///
    /// # Errors
    /// [`TransactionError::InvalidTransactionState`] where there is nothing to end, or it was ended otherwise;
    /// [`TransactionError::ConcurrentTransactions`] while it is being ended; those of [`Transaction::check_producer`].
    pub fn end(&self, request: &End, now_ms: i64) -> Result<Ended, TransactionError> {
        if request.bumps_epoch {
            self.end_with_bump(request, now_ms)
        } else {
            self.end_as_is(request, now_ms)
        }
    }

    /// Who the producer is once the decided end is complete.
    pub fn producer_after(&self) -> ProducerIdentity {
        self.next_producer_id.map_or(self.producer, |id| ProducerIdentity { id, epoch: 0 })
    }

    fn end_as_is(&self, request: &End, now_ms: i64) -> Result<Ended, TransactionError> {
        self.check_producer(request.producer)?;
        match self.state {
            TransactionState::Ongoing => {
                let changed_at_ms = now_ms;
                let state = decided(request.result);
                Ok(Ended::Decided(Self { state, changed_at_ms, bumps_epoch: false, ..self.clone() }))
            }
            _ => self.settled(request.result),
        }
    }

    /// As transaction version 2 has it: the epoch tells a repeated request from one for the next transaction.
    fn end_with_bump(&self, request: &End, now_ms: i64) -> Result<Ended, TransactionError> {
        let (asking, current) = (request.producer, self.producer);
        let is_current = asking == current;
        let after_bump = self.bumps_epoch && asking.id == current.id && asking.next() == current;
        let after_rotation = self.bumps_epoch
            && current.epoch == 0
            && asking.is_exhausted()
            && self.previous.is_some_and(|previous| previous.id == asking.id);
        if asking.id != current.id && !after_rotation {
            return Err(TransactionError::InvalidProducerIdMapping);
        }
        let is_valid = match self.state {
            TransactionState::Empty | TransactionState::Ongoing => is_current,
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => after_bump,
            TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
                is_current || after_bump || after_rotation
            }
        };
        if !is_valid {
            return Err(TransactionError::ProducerFenced);
        }
        match (self.state, request.result) {
            (TransactionState::Ongoing, _) => Ok(Ended::Decided(self.bumped(request, now_ms))),
            // Nothing was written, and the client does not know: the epoch rises all the same.
            (
                TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort,
                TransactionResult::Abort,
            ) if is_current => Ok(Ended::Decided(self.bumped(request, now_ms))),
            _ if is_current => Err(TransactionError::InvalidTransactionState),
            _ => self.settled(request.result),
        }
    }

    fn bumped(&self, request: &End, now_ms: i64) -> Self {
        let current = self.producer;
        Self {
            producer: current.next(),
            previous: Some(current),
            next_producer_id: current.is_exhausted().then_some(request.fresh_id),
            state: decided(request.result),
            changed_at_ms: now_ms,
            bumps_epoch: true,
            ..self.clone()
        }
    }

    /// The answer to a request that comes after the decision.
    fn settled(&self, result: TransactionResult) -> Result<Ended, TransactionError> {
        match (self.state, result) {
            (TransactionState::CompleteCommit, TransactionResult::Commit)
            | (TransactionState::CompleteAbort, TransactionResult::Abort) => Ok(Ended::Repeated),
            (TransactionState::PrepareCommit, TransactionResult::Commit)
            | (TransactionState::PrepareAbort, TransactionResult::Abort) => {
                Err(TransactionError::ConcurrentTransactions)
            }
            _ => Err(TransactionError::InvalidTransactionState),
        }
    }
}

const fn decided(result: TransactionResult) -> TransactionState {
    match result {
        TransactionResult::Commit => TransactionState::PrepareCommit,
        TransactionResult::Abort => TransactionState::PrepareAbort,
    }
}
