//! Stores: buckets, volumes, snapshots.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EvidenceIds, PolicyDocument, Tag};
use crate::known::Known;

/// An S3 bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// `arn:aws:s3:::name`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: Known<String>,
    /// Default encryption.
    pub encryption: Known<BucketEncryption>,
    /// The bucket policy; absent when none is set.
    pub policy: Known<PolicyDocument>,
    /// Whether S3 says that the policy is public; absent without a policy.
    pub policy_is_public: Known<bool>,
    /// Whether all four public access blocks are on; absent when the block is not configured.
    pub public_access_blocked: Known<bool>,
    /// `Enabled` or `Suspended`; absent when never enabled.
    pub versioning: Known<String>,
    /// Lifecycle rules as the service returns them; absent when there are none.
    pub lifecycle: Known<Vec<Value>>,
    /// Object lock; absent when not configured.
    pub object_lock: Known<ObjectLock>,
    /// Destination bucket ARNs of replication; absent without replication.
    pub replication_destinations: Known<Vec<String>>,
    /// ACL grantees other than the owner, as URI or canonical id.
    pub acl_grantees: Known<Vec<String>>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Default encryption of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketEncryption {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`.
    pub algorithm: String,
    /// Key ARN, id or alias as configured; absent for provider-managed keys.
    pub key: Option<String>,
    /// The ARN of the key when it is one of the collected ones.
    pub key_arn: Option<String>,
    /// Whether S3 Bucket Keys are on.
    pub bucket_key: bool,
}

/// Object lock of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// `GOVERNANCE` or `COMPLIANCE`; absent when no default retention is set.
    pub mode: Option<String>,
    /// Default retention in days; a year counts 365.
    pub days: Option<i64>,
}

/// An EBS volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key's ARN.
    pub key_arn: Option<String>,
    /// Instances it is attached to.
    pub instances: Vec<String>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An EBS snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: String,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key's ARN.
    pub key_arn: Option<String>,
    /// The volume it was taken of.
    pub volume: Option<String>,
    /// Accounts it is shared with; `all` when public.
    pub shared_with: Known<Vec<String>>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
