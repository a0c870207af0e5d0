//! The key inventory: what each key protects, who administers it, who decrypts with it, and how it is kept.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::access::{Access, Capability, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::keys::Key;
use cadastre_model::declaration::{Declaration, matches_pattern};
use cadastre_model::inventory::Inventory;
use serde::Serialize;

use crate::citations::{Citations, Link, Proof};
use crate::input::ReportInput;
use crate::words::{self, Certainty};

/// How many principals one cell names.
const NAMED: usize = 40;

/// The inventory.
#[derive(Debug, Serialize)]
pub(crate) struct Keys {
    /// Keys that the customer manages, those that protect something first.
    keys: Vec<Shown>,
    /// Keys that the cloud manages, by alias or ARN.
    provider: Vec<String>,
    /// Stores without a key of their own: what, and how they are encrypted.
    uncovered: Vec<Protected>,
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    arn: String,
    aliases: Vec<String>,
    declared: bool,
    protects: Vec<Protected>,
    administrators: Vec<Holder>,
    more_administrators: usize,
    decrypt: Vec<Holder>,
    more_decrypt: usize,
    state: Fact,
    origin: Fact,
    rotation: Fact,
    deletion: Fact,
    regions: Fact,
    grants: Fact,
    evidence: Vec<Link>,
}

/// A property: `observed`, `absent` or `unknown`, and what to print.
#[derive(Debug, Serialize)]
struct Fact {
    state: &'static str,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Protected {
    kind: &'static str,
    name: String,
    note: String,
    evidence: Vec<Link>,
}

/// Somebody with a capability over a key.
#[derive(Debug, Serialize)]
struct Holder {
    principal: String,
    /// Whether the declaration lists it.
    declared: bool,
    actions: Vec<String>,
    certainty: Certainty,
    proofs: Vec<Proof>,
}

/// Builds the inventory.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Keys {
    let inventory = input.inventory;
    let (mut protects, uncovered) = stores(inventory, citations);
    let mut keys = Vec::new();
    let mut provider = Vec::new();
    for key in &inventory.keys {
        let protected = protects.remove(key.arn.as_str()).unwrap_or_default();
        if key.manager.observed().is_some_and(|manager| manager == "AWS") {
            provider.push(key.aliases.first().unwrap_or(&key.arn).clone());
        } else {
            keys.push(show(key, protected, input.access, input.declaration, citations));
        }
    }
    keys.sort_by(|a, b| {
        (a.protects.is_empty(), !a.declared, &a.name, &a.arn).cmp(&(
            b.protects.is_empty(),
            !b.declared,
            &b.name,
            &b.arn,
        ))
    });
    Keys { keys, provider, uncovered }
}

fn show(
    key: &Key,
    protects: Vec<Protected>,
    access: &Access,
    declaration: &Declaration,
    citations: &mut Citations,
) -> Shown {
    let declared =
        declaration.keys.iter().find(|known| known.id == key.arn || key.aliases.contains(&known.id));
    let listed = |patterns: Option<&Vec<String>>, principal: &str| {
        patterns.is_some_and(|patterns| patterns.iter().any(|pattern| matches_pattern(pattern, principal)))
    };
    let mut holders = |capability: Capability, patterns: Option<&Vec<String>>| {
        let mut holders = holders(key, capability, access, citations);
        for holder in &mut holders {
            holder.declared = listed(patterns, &holder.principal);
        }
        let more = holders.len().saturating_sub(NAMED);
        holders.truncate(NAMED);
        (holders, more)
    };
    let (administrators, more_administrators) =
        holders(Capability::ManageKey, declared.map(|declared| &declared.administrators));
    let (decrypt, more_decrypt) = holders(Capability::Decrypt, declared.map(|declared| &declared.decrypt));
    Shown {
        name: key.aliases.first().map_or_else(|| words::short_name(&key.arn).to_owned(), Clone::clone),
        arn: key.arn.clone(),
        aliases: key.aliases.clone(),
        declared: declared.is_some(),
        protects,
        administrators,
        more_administrators,
        decrypt,
        more_decrypt,
        state: fact(&key.state, Clone::clone, "none"),
        origin: fact(&key.origin, Clone::clone, "none"),
        rotation: fact(
            &key.rotation,
            |rotation| match (rotation.enabled, rotation.period_days) {
                (false, _) => "off".to_owned(),
                (true, None) => "on".to_owned(),
                (true, Some(days)) => format!("every {days} days"),
            },
            "not offered for this key",
        ),
        deletion: fact(&key.deletion_date, |date| format!("scheduled for {date}"), "not scheduled"),
        regions: fact(
            &key.multi_region,
            |multi| match (multi, key.replica_regions.is_empty()) {
                (false, _) => key.region.clone(),
                (true, true) => format!("{}, multi-Region without replicas", key.region),
                (true, false) => format!("{}, replicas in {}", key.region, key.replica_regions.join(", ")),
            },
            &key.region,
        ),
        grants: fact(&key.grants, |grants| words::count(grants.len(), "grant", "grants"), "none"),
        evidence: citations.records(&key.evidence),
    }
}

fn fact<T>(known: &Known<T>, words: impl FnOnce(&T) -> String, absent: &str) -> Fact {
    match known {
        Known::Observed(value) => Fact { state: "observed", text: words(value) },
        Known::Absent => Fact { state: "absent", text: absent.to_owned() },
        Known::Unknown(missing) => Fact { state: "unknown", text: missing.clone() },
    }
}

/// One way to a capability: action, decision, statements.
type Way<'e> = (&'e str, &'e Decision, &'e [StatementRef]);

/// Everybody with a capability over a key, each with all the ways to it.
fn holders(key: &Key, capability: Capability, access: &Access, citations: &mut Citations) -> Vec<Holder> {
    let mut ways: BTreeMap<&str, Vec<Way<'_>>> = BTreeMap::new();
    for edge in &access.edges {
        if edge.capability == capability && edge.target == key.arn && edge.decision.possible() {
            let way = (edge.action.as_str(), &edge.decision, edge.statements.as_slice());
            ways.entry(&edge.principal).or_default().push(way);
        }
    }
    ways.into_iter()
        .map(|(principal, ways)| {
            let strongest =
                ways.iter().map(|(_, decision, _)| *decision).min_by_key(|decision| words::rank(decision));
            let mut actions: Vec<String> = ways.iter().map(|(action, ..)| (*action).to_owned()).collect();
            actions.sort();
            actions.dedup();
            let mut proofs = citations.statements(ways.iter().flat_map(|(.., statements)| *statements));
            proofs.sort();
            proofs.dedup();
            Holder {
                principal: principal.to_owned(),
                declared: false,
                actions,
                certainty: Certainty::of(strongest.unwrap_or(&Decision::Deny)),
                proofs,
            }
        })
        .collect()
}

/// What is encrypted under which key, and what is under none of the collected ones.
fn stores(
    inventory: &Inventory,
    citations: &mut Citations,
) -> (BTreeMap<String, Vec<Protected>>, Vec<Protected>) {
    let mut under: BTreeMap<String, Vec<Protected>> = BTreeMap::new();
    let mut uncovered = Vec::new();
    let mut place = |key: Option<&String>, protected: Protected| match key {
        Some(key) => under.entry(key.clone()).or_default().push(protected),
        None => uncovered.push(protected),
    };
    for bucket in &inventory.buckets {
        let (key, note) = match &bucket.encryption {
            Known::Observed(encryption) => match (&encryption.key_arn, &encryption.key) {
                (Some(arn), _) => (Some(arn), String::new()),
                (None, Some(key)) => {
                    (None, format!("{} under {key}, a key that was not read", encryption.algorithm))
                }
                (None, None) => (None, format!("{} under a provider-managed key", encryption.algorithm)),
            },
            Known::Absent => (None, "no default encryption".to_owned()),
            Known::Unknown(missing) => (None, format!("not known: {missing}")),
        };
        let evidence = citations.records(&bucket.evidence);
        place(key, Protected { kind: "bucket", name: bucket.name.clone(), note, evidence });
    }
    let disk = |encrypted: bool, key: Option<&String>| match (encrypted, key) {
        (false, _) => "not encrypted".to_owned(),
        (true, None) => "encrypted, the key is not shown".to_owned(),
        (true, Some(_)) => String::new(),
    };
    for volume in &inventory.volumes {
        let note = disk(volume.encrypted, volume.key_arn.as_ref());
        let evidence = citations.records(&volume.evidence);
        place(volume.key_arn.as_ref(), Protected { kind: "volume", name: volume.id.clone(), note, evidence });
    }
    for snapshot in &inventory.snapshots {
        let note = disk(snapshot.encrypted, snapshot.key_arn.as_ref());
        let evidence = citations.records(&snapshot.evidence);
        place(
            snapshot.key_arn.as_ref(),
            Protected { kind: "snapshot", name: snapshot.id.clone(), note, evidence },
        );
    }
    for group in &inventory.log_groups {
        let note =
            group.key_arn.as_ref().map_or_else(|| "provider-managed key".to_owned(), |_| String::new());
        let evidence = citations.records(&group.evidence);
        place(
            group.key_arn.as_ref(),
            Protected { kind: "log group", name: group.name.clone(), note, evidence },
        );
    }
    for trail in &inventory.trails {
        let note =
            trail.key.as_ref().map_or_else(|| "the bucket’s own encryption".to_owned(), |_| String::new());
        let evidence = citations.records(&trail.evidence);
        place(trail.key.as_ref(), Protected { kind: "trail", name: trail.name.clone(), note, evidence });
    }
    for list in under.values_mut() {
        list.sort();
    }
    uncovered.sort();
    (under, uncovered)
}
