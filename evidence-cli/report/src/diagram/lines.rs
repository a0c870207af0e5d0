//! Which lines are drawn: plaintext paths from outside first, then other access from outside, then what the
//! data plane rests on.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::Decision;
use cadastre_model::graph::{BoundaryGraph, Layer, Relation};

use super::choice::{Choice, foreign};
use crate::words;

/// How many lines of each kind are drawn before the picture becomes wool.
const RED: usize = 40;
const ACCESS: usize = 24;
const RELATIONS: usize = 36;
/// How many relations may carry a label each.
const LABELLED: usize = 16;
/// How many principals with a path the legend names.
const NAMED: usize = 12;

/// A line between two boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) kind: LineKind,
    /// Under a condition, or not settled.
    pub(crate) open: bool,
    /// What it means, in a word or two.
    pub(crate) meaning: String,
    /// Whether the meaning is written beside it.
    pub(crate) labelled: bool,
}

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineKind {
    /// A step of a plaintext path from outside.
    Red,
    /// Other access from outside.
    Access,
    /// What rests on what.
    Relation,
}

/// The lines, and what the legend says of them.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) drawn: Vec<Line>,
    pub(crate) told: Vec<String>,
}

/// What one pair of boxes has between them.
#[derive(Debug, Default)]
struct Between<'a> {
    words: BTreeSet<&'a str>,
    certain: bool,
}

type Pairs<'a> = BTreeMap<(&'a str, &'a str), Between<'a>>;

/// Chooses the lines.
pub(crate) fn of(graph: &BoundaryGraph, choice: &Choice) -> Lines {
    let red = red(graph, choice);
    let access = access(graph, choice, &red);
    let relations = relations(graph, choice, &red, &access);
    let mut lines = Lines { told: told(graph), ..Lines::default() };
    let mut left_out = 0;
    for (pairs, kind, limit) in [
        (red, LineKind::Red, RED),
        (access, LineKind::Access, ACCESS),
        (relations, LineKind::Relation, RELATIONS),
    ] {
        left_out += pairs.len().saturating_sub(limit);
        let labelled = kind != LineKind::Relation || pairs.len() <= LABELLED;
        lines.drawn.extend(pairs.into_iter().take(limit).map(|((from, to), between)| Line {
            from: from.to_owned(),
            to: to.to_owned(),
            kind,
            open: !between.certain,
            meaning: between.words.into_iter().collect::<Vec<_>>().join(", "),
            labelled,
        }));
    }
    if left_out > 0 {
        lines
            .told
            .push(format!("{} not drawn.", words::count(left_out, "further line is", "further lines are")));
    }
    lines
}

fn stands_for<'a>(choice: &'a Choice, from: &str, to: &str) -> Option<(&'a str, &'a str)> {
    let from = choice.stands_for.get(from)?.as_str();
    let to = choice.stands_for.get(to)?.as_str();
    (from != to).then_some((from, to))
}

fn red<'a>(graph: &BoundaryGraph, choice: &'a Choice) -> Pairs<'a> {
    let mut pairs = Pairs::new();
    for path in graph.paths.iter().filter(|path| foreign(path.side)) {
        for step in &path.steps {
            let Some(pair) = stands_for(choice, &step.from, &step.to) else { continue };
            let between = pairs.entry(pair).or_default();
            between.words.insert(words::capability(step.capability));
            between.certain |= path.decision == Decision::Allow;
        }
    }
    pairs
}

fn access<'a>(graph: &BoundaryGraph, choice: &'a Choice, red: &Pairs<'_>) -> Pairs<'a> {
    let strangers: BTreeSet<&str> =
        graph.nodes.iter().filter(|node| foreign(node.side)).map(|node| node.id.as_str()).collect();
    // What those on a red path may do beside it would bury the path; the permission matrix tells it.
    let told: BTreeSet<&str> = red.keys().map(|(from, _)| *from).collect();
    let mut pairs = Pairs::new();
    for edge in &graph.edges {
        let Relation::Can(capability) = edge.relation else { continue };
        if edge.layer == Layer::Declared
            || !edge.decision.possible()
            || !strangers.contains(edge.from.as_str())
        {
            continue;
        }
        let Some(pair) = stands_for(choice, &edge.from, &edge.to).filter(|pair| !told.contains(pair.0))
        else {
            continue;
        };
        let between = pairs.entry(pair).or_default();
        between.words.insert(words::capability(capability));
        between.certain |= edge.decision == Decision::Allow;
    }
    pairs
}

fn relations<'a>(
    graph: &BoundaryGraph,
    choice: &'a Choice,
    red: &Pairs<'_>,
    access: &Pairs<'_>,
) -> Pairs<'a> {
    let mut pairs = Pairs::new();
    for edge in graph.edges.iter().filter(|edge| edge.layer != Layer::Declared) {
        let word = match edge.relation {
            Relation::EncryptedBy => "encrypted by",
            Relation::StoresIn => "stores in",
            Relation::RunsAs => "runs as",
            Relation::LogsTo => "logs to",
            // Where a listener or topic stands says whose it is.
            Relation::Serves | Relation::Can(_) => continue,
        };
        let Some(pair) = stands_for(choice, &edge.from, &edge.to) else { continue };
        if red.contains_key(&pair) || access.contains_key(&pair) {
            continue;
        }
        let between = pairs.entry(pair).or_default();
        between.words.insert(word);
        between.certain = true;
    }
    pairs
}

/// The plaintext paths from outside in words, a line a principal.
fn told(graph: &BoundaryGraph) -> Vec<String> {
    let mut by_principal: BTreeMap<&str, (BTreeSet<&str>, bool)> = BTreeMap::new();
    for path in graph.paths.iter().filter(|path| foreign(path.side)) {
        let (targets, certain) = by_principal.entry(&path.principal).or_default();
        targets.insert(words::short_name(&path.target));
        *certain |= path.decision == Decision::Allow;
    }
    if by_principal.is_empty() {
        return vec!["No plaintext path from outside was derived from the evidence.".to_owned()];
    }
    let left_out = by_principal.len().saturating_sub(NAMED);
    let mut told: Vec<String> = by_principal
        .into_iter()
        .take(NAMED)
        .map(|(principal, (targets, certain))| {
            let how = if certain { "" } else { ", under a condition or not settled" };
            let number = words::count(targets.len(), "place", "places");
            let names: Vec<&str> = targets.into_iter().collect();
            format!("{} reaches records in {number}{how}: {}", words::short_name(principal), names.join(", "))
        })
        .collect();
    if left_out > 0 {
        told.push(format!("and {} more", words::count(left_out, "principal", "principals")));
    }
    told
}
