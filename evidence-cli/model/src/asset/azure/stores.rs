//! Storage accounts, blob containers, Event Hubs, and where their logs go.

use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;
use crate::known::Known;

/// A storage account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StorageAccount {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The subscription.
    pub subscription: String,
    /// Its region.
    pub region: String,
    /// `Microsoft.Storage` or `Microsoft.Keyvault`.
    pub key_source: String,
    /// The vault key that encrypts it, `https://vault.vault.azure.net/keys/name`, where there is one.
    pub key: Option<String>,
    /// The version of that key that it stays with, where it names one; otherwise it follows rotation ("Customer-managed
    /// keys for Azure Storage encryption", Microsoft Learn).
    pub key_version: Option<String>,
    /// Whether whoever has an account key may do everything; the service's default is yes.
    pub shared_key: bool,
    /// Whether containers may be public; the service's default is no for accounts made since late 2023, and yes before.
    pub public_containers: Known<bool>,
    /// Whether plain HTTP is refused.
    pub https_only: bool,
    /// `TLS1_2`.
    pub minimum_tls: Option<String>,
    /// Whether it answers on its public address.
    pub public_access: bool,
    /// Whether its firewall lets in what no rule names.
    pub open_by_default: bool,
    /// Where it is replicated to, `Standard_GRS`.
    pub replication: String,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A blob container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlobContainer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The storage account.
    pub account: String,
    /// `None`, `Blob`, `Container`.
    pub public: String,
    /// Whether a retention policy keeps what is in it from being changed.
    pub immutable: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A diagnostic setting: which logs of a resource go where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiagnosticSetting {
    /// Its id.
    pub id: String,
    /// The resource, or the subscription for its activity log.
    pub resource: String,
    /// Categories and category groups that are on.
    pub categories: Vec<String>,
    /// Storage accounts, workspaces and event hubs that they go to.
    pub destinations: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An Event Hubs namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventHubNamespace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The subscription.
    pub subscription: String,
    /// Its region.
    pub region: String,
    /// Whether Kafka clients are served.
    pub kafka: bool,
    /// Whether shared access keys are refused.
    pub roles_only: bool,
    /// Whether it answers on its public address.
    pub public_access: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
