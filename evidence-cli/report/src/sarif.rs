//! SARIF 2.1.0, for code scanning.
//!
//! Waived findings are kept and marked as suppressed, and every result has a fingerprint that does not depend on
//! evidence ids, so that alerts neither vanish nor flap between scans.

use cadastre_model::checklist::{Checklist, ControlResult, Finding, Verdict};
use serde_json::{Value, json};

use crate::identity::fingerprint;
use crate::text::{inert, told};

/// The checklist as a SARIF log with one run.
#[must_use]
pub fn sarif(checklist: &Checklist) -> Value {
    let rules: Vec<Value> = checklist.controls.iter().map(rule).collect();
    let results: Vec<Value> = checklist
        .controls
        .iter()
        .enumerate()
        .flat_map(|(index, control)| {
            control
                .findings
                .iter()
                .filter(|finding| !matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable))
                .map(move |finding| result(index, control, finding))
        })
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "cadastre",
                    "semanticVersion": checklist.tool_version,
                    "rules": rules,
                }
            },
            "automationDetails": {"id": format!("cadastre/{}/", checklist.boundary)},
            "properties": {"asOf": checklist.as_of, "evidenceRoot": checklist.evidence_root},
            "results": results,
        }],
    })
}

fn rule(control: &ControlResult) -> Value {
    json!({
        "id": control.id,
        "name": control.id.replace('-', ""),
        "shortDescription": {"text": message(&control.title)},
        "properties": {"tags": [control.area]},
    })
}

fn result(index: usize, control: &ControlResult, finding: &Finding) -> Value {
    let mut text = told(finding);
    for fix in &finding.fix {
        text.push_str(&format!("\nfix: {fix}"));
    }
    let suppressions: Vec<Value> = if finding.verdict == Verdict::Waived {
        vec![json!({"kind": "external", "status": "accepted", "justification": inert(&finding.message)})]
    } else {
        Vec::new()
    };
    json!({
        "ruleId": control.id,
        "ruleIndex": index,
        "level": if finding.verdict == Verdict::RedFlag { "error" } else { "warning" },
        "message": {"text": message(&text)},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": "boundary.yaml"}, "region": {"startLine": 1}},
            "logicalLocations": [{"fullyQualifiedName": inert(&finding.subject), "kind": "resource"}],
        }],
        "partialFingerprints": {"cadastre/v1": fingerprint(control, finding)},
        "suppressions": suppressions,
        "properties": {"verdict": finding.verdict, "evidence": finding.evidence},
    })
}

/// Text of a message, inert: brackets would start an embedded link (SARIF 2.1.0, §3.11.6).
fn message(text: &str) -> String {
    inert(text).replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]")
}
