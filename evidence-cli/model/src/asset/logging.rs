//! Logging: trails, log groups, event rules.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EvidenceIds;
use crate::known::Known;

/// A CloudTrail trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// Its home region.
    pub home_region: String,
    /// Whether it records every region.
    pub multi_region: bool,
    /// Whether it records global services.
    pub global_service_events: bool,
    /// Whether digest files are written.
    pub log_file_validation: bool,
    /// The bucket it writes to.
    pub bucket: String,
    /// The key that encrypts its files.
    pub key: Option<String>,
    /// Whether it records at all.
    pub logging: Known<bool>,
    /// The last delivery error; absent when there is none.
    pub delivery_error: Known<String>,
    /// Which events it records.
    pub selectors: Known<TrailSelectors>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Which events a trail records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrailSelectors {
    /// Whether management events are recorded, reads and writes both.
    pub management_read_write: bool,
    /// Whether KMS calls are among them.
    pub key_use: bool,
    /// Bucket ARNs (or `arn:aws:s3` for all) whose object reads and writes are both recorded.
    pub object_access: Vec<String>,
    /// The selectors as the service returns them.
    pub raw: Value,
}

/// A CloudWatch log group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its ARN without a trailing `:*`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Days its events are kept; absent when they never expire.
    pub retention_days: Option<i64>,
    /// The key that encrypts it.
    pub key_arn: Option<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An EventBridge rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRule {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// `ENABLED` or `DISABLED`.
    pub state: String,
    /// The event pattern, parsed; `null` for schedules.
    pub pattern: Value,
    /// ARNs of its targets.
    pub targets: Known<Vec<String>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
