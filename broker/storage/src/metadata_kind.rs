//! The kinds of metadata entry that share the log with the records.

use serde::{Deserialize, Serialize};

/// Which table of the metadata area an entry belongs to. The order of variants is part of the format: new
/// ones go to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MetadataKind {
    /// Facts about the cluster.
    Cluster,
    /// Topics, by name.
    Topic,
    /// Topic configurations.
    TopicConfig,
    /// Broker configurations set at run time.
    BrokerConfig,
    /// Access control entries.
    Acl,
    /// SCRAM credentials.
    ScramCredential,
    /// Client quotas.
    Quota,
    /// Offsets that consumer groups committed.
    GroupOffset,
    /// Producer ids and their epochs.
    ProducerId,
    /// Client metrics subscriptions.
    ClientMetrics,
    /// Wrapped scope keys, by the id that data keys under them bear.
    ScopeKey,
    /// Transactional ids, who writes under them, and how far their transactions are. Since format version 5, as those below.
    Transaction,
    /// The transactions that go on in each partition.
    OpenTransaction,
    /// The transactions that were aborted in each partition.
    AbortedTransaction,
    /// Offsets that consumer groups are to have when a transaction is committed.
    PendingOffset,
}

impl MetadataKind {
    /// Every kind, in the order of the format.
    pub const ALL: [Self; 15] = [
        Self::Cluster,
        Self::Topic,
        Self::TopicConfig,
        Self::BrokerConfig,
        Self::Acl,
        Self::ScramCredential,
        Self::Quota,
        Self::GroupOffset,
        Self::ProducerId,
        Self::ClientMetrics,
        Self::ScopeKey,
        Self::Transaction,
        Self::OpenTransaction,
        Self::AbortedTransaction,
        Self::PendingOffset,
    ];
}

/// One change of one metadata entry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataChange {
    /// The table.
    pub kind: MetadataKind,
    /// The entry's key in its table.
    pub key: String,
    /// The new value; `None` deletes the entry.
    pub value: Option<Vec<u8>>,
}

impl std::fmt::Debug for MetadataChange {
    /// Without the value: it may be a credential.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("MetadataChange")
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("deletes", &self.value.is_none())
            .finish_non_exhaustive()
    }
}
