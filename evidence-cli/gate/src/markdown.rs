//! Markdown for the comment on a pull request.

use std::fmt::Write as _;

use cadastre_graph::Severity;
use cadastre_report::inert;

use crate::group::{self, Group, groups};
use crate::report::{GateReport, Judged, PLAN_SCHEMA, by_severity};

/// How long the text may be, in bytes: a comment on GitHub holds 65,536 characters.
const LIMIT: usize = 60_000;

/// How many entries of each kind are shown, as many as the limit lets through.
const SHOWN: [usize; 5] = [100, 40, 15, 5, 1];

/// The report as GitHub-flavoured Markdown, within what one comment holds.
#[must_use]
pub fn markdown(report: &GateReport) -> String {
    let mut text = String::new();
    for shown in SHOWN {
        text = render(report, shown);
        if text.len() <= LIMIT {
            break;
        }
    }
    text
}

fn render(report: &GateReport, shown: usize) -> String {
    let mut text = String::new();
    let what =
        if report.header.schema == PLAN_SCHEMA { "this plan" } else { "the boundary since the baseline" };
    let verdict = match (report.is_red(), report.moved(), report.is_open()) {
        (true, ..) => "opens what must stay closed",
        (false, true, _) => "moves the boundary",
        (false, false, true) => "leaves questions open",
        (false, false, false) => "moves nothing",
    };
    let verdict = match report.header.schema == PLAN_SCHEMA {
        true => format!("{what} {verdict}"),
        false if report.moved() => "the boundary moved since the baseline".to_owned(),
        false => "the boundary is where it was".to_owned(),
    };
    // The marker lets a pipeline find its own comment again.
    let boundary = escape(&report.header.boundary);
    let _infallible = writeln!(text, "<!-- cadastre -->\n### Cadastre, {boundary}: {verdict}\n");
    let mut facts = vec![format!("{} red flags", report.summary.red_flags)];
    let severities = by_severity(report);
    facts.extend(severities.iter().map(|(severity, count)| format!("{count} {}", group::name(*severity))));
    if report.summary.continuing > 0 || report.summary.resolved > 0 {
        facts.push(format!(
            "{} new, {} as before, {} gone",
            report.summary.new, report.summary.continuing, report.summary.resolved
        ));
    }
    if report.summary.suppressed > 0 {
        facts.push(format!("{} accepted", report.summary.suppressed));
    }
    let _infallible = writeln!(text, "{}; as of {}\n", facts.join(" · "), report.header.as_of);
    findings(&mut text, "Red flags", &report.red_flags, shown);
    let groups = groups(report);
    let (grave, rest): (Vec<&Group<'_>>, Vec<&Group<'_>>) =
        groups.iter().partition(|group| group.severity <= Severity::High);
    changes(&mut text, "What opens, or is lost", &grave, shown);
    let mut folded = String::new();
    changes(&mut folded, "What else moves", &rest, shown);
    findings(&mut folded, "No longer proven", &report.unproven, shown);
    list(
        &mut folded,
        "Gone since the last run",
        report.resolved.iter().map(|gone| escape(&gone.was.message)),
        shown,
    );
    for (title, open) in
        [("Known only after apply", &report.unresolved), ("Not judged", &report.not_examined)]
    {
        let lines = open.iter().map(|entry| {
            format!("{}: {} ({})", escape(&entry.address), escape(&entry.what), escape(&entry.reason))
        });
        list(&mut folded, title, lines, shown);
    }
    if !folded.is_empty() {
        let _infallible = writeln!(text, "<details><summary>The rest</summary>\n\n{folded}</details>");
    }
    text
}

fn findings(text: &mut String, title: &str, list: &[Judged], shown: usize) {
    if list.is_empty() {
        return;
    }
    let _infallible = writeln!(text, "#### {title}\n");
    for judged in list.iter().take(shown) {
        let finding = &judged.finding;
        let accepted = if judged.standing.suppressed.is_some() { " *(accepted)*" } else { "" };
        let _infallible = writeln!(
            text,
            "- **{}** {}: {}{accepted}",
            escape(&judged.control),
            escape(&finding.subject),
            escape(&finding.message)
        );
        for step in finding.path.iter().take(6) {
            let _infallible = writeln!(text, "  1. {}", escape(step));
        }
        if let Some(fix) = finding.fix.first() {
            let _infallible = writeln!(text, "  - fix: {}", escape(fix));
        }
        let ids = group::first(finding.evidence.iter());
        if !ids.is_empty() {
            let _infallible = writeln!(text, "  - records: `{}`", ids.join("` `"));
        }
    }
    more(text, list.len(), shown);
}

fn changes(text: &mut String, title: &str, groups: &[&Group<'_>], shown: usize) {
    if groups.is_empty() {
        return;
    }
    let _infallible =
        writeln!(text, "#### {title}\n\n| severity | change | was | is |\n| --- | --- | --- | --- |");
    for group in groups.iter().take(shown) {
        let (before, after) = group.evidence();
        let ids = |ids: Vec<&str>| ids.into_iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" ");
        let accepted = if group.is_suppressed() { " *(accepted)*" } else { "" };
        let _infallible = writeln!(
            text,
            "| {} | {}{accepted} | {} | {} |",
            group::name(group.severity),
            escape(&group.text),
            ids(before),
            ids(after)
        );
    }
    more(text, groups.len(), shown);
}

fn list(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>, shown: usize) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _infallible = writeln!(text, "#### {title}\n");
    for line in lines.take(shown) {
        let _infallible = writeln!(text, "- {line}");
    }
    more(text, count, shown);
}

fn more(text: &mut String, count: usize, shown: usize) {
    let left = count.saturating_sub(shown);
    if left > 0 {
        let _infallible = writeln!(text, "\n… and {left} more");
    }
    text.push('\n');
}

/// Text that others wrote, as plain text: no markup, no link, no mention of people or issues.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len().saturating_add(16));
    for character in inert(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped.replace("://", ":&#47;/").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{drift, header};

    #[test]
    fn hostile_text_is_inert() {
        let hostile = "@everyone <img src=x> [a](http://x) | #1 \u{202e}`code`\n# title www.x.example";
        let report = GateReport::new(header("2026-11-01T00:00:00Z"), vec![drift(hostile, "key/1", "")]);
        let text = markdown(&report);
        for forbidden in ["@everyone", "<img", "](", "http://", "\n# title", "\u{202e}", " #1", "www.x"] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
    }

    #[test]
    fn a_comment_holds_ten_thousand_changes() {
        let many =
            (0..10_000).map(|n| drift(&format!("arn:aws:iam::111122223333:role/{n}"), "key/1", "")).collect();
        let text = markdown(&GateReport::new(header("2026-11-01T00:00:00Z"), many));
        assert!(text.len() <= LIMIT, "{}", text.len());
        assert!(text.contains("10000 critical"), "{text}");
    }

    #[test]
    fn several_targets_are_one_line() {
        let many = (0..5).map(|n| drift("role/a", &format!("key/{n}"), "")).collect();
        let text = markdown(&GateReport::new(header("2026-11-01T00:00:00Z"), many));
        assert!(text.contains("role/a can now decrypt with key/0, key/1, key/2 and 2 more"), "{text}");
    }
}
