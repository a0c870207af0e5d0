//! What is granted against what trails saw used.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Access, Capability};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::usage::{ObservedUses, Usage, UsageState};

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
        blind: None,
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
