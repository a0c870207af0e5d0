//! The checklist: every control's verdict with its findings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::RecordId;
use crate::time::Timestamp;

/// The format of `check --format json`.
pub const SCHEMA: &str = "cadastre/checklist/v1";

/// A control's verdict on a subject, and the worst of them for the control as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Observed evidence shows the red flag.
    RedFlag,
    /// Required evidence is missing, denied, stale, partial or unreadable.
    Unproven,
    /// A red flag or unproven that a named approver accepted.
    Waived,
    /// Every piece of required evidence was observed, is fresh, and shows the pass signal.
    Pass,
    /// The declaration says why, and nothing observed contradicts it.
    NotApplicable,
}

impl Verdict {
    /// All of them, worst first.
    pub const ALL: [Self; 5] = [Self::RedFlag, Self::Unproven, Self::Waived, Self::Pass, Self::NotApplicable];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedFlag => "red-flag",
            Self::Unproven => "unproven",
            Self::Waived => "waived",
            Self::Pass => "pass",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// One verdict on one subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub subject: String,
    /// The verdict.
    pub verdict: Verdict,
    /// One line for a person.
    pub message: String,
    /// The path or the setting, step by step; empty where the message says it all.
    pub path: Vec<String>,
    /// The records that prove it.
    pub evidence: Vec<RecordId>,
    /// What to change, most effective first.
    pub fix: Vec<String>,
}

/// A control with its findings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ControlResult {
    /// `BND-04`.
    pub id: String,
    /// `boundary`, …
    pub area: String,
    /// One line.
    pub title: String,
    /// The worst verdict among the findings.
    pub verdict: Verdict,
    /// Sorted by verdict, subject and message.
    pub findings: Vec<Finding>,
    /// Operations whose answers the control needs.
    pub requires: Vec<String>,
}

/// The whole checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checklist {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The time for which the evidence was judged.
    pub as_of: Timestamp,
    /// The version of the tool.
    pub tool_version: String,
    /// The boundary's name.
    pub boundary: String,
    /// The evidence's Merkle root.
    pub evidence_root: String,
    /// Number of controls by verdict; every verdict is listed.
    pub summary: BTreeMap<String, u64>,
    /// Sorted by id.
    pub controls: Vec<ControlResult>,
    /// Controls of the catalogue that this version does not evaluate: nothing is said about them.
    pub not_examined: Vec<String>,
}
