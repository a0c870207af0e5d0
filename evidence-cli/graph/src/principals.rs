//! Who matters to the boundary, and what is known of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cadastre_model::access::{Access, Capability};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::{PrincipalView, Side};
use cadastre_model::inventory::Inventory;
use foldhash::fast::RandomState;

use crate::scope::Scope;
use crate::sides::{Sides, account};

/// Everybody who holds a capability over something data-bearing, or can become or change somebody who does; and
/// whom the declaration names as a vendor's.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// All of them.
    pub(crate) all: BTreeSet<String>,
    /// Those who hold a capability themselves.
    pub(crate) direct: BTreeSet<String>,
}

/// Finds them.
pub(crate) fn holders(
    scope: &Scope,
    sides: &Sides<'_>,
    access: &Access,
    declaration: &Declaration,
) -> Holders {
    let mut holders = Holders::default();
    let mut covered: HashMap<&str, bool, RandomState> = HashMap::default();
    let mut reached_by: HashMap<&str, Vec<&str>, RandomState> = HashMap::default();
    // Edges are sorted by principal, so that each is looked at once.
    for own in access.edges.chunk_by(|a, b| a.principal == b.principal) {
        let mut direct = false;
        for edge in own {
            if *covered.entry(&edge.target).or_insert_with(|| scope.covers(&edge.target)) {
                direct = true;
            } else if matches!(edge.capability, Capability::Assume | Capability::ChangePolicy) {
                let by = reached_by.entry(&edge.target).or_default();
                if by.last() != Some(&edge.principal.as_str()) {
                    by.push(&edge.principal);
                }
            }
        }
        if let Some(first) = own.first().filter(|_| direct) {
            holders.direct.insert(first.principal.clone());
        }
    }
    let mut waiting: Vec<&str> = holders.direct.iter().map(String::as_str).collect();
    let mut all: BTreeSet<&str> = waiting.iter().copied().collect();
    while let Some(principal) = waiting.pop() {
        for by in reached_by.get(principal).into_iter().flatten() {
            if all.insert(by) {
                waiting.push(by);
            }
        }
    }
    let mut all: BTreeSet<String> = all.into_iter().map(str::to_owned).collect();
    for vendor in &declaration.vendors {
        all.extend(vendor.roles.iter().map(|role| role.arn.clone()));
        all.extend(vendor.kafka_principals.iter().cloned());
    }
    for trust in &access.trusts {
        if sides.of(&trust.principal) == Side::Vendor {
            all.insert(trust.role.clone());
            all.insert(trust.principal.clone());
        }
    }
    holders.all = all;
    holders
}

/// What is known of each.
pub(crate) fn views(
    inventory: &Inventory,
    access: &Access,
    declaration: &Declaration,
    sides: &Sides<'_>,
    holders: &Holders,
) -> Vec<PrincipalView> {
    let mut becoming: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut statements: BTreeMap<&str, EvidenceIds> = BTreeMap::new();
    let observed: HashMap<&str, &EvidenceIds, RandomState> =
        inventory.principals.iter().map(|principal| (principal.arn.as_str(), &principal.evidence)).collect();
    for own in access.edges.chunk_by(|a, b| a.principal == b.principal) {
        let Some(principal) = own.first().map(|edge| edge.principal.as_str()) else { continue };
        if matches!(sides.of(principal), Side::Vendor | Side::Outside) {
            for edge in own.iter().filter(|edge| edge.capability == Capability::Assume) {
                becoming.entry(&edge.target).or_default().insert(principal);
            }
        }
        // For those who were read themselves, their own records speak.
        if !observed.contains_key(principal) && holders.all.contains(principal) {
            let records =
                own.iter().flat_map(|edge| &edge.statements).map(|statement| statement.record.clone());
            statements.entry(principal).or_default().extend(records);
        }
    }
    // A declared role that no record shows is not a principal that holds anything.
    let declared_only = |id: &str| {
        declaration.vendors.iter().any(|vendor| vendor.roles.iter().any(|role| role.arn == id))
            && !observed.contains_key(id)
            && !statements.contains_key(id)
    };
    holders
        .all
        .iter()
        .filter(|id| !declared_only(id))
        .map(|id| PrincipalView {
            id: id.clone(),
            side: sides.of(id),
            account: account(id).map(str::to_owned),
            vendor: sides.vendor(id).map(str::to_owned),
            jobs: sides.jobs(id),
            assumable_by: becoming
                .get(id.as_str())
                .into_iter()
                .flatten()
                .map(|by| (*by).to_owned())
                .collect(),
            evidence: observed
                .get(id.as_str())
                .map(|evidence| (*evidence).clone())
                .or_else(|| statements.get(id.as_str()).cloned())
                .unwrap_or_default(),
        })
        .collect()
}
