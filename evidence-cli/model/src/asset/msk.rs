//! What the cloud says of a managed Kafka cluster, and of what its clients' credentials come from.

use serde::{Deserialize, Serialize};

use super::{EvidenceIds, PolicyDocument, Tag};
use crate::known::Known;

/// An Amazon MSK cluster as the MSK API shows it ("ListClustersV2", Amazon MSK API Reference).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MskCluster {
    /// `arn:aws:kafka:region:account:cluster/name/uuid`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Whether it is serverless, where only IAM authenticates clients.
    pub serverless: bool,
    /// Ways in which clients authenticate.
    pub authentication: Authentication,
    /// The cluster's resource policy, for clients of other accounts and VPCs.
    pub policy: Known<PolicyDocument>,
    /// ARNs of the secrets whose user names and passwords its SCRAM clients use.
    pub scram_secrets: Known<Vec<String>>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Ways in which clients of an MSK cluster authenticate; several may be on at once ("Authentication and authorization
/// for Apache Kafka APIs", Amazon MSK Developer Guide).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// IAM access control, which also authorizes.
    pub iam: Known<bool>,
    /// User names and passwords from Secrets Manager.
    pub scram: Known<bool>,
    /// ARNs of the private certificate authorities whose client certificates are accepted; absent when mutual TLS is off.
    pub certificate_authorities: Known<Vec<String>>,
    /// No authentication at all.
    pub unauthenticated: Known<bool>,
}

/// A secret of AWS Secrets Manager, without its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// `arn:aws:secretsmanager:region:account:secret:name-suffix`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The ARN of the key that encrypts it; none for the key that AWS manages.
    pub key: Option<String>,
    /// Its resource policy.
    pub policy: Known<PolicyDocument>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A private certificate authority ("ListCertificateAuthorities", AWS Private CA API Reference).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateAuthority {
    /// `arn:aws:acm-pca:region:account:certificate-authority/id`.
    pub arn: String,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// `ACTIVE`, `DISABLED`, …
    pub status: String,
    /// Its resource policy.
    pub policy: Known<PolicyDocument>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
