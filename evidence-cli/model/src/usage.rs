//! What is granted against what was used, and what vendors did.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::access::Capability;
use crate::asset::EvidenceIds;
use crate::declaration::{Vendor, matches_pattern};
use crate::time::Timestamp;

/// Uses that trails saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObservedUses {
    /// The first event that the trails hold.
    pub since: Option<Timestamp>,
    /// The last one.
    pub until: Option<Timestamp>,
    /// What the trails would have seen: capability and target, `*` for every target. Object reads, for one, are seen
    /// only where data events of the bucket are recorded.
    pub covered: BTreeSet<(Capability, String)>,
    /// The uses.
    pub uses: Vec<ObservedUse>,
}

/// Uses of one action by one principal on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedUse {
    /// Who, as the trail names it; a session (`arn:aws:sts::…:assumed-role/role/session`) counts for its role.
    pub principal: String,
    /// The action, `s3:GetObject`.
    pub action: String,
    /// The capability that the action gives, where it gives one.
    pub capability: Option<Capability>,
    /// On what: an ARN, an object's for its bucket; `topic:cluster/name`.
    pub target: String,
    /// How often.
    pub count: u64,
    /// The latest one.
    pub last: Option<Timestamp>,
    /// The records that show it.
    pub evidence: EvidenceIds,
}

/// One capability that is granted, or used, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Who.
    pub principal: String,
    /// What.
    pub capability: Capability,
    /// Over what.
    pub target: String,
    /// Granted against used.
    pub state: UsageState,
    /// The actions that are granted for it.
    pub granted: BTreeSet<String>,
    /// The actions that were used for it, with how often.
    pub used: BTreeMap<String, u64>,
    /// The latest use.
    pub last: Option<Timestamp>,
    /// Why no trail would show a use, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
    /// Records of grants and of uses.
    pub evidence: EvidenceIds,
}

impl Usage {
    /// How often it was used, by whichever action.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.used.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Granted against used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsageState {
    /// Granted and used.
    Used,
    /// Granted, would have been seen, and was not used.
    Unused,
    /// Granted, and no trail would have seen a use.
    Unobserved,
    /// Used although nothing that was read grants it: evidence is missing, or the grant is gone.
    NotGranted,
}

impl UsageState {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Unused => "never used",
            Self::Unobserved => "no trail would show it",
            Self::NotGranted => "used, not granted",
        }
    }
}

/// Everything that logs say about what principals did with what they may.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageReport {
    /// Where the window that is asked about begins.
    pub since: Option<Timestamp>,
    /// Where it ends.
    pub until: Option<Timestamp>,
    /// Whether the evidence holds any log at all.
    pub observed: bool,
    /// Granted against used, sorted by principal, capability and target.
    pub rows: Vec<Usage>,
    /// What vendors did.
    pub vendors: Vec<VendorAct>,
    /// Trails of the boundary that do not prove what happened in the window, sorted.
    pub doubts: Vec<Doubt>,
    /// Keys whose uses no trail would show, sorted.
    pub unseen_keys: Vec<Doubt>,
}

impl UsageReport {
    /// What a principal did of one capability over one target.
    #[must_use]
    pub fn of(&self, principal: &str, capability: Capability, target: &str) -> Option<&Usage> {
        let key = (principal, capability, target);
        let at = self
            .rows
            .binary_search_by(|row| (row.principal.as_str(), row.capability, row.target.as_str()).cmp(&key));
        at.ok().and_then(|at| self.rows.get(at))
    }
}

/// Why something is not proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Doubt {
    /// `ACCOUNT/REGION`, or a key's ARN.
    pub subject: String,
    /// Why.
    pub why: String,
    /// The records that show it.
    pub evidence: EvidenceIds,
}

/// What a vendor did, or tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VendorAct {
    /// Which vendor.
    pub vendor: String,
    /// The role, user or service.
    pub principal: String,
    /// `ec2:RunInstances`.
    pub action: String,
    /// On what.
    pub targets: Vec<String>,
    /// The declared function that it serves; absent where nothing declares it.
    pub function: Option<String>,
    /// Why it was refused, where it was.
    pub error: Option<String>,
    /// How often.
    pub count: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// The records that show it.
    pub evidence: EvidenceIds,
}

/// A call, as far as it matters for whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// The role, user or service.
    pub principal: &'a str,
    /// Its account.
    pub account: Option<&'a str>,
    /// `sts:AssumeRole`.
    pub action: &'a str,
    /// ARNs of what it was done to.
    pub resources: &'a [String],
    /// The address it came from.
    pub source: Option<&'a str>,
}

impl Vendor {
    /// Whether the vendor did it, by one of its roles, from one of its accounts or from one of its networks; and then
    /// the declared function that it serves, where the role's declared actions hold it.
    #[must_use]
    pub fn function_of(&self, act: &Act<'_>) -> Option<Option<&str>> {
        let takes = act.action.starts_with("sts:Assume");
        for role in &self.roles {
            if role.arn == act.principal {
                let needed = role.actions.iter().any(|pattern| matches_action(pattern, act.action));
                return Some(needed.then_some(role.function.as_str()));
            }
            if takes && act.resources.contains(&role.arn) {
                return Some(Some(role.function.as_str()));
            }
        }
        let account = act.account.is_some_and(|account| self.accounts.iter().any(|own| own == account));
        let address = act.source.and_then(|address| address.parse::<IpAddr>().ok());
        let network =
            address.is_some_and(|address| self.networks.iter().any(|range| range.contains(&address)));
        (account || network).then_some(None)
    }
}

/// Whether an action is what a pattern names. Actions are compared without regard to case ("IAM JSON policy elements:
/// Action", IAM User Guide).
#[must_use]
pub fn matches_action(pattern: &str, action: &str) -> bool {
    matches_pattern(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}
