//! The permission matrix: principal × capability, every side apart, conditions spelt out.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::graph::{BoundaryGraph, PlaintextPath, PrincipalView, Side};
use serde::Serialize;

use crate::citations::{Citations, Link, Proof};
use crate::words::{self, Certainty};

/// How many grants of one principal are listed one by one.
const LISTED: usize = 60;
/// How many principals of one side are shown, those with plaintext paths first.
const SHOWN: usize = 100;
/// How many targets one grant names.
const TARGETS: usize = 12;

/// The matrix.
#[derive(Debug, Serialize)]
pub(crate) struct Permissions {
    groups: Vec<Group>,
    /// What could not be evaluated: who or what, and why.
    unknown: Vec<(String, String)>,
}

/// The principals of one side.
#[derive(Debug, Serialize)]
struct Group {
    side: &'static str,
    title: &'static str,
    lead: &'static str,
    /// The capabilities that anybody in the group has.
    capabilities: Vec<&'static str>,
    principals: Vec<Row>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    name: String,
    number: usize,
    vendor: Option<String>,
    jobs: Vec<&'static str>,
    assumable_by: Vec<String>,
    plaintext: Cell,
    cells: Vec<Cell>,
    grants: Vec<Grant>,
    more: usize,
    evidence: Vec<Link>,
}

/// The strongest of some decisions, and how many targets they are about.
#[derive(Debug, Clone, Serialize)]
struct Cell {
    state: &'static str,
    targets: usize,
}

/// One way to one capability, over all targets that have it in common.
#[derive(Debug, Serialize)]
struct Grant {
    capability: &'static str,
    action: String,
    targets: Vec<String>,
    more_targets: usize,
    certainty: Certainty,
    proofs: Vec<Proof>,
}

const SIDES: [(Side, &str, &str); 4] = [
    (Side::Vendor, "Vendors", "Principals of declared vendors, and roles that only vendors can become."),
    (
        Side::Outside,
        "Outside",
        "Principals that are neither the customer’s, nor a declared vendor’s, nor the cloud’s.",
    ),
    (Side::Provider, "Cloud provider", "Service principals of the cloud."),
    (Side::Customer, "Customer", "The customer’s own users, roles and Kafka principals."),
];

/// Builds the matrix from what policies permit.
pub(crate) fn build(access: &Access, graph: &BoundaryGraph, citations: &mut Citations) -> Permissions {
    let mut edges: BTreeMap<&str, Vec<&CapabilityEdge>> = BTreeMap::new();
    for edge in access.edges.iter().filter(|edge| edge.decision.possible()) {
        edges.entry(edge.principal.as_str()).or_default().push(edge);
    }
    let mut paths: BTreeMap<&str, Vec<&PlaintextPath>> = BTreeMap::new();
    for path in &graph.paths {
        paths.entry(path.principal.as_str()).or_default().push(path);
    }
    let mut number = 0;
    let mut groups = Vec::new();
    for (side, title, lead) in SIDES {
        let members: Vec<&PrincipalView> = graph.principals.iter().filter(|view| view.side == side).collect();
        let held: BTreeSet<Capability> = members
            .iter()
            .flat_map(|view| edges.get(view.id.as_str()).into_iter().flatten())
            .map(|edge| edge.capability)
            .collect();
        let columns: Vec<Capability> = Capability::ALL.into_iter().filter(|c| held.contains(c)).collect();
        let more = members.len().saturating_sub(SHOWN);
        let mut chosen: Vec<&PrincipalView> = members;
        if more > 0 {
            chosen.sort_by_key(|view| !paths.contains_key(view.id.as_str()));
            chosen.truncate(SHOWN);
            chosen.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let principals: Vec<Row> = chosen
            .iter()
            .map(|view| {
                number += 1;
                let held = edges.get(view.id.as_str()).map_or(&[][..], Vec::as_slice);
                let paths = paths.get(view.id.as_str()).map_or(&[][..], Vec::as_slice);
                row(number, view, held, paths, &columns, citations)
            })
            .collect();
        if !principals.is_empty() || matches!(side, Side::Vendor | Side::Outside) {
            let capabilities = columns.into_iter().map(words::capability).collect();
            groups.push(Group { side: words::side(side), title, lead, capabilities, principals, more });
        }
    }
    Permissions { groups, unknown: access.unknown.clone() }
}

fn row(
    number: usize,
    view: &PrincipalView,
    held: &[&CapabilityEdge],
    paths: &[&PlaintextPath],
    columns: &[Capability],
    citations: &mut Citations,
) -> Row {
    let cells = columns
        .iter()
        .map(|capability| {
            let of: Vec<&&CapabilityEdge> =
                held.iter().filter(|edge| edge.capability == *capability).collect();
            let targets: BTreeSet<&str> = of.iter().map(|edge| edge.target.as_str()).collect();
            cell(of.iter().map(|edge| &edge.decision), targets.len())
        })
        .collect();
    let reached: BTreeSet<&str> = paths.iter().map(|path| path.target.as_str()).collect();
    let plaintext = cell(paths.iter().map(|path| &path.decision), reached.len());
    let (grants, more) = grants(held, citations);
    Row {
        id: view.id.clone(),
        name: words::short_name(&view.id).to_owned(),
        number,
        vendor: view.vendor.clone(),
        jobs: view.jobs.iter().map(|job| words::job(*job)).collect(),
        assumable_by: view.assumable_by.clone(),
        plaintext,
        cells,
        grants,
        more,
        evidence: citations.records(&view.evidence),
    }
}

fn cell<'a>(decisions: impl Iterator<Item = &'a Decision>, targets: usize) -> Cell {
    let strongest = decisions.min_by_key(|decision| words::rank(decision));
    Cell { state: strongest.map_or("none", |decision| Certainty::of(decision).state), targets }
}

fn grants(held: &[&CapabilityEdge], citations: &mut Citations) -> (Vec<Grant>, usize) {
    type Way<'e> = (Capability, &'e str, &'e Decision, &'e [cadastre_model::asset::StatementRef]);
    let mut ways: BTreeMap<Way<'_>, BTreeSet<&str>> = BTreeMap::new();
    for edge in held {
        let way = (edge.capability, edge.action.as_str(), &edge.decision, edge.statements.as_slice());
        ways.entry(way).or_default().insert(&edge.target);
    }
    let more = ways.len().saturating_sub(LISTED);
    let listed = ways
        .into_iter()
        .take(LISTED)
        .map(|((capability, action, decision, statements), targets)| Grant {
            capability: words::capability(capability),
            action: action.to_owned(),
            more_targets: targets.len().saturating_sub(TARGETS),
            targets: targets.into_iter().take(TARGETS).map(str::to_owned).collect(),
            certainty: Certainty::of(decision),
            proofs: citations.statements(statements),
        })
        .collect();
    (listed, more)
}
