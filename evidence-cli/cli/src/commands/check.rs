//! `cadastre check`: the checklist.

use std::fmt::Write as _;

use cadastre_model::checklist::{Checklist, ControlResult, Verdict};

use super::inputs;
use crate::args::assess::{Check, CheckFormat};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns, inert, paint, stdout_color};

/// Evaluates the controls and prints the checklist.
pub(super) fn run(arguments: &Check, terminal: &Terminal) -> anyhow::Result<Exit> {
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let checklist = &judged.assessment.checklist;
    let text = match arguments.format {
        CheckFormat::Table => table(checklist, arguments.all, stdout_color()),
        CheckFormat::Json => with_newline(serde_json::to_string_pretty(checklist)?),
        CheckFormat::Sarif => with_newline(serde_json::to_string_pretty(&cadastre_report::sarif(checklist))?),
        CheckFormat::Junit => cadastre_report::junit(checklist),
        CheckFormat::Ocsf => with_newline(serde_json::to_string_pretty(&cadastre_report::ocsf(checklist))?),
        CheckFormat::Oscal => {
            let results = cadastre_report::oscal(checklist, &judged.evidence);
            with_newline(serde_json::to_string_pretty(&results)?)
        }
        CheckFormat::Csv => cadastre_report::findings_csv(checklist)?,
    };
    terminal::print(&text)?;
    if arguments.inputs.as_of.is_none() {
        terminal.say(&format!(
            "judged as of {}, when the scan ended; --as-of now asks whether the evidence is fresh today",
            checklist.as_of
        ));
    }
    Ok(Exit::of_checklist(checklist, arguments.fail_on))
}

fn with_newline(mut text: String) -> String {
    text.push('\n');
    text
}

/// The checklist for people: a line a control, its bad findings below, totals by area at the end.
fn table(checklist: &Checklist, all: bool, color: bool) -> String {
    let mut text = String::new();
    for control in &checklist.controls {
        push_control(&mut text, control, all, color);
    }
    text.push('\n');
    text.push_str(&by_area(checklist, color));
    text
}

fn push_control(text: &mut String, control: &ControlResult, all: bool, color: bool) {
    let line = format!("{} {} {}", control.id, terminal::verdict(color, control.verdict), control.title);
    text.push_str(line.trim_end());
    text.push('\n');
    for finding in &control.findings {
        let settled = matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable);
        if settled && !all {
            continue;
        }
        let _infallible = writeln!(
            text,
            "    {} {}",
            terminal::verdict(color, finding.verdict).trim_end(),
            paint(color, "1", &inert(&finding.subject))
        );
        let _infallible = writeln!(text, "      {}", inert(&finding.message));
        for (number, step) in finding.path.iter().enumerate() {
            let _infallible = writeln!(text, "      {}. {}", number + 1, inert(step));
        }
        for fix in &finding.fix {
            let _infallible = writeln!(text, "      fix: {}", inert(fix));
        }
        if !finding.evidence.is_empty() {
            let ids: Vec<&str> =
                finding.evidence.iter().take(6).map(cadastre_model::RecordId::short).collect();
            let more = finding.evidence.len().saturating_sub(ids.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _infallible = writeln!(text, "      evidence: {}{more}", ids.join(" "));
        }
    }
}

/// Number of controls by area and verdict.
#[must_use]
pub(super) fn by_area(checklist: &Checklist, color: bool) -> String {
    let mut areas: Vec<&str> = Vec::new();
    for control in &checklist.controls {
        if !areas.contains(&control.area.as_str()) {
            areas.push(&control.area);
        }
    }
    let mut header = vec!["area".to_owned()];
    header.extend(Verdict::ALL.iter().map(|verdict| verdict.name().to_owned()));
    let mut rows = vec![header];
    let row = |name: &str, controls: &dyn Fn(&&ControlResult) -> bool| {
        let mut row = vec![name.to_owned()];
        for verdict in Verdict::ALL {
            let count = checklist.controls.iter().filter(controls).filter(|c| c.verdict == verdict).count();
            let cell = count.to_string();
            let shown = match (count, verdict) {
                (0, _) => paint(color, "2", &cell),
                (_, Verdict::RedFlag) => paint(color, "1;31", &cell),
                (_, Verdict::Unproven) => paint(color, "33", &cell),
                _ => cell,
            };
            row.push(shown);
        }
        row
    };
    for area in areas {
        rows.push(row(area, &|control| control.area == area));
    }
    rows.push(row("all", &|_| true));
    let mut text = columns(&rows);
    if !checklist.not_examined.is_empty() {
        let _infallible = writeln!(
            text,
            "\nnot examined ({}): {}",
            checklist.not_examined.len(),
            checklist.not_examined.join(" ")
        );
    }
    text
}
