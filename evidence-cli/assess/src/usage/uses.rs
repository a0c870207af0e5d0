//! Calls that trails saw, as uses of capabilities.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Timestamp;
use cadastre_model::access::{Access, Capability};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::activity::Activity;
use cadastre_model::usage::{ObservedUse, ObservedUses};

/// Calls that differ in nothing but their time.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    /// The account whose trail shows them.
    pub(super) account: &'a str,
    pub(super) principal: &'a str,
    pub(super) principal_account: Option<&'a str>,
    /// `kms:Decrypt`.
    pub(super) action: &'a str,
    /// ARNs, and names that stand for one.
    pub(super) names: &'a [String],
    pub(super) source: Option<&'a str>,
    pub(super) error: Option<&'a str>,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) evidence: &'a EvidenceIds,
}

impl<'a> Call<'a> {
    /// A row of a trail's files.
    pub(super) fn of_row(row: &'a Activity) -> Self {
        Self {
            account: &row.account,
            principal: &row.principal,
            principal_account: row.principal_account.as_deref(),
            action: &row.action,
            names: &row.names,
            source: row.source.as_deref(),
            error: row.error.as_deref(),
            count: row.count,
            first: row.first,
            last: row.last,
            evidence: &row.evidence,
        }
    }
}

/// The uses that calls come to. A call that was refused used nothing.
pub(super) fn observed(calls: &[Call<'_>], access: &Access) -> ObservedUses {
    let known = Known::new(access);
    let mut uses: BTreeMap<(&str, &str, Capability, String), ObservedUse> = BTreeMap::new();
    let mut observed = ObservedUses::default();
    for call in calls {
        observed.since = Some(observed.since.map_or(call.first, |since| since.min(call.first)));
        observed.until = observed.until.max(Some(call.last));
        if call.error.is_some() {
            continue;
        }
        for target in known.targets(call) {
            for capability in cadastre_access::exercised(call.action, target, known.sinks.contains(target)) {
                let key = (call.principal, call.action, capability, target.to_owned());
                let used = uses.entry(key).or_insert_with(|| ObservedUse {
                    principal: call.principal.to_owned(),
                    action: call.action.to_owned(),
                    capability: Some(capability),
                    target: target.to_owned(),
                    count: 0,
                    last: None,
                    evidence: EvidenceIds::new(),
                });
                used.count = used.count.saturating_add(call.count);
                used.last = used.last.max(Some(call.last));
                used.evidence.extend(call.evidence.iter().cloned());
            }
        }
    }
    observed.uses = uses.into_values().collect();
    observed
}

/// Targets that access knows.
struct Known<'a> {
    targets: BTreeSet<&'a str>,
    /// By account and last part of the name; several share one where the name is not unique.
    named: BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>,
    sinks: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn new(access: &'a Access) -> Self {
        let mut known = Self { targets: BTreeSet::new(), named: BTreeMap::new(), sinks: BTreeSet::new() };
        for edge in &access.edges {
            let target = edge.target.as_str();
            known.targets.insert(target);
            if matches!(edge.capability, Capability::ReadLogs | Capability::AlterLogs) {
                known.sinks.insert(target);
            }
            let account = target.split(':').nth(4).unwrap_or_default();
            let name = target.rsplit(['/', ':']).next().unwrap_or(target);
            known.named.entry((account, name)).or_default().insert(target);
        }
        known
    }

    /// What a call is about: ARNs that are known, or else the one known thing of the account that has the name.
    fn targets(&self, call: &Call<'_>) -> BTreeSet<&'a str> {
        let by_arn: BTreeSet<&str> =
            call.names.iter().filter_map(|name| self.targets.get(name.as_str()).copied()).collect();
        if !by_arn.is_empty() {
            return by_arn;
        }
        call.names
            .iter()
            .filter_map(|name| {
                // Snapshots carry no account.
                let owned =
                    [call.account, ""].into_iter().find_map(|account| self.named.get(&(account, name)));
                owned.filter(|named| named.len() == 1).and_then(BTreeSet::first).copied()
            })
            .collect()
    }
}
