//! What moved between two graphs, in words a reviewer uses. What looks different and means the same is silent.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::graph::{BoundaryGraph, Edge, Layer, Node, NodeKind, PlaintextPath, Relation, Side};
use serde::{Deserialize, Serialize};

use crate::edges::INTERNET;
use crate::sides::account;

/// How edges name everybody.
const ANYBODY: &str = "*";

/// The format of `drift --format json`.
pub const SCHEMA: &str = "cadastre/drift/v1";

/// A list of changes with its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Most severe first.
    pub changes: Vec<Drift>,
}

impl DriftReport {
    /// Compares two graphs.
    #[must_use]
    pub fn new(before: &BoundaryGraph, after: &BoundaryGraph) -> Self {
        Self { schema: SCHEMA.to_owned(), changes: diff(before, after) }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Drift {
    /// How much it matters.
    pub severity: Severity,
    /// Which way it went.
    pub kind: DriftKind,
    /// Who or what changed.
    pub subject: String,
    /// Towards what.
    pub target: String,
    /// The capability, where the change is about one.
    pub capability: Option<Capability>,
    /// The change in words.
    pub message: String,
    /// The records that show how it was.
    pub before: EvidenceIds,
    /// The records that show how it is.
    pub after: EvidenceIds,
}

/// How much a change matters, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Somebody outside gained plaintext.
    Critical,
    /// Somebody outside gained a capability, or somebody inside gained plaintext.
    High,
    /// The boundary moved otherwise.
    Medium,
    /// Something appeared or became less certain.
    Low,
    /// Something was closed or taken away.
    Information,
}

/// Which way a change went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// Possible now and not before.
    Opened,
    /// Possible before and now, under other terms.
    Changed,
    /// Possible before and not now.
    Closed,
}

/// Compares two graphs; most severe first, then by subject.
#[must_use]
pub fn diff(before: &BoundaryGraph, after: &BoundaryGraph) -> Vec<Drift> {
    let mut changes = Vec::new();
    let sides: BTreeMap<&str, Side> =
        before.nodes.iter().chain(&after.nodes).map(|node| (node.id.as_str(), node.side)).collect();
    let outside = |id: &str| !matches!(sides.get(id), Some(Side::Customer | Side::Provider));
    paths(before, after, &mut changes);
    edges(before, after, &outside, &mut changes);
    nodes(before, after, &mut changes);
    changes.sort_unstable();
    changes.dedup();
    changes
}

fn paths(before: &BoundaryGraph, after: &BoundaryGraph, changes: &mut Vec<Drift>) {
    fn by_ends(graph: &BoundaryGraph) -> BTreeMap<(&str, &str), &PlaintextPath> {
        graph.paths.iter().map(|path| ((path.principal.as_str(), path.target.as_str()), path)).collect()
    }
    let (old, new) = (by_ends(before), by_ends(after));
    for (ends, path) in &new {
        let inside = path.side == Side::Customer;
        let known = old.get(ends);
        let terms = known.map(|known| compare(&known.decision, &path.decision));
        let (kind, severity, words) = match (known, terms) {
            (None, _) => (
                DriftKind::Opened,
                if inside { Severity::High } else { Severity::Critical },
                "can now reach plaintext of",
            ),
            (Some(_), Some(Terms::Looser)) => (
                DriftKind::Changed,
                if inside { Severity::Medium } else { Severity::Critical },
                "reaches, under looser terms than before, plaintext of",
            ),
            (Some(_), Some(Terms::Tighter)) => (
                DriftKind::Changed,
                Severity::Information,
                "reaches, under tighter terms than before, plaintext of",
            ),
            _ => continue,
        };
        let message = format!("{} {words} {}{}", path.principal, path.target, condition(&path.decision));
        changes.push(Drift {
            severity,
            kind,
            subject: path.principal.clone(),
            target: path.target.clone(),
            capability: Some(Capability::ReadRecords),
            message,
            before: known.map(|known| known.evidence.clone()).unwrap_or_default(),
            after: path.evidence.clone(),
        });
    }
    // Somebody who shares what its account or anybody can do is listed beside them only while it has a way of its own.
    let shares = |(principal, target): &(&str, &str)| {
        let account = account(principal).map(|account| format!("account:{account}"));
        let shared = account.as_deref().into_iter().chain([ANYBODY]);
        shared.into_iter().any(|shared| new.contains_key(&(shared, *target)))
    };
    for (ends, path) in old.iter().filter(|(ends, _)| !new.contains_key(*ends) && !shares(ends)) {
        changes.push(Drift {
            severity: Severity::Information,
            kind: DriftKind::Closed,
            subject: ends.0.to_owned(),
            target: ends.1.to_owned(),
            capability: Some(Capability::ReadRecords),
            message: format!("path closed: {} no longer reaches plaintext of {}", ends.0, ends.1),
            before: path.evidence.clone(),
            after: EvidenceIds::new(),
        });
    }
}

/// How one decision compares with another.
enum Terms {
    Same,
    Looser,
    Tighter,
}

fn compare(before: &Decision, after: &Decision) -> Terms {
    let breadth = |decision: &Decision| match decision {
        Decision::Allow => 3,
        Decision::Conditional(_) => 2,
        Decision::Unknown(_) => 1,
        Decision::Deny => 0,
    };
    match breadth(after).cmp(&breadth(before)) {
        std::cmp::Ordering::Greater => Terms::Looser,
        std::cmp::Ordering::Less => Terms::Tighter,
        std::cmp::Ordering::Equal => match (before, after) {
            // Other words, and nobody can say beforehand which is wider.
            (Decision::Conditional(a), Decision::Conditional(b)) if a != b => Terms::Looser,
            _ => Terms::Same,
        },
    }
}

fn edges(
    before: &BoundaryGraph,
    after: &BoundaryGraph,
    outside: &impl Fn(&str) -> bool,
    changes: &mut Vec<Drift>,
) {
    type Ends<'a> = (&'a str, Relation, &'a str);
    // Declared edges are the customer's own words: they are not drift.
    fn by_ends(graph: &BoundaryGraph) -> BTreeMap<(&str, Relation, &str, Layer), &Edge> {
        graph
            .edges
            .iter()
            .filter(|edge| edge.layer != Layer::Declared)
            .map(|edge| ((edge.from.as_str(), edge.relation, edge.to.as_str(), edge.layer), edge))
            .collect()
    }
    let (old, new) = (by_ends(before), by_ends(after));
    for (key, edge) in &new {
        let known = old.get(key);
        let (kind, terms) = match known.map(|known| compare(&known.decision, &edge.decision)) {
            None => (DriftKind::Opened, "now"),
            Some(Terms::Looser) => (DriftKind::Changed, "under looser terms than before"),
            Some(Terms::Tighter) => (DriftKind::Changed, "only under tighter terms than before"),
            Some(Terms::Same) => continue,
        };
        let ends: Ends<'_> = (&edge.from, edge.relation, &edge.to);
        let severity = match (kind, edge.relation) {
            (DriftKind::Changed, _) if terms.starts_with("only") => Severity::Information,
            (_, Relation::Can(_)) if outside(&edge.from) => Severity::High,
            _ => Severity::Medium,
        };
        changes.push(Drift {
            severity,
            kind,
            subject: edge.from.clone(),
            target: edge.to.clone(),
            capability: capability_of(edge.relation),
            message: format!("{}{}", says(ends, terms), condition(&edge.decision)),
            before: known.map(|known| known.evidence.clone()).unwrap_or_default(),
            after: edge.evidence.clone(),
        });
    }
    for (key, edge) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        let (from, relation, to, _) = key;
        // Losing a key or a log sink is no improvement.
        let severity = match relation {
            Relation::EncryptedBy | Relation::LogsTo => Severity::High,
            _ => Severity::Information,
        };
        changes.push(Drift {
            severity,
            kind: DriftKind::Closed,
            subject: (*from).to_owned(),
            target: (*to).to_owned(),
            capability: capability_of(*relation),
            message: says((from, *relation, to), "no longer"),
            before: edge.evidence.clone(),
            after: EvidenceIds::new(),
        });
    }
}

const fn capability_of(relation: Relation) -> Option<Capability> {
    match relation {
        Relation::Can(capability) => Some(capability),
        _ => None,
    }
}

/// `X can now decrypt with Y`.
fn says((from, relation, to): (&str, Relation, &str), terms: &str) -> String {
    match relation {
        Relation::Can(Capability::Reach) if from == INTERNET => match terms {
            "now" => format!("{to} became reachable from the internet"),
            "no longer" => format!("{to} is no longer reachable from the internet"),
            terms => format!("{to} is reachable from the internet {terms}"),
        },
        Relation::Can(capability) => {
            let doing = match capability {
                Capability::ReadRecords => "read records of",
                Capability::WriteRecords => "write records to",
                Capability::ReadObjects => "read objects of",
                Capability::WriteObjects => "write or delete objects of",
                Capability::Decrypt => "decrypt with",
                Capability::ManageKey => "manage",
                Capability::OperateHost => "operate",
                Capability::ChangePolicy => "change what is allowed on",
                Capability::Assume => "become",
                Capability::ReadLogs => "read logs of",
                Capability::AlterLogs => "alter logs of",
                Capability::Reach => "reach",
            };
            match terms {
                "no longer" => format!("{from} can no longer {doing} {to}"),
                "now" => format!("{from} can now {doing} {to}"),
                terms => format!("{from} can {doing} {to} {terms}"),
            }
        }
        Relation::RunsAs => format!("{from} {terms} runs as {to}"),
        Relation::EncryptedBy => format!("{from} is {terms} encrypted by {to}"),
        Relation::StoresIn => format!("{from} {terms} stores in {to}"),
        Relation::Serves => format!("{from} {terms} serves {to}"),
        Relation::LogsTo => format!("{from} {terms} logs to {to}"),
    }
}

fn condition(decision: &Decision) -> String {
    match decision {
        Decision::Conditional(text) => format!(", if {text}"),
        Decision::Unknown(text) => format!(", unless missing evidence says otherwise: {text}"),
        Decision::Allow | Decision::Deny => String::new(),
    }
}

/// Things that hold or move records, appeared or gone.
fn nodes(before: &BoundaryGraph, after: &BoundaryGraph, changes: &mut Vec<Drift>) {
    let bearing = |node: &&Node| {
        matches!(
            node.kind,
            NodeKind::Host
                | NodeKind::Store
                | NodeKind::Key
                | NodeKind::Log
                | NodeKind::Endpoint
                | NodeKind::Broker
                | NodeKind::Listener
                | NodeKind::Topic
        )
    };
    fn ids(graph: &BoundaryGraph) -> BTreeSet<&str> {
        graph.nodes.iter().map(|node| node.id.as_str()).collect()
    }
    let (old, new) = (ids(before), ids(after));
    let mut say = |node: &Node, kind: DriftKind| {
        let (severity, words) = match kind {
            DriftKind::Closed => (Severity::Information, "is gone from"),
            _ if node.side == Side::Customer => (Severity::Low, "is new in"),
            _ => (Severity::Medium, "is new in"),
        };
        let (before, after) = match kind {
            DriftKind::Closed => (node.evidence.clone(), EvidenceIds::new()),
            _ => (EvidenceIds::new(), node.evidence.clone()),
        };
        changes.push(Drift {
            severity,
            kind,
            subject: node.id.clone(),
            target: String::new(),
            capability: None,
            message: format!("{} {words} the data plane", node.id),
            before,
            after,
        });
    };
    for node in after.nodes.iter().filter(bearing).filter(|node| !old.contains(node.id.as_str())) {
        say(node, DriftKind::Opened);
    }
    for node in before.nodes.iter().filter(bearing).filter(|node| !new.contains(node.id.as_str())) {
        say(node, DriftKind::Closed);
    }
    let known: BTreeMap<&str, &Node> = before.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    for node in &after.nodes {
        if let Some(was) = known.get(node.id.as_str()).filter(|was| was.side != node.side) {
            changes.push(Drift {
                severity: Severity::High,
                kind: DriftKind::Changed,
                subject: node.id.clone(),
                target: String::new(),
                capability: None,
                message: format!("{} is on another side of the boundary", node.id),
                before: was.evidence.clone(),
                after: node.evidence.clone(),
            });
        }
    }
}
