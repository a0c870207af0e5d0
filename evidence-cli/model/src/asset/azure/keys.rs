//! Key vaults and the keys in them.

use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;
use crate::known::Known;
use crate::record::RecordId;
use crate::time::Timestamp;

/// A key vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyVault {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The subscription.
    pub subscription: String,
    /// Its region.
    pub region: String,
    /// `https://name.vault.azure.net/`.
    pub uri: String,
    /// Whether role assignments decide about keys, and not access policies.
    pub role_based: bool,
    /// Access policies; without effect where role assignments decide.
    pub policies: Vec<AccessPolicy>,
    /// Days for which deleted keys are kept; absent when they are not.
    pub kept_days: Option<i64>,
    /// Whether nobody can purge what was deleted before that.
    pub purge_protection: bool,
    /// Whether it answers on its public address.
    pub public_access: bool,
    /// Whether its firewall lets in what no rule names.
    pub open_by_default: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An access policy of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// The object id of the principal.
    pub principal: String,
    /// The application that it must come through, where one is named.
    pub application: Option<String>,
    /// Key permissions, lower case: `get`, `decrypt`, `unwrapkey`, `purge`, `all`.
    pub keys: Vec<String>,
    /// The record that holds it.
    pub record: RecordId,
    /// JSON pointer to it inside the record.
    pub pointer: String,
}

/// A key in a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaultKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The vault.
    pub vault: String,
    /// `RSA`, `RSA-HSM`, `EC-HSM`, `oct-HSM`.
    pub kind: Known<String>,
    /// Whether it is enabled.
    pub enabled: Known<bool>,
    /// When it stops working; absent when never.
    pub expires: Known<Timestamp>,
    /// Days between automatic rotations; absent when it does not rotate.
    pub rotation_days: Known<i64>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
