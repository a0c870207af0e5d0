//! What logs tell: whether a trail is whole, who did what on it, and which key uses a component's own record explains.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::EvidenceIds;
use crate::time::Timestamp;

/// The files of one account's trails in one region, and whether their digest chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailCheck {
    /// `ACCOUNT/REGION`.
    pub id: String,
    /// The account whose calls the trail holds.
    pub account: String,
    /// The region.
    pub region: String,
    /// Names of the trails that wrote the digests.
    pub trails: BTreeSet<String>,
    /// Whether every digest and file is there, linked, signed and unchanged.
    pub valid: bool,
    /// Whether something is wrong, rather than merely not checked.
    pub wrong: bool,
    /// Where the oldest digest's hour begins; absent without digests.
    pub from: Option<Timestamp>,
    /// Where the newest digest's hour ends.
    pub to: Option<Timestamp>,
    /// Events that were read, each once.
    pub events: u64,
    /// Files and events that could not be used.
    pub refused: u64,
    /// What is wrong or was not checked, in words; the first of many.
    pub problems: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Calls on a trail that differ in nothing but their time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The account whose trail holds them.
    pub account: String,
    /// The region.
    pub region: String,
    /// The role, user or service that permissions belong to.
    pub principal: String,
    /// Its account.
    pub principal_account: Option<String>,
    /// `kms:Decrypt`.
    pub action: String,
    /// What it was done to: ARNs, an object's for its bucket alone, and names that stand for one.
    pub names: Vec<String>,
    /// The address, or the service, that the calls came from.
    pub source: Option<String>,
    /// Why they were refused, where they were.
    pub error: Option<String>,
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// Ids of some of the events.
    pub events: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Key uses on a trail against the ledgers of the components that use the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReconciliation {
    /// What it is about, as its record says.
    pub id: String,
    /// ARNs of the keys whose uses were looked for.
    pub keys: BTreeSet<String>,
    /// Uses that trail and ledgers show.
    pub matched: u64,
    /// Uses that only the trail shows.
    pub unexplained: Vec<LoneKeyUse>,
    /// Refused calls that only the trail shows.
    pub attempts: Vec<LoneKeyUse>,
    /// Entries that the trail should show and does not.
    pub unseen: Vec<LoneKeyUse>,
    /// Where a ledger was altered, in words.
    pub broken: Vec<String>,
    /// What else is missing, in words.
    pub incomplete: Vec<String>,
    /// The first and last entry's time.
    pub ledger_from: Option<Timestamp>,
    /// The last entry's time.
    pub ledger_to: Option<Timestamp>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A key use that one side alone shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoneKeyUse {
    /// When.
    pub time: Timestamp,
    /// `Decrypt`, or the ledger's operation.
    pub operation: String,
    /// The key's ARN.
    pub key: String,
    /// Who, where the trail says it.
    pub principal: Option<String>,
    /// The service that called on its behalf.
    pub via: Option<String>,
    /// The event's id, or the entry's number.
    pub reference: String,
    /// Why it has no partner.
    pub reason: String,
}
