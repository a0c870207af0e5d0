//! Plaintext paths: who reaches record bytes, step by step, and what would close the path.

use std::collections::BTreeSet;

use cadastre_model::graph::{BoundaryGraph, PlaintextPath, Side};
use serde::Serialize;

use crate::citations::{Citations, Link, Proof};
use crate::diagram::Boxes;
use crate::words::{self, Certainty};

/// How many paths of one principal are told in full.
const TOLD: usize = 20;
/// How many paths of all principals from outside, and from inside, are told in full.
const FOREIGN: usize = 300;
const OWN: usize = 100;

/// All paths, those from outside the boundary first.
#[derive(Debug, Serialize)]
pub(crate) struct Paths {
    /// From vendors, the provider and anybody else.
    foreign: Vec<Traveller>,
    /// From the customer's own principals.
    own: Vec<Traveller>,
    foreign_count: usize,
    own_count: usize,
    /// Paths of principals beyond those that are told.
    foreign_untold: usize,
    own_untold: usize,
    /// Which paths of the graph are told in full, by their place in it.
    #[serde(skip)]
    pub(crate) told: BTreeSet<usize>,
}

/// One principal with its paths.
#[derive(Debug, Serialize)]
struct Traveller {
    principal: String,
    side: &'static str,
    paths: Vec<Told>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Told {
    /// Its place in the graph: what links name it by.
    number: usize,
    /// What the diagram highlights.
    show: String,
    target: String,
    certainty: Certainty,
    steps: Vec<Step>,
    cut: Vec<Proof>,
    cut_is_minimal: bool,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Step {
    from: String,
    capability: &'static str,
    to: String,
    action: String,
    certainty: Certainty,
    proofs: Vec<Proof>,
}

/// Groups paths by principal.
pub(crate) fn build(graph: &BoundaryGraph, boxes: &Boxes, citations: &mut Citations) -> Paths {
    let mut foreign: Vec<Traveller> = Vec::new();
    let mut own: Vec<Traveller> = Vec::new();
    let mut told = BTreeSet::new();
    let (mut foreign_told, mut own_told, mut foreign_untold, mut own_untold) = (0, 0, 0, 0);
    for (number, path) in graph.paths.iter().enumerate() {
        let inside = path.side == Side::Customer;
        let (list, count, limit) =
            if inside { (&mut own, &mut own_told, OWN) } else { (&mut foreign, &mut foreign_told, FOREIGN) };
        if *count >= limit && list.last().is_none_or(|last| last.principal != path.principal) {
            *(if inside { &mut own_untold } else { &mut foreign_untold }) += 1;
            continue;
        }
        // Paths are sorted by principal.
        if list.last().is_none_or(|last| last.principal != path.principal) {
            list.push(Traveller {
                principal: path.principal.clone(),
                side: words::side(path.side),
                paths: Vec::new(),
                more: 0,
            });
        }
        let Some(traveller) = list.last_mut() else { continue };
        if traveller.paths.len() < TOLD {
            *count += 1;
            traveller.paths.push(tell(number, path, boxes, citations));
            told.insert(number);
        } else {
            traveller.more += 1;
        }
    }
    let count = |list: &[Traveller]| list.iter().map(|t| t.paths.len() + t.more).sum::<usize>();
    Paths {
        foreign_count: count(&foreign) + foreign_untold,
        own_count: count(&own) + own_untold,
        foreign,
        own,
        foreign_untold,
        own_untold,
        told,
    }
}

fn tell(number: usize, path: &PlaintextPath, boxes: &Boxes, citations: &mut Citations) -> Told {
    Told {
        number,
        show: boxes.hops(path),
        target: path.target.clone(),
        certainty: Certainty::of(&path.decision),
        steps: path
            .steps
            .iter()
            .map(|step| Step {
                from: step.from.clone(),
                capability: words::capability(step.capability),
                to: step.to.clone(),
                action: step.action.clone(),
                certainty: Certainty::of(&step.decision),
                proofs: citations.statements(&step.statements),
            })
            .collect(),
        cut: citations.statements(&path.cut),
        cut_is_minimal: path.cut_is_minimal,
        evidence: citations.records(&path.evidence),
    }
}
