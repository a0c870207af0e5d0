//! What people wrote down and signed for: runbooks, ownership, plans. Parsed front matter and headings, never opinions.
//!
//! `docs/formats/operating-documents.md` describes the files.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::EvidenceIds;
use crate::access::Capability;
use crate::time::Timestamp;

/// The kinds of document that controls ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// How something is done to the running cluster, step by step.
    Runbook,
    /// Who acts first in each kind of trouble.
    IncidentOwnership,
    /// How records are deleted for good.
    DeletionProcedure,
    /// Who may operate what, and what vendors may never do.
    VendorAccess,
    /// How clients move to the cluster, and back.
    MigrationPlan,
    /// How the arrangement ends.
    ExitPlan,
}

impl DocumentKind {
    /// All of them, in the order in which files are written.
    pub const ALL: [Self; 6] = [
        Self::Runbook,
        Self::IncidentOwnership,
        Self::DeletionProcedure,
        Self::VendorAccess,
        Self::MigrationPlan,
        Self::ExitPlan,
    ];

    /// Its name in front matter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runbook => "runbook",
            Self::IncidentOwnership => "incident-ownership",
            Self::DeletionProcedure => "deletion-procedure",
            Self::VendorAccess => "vendor-access",
            Self::MigrationPlan => "migration-plan",
            Self::ExitPlan => "exit-plan",
        }
    }
}

/// Who does something, as a document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The customer alone.
    Customer,
    /// A declared vendor, or the provider of the service.
    Vendor,
    /// Either of them.
    Both,
}

/// What is done to a running cluster (OPS-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Stop and start brokers.
    RestartBrokers,
    /// Replace certificates of listeners.
    RotateCertificates,
    /// Read the logs of brokers and of the audit.
    ReadLogs,
    /// Install another version.
    Upgrade,
    /// Bring the cluster back after a loss.
    Recover,
}

/// Kinds of trouble that somebody has to own (OPS-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Brokers are down or slow.
    BrokerHealth,
    /// Stores refuse or lose.
    StorageAccess,
    /// Clients cannot connect.
    ClientConnectivity,
    /// Keys are disabled, deleted or refused.
    KeyTrouble,
}

/// Decisions of a migration (SEM-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutoverDecision {
    /// Stop where it is.
    Pause,
    /// Go on with the next group.
    Promote,
    /// Go back.
    RollBack,
}

/// Somebody to turn to, by role and not by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Contact {
    /// The role or rota.
    pub role: String,
    /// How it is reached.
    pub reach: String,
}

/// Who acts first in one kind of trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IncidentOwner {
    /// The kind of trouble.
    pub trouble: Trouble,
    /// The role or rota that acts first.
    pub first: String,
    /// How it is reached.
    pub reach: String,
}

/// Who carries out an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OperationOwner {
    /// The operation.
    pub operation: Operation,
    /// Who does it; absent where nobody said it yet.
    #[serde(default)]
    pub by: Option<Party>,
}

/// A sentence that the access engine can check: `only the customer can operate hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Statement {
    /// What is spoken about.
    pub capability: Capability,
    /// The only party that has it.
    pub only: Party,
    /// Over which targets, with `*` and `?` as wildcards; everything of the data plane unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Clients that move together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientGroup {
    /// What the group is called.
    pub name: String,
    /// The principals of its workloads, as declared.
    pub principals: Vec<String>,
}

/// Who takes a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Decider {
    /// The decision.
    pub decision: CutoverDecision,
    /// The role that takes it.
    pub role: String,
}

/// One step of leaving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExitStep {
    /// What is done.
    pub step: String,
    /// The role that does it.
    pub owner: String,
    /// By when after notice is given, in words: `30d`.
    pub within: String,
}

/// A heading and whether anything stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Section {
    /// The heading's text.
    pub heading: String,
    /// 1 to 6.
    pub level: u8,
    /// The line it stands on, counted from 1.
    pub line: u64,
    /// Whether something is written below it that is neither a comment nor a blank to be filled in.
    pub filled: bool,
}

/// A day of the calendar, `2026-11-21`; it begins at midnight in UTC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(String);

impl Day {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that is no day of the calendar.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no day like `2026-11-21`")]
pub struct DayError(String);

impl TryFrom<String> for Day {
    type Error = DayError;

    fn try_from(text: String) -> Result<Self, DayError> {
        let is_day = text.len() == 10 && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok();
        if is_day { Ok(Self(text)) } else { Err(DayError(text)) }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.0
    }
}

/// What a document says of itself, typed. A blank is `null`, empty or left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrontMatter {
    /// What it is.
    pub kind: DocumentKind,
    /// Controls that it answers: `OPS-01`.
    pub controls: BTreeSet<String>,
    /// Clusters it is about; empty for all of them.
    #[serde(default)]
    pub clusters: BTreeSet<String>,
    /// The team or role that answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whom to turn to.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// When it was last reviewed.
    #[serde(default)]
    pub last_reviewed: Option<Day>,
    /// When it was last followed.
    #[serde(default)]
    pub last_exercised: Option<Day>,
    /// Names of drills that exercise it: `upgrade-rollback`.
    #[serde(default)]
    pub drills: BTreeSet<String>,
    /// Ids of records that such drills left.
    #[serde(default)]
    pub drill_records: BTreeSet<String>,
    /// What it says that can be checked against the graph.
    #[serde(default)]
    pub statements: Vec<Statement>,
    /// Who carries out what.
    #[serde(default)]
    pub operations: Vec<OperationOwner>,
    /// Who acts first.
    #[serde(default)]
    pub incidents: Vec<IncidentOwner>,
    /// Who moves with whom, in the order in which they move.
    #[serde(default)]
    pub groups: Vec<ClientGroup>,
    /// Who decides.
    #[serde(default)]
    pub deciders: Vec<Decider>,
    /// How it ends, in order.
    #[serde(default)]
    pub steps: Vec<ExitStep>,
}

/// A document whose front matter could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingDocument {
    /// `document:` and its path below the declared folder.
    pub id: String,
    /// What it says of itself.
    pub front: FrontMatter,
    /// Its headings, in order.
    pub sections: Vec<Section>,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Everything that the declared folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Documents {
    /// Documents that could be read, by id.
    pub read: Vec<OperatingDocument>,
    /// Ids of documents that could not, each with what is wrong: `document:a.md`, `a.md:3:1: …`.
    pub broken: Vec<BrokenDocument>,
    /// Markdown files without front matter, which are no documents.
    pub others: Vec<String>,
}

/// A document whose front matter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenDocument {
    /// `document:` and its path below the declared folder.
    pub id: String,
    /// File, line and what is wrong.
    pub problem: String,
    /// Where that was recorded.
    pub evidence: EvidenceIds,
}

impl Documents {
    /// Whether nothing was found, or nobody looked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.broken.is_empty() && self.others.is_empty()
    }
}
