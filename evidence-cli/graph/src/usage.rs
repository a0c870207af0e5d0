//! What is granted against what trails saw used.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Timestamp;
use cadastre_model::access::{Access, Capability};
use cadastre_model::asset::EvidenceIds;
use serde::{Deserialize, Serialize};

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
    /// Records of grants and of uses.
    pub evidence: EvidenceIds,
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

/// Compares what policies grant with what trails saw; sorted by principal, capability and target. Without trails
/// nothing is unused: everything granted is [`UsageState::Unobserved`].
#[must_use]
pub fn granted_versus_used(access: &Access, observed: Option<&ObservedUses>) -> Vec<Usage> {
    let mut table = Table::new();
    let mut roles: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut targets: BTreeSet<&str> = BTreeSet::new();
    for edge in &access.edges {
        let usage = entry(&mut table, &edge.principal, edge.capability, &edge.target, UsageState::Unobserved);
        usage.granted.insert(edge.action.clone());
        usage.evidence.extend(edge.statements.iter().map(|statement| statement.record.clone()));
        roles.extend(role(&edge.principal).map(|role| (role, edge.principal.as_str())));
        targets.insert(&edge.target);
    }
    for used in observed.iter().flat_map(|observed| &observed.uses) {
        let Some(capability) = used.capability else { continue };
        let principal = session(&used.principal).and_then(|session| roles.get(&session)).copied();
        let target = holding(&used.target, &targets);
        let usage = entry(
            &mut table,
            principal.unwrap_or(&used.principal),
            capability,
            target,
            UsageState::NotGranted,
        );
        if usage.state == UsageState::Unobserved {
            usage.state = UsageState::Used;
        }
        *usage.used.entry(used.action.clone()).or_default() += used.count;
        usage.last = usage.last.max(used.last);
        usage.evidence.extend(used.evidence.iter().cloned());
    }
    let seen = |capability: Capability, target: &str| {
        observed.is_some_and(|observed| {
            [target, "*"].iter().any(|name| observed.covered.contains(&(capability, (*name).to_owned())))
        })
    };
    let mut usages: Vec<Usage> = table.into_values().collect();
    for usage in usages.iter_mut().filter(|usage| usage.state == UsageState::Unobserved) {
        if seen(usage.capability, &usage.target) {
            usage.state = UsageState::Unused;
        }
    }
    usages
}

type Table = BTreeMap<(String, Capability, String), Usage>;

fn entry<'t>(
    table: &'t mut Table,
    principal: &str,
    capability: Capability,
    target: &str,
    state: UsageState,
) -> &'t mut Usage {
    table.entry((principal.to_owned(), capability, target.to_owned())).or_insert_with(|| Usage {
        principal: principal.to_owned(),
        capability,
        target: target.to_owned(),
        state,
        granted: BTreeSet::new(),
        used: BTreeMap::new(),
        last: None,
        evidence: EvidenceIds::new(),
    })
}

/// Account and name of a role, given by its ARN.
fn role(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.strip_prefix("arn:aws:iam::")?.splitn(2, ":role/");
    Some((parts.next()?, parts.next()?.rsplit('/').next()?))
}

/// Account and name of the role of a session.
fn session(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.strip_prefix("arn:aws:sts::")?.splitn(2, ":assumed-role/");
    Some((parts.next()?, parts.next()?.split('/').next()?))
}

/// The target that holds what was used: the bucket of an object, the thing itself otherwise.
fn holding<'a>(used: &'a str, targets: &BTreeSet<&'a str>) -> &'a str {
    if targets.contains(used) || !used.starts_with("arn:aws:s3:::") {
        return used;
    }
    used.find('/').and_then(|at| used.get(..at)).unwrap_or(used)
}
