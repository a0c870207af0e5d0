//! The report as Markdown, for a pull request: what blocks and what is not proven, with fixes.

use std::collections::BTreeSet;

use cadastre_model::checklist::{Checklist, ControlResult, Finding, Verdict};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use crate::citations::Citations;
use crate::diagram::Boxes;
use crate::error::ReportError;
use crate::input::ReportInput;
use crate::section::trails::Trails;
use crate::section::{decision, readiness};
use crate::templates::Templates;

/// How many findings of one control are listed: as many as the limit lets through.
const FINDINGS: [usize; 5] = [12, 6, 3, 1, 0];
/// How long the text may be, in bytes: a comment on GitHub holds 65,536 characters.
const LIMIT: usize = 60_000;
/// How many record ids one finding names.
const RECORDS: usize = 3;

#[derive(Debug, Serialize)]
struct Group {
    title: &'static str,
    controls: Vec<Control>,
}

#[derive(Debug, Serialize)]
struct Control {
    id: String,
    title: String,
    findings: Vec<Shown>,
    more: usize,
    /// The fixes, where all findings have the same.
    fix: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    subject: String,
    message: String,
    path: Vec<String>,
    fix: Vec<String>,
    evidence: Vec<String>,
    more_evidence: usize,
}

/// A summary table, then red flags, unproven and waived findings with their fixes, as GitHub-flavoured Markdown.
///
/// # Errors
/// When the template cannot be rendered.
pub fn markdown(input: &ReportInput<'_>) -> Result<String, ReportError> {
    markdown_with(input, &Templates::default())
}

/// The same, by templates of the caller's.
///
/// # Errors
/// When the template cannot be rendered.
pub fn markdown_with(input: &ReportInput<'_>, templates: &Templates) -> Result<String, ReportError> {
    let decision = Value::from(Serde(&decision::build(input)));
    let (boxes, told) = (Boxes::default(), BTreeSet::new());
    let trails = Trails::new(input.graph, &boxes, &told);
    let readiness =
        Value::from(Serde(&readiness::build(input.checklist, &trails, &mut Citations::default())));
    let mut text = String::new();
    for findings in FINDINGS {
        let groups: Vec<Group> =
            [(Verdict::RedFlag, "Red flags"), (Verdict::Unproven, "Not proven"), (Verdict::Waived, "Waived")]
                .into_iter()
                .map(|(verdict, title)| Group {
                    title,
                    controls: controls(input.checklist, verdict, findings),
                })
                .collect();
        text = templates.render(
            "report.md",
            context! {
                name => input.declaration.name.as_str(),
                decision => decision.clone(),
                readiness => readiness.clone(),
                groups => Value::from(Serde(&groups)),
                not_examined => Value::from(Serde(&input.checklist.not_examined)),
            },
        )?;
        if text.len() <= LIMIT {
            break;
        }
    }
    Ok(text)
}

fn controls(checklist: &Checklist, verdict: Verdict, limit: usize) -> Vec<Control> {
    checklist.controls.iter().filter_map(|control| show(control, verdict, limit)).collect()
}

fn show(control: &ControlResult, verdict: Verdict, limit: usize) -> Option<Control> {
    let found: Vec<&Finding> = control.findings.iter().filter(|finding| finding.verdict == verdict).collect();
    if found.is_empty() {
        return None;
    }
    let shared = found.iter().all(|finding| found.first().is_some_and(|first| first.fix == finding.fix));
    let fix =
        if shared { found.first().map(|first| first.fix.clone()).unwrap_or_default() } else { Vec::new() };
    let findings = found
        .iter()
        .take(limit)
        .map(|finding| Shown {
            subject: finding.subject.clone(),
            message: finding.message.clone(),
            path: finding.path.clone(),
            fix: if shared { Vec::new() } else { finding.fix.clone() },
            evidence: finding.evidence.iter().take(RECORDS).map(|id| id.short().to_owned()).collect(),
            more_evidence: finding.evidence.len().saturating_sub(RECORDS),
        })
        .collect();
    Some(Control {
        id: control.id.clone(),
        title: control.title.clone(),
        findings,
        more: found.len().saturating_sub(limit),
        fix,
    })
}
