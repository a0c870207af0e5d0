//! Encryption keys, their policies and grants.

use serde::{Deserialize, Serialize};

use super::{EvidenceIds, PolicyDocument, StatementRef, Tag};
use crate::known::Known;
use crate::time::Timestamp;

/// A KMS key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// `arn:aws:kms:region:account:key/id`.
    pub arn: String,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// `alias/…` names that point at it.
    pub aliases: Vec<String>,
    /// `CUSTOMER` or `AWS`.
    pub manager: Known<String>,
    /// `Enabled`, `Disabled`, `PendingDeletion`, …
    pub state: Known<String>,
    /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`, `EXTERNAL_KEY_STORE`.
    pub origin: Known<String>,
    /// `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, …
    pub usage: Known<String>,
    /// `SYMMETRIC_DEFAULT`, …
    pub spec: Known<String>,
    /// Whether it is a multi-Region key.
    pub multi_region: Known<bool>,
    /// Regions of its replicas.
    pub replica_regions: Vec<String>,
    /// When it will be deleted; absent when no deletion is scheduled.
    pub deletion_date: Known<Timestamp>,
    /// Automatic rotation.
    pub rotation: Known<Rotation>,
    /// The key policy.
    pub policy: Known<PolicyDocument>,
    /// The grants on it.
    pub grants: Known<Vec<Grant>>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Automatic rotation of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Whether it is on.
    pub enabled: bool,
    /// Days between rotations, where the service says.
    pub period_days: Option<i64>,
}

/// A KMS grant ("Grants in AWS KMS", AWS KMS Developer Guide).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Its name, often empty.
    pub name: String,
    /// Who may use it: an ARN or a service principal.
    pub grantee: String,
    /// Who may retire it.
    pub retiring_principal: Option<String>,
    /// Who issued it.
    pub issuing_account: Option<String>,
    /// `Decrypt`, `GenerateDataKey`, `CreateGrant`, …
    pub operations: Vec<String>,
    /// Whether an encryption context limits it.
    pub constrained: bool,
    /// The encryption context constraint as the service returns it, `null` when there is none.
    pub constraints: serde_json::Value,
    /// Where it stands in the evidence.
    pub at: StatementRef,
}
