//! `InitProducerId`: a producer takes a transactional id over, or goes on after an error (KIP-360).

use std::collections::{BTreeMap, BTreeSet};

use super::error::TransactionError;
use super::state::TransactionState;
use super::transaction::{ProducerIdentity, Transaction};

/// Who asks for a producer id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Initialize {
    /// Who the producer was, if it goes on; `None` from one that has just started.
    pub expected: Option<ProducerIdentity>,
    /// How long its transactions may take, in milliseconds.
    pub timeout_ms: i32,
    /// A producer id that was never given out, for the case that one is needed.
    pub fresh_id: i64,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initialized {
    /// To be written; its producer is who asked.
    Ready(Transaction),
    /// Nothing changes: the answer to an earlier request was lost.
    Repeated(ProducerIdentity),
    /// To be written and completed. Who asked has to ask again: an earlier producer's transaction is aborted first.
    Fencing(Transaction),
}

impl Transaction {
    /// Makes who asks the producer of a transactional id; `known` is what is known of it.
    ///
    /// # Errors
    /// [`TransactionError::ProducerFenced`] when somebody else took over meanwhile,
    /// [`TransactionError::ConcurrentTransactions`].
    pub fn initialize(
        known: Option<&Self>,
        request: &Initialize,
        now_ms: i64,
    ) -> Result<Initialized, TransactionError> {
        let Initialize { expected, timeout_ms, fresh_id } = *request;
        let ready = |producer, previous, number| {
            Initialized::Ready(Self {
                producer,
                previous,
                next_producer_id: None,
                number,
                state: TransactionState::Empty,
                timeout_ms,
                partitions: BTreeMap::new(),
                groups: BTreeSet::new(),
                started_at_ms: None,
                changed_at_ms: now_ms,
                bumps_epoch: false,
            })
        };
        let fresh = ProducerIdentity { id: fresh_id, epoch: 0 };
        let Some(known) = known else { return Ok(ready(fresh, None, 0)) };
        let current = known.producer;
        let may_go_on = |expected: ProducerIdentity| {
            expected.id == current.id
                || (known.previous.is_some_and(|previous| previous.id == expected.id)
                    && expected.is_exhausted())
        };
        if expected.is_some_and(|expected| !may_go_on(expected)) {
            return Err(TransactionError::ProducerFenced);
        }
        match known.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                return Err(TransactionError::ConcurrentTransactions);
            }
            TransactionState::Ongoing => {
                // One that was replaced must not abort what its successor does.
                if expected.is_some_and(|expected| expected != current) {
                    return Err(TransactionError::ProducerFenced);
                }
                return Ok(Initialized::Fencing(known.fenced(now_ms)));
            }
            _ => {}
        }
        if current.is_exhausted() && expected.is_none_or(|expected| expected.epoch == current.epoch) {
            return Ok(ready(fresh, expected.map(|_| current), known.number));
        }
        match expected {
            None => Ok(ready(current.next(), None, known.number)),
            Some(expected) if expected.epoch == current.epoch => {
                Ok(ready(current.next(), Some(current), known.number))
            }
            Some(expected) if known.previous.is_some_and(|previous| previous.epoch == expected.epoch) => {
                Ok(Initialized::Repeated(current))
            }
            Some(_) => Err(TransactionError::ProducerFenced),
        }
    }
}
