//! What was exercised on a cluster, and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EvidenceIds;
use crate::time::Timestamp;

/// The newest record of one drill on one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// `CLUSTER/DRILL`.
    pub id: String,
    /// The cluster's declared name.
    pub cluster: String,
    /// The drill: `clients`, `key-revocation`.
    pub drill: String,
    /// `passed`, `failed`, `not-exercised` or `stopped`.
    pub outcome: String,
    /// Why nothing was exercised, or why it stopped.
    pub reason: Option<String>,
    /// The id that the cluster gave when it was exercised.
    pub cluster_id: Option<String>,
    /// The client library and its version.
    pub client: Option<String>,
    /// When it had ended.
    pub at: Timestamp,
    /// What was tried, in order.
    pub checks: Vec<DrillCheck>,
    /// Measured numbers; the unit is the end of the name.
    pub measurements: BTreeMap<String, u64>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// One promise that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillCheck {
    /// The promise, as a sentence.
    pub promise: String,
    /// Whether it was kept; `None` where the target could not be made to show it.
    pub kept: Option<bool>,
    /// What was seen.
    pub seen: String,
}
