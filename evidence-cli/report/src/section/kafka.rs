//! The Kafka access matrix: principal × topic, group and cluster operation, with the rule that decides.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::kafka::{AclBinding, KafkaCluster};
use serde::Serialize;

use crate::citations::{Citations, Link, Proof};
use crate::input::ReportInput;
use crate::words::{self, Certainty};

/// How many topics one row names.
const TOPICS: usize = 24;

/// One cluster.
#[derive(Debug, Serialize)]
pub(crate) struct Cluster {
    name: String,
    number: usize,
    brokers: String,
    topics: String,
    groups: String,
    /// What is not known about it.
    missing: Vec<String>,
    /// Whether the cluster said that it has no authorizer.
    open: bool,
    effective: Vec<Effective>,
    rules: Vec<Rules>,
    listeners: Vec<Listener>,
    evidence: Vec<Link>,
}

/// What follows for one principal.
#[derive(Debug, Serialize)]
struct Effective {
    principal: String,
    ways: Vec<Way>,
}

/// Targets that one set of rules opens in the same way.
#[derive(Debug, Serialize)]
struct Way {
    operation: String,
    targets: Vec<String>,
    more: usize,
    certainty: Certainty,
    proofs: Vec<Proof>,
}

/// The ACLs of one principal.
#[derive(Debug, Serialize)]
struct Rules {
    principal: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
struct Rule {
    permission: String,
    operations: Vec<String>,
    resource: String,
    host: String,
    proofs: Vec<Proof>,
}

#[derive(Debug, Serialize)]
struct Listener {
    name: String,
    address: String,
    protocol: String,
    tls: String,
    anonymous: &'static str,
    evidence: Vec<Link>,
}

/// Builds the matrix of every cluster.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Vec<Cluster> {
    input
        .inventory
        .clusters
        .iter()
        .enumerate()
        .map(|(index, cluster)| show(index + 1, cluster, input.access, citations))
        .collect()
}

fn show(number: usize, cluster: &KafkaCluster, access: &Access, citations: &mut Citations) -> Cluster {
    Cluster {
        name: cluster.name.clone(),
        number,
        brokers: amount(&cluster.brokers, "broker", "brokers"),
        topics: amount(&cluster.topics, "topic", "topics"),
        groups: amount(&cluster.groups, "consumer group", "consumer groups"),
        missing: missing(cluster),
        open: cluster.acls == Known::Absent,
        effective: effective(cluster, access, citations),
        rules: rules(cluster, citations),
        listeners: listeners(cluster, citations),
        evidence: citations.records(&cluster.evidence),
    }
}

fn amount<T>(list: &Known<Vec<T>>, singular: &str, plural: &str) -> String {
    match list {
        Known::Observed(list) => words::count(list.len(), singular, plural),
        Known::Absent => format!("no {plural}"),
        Known::Unknown(_) => format!("{plural} not known"),
    }
}

fn missing(cluster: &KafkaCluster) -> Vec<String> {
    let parts = [
        ("brokers", cluster.brokers.missing()),
        ("topics", cluster.topics.missing()),
        ("ACLs", cluster.acls.missing()),
        ("SCRAM credentials", cluster.scram_credentials.missing()),
        ("quotas", cluster.quotas.missing()),
        ("consumer groups", cluster.groups.missing()),
    ];
    parts.into_iter().filter_map(|(what, why)| Some(format!("{what}: {}", why?))).collect()
}

/// What an edge opens: capability, operation, decision, and the rules that give it.
type Opening<'e> = (Capability, &'e str, &'e Decision, &'e [StatementRef]);
/// What operations have in common that one row shows: targets, decision, rules.
type Row<'e> = (BTreeSet<&'e str>, &'e Decision, &'e [StatementRef]);

fn effective(cluster: &KafkaCluster, access: &Access, citations: &mut Citations) -> Vec<Effective> {
    let prefix = format!("topic:{}/", cluster.name);
    let itself = format!("cluster:{}", cluster.name);
    let here: Vec<&CapabilityEdge> = access
        .edges
        .iter()
        .filter(|edge| edge.decision.possible())
        .filter(|edge| edge.target.starts_with(&prefix) || edge.target == itself)
        .collect();
    // Where a rule settles that somebody may, what else might allow it is no question any more.
    let settled: BTreeSet<(&str, &str, &str)> = here
        .iter()
        .filter(|edge| edge.decision == Decision::Allow)
        .map(|edge| (edge.principal.as_str(), edge.action.as_str(), edge.target.as_str()))
        .collect();
    let mut found: BTreeMap<&str, BTreeMap<Opening<'_>, BTreeSet<&str>>> = BTreeMap::new();
    for edge in here {
        let question = (edge.principal.as_str(), edge.action.as_str(), edge.target.as_str());
        if edge.decision != Decision::Allow && settled.contains(&question) {
            continue;
        }
        let target = edge.target.strip_prefix(&prefix).unwrap_or("the cluster");
        let opening = (edge.capability, operation(edge), &edge.decision, edge.statements.as_slice());
        found.entry(&edge.principal).or_default().entry(opening).or_default().insert(target);
    }
    found
        .into_iter()
        .map(|(principal, openings)| {
            let mut rows: Vec<(Vec<&str>, Row<'_>)> = Vec::new();
            for ((_, operation, decision, statements), targets) in openings {
                let row = (targets, decision, statements);
                match rows.iter_mut().find(|(_, other)| *other == row) {
                    Some((operations, _)) => operations.push(operation),
                    None => rows.push((vec![operation], row)),
                }
            }
            let ways = rows.into_iter().map(|(operations, row)| way(&operations, row, citations)).collect();
            Effective { principal: principal.to_owned(), ways }
        })
        .collect()
}

fn way(operations: &[&str], (targets, decision, statements): Row<'_>, citations: &mut Citations) -> Way {
    Way {
        operation: operations.join(", "),
        more: targets.len().saturating_sub(TOPICS),
        targets: targets.into_iter().take(TOPICS).map(str::to_owned).collect(),
        certainty: Certainty::of(decision),
        proofs: citations.statements(statements),
    }
}

fn operation(edge: &CapabilityEdge) -> &str {
    edge.action.strip_prefix("kafka:").unwrap_or(&edge.action)
}

fn rules(cluster: &KafkaCluster, citations: &mut Citations) -> Vec<Rules> {
    type Key<'e> = (&'e str, &'e str, &'e str, &'e str, &'e str);
    let mut found: BTreeMap<&str, BTreeMap<Key<'_>, Vec<&AclBinding>>> = BTreeMap::new();
    for acl in cluster.acls.observed().into_iter().flatten() {
        let key: Key<'_> =
            (&acl.permission, &acl.resource_type, &acl.resource_name, &acl.pattern_type, &acl.host);
        found.entry(&acl.principal).or_default().entry(key).or_default().push(acl);
    }
    found
        .into_iter()
        .map(|(principal, by_key)| Rules {
            principal: principal.to_owned(),
            rules: by_key.into_values().filter_map(|acls| rule(&acls, citations)).collect(),
        })
        .collect()
}

fn rule(acls: &[&AclBinding], citations: &mut Citations) -> Option<Rule> {
    let first = acls.first()?;
    let places: Vec<StatementRef> = acls
        .iter()
        .map(|acl| StatementRef {
            policy: format!("{} {}", acl.permission, acl.operation).into(),
            record: acl.record.clone(),
            pointer: acl.pointer.as_str().into(),
        })
        .collect();
    let kind = first.resource_type.to_lowercase().replace('_', " ");
    let resource = match (first.pattern_type.as_str(), first.resource_name.as_str()) {
        (_, "*") => format!("every {kind}"),
        ("PREFIXED", name) => format!("{kind} {name}… (prefix)"),
        (_, name) => format!("{kind} {name}"),
    };
    Some(Rule {
        permission: first.permission.to_lowercase(),
        operations: acls.iter().map(|acl| acl.operation.clone()).collect(),
        resource,
        host: if first.host == "*" { "any address".to_owned() } else { first.host.clone() },
        proofs: citations.statements(&places),
    })
}

fn listeners(cluster: &KafkaCluster, citations: &mut Citations) -> Vec<Listener> {
    cluster
        .listeners
        .iter()
        .map(|listener| Listener {
            name: listener.name.clone(),
            address: format!("{}:{}", listener.host, listener.port),
            protocol: match &listener.protocol {
                Known::Observed(protocol) => protocol.clone(),
                Known::Absent => "none".to_owned(),
                Known::Unknown(_) => "not known".to_owned(),
            },
            tls: match &listener.tls_versions {
                Known::Observed(versions) => versions.join(", "),
                Known::Absent => "no TLS".to_owned(),
                Known::Unknown(_) => "not probed".to_owned(),
            },
            anonymous: match listener.anonymous_access {
                Known::Observed(true) => "served",
                Known::Observed(false) | Known::Absent => "refused",
                Known::Unknown(_) => "not probed",
            },
            evidence: citations.records(&listener.evidence),
        })
        .collect()
}
