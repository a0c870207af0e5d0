//! Typed assets: what records say, normalised, each pointing back at the records that say it.
//!
//! Names and values are the services' own words. Every asset has `evidence`, the ids of the records it was
//! read from; a property that no record settles is [`crate::Known::Unknown`].

pub mod activity;
pub mod azure;
pub mod compute;
pub mod document;
pub mod drill;
pub mod identity;
pub mod kafka;
pub mod keys;
pub mod logging;
pub mod msk;
pub mod network;
pub mod stores;

use std::collections::BTreeSet;

use crate::record::RecordId;
use crate::shared::{SharedDocument, SharedText};
use serde::{Deserialize, Serialize};

/// The records an asset or a statement was read from.
pub type EvidenceIds = BTreeSet<RecordId>;

/// A policy document and where it stands in the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyDocument {
    /// What it is called: a policy name or ARN, or the kind for resource policies (`bucket-policy`).
    pub name: String,
    /// What kind of policy it is.
    pub kind: PolicyKind,
    /// The record that holds it.
    pub record: RecordId,
    /// JSON pointer (RFC 6901) to the document inside the record, `/response/Policy`.
    pub pointer: String,
    /// The document; a string when it could not be parsed as JSON.
    pub document: SharedDocument,
}

/// The kinds of policy that take part in an AWS decision ("Policy evaluation logic", IAM User Guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// Inline in a user, group or role.
    Inline,
    /// Managed and attached.
    Managed,
    /// Permissions boundary.
    Boundary,
    /// A role's trust policy.
    Trust,
    /// On a bucket, key, endpoint service or other resource.
    Resource,
    /// Service control policy.
    ServiceControl,
    /// Resource control policy.
    ResourceControl,
    /// On a VPC endpoint.
    Endpoint,
}

/// One statement of a policy, or one grant, as the proof of a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StatementRef {
    /// The policy's name.
    pub policy: SharedText,
    /// The record that holds it.
    pub record: RecordId,
    /// JSON pointer to the statement inside the record.
    pub pointer: SharedText,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}
