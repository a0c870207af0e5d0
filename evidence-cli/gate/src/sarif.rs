//! SARIF 2.1.0 for code scanning: what is new, what continues, and what is gone, so that alerts do not flap.

use std::collections::BTreeSet;

use cadastre_graph::Severity;
use cadastre_report::inert;
use serde_json::{Value, json};

use crate::report::{GateReport, Judged, Moved, Standing, State, rule_of};

/// The report as a SARIF log with one run.
#[must_use]
pub fn sarif(report: &GateReport) -> Value {
    let mut rules: BTreeSet<(String, String)> = BTreeSet::new();
    let mut results = Vec::new();
    for judged in report.red_flags.iter().chain(&report.unproven) {
        rules.insert((judged.control.clone(), judged.title.clone()));
    }
    for moved in &report.drift {
        rules.insert((rule_of(&moved.drift), "What a capability reaches moved".to_owned()));
    }
    for gone in &report.resolved {
        if !rules.iter().any(|(id, _)| *id == gone.was.rule) {
            rules.insert((gone.was.rule.clone(), "What was told before and is gone".to_owned()));
        }
    }
    let artifact = report.header.artifact.as_str();
    results.extend(report.red_flags.iter().map(|judged| finding(judged, "error", artifact)));
    results.extend(report.unproven.iter().map(|judged| finding(judged, "warning", artifact)));
    results.extend(report.drift.iter().map(|moved| change(moved, artifact)));
    results.extend(report.resolved.iter().map(|gone| {
        let mut result = result(&gone.was.rule, "none", &gone.was.message, &gone.was.subject, artifact);
        set(&mut result, "baselineState", json!("absent"));
        set(&mut result, "partialFingerprints", json!({"cadastre/v1": gone.id}));
        result
    }));
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|(id, title)| json!({"id": id, "shortDescription": {"text": message(&title)}}))
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "cadastre", "semanticVersion": report.header.tool_version, "rules": rules}},
            "automationDetails": {"id": format!("cadastre/{}/{}/", report.header.boundary, gate(report))},
            "properties": {"asOf": report.header.as_of, "baselineRoot": report.header.baseline_root,
                "evidenceRoot": report.header.evidence_root},
            "results": results,
        }],
    })
}

/// `plan` or `drift`: their alerts are kept apart.
fn gate(report: &GateReport) -> &str {
    report.header.schema.split('/').nth(1).unwrap_or("gate")
}

fn finding(judged: &Judged, level: &str, artifact: &str) -> Value {
    let mut text = judged.finding.message.clone();
    for step in &judged.finding.path {
        text.push_str("\n- ");
        text.push_str(step);
    }
    for fix in &judged.finding.fix {
        text.push_str("\nfix: ");
        text.push_str(fix);
    }
    let mut result = result(&judged.control, level, &text, &judged.finding.subject, artifact);
    stand(&mut result, &judged.standing);
    set(
        &mut result,
        "properties",
        json!({"verdict": judged.finding.verdict, "evidence": judged.finding.evidence}),
    );
    result
}

fn change(moved: &Moved, artifact: &str) -> Value {
    let drift = &moved.drift;
    let level = match drift.severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Information => "note",
    };
    let mut result = result(&rule_of(drift), level, &drift.message, &drift.subject, artifact);
    stand(&mut result, &moved.standing);
    set(
        &mut result,
        "properties",
        json!({"severity": drift.severity, "kind": drift.kind, "target": drift.target, "before": drift.before, "after": drift.after}),
    );
    result
}

fn result(rule: &str, level: &str, text: &str, subject: &str, artifact: &str) -> Value {
    json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": message(text)},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": uri(artifact)}, "region": {"startLine": 1}},
            "logicalLocations": [{"fullyQualifiedName": inert(subject), "kind": "resource"}],
        }],
    })
}

fn stand(result: &mut Value, standing: &Standing) {
    let state = match standing.state {
        State::New => "new",
        State::Continuing => "unchanged",
    };
    set(result, "baselineState", json!(state));
    set(result, "partialFingerprints", json!({"cadastre/v1": standing.id}));
    let suppressions: Vec<Value> = standing
        .suppressed
        .iter()
        .map(|accepted| {
            let text = format!("{} ({}, until {})", accepted.reason, accepted.approver, accepted.expires);
            json!({"kind": "external", "status": "accepted", "justification": inert(&text)})
        })
        .collect();
    set(result, "suppressions", Value::Array(suppressions));
}

fn set(result: &mut Value, member: &str, value: Value) {
    if let Value::Object(members) = result {
        members.insert(member.to_owned(), value);
    }
}

/// A relative reference (RFC 3986): what it may not hold is percent-encoded.
fn uri(path: &str) -> String {
    let mut text = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Text of a message, inert: brackets would start an embedded link (SARIF 2.1.0, §3.11.6).
fn message(text: &str) -> String {
    inert(text).replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{drift, header};
    use crate::state::StateFile;

    #[test]
    fn alerts_carry_the_same_fingerprint_while_they_last_and_are_absent_once() {
        let state_of = |report: &GateReport| {
            let result = sarif(report)["runs"][0]["results"][0].clone();
            (result["baselineState"].clone(), result["partialFingerprints"]["cadastre/v1"].clone())
        };
        let mut first = GateReport::new(header("2026-11-01T00:00:00Z"), vec![drift("a", "1", "")]);
        let state = first.against(&StateFile::empty("payments"));
        let mut second = GateReport::new(header("2026-11-02T00:00:00Z"), vec![drift("a", "1", ", if x")]);
        let state = second.against(&state);
        let mut third = GateReport::new(header("2026-11-03T00:00:00Z"), vec![]);
        drop(third.against(&state));
        let (first, second, third) = (state_of(&first), state_of(&second), state_of(&third));
        assert_eq!([&first.0, &second.0, &third.0], [&json!("new"), &json!("unchanged"), &json!("absent")]);
        assert_eq!((&first.1, &second.1), (&second.1, &third.1));
    }

    #[test]
    fn paths_are_references_and_text_is_inert() {
        assert_eq!(uri("./plans/a b%.json"), "plans/a%20b%25.json");
        assert_eq!(message("[a](b) \u{1b}"), r"\[a\](b) ⟨U+001B⟩");
    }
}
