//! Who has a capability over a target, by whichever way: the answer of `who-can`.

use std::collections::BTreeMap;

use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::graph::{BoundaryGraph, Layer, Relation, Side, Step};
use serde::{Deserialize, Serialize};

use crate::reasoner::Reasoner;

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

impl Reasoner<'_> {
    /// Answers a question about one target, given by its id, its label (an alias, a name), or `topic:name` where only
    /// one cluster has that topic. None when nothing of that name is known.
    ///
    /// Every way counts: what somebody is allowed itself, what it can become or enable first, and for the records of
    /// a store reading together with decrypting. Each principal is told by its most certain and then shortest way.
    #[must_use]
    pub fn who_can(&self, graph: &BoundaryGraph, capability: Capability, target: &str) -> Option<WhoCan> {
        let target = self.resolve(graph, target)?;
        let mut found: BTreeMap<String, PrincipalAnswer> = BTreeMap::new();
        let about = match capability {
            Capability::ReadRecords => {
                self.store(&target).map(|store| store.evidence.clone()).unwrap_or_default()
            }
            _ => EvidenceIds::new(),
        };
        for way in self.ways(capability, &target, |_, ways| ways) {
            let inside = self.sides.of(&way.principal) == Side::Customer;
            let mut evidence = about.clone();
            let statements = way.steps.iter().flat_map(|step| &step.statements);
            evidence.extend(statements.map(|statement| statement.record.clone()));
            let answer = answer(&way.principal, inside, &way.decision, way.steps, evidence);
            found.insert(way.principal, answer);
        }
        if capability == Capability::Reach {
            let reaching = graph.edges.iter().filter(|edge| {
                edge.to == target
                    && edge.layer == Layer::Permitted
                    && edge.relation == Relation::Can(Capability::Reach)
            });
            for edge in reaching {
                let inside =
                    graph.nodes.iter().any(|node| node.id == edge.from && node.side == Side::Customer);
                let answer = answer(&edge.from, inside, &edge.decision, Vec::new(), edge.evidence.clone());
                found.entry(edge.from.clone()).or_insert(answer);
            }
        }
        let unknown = self
            .access
            .unknown
            .iter()
            .filter(|(subject, _)| *subject == target)
            .map(|(_, what)| what.clone())
            .collect();
        Some(WhoCan { capability, principals: found.into_values().collect(), unknown, target })
    }

    /// The full id of what was named.
    pub(crate) fn resolve(&self, graph: &BoundaryGraph, target: &str) -> Option<String> {
        let access = self.access;
        let known = graph.nodes.iter().any(|node| node.id == target)
            || access.edges.iter().any(|edge| edge.target == target)
            || access.unknown.iter().any(|(subject, _)| subject == target)
            || self.inventory.principals.iter().any(|principal| principal.arn == target);
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
