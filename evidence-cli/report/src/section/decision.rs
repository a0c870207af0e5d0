//! The decision page: what blocks, what is not proven, what is waived, and what all that rests on.

use cadastre_model::checklist::{Checklist, ControlResult, Verdict};
use serde::Serialize;

use crate::input::ReportInput;
use crate::words;

/// How many findings of a control the decision page names.
const NAMED: usize = 3;

/// The decision page.
#[derive(Debug, Serialize)]
pub(crate) struct Decision {
    /// `blocked`, `unproven` or `clear`.
    state: &'static str,
    headline: String,
    /// What the headline leaves out.
    remark: String,
    tally: Vec<Tally>,
    blocking: Vec<Item>,
    unproven: Vec<Item>,
    waived: Vec<Item>,
    not_examined: Vec<String>,
    facts: Facts,
}

/// Number of controls with a verdict.
#[derive(Debug, Serialize)]
pub(crate) struct Tally {
    verdict: &'static str,
    label: &'static str,
    count: usize,
}

/// A control, with the first of its findings that have the verdict.
#[derive(Debug, Serialize)]
struct Item {
    id: String,
    title: String,
    findings: Vec<Named>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Named {
    subject: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct Facts {
    as_of: String,
    started_at: String,
    finished_at: String,
    complete: bool,
    records: u64,
    callers: Vec<String>,
    evidence_root: String,
    tool_version: String,
    evidence_tool_version: String,
    operating_model: String,
    architecture: String,
    accounts: Vec<String>,
    regions: Vec<String>,
    clusters: Vec<String>,
    vendors: Vec<String>,
}

/// Sums up the checklist.
pub(crate) fn build(input: &ReportInput<'_>) -> Decision {
    let checklist = input.checklist;
    let red = controls(checklist, Verdict::RedFlag);
    let unproven = controls(checklist, Verdict::Unproven);
    let (state, headline) = match (red, unproven) {
        (0, 0) if checklist.controls.is_empty() => ("unproven", "No control was examined".to_owned()),
        (0, 0) => ("clear", "No red flag, and nothing unproven".to_owned()),
        (0, open) => (
            "unproven",
            format!("No red flag, but {} not proven", words::count(open, "control is", "controls are")),
        ),
        (red, _) => {
            ("blocked", format!("{} a red flag", words::count(red, "control shows", "controls show")))
        }
    };
    let mut remarks = Vec::new();
    if red > 0 && unproven > 0 {
        remarks
            .push(format!("{} not proven.", words::count(unproven, "more control is", "more controls are")));
    }
    if !input.evidence.manifest().complete {
        remarks.push("The scan was interrupted, so nothing passes.".to_owned());
    }
    if !checklist.not_examined.is_empty() {
        remarks.push(format!(
            "{} not examined: nothing is said about them.",
            words::count(
                checklist.not_examined.len(),
                "control of the catalogue was",
                "controls of the catalogue were"
            )
        ));
    }
    Decision {
        state,
        headline,
        remark: remarks.join(" "),
        tally: tally(checklist),
        blocking: items(checklist, Verdict::RedFlag),
        unproven: items(checklist, Verdict::Unproven),
        waived: items(checklist, Verdict::Waived),
        not_examined: checklist.not_examined.clone(),
        facts: facts(input),
    }
}

fn controls(checklist: &Checklist, verdict: Verdict) -> usize {
    checklist.controls.iter().filter(|control| control.verdict == verdict).count()
}

/// Number of controls by verdict, worst first.
pub(crate) fn tally(checklist: &Checklist) -> Vec<Tally> {
    Verdict::ALL
        .into_iter()
        .map(|verdict| Tally {
            verdict: verdict.name(),
            label: words::verdict(verdict),
            count: controls(checklist, verdict),
        })
        .collect()
}

/// Controls that have findings of a verdict; for a waiver also where another finding is worse.
fn items(checklist: &Checklist, verdict: Verdict) -> Vec<Item> {
    checklist.controls.iter().filter_map(|control| item(control, verdict)).collect()
}

fn item(control: &ControlResult, verdict: Verdict) -> Option<Item> {
    let found: Vec<&_> = control.findings.iter().filter(|finding| finding.verdict == verdict).collect();
    if found.is_empty() {
        return None;
    }
    let findings = found
        .iter()
        .take(NAMED)
        .map(|finding| Named { subject: finding.subject.clone(), message: finding.message.clone() })
        .collect();
    Some(Item {
        id: control.id.clone(),
        title: control.title.clone(),
        findings,
        more: found.len().saturating_sub(NAMED),
    })
}

fn facts(input: &ReportInput<'_>) -> Facts {
    let manifest = input.evidence.manifest();
    let declaration = input.declaration;
    Facts {
        as_of: input.checklist.as_of.to_string(),
        started_at: manifest.started_at.to_string(),
        finished_at: manifest.finished_at.to_string(),
        complete: manifest.complete,
        records: manifest.outcomes.values().sum(),
        callers: manifest.callers.iter().cloned().collect(),
        evidence_root: input.checklist.evidence_root.clone(),
        tool_version: input.checklist.tool_version.clone(),
        evidence_tool_version: manifest.tool_version.clone(),
        operating_model: words::operating_models(declaration),
        architecture: words::architectures(declaration),
        accounts: declaration
            .accounts
            .iter()
            .map(|account| format!("{} ({})", account.id, words::account_purpose(account.purpose)))
            .collect(),
        regions: declaration.regions.clone(),
        clusters: declaration.clusters.iter().map(|cluster| cluster.name.clone()).collect(),
        vendors: declaration.vendors.iter().map(|vendor| vendor.name.clone()).collect(),
    }
}
