//! Who holds a capability over a target: the answer of `who-can`.

use std::collections::BTreeMap;

use cadastre_model::access::{Access, Capability, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::graph::{BoundaryGraph, Layer, PlaintextPath, Relation, Side, Step};
use serde::{Deserialize, Serialize};

/// Everybody who may, and what could not be settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoCan {
    /// What was asked about, in full.
    pub target: String,
    /// The capability.
    pub capability: Capability,
    /// Sorted by principal.
    pub principals: Vec<PrincipalAnswer>,
    /// Evidence that is missing for the target, so that the list may be short.
    pub unknown: Vec<String>,
}

/// One principal that may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalAnswer {
    /// Who.
    pub principal: String,
    /// Whether it is the customer's own.
    pub inside: bool,
    /// `allow`, `conditional` or `unknown`.
    pub decision: String,
    /// The condition, or what is missing.
    pub condition: Option<String>,
    /// How, step by step.
    pub path: Vec<Step>,
    /// The records that show it.
    pub evidence: EvidenceIds,
}

/// Answers a question about one target, given by its id, its label (an alias, a name), or `topic:name` where only
/// one cluster has that topic. None when nothing of that name is known.
///
/// Reading records of a store counts every plaintext path, not only what is allowed outright.
#[must_use]
pub fn who_can(
    graph: &BoundaryGraph,
    access: &Access,
    capability: Capability,
    target: &str,
) -> Option<WhoCan> {
    let target = resolve(graph, access, target)?;
    let mut found: BTreeMap<&str, PrincipalAnswer> = BTreeMap::new();
    let sides: BTreeMap<&str, Side> =
        graph.principals.iter().map(|principal| (principal.id.as_str(), principal.side)).collect();
    let inside = |principal: &str| sides.get(principal) == Some(&Side::Customer);
    if capability == Capability::ReadRecords {
        for path in graph.paths.iter().filter(|path| path.target == target) {
            found.insert(&path.principal, of_path(path));
        }
    }
    for edge in access.edges.iter().filter(|edge| edge.capability == capability && edge.target == target) {
        let step = Step {
            from: edge.principal.clone(),
            capability,
            to: target.clone(),
            action: edge.action.clone(),
            decision: edge.decision.clone(),
            statements: edge.statements.clone(),
        };
        let answer = answer(
            &edge.principal,
            inside(&edge.principal),
            &edge.decision,
            vec![step],
            edge.statements.iter().map(|statement| statement.record.clone()).collect(),
        );
        keep_best(&mut found, &edge.principal, answer);
    }
    if capability == Capability::Reach {
        let reaching = graph.edges.iter().filter(|edge| {
            edge.to == target
                && edge.layer == Layer::Permitted
                && edge.relation == Relation::Can(Capability::Reach)
        });
        for edge in reaching {
            let inside = graph.nodes.iter().any(|node| node.id == edge.from && node.side == Side::Customer);
            keep_best(
                &mut found,
                &edge.from,
                answer(&edge.from, inside, &edge.decision, Vec::new(), edge.evidence.clone()),
            );
        }
    }
    let unknown = access
        .unknown
        .iter()
        .filter(|(subject, _)| *subject == target)
        .map(|(_, what)| what.clone())
        .collect();
    Some(WhoCan { capability, principals: found.into_values().collect(), unknown, target })
}

fn keep_best<'a>(
    found: &mut BTreeMap<&'a str, PrincipalAnswer>,
    principal: &'a str,
    answer: PrincipalAnswer,
) {
    let rank = |answer: &PrincipalAnswer| match answer.decision.as_str() {
        "allow" => 0,
        "conditional" => 1,
        _ => 2,
    };
    if found.get(principal).is_none_or(|known| rank(&answer) < rank(known)) {
        found.insert(principal, answer);
    }
}

fn of_path(path: &PlaintextPath) -> PrincipalAnswer {
    let inside = path.side == Side::Customer;
    answer(&path.principal, inside, &path.decision, path.steps.clone(), path.evidence.clone())
}

fn answer(
    principal: &str,
    inside: bool,
    decision: &Decision,
    path: Vec<Step>,
    evidence: EvidenceIds,
) -> PrincipalAnswer {
    let (word, condition) = match decision {
        Decision::Allow => ("allow", None),
        Decision::Conditional(text) => ("conditional", Some(text.clone())),
        Decision::Unknown(text) => ("unknown", Some(text.clone())),
        Decision::Deny => ("deny", None),
    };
    PrincipalAnswer {
        principal: principal.to_owned(),
        inside,
        decision: word.to_owned(),
        condition,
        path,
        evidence,
    }
}

/// The full id of what was named.
fn resolve(graph: &BoundaryGraph, access: &Access, target: &str) -> Option<String> {
    let known = graph.nodes.iter().any(|node| node.id == target)
        || access.edges.iter().any(|edge| edge.target == target)
        || access.unknown.iter().any(|(subject, _)| subject == target);
    if known {
        return Some(target.to_owned());
    }
    let short = target.strip_prefix("topic:").map(|topic| format!("/{topic}"));
    let mut named = graph.nodes.iter().filter(|node| match &short {
        Some(short) => node.id.starts_with("topic:") && node.id.ends_with(short),
        None => node.label == target,
    });
    match (named.next(), named.next()) {
        (Some(node), None) => Some(node.id.clone()),
        _ => None,
    }
}
