//! Which lines are drawn: plaintext paths from outside first, then other access from outside, then what the
//! data plane rests on. A page that can show and hide them also holds quiet lines: what those inside may do.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, Decision};
use cadastre_model::graph::{BoundaryGraph, Edge, Layer, Relation};

use super::choice::{Choice, foreign};
use crate::words;

/// How many lines of each kind are drawn before the picture becomes wool.
const RED: usize = 40;
const ACCESS: usize = 24;
const RELATIONS: usize = 36;
/// How many lines a page holds that show only when somebody asks for them.
const QUIET: usize = 240;
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
    /// What it is about.
    pub(crate) spheres: BTreeSet<Sphere>,
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
    /// Access from inside: shown when somebody asks for it.
    Quiet,
}

/// What a line is about: the layers that a reader can show and hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sphere {
    /// Who reaches what over a network.
    Network,
    /// Who can become, change or operate what.
    Identity,
    /// Who uses and manages which key.
    Keys,
    /// Who reads and writes which topic.
    Kafka,
    /// Who reads and writes which objects.
    Storage,
    /// What is logged where, and who can read and alter it.
    Logs,
}

impl Sphere {
    pub(crate) const ALL: [Self; 6] =
        [Self::Network, Self::Identity, Self::Keys, Self::Kafka, Self::Storage, Self::Logs];

    /// Its name in the page's data.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Identity => "identity",
            Self::Keys => "keys",
            Self::Kafka => "kafka",
            Self::Storage => "storage",
            Self::Logs => "logs",
        }
    }

    const fn of(relation: Relation) -> Option<Self> {
        Some(match relation {
            Relation::Can(capability) => Self::of_capability(capability),
            Relation::RunsAs => Self::Identity,
            Relation::EncryptedBy => Self::Keys,
            Relation::StoresIn => Self::Storage,
            Relation::LogsTo => Self::Logs,
            // Where a listener or topic stands says whose it is.
            Relation::Serves => return None,
        })
    }

    const fn of_capability(capability: Capability) -> Self {
        match capability {
            Capability::ReadRecords | Capability::WriteRecords => Self::Kafka,
            Capability::ReadObjects | Capability::WriteObjects => Self::Storage,
            Capability::Decrypt | Capability::ManageKey => Self::Keys,
            Capability::OperateHost | Capability::ChangePolicy | Capability::Assume => Self::Identity,
            Capability::ReadLogs | Capability::AlterLogs => Self::Logs,
            Capability::Reach => Self::Network,
        }
    }
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
    spheres: BTreeSet<Sphere>,
}

type Pairs<'a> = BTreeMap<(&'a str, &'a str), Between<'a>>;

/// Chooses the lines; quiet ones too where the picture can show and hide them.
pub(crate) fn of(graph: &BoundaryGraph, choice: &Choice, quiet: bool) -> Lines {
    let red = red(graph, choice);
    let access = access(graph, choice, &red);
    let relations = relations(graph, choice, &red, &access);
    let inside = if quiet { inside(graph, choice, [&red, &access, &relations]) } else { Pairs::new() };
    let mut lines = Lines { told: told(graph), ..Lines::default() };
    let mut left_out = 0;
    for (pairs, kind, limit) in [
        (red, LineKind::Red, RED),
        (access, LineKind::Access, ACCESS),
        (relations, LineKind::Relation, RELATIONS),
        (inside, LineKind::Quiet, QUIET),
    ] {
        if kind != LineKind::Quiet {
            left_out += pairs.len().saturating_sub(limit);
        }
        let labelled = match kind {
            LineKind::Red | LineKind::Access => true,
            LineKind::Relation => pairs.len() <= LABELLED,
            LineKind::Quiet => false,
        };
        lines.drawn.extend(pairs.into_iter().take(limit).map(|((from, to), between)| Line {
            from: from.to_owned(),
            to: to.to_owned(),
            kind,
            open: !between.certain,
            meaning: between.words.into_iter().collect::<Vec<_>>().join(", "),
            labelled,
            spheres: between.spheres,
        }));
    }
    if left_out > 0 {
        lines
            .told
            .push(format!("{} not drawn.", words::count(left_out, "further line is", "further lines are")));
    }
    lines
}

/// The boxes that a line between two nodes joins.
pub(crate) fn stands_for<'a>(choice: &'a Choice, from: &str, to: &str) -> Option<(&'a str, &'a str)> {
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
            between.add(step.capability);
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
    for (edge, capability) in possible(graph) {
        if !strangers.contains(edge.from.as_str()) {
            continue;
        }
        let Some(pair) = stands_for(choice, &edge.from, &edge.to).filter(|pair| !told.contains(pair.0))
        else {
            continue;
        };
        let between = pairs.entry(pair).or_default();
        between.add(capability);
        between.certain |= edge.decision == Decision::Allow;
    }
    pairs
}

/// Edges by which somebody may do something.
fn possible(graph: &BoundaryGraph) -> impl Iterator<Item = (&Edge, Capability)> {
    graph.edges.iter().filter_map(|edge| match edge.relation {
        Relation::Can(capability) if edge.layer != Layer::Declared && edge.decision.possible() => {
            Some((edge, capability))
        }
        _ => None,
    })
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
            Relation::Serves | Relation::Can(_) => continue,
        };
        let Some(pair) = stands_for(choice, &edge.from, &edge.to) else { continue };
        if red.contains_key(&pair) || access.contains_key(&pair) {
            continue;
        }
        let between = pairs.entry(pair).or_default();
        between.words.insert(word);
        between.spheres.extend(Sphere::of(edge.relation));
        between.certain = true;
    }
    pairs
}

/// Steps of all paths, and whatever else anybody may do, that no other line shows.
fn inside<'a>(graph: &BoundaryGraph, choice: &'a Choice, shown: [&Pairs<'_>; 3]) -> Pairs<'a> {
    let mut pairs = Pairs::new();
    let mut add = |from: &str, capability: Capability, to: &str, certain: bool| {
        let Some(pair) = stands_for(choice, from, to) else { return };
        if shown.iter().any(|pairs| pairs.contains_key(&pair)) {
            return;
        }
        if pairs.len() < QUIET || pairs.contains_key(&pair) {
            let between = pairs.entry(pair).or_default();
            between.add(capability);
            between.certain |= certain;
        }
    };
    for path in &graph.paths {
        for step in &path.steps {
            add(&step.from, step.capability, &step.to, path.decision == Decision::Allow);
        }
    }
    for (edge, capability) in possible(graph) {
        add(&edge.from, capability, &edge.to, edge.decision == Decision::Allow);
    }
    pairs
}

impl Between<'_> {
    fn add(&mut self, capability: Capability) {
        self.words.insert(words::capability(capability));
        self.spheres.insert(Sphere::of_capability(capability));
    }
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
