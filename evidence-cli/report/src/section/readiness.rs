//! The readiness checklist: every control by area, with its findings.

use std::collections::BTreeMap;

use cadastre_model::checklist::{Checklist, ControlResult, Finding, Verdict};
use serde::Serialize;

use super::trails::{Trail, Trails};
use crate::citations::{Citations, Link};
use crate::{identity, words};

/// How many findings that concern a reader are shown in full; of a longer checklist each control shows some so, and
/// the rest in a line each.
const DETAILED: usize = 600;
/// The fewest that one control shows in full.
const FEWEST: usize = 5;

/// The checklist by area.
#[derive(Debug, Serialize)]
pub(crate) struct Readiness {
    /// Verdicts as column headings, worst first.
    verdicts: Vec<Column>,
    areas: Vec<Area>,
    /// Totals by verdict.
    totals: Vec<usize>,
    total: usize,
}

#[derive(Debug, Serialize)]
struct Column {
    name: &'static str,
    label: &'static str,
}

#[derive(Debug, Serialize)]
struct Area {
    name: String,
    anchor: String,
    /// Number of controls by verdict, in the order of the columns.
    counts: Vec<usize>,
    total: usize,
    controls: Vec<Control>,
}

#[derive(Debug, Serialize)]
struct Control {
    id: String,
    title: String,
    verdict: &'static str,
    label: &'static str,
    /// Whether a reader has to look at it.
    open: bool,
    /// `2 red flags, 1 pass`.
    summary: String,
    requires: Vec<String>,
    /// The fixes, where all concerns have the same ones.
    fix: Vec<String>,
    /// Red flags, unproven and waived ones.
    concerns: Vec<Shown>,
    /// Further ones, in a line each.
    brief: Vec<Shown>,
    /// The rest.
    settled: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    verdict: &'static str,
    label: &'static str,
    subject: String,
    message: String,
    path: Vec<String>,
    evidence: Vec<Link>,
    fix: Vec<String>,
    /// What links to it say; only findings that concern a reader have one.
    anchor: String,
    trail: Trail,
}

/// Groups the controls by area, in the order in which areas first appear.
pub(crate) fn build(checklist: &Checklist, trails: &Trails<'_>, citations: &mut Citations) -> Readiness {
    let mut areas: Vec<Area> = Vec::new();
    let mut anchors = Anchors::default();
    let detailed = detailed(checklist);
    for control in &checklist.controls {
        let name = words::area(&control.area);
        let shown = show(control, detailed, trails, &mut anchors, citations);
        match areas.iter_mut().find(|area| area.name == name) {
            Some(area) => area.controls.push(shown),
            None => areas.push(Area {
                anchor: anchor(&control.area),
                name,
                counts: Vec::new(),
                total: 0,
                controls: vec![shown],
            }),
        }
    }
    for area in &mut areas {
        area.total = area.controls.len();
        area.counts = counts(area.controls.iter().map(|control| control.verdict));
    }
    Readiness {
        verdicts: Verdict::ALL
            .into_iter()
            .map(|verdict| Column { name: verdict.name(), label: words::verdict(verdict) })
            .collect(),
        totals: counts(checklist.controls.iter().map(|control| control.verdict.name())),
        total: checklist.controls.len(),
        areas,
    }
}

fn counts<'a>(verdicts: impl Iterator<Item = &'a str> + Clone) -> Vec<usize> {
    Verdict::ALL
        .iter()
        .map(|verdict| verdicts.clone().filter(|name| *name == verdict.name()).count())
        .collect()
}

/// An id for a heading: letters, digits and hyphens only, whatever a policy calls its area.
fn anchor(area: &str) -> String {
    area.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Hands out ids for findings, each once.
#[derive(Debug, Default)]
struct Anchors {
    given: BTreeMap<String, usize>,
}

impl Anchors {
    /// The same for the same finding in every report: links to it go on working.
    fn give(&mut self, control: &ControlResult, finding: &Finding) -> String {
        let name = identity::uuid(
            "finding",
            &[&control.id, &finding.subject, finding.verdict.name(), &finding.message],
        );
        let short: String = name.chars().filter(|c| *c != '-').take(12).collect();
        let times = self.given.entry(short.clone()).or_default();
        *times += 1;
        if *times == 1 { format!("f-{short}") } else { format!("f-{short}-{times}") }
    }
}

const fn is_settled(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable)
}

/// How many findings one control shows in full.
fn detailed(checklist: &Checklist) -> usize {
    let concerns = |control: &ControlResult| control.findings.iter().filter(|one| !is_settled(one)).count();
    let counts: Vec<usize> = checklist.controls.iter().map(concerns).filter(|count| *count > 0).collect();
    if counts.iter().sum::<usize>() <= DETAILED {
        return usize::MAX;
    }
    (DETAILED / counts.len().max(1)).max(FEWEST)
}

fn show(
    control: &ControlResult,
    detailed: usize,
    trails: &Trails<'_>,
    anchors: &mut Anchors,
    citations: &mut Citations,
) -> Control {
    let settled = |finding: &&Finding| is_settled(finding);
    let mut view = |finding: &Finding| Shown {
        verdict: finding.verdict.name(),
        label: words::verdict(finding.verdict),
        subject: finding.subject.clone(),
        message: finding.message.clone(),
        path: finding.path.clone(),
        evidence: citations.records(&finding.evidence),
        fix: finding.fix.clone(),
        anchor: if settled(&finding) { String::new() } else { anchors.give(control, finding) },
        trail: if settled(&finding) { Trail::default() } else { trails.of(finding, citations) },
    };
    let mut concerns: Vec<Shown> =
        control.findings.iter().filter(|finding| !settled(finding)).map(&mut view).collect();
    let shared = concerns.first().map(|first| first.fix.clone()).unwrap_or_default();
    let fix = if concerns.len() > 1 && concerns.iter().all(|concern| concern.fix == shared) {
        concerns.iter_mut().for_each(|concern| concern.fix.clear());
        shared
    } else {
        Vec::new()
    };
    let brief = concerns.split_off(detailed.min(concerns.len()));
    let rest = control.findings.iter().filter(settled).map(&mut view).collect();
    Control {
        id: control.id.clone(),
        title: control.title.clone(),
        verdict: control.verdict.name(),
        label: words::verdict(control.verdict),
        open: matches!(control.verdict, Verdict::RedFlag | Verdict::Unproven),
        summary: summary(&control.findings),
        requires: control.requires.clone(),
        fix,
        concerns,
        brief,
        settled: rest,
    }
}

fn summary(findings: &[Finding]) -> String {
    let parts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let number = findings.iter().filter(|finding| finding.verdict == verdict).count();
            (number > 0).then(|| match verdict {
                Verdict::RedFlag => words::count(number, "red flag", "red flags"),
                Verdict::Unproven => format!("{number} unproven"),
                Verdict::Waived => format!("{number} waived"),
                Verdict::Pass => words::count(number, "pass", "passes"),
                Verdict::NotApplicable => format!("{number} not applicable"),
            })
        })
        .collect();
    parts.join(", ")
}
