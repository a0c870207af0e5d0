//! One screen for people: what is red and why, what moved, what is open.

use cadastre_graph::Severity;
use cadastre_report::inert;

use crate::group::{self, groups};
use crate::report::{GateReport, Judged, State};

/// How many entries of each kind a screen shows.
const SHOWN: usize = 8;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How it is painted.
    pub tone: Tone,
    /// The word in front, painted.
    pub label: String,
    /// The text behind, inert.
    pub text: String,
}

/// How a line's word is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Red flags and critical changes.
    Alarm,
    /// Other grave ones.
    Warning,
    /// The rest.
    Plain,
    /// What is closed, gone or accepted.
    Quiet,
}

/// The report as lines; `all` leaves nothing out.
#[must_use]
pub fn table(report: &GateReport, all: bool) -> Vec<Row> {
    let limit = if all { usize::MAX } else { SHOWN };
    let mut rows = Vec::new();
    findings(&mut rows, Tone::Alarm, "red flag", &report.red_flags, limit, true);
    let groups = groups(report);
    for group in groups.iter().take(limit.saturating_mul(2)) {
        let tone = match group.severity {
            _ if group.is_suppressed() => Tone::Quiet,
            Severity::Critical => Tone::Alarm,
            Severity::High | Severity::Medium => Tone::Warning,
            Severity::Low => Tone::Plain,
            Severity::Information => Tone::Quiet,
        };
        let mut text = group.text.clone();
        if group.is_suppressed() {
            text.push_str(" (accepted)");
        } else if !group.is_new() {
            text.push_str(" (as before)");
        }
        push(&mut rows, tone, group::name(group.severity), &text);
        let (before, after) = group.evidence();
        let proof: Vec<String> = [("was", before), ("is", after)]
            .into_iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(word, ids)| format!("{word} {}", ids.join(" ")))
            .collect();
        if group.severity <= Severity::High && !proof.is_empty() {
            push(&mut rows, Tone::Quiet, "", &format!("records: {}", proof.join(", ")));
        }
    }
    more(&mut rows, groups.len(), limit.saturating_mul(2), "changes");
    findings(&mut rows, Tone::Warning, "unproven", &report.unproven, limit, false);
    for gone in report.resolved.iter().take(limit) {
        push(&mut rows, Tone::Quiet, "gone", &gone.was.message);
    }
    more(&mut rows, report.resolved.len(), limit, "that are gone");
    for (label, open) in [("open", &report.unresolved), ("not judged", &report.not_examined)] {
        for entry in open.iter().take(limit) {
            push(
                &mut rows,
                Tone::Plain,
                label,
                &format!("{}: {} ({})", entry.address, entry.what, entry.reason),
            );
        }
        more(&mut rows, open.len(), limit, label);
    }
    rows
}

fn findings(rows: &mut Vec<Row>, tone: Tone, label: &str, list: &[Judged], limit: usize, explain: bool) {
    for judged in list.iter().take(limit) {
        let accepted = judged.standing.suppressed.is_some();
        let suffix = match (accepted, judged.standing.state) {
            (true, _) => " (accepted)",
            (false, State::Continuing) => " (as before)",
            (false, State::New) => "",
        };
        let tone = if accepted { Tone::Quiet } else { tone };
        let finding = &judged.finding;
        push(
            rows,
            tone,
            label,
            &format!("{} {}: {}{suffix}", judged.control, finding.subject, finding.message),
        );
        if !explain {
            continue;
        }
        for (number, step) in finding.path.iter().take(4).enumerate() {
            push(rows, Tone::Plain, "", &format!("{}. {step}", number.saturating_add(1)));
        }
        if let Some(fix) = finding.fix.first() {
            push(rows, Tone::Plain, "", &format!("fix: {fix}"));
        }
        let ids = group::first(finding.evidence.iter());
        if !ids.is_empty() {
            push(rows, Tone::Quiet, "", &format!("records: {}", ids.join(" ")));
        }
    }
    more(rows, list.len(), limit, label);
}

fn push(rows: &mut Vec<Row>, tone: Tone, label: &str, text: &str) {
    let text = inert(text).replace('\n', " ");
    rows.push(Row { tone, label: label.to_owned(), text });
}

fn more(rows: &mut Vec<Row>, count: usize, limit: usize, what: &str) {
    let left = count.saturating_sub(limit);
    if left > 0 {
        push(rows, Tone::Quiet, "", &format!("and {left} more {what}; --all shows them"));
    }
}
