//! Why a request about a transaction is refused, with Kafka's error codes in one table.

/// Why a request about a transaction is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum TransactionError {
    /// Nothing can be decided at the moment; the request may be tried again.
    #[error("coordinator is not available")]
    CoordinatorNotAvailable,
    /// The request contradicts itself.
    #[error("request is invalid")]
    InvalidRequest,
    /// The transaction is not in a state in which this can be done.
    #[error("transaction is in another state")]
    InvalidTransactionState,
    /// The producer id is not that of the transactional id.
    #[error("producer id does not belong to the transactional id")]
    InvalidProducerIdMapping,
    /// The timeout is not above 0, or above what the broker allows.
    #[error("transaction timeout is out of bounds")]
    InvalidTimeout,
    /// A transaction of the transactional id is being ended; the request may be tried again.
    #[error("a transaction is being ended")]
    ConcurrentTransactions,
    /// Another producer uses the transactional id by now.
    #[error("producer is fenced")]
    ProducerFenced,
    /// Nothing is known of the transactional id.
    #[error("transactional id does not exist")]
    TransactionalIdNotFound,
}

impl TransactionError {
    /// Every error.
    pub const ALL: [Self; 8] = [
        Self::CoordinatorNotAvailable,
        Self::InvalidRequest,
        Self::InvalidTransactionState,
        Self::InvalidProducerIdMapping,
        Self::InvalidTimeout,
        Self::ConcurrentTransactions,
        Self::ProducerFenced,
        Self::TransactionalIdNotFound,
    ];

    /// The error code on the wire.
    pub fn code(self) -> i16 {
        match self {
            Self::CoordinatorNotAvailable => 15,
            Self::InvalidRequest => 42,
            Self::InvalidTransactionState => 48,
            Self::InvalidProducerIdMapping => 49,
            Self::InvalidTimeout => 50,
            Self::ConcurrentTransactions => 51,
            Self::ProducerFenced => 90,
            Self::TransactionalIdNotFound => 105,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_of_its_own() {
        let codes: std::collections::BTreeSet<_> =
            TransactionError::ALL.iter().map(|error| error.code()).collect();
        assert_eq!(codes.len(), TransactionError::ALL.len());
    }
}
