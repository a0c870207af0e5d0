//! What the cluster knows: topics, settings, ACLs, credentials, quotas, groups and transactions, each kept in the storage's metadata.

pub(crate) mod acls;
pub(crate) mod groups;
pub(crate) mod quotas;
pub(crate) mod scram;
pub(crate) mod settings;
pub(crate) mod topics;
pub(crate) mod transactions;

/// A change to the cluster's metadata did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The log refused or failed.
    #[error("metadata could not be written")]
    Storage(#[from] cadastre_storage::StorageError),
    /// A topic was not deleted to the end.
    #[error("topic could not be deleted")]
    Deletion(#[source] Box<crate::shredding::DeletionError>),
    /// What the log holds is not what this version writes.
    #[error("stored {kind} `{key}` cannot be read: {reason}")]
    Unreadable {
        /// What kind of metadata.
        kind: &'static str,
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
}

impl From<crate::shredding::DeletionError> for StateError {
    fn from(error: crate::shredding::DeletionError) -> Self {
        Self::Deletion(Box::new(error))
    }
}

impl StateError {
    fn unreadable(kind: &'static str, key: &str, reason: impl std::fmt::Display) -> Self {
        Self::Unreadable { kind, key: key.to_owned(), reason: reason.to_string() }
    }
}
