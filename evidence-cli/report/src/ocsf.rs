//! Open Cybersecurity Schema Framework (OCSF) 1.6.0: Compliance Finding events, for security lakes.

use cadastre_model::checklist::{Checklist, ControlResult, Finding, Verdict};
use serde_json::{Value, json};

use crate::identity::fingerprint;
use crate::text::{inert, told};

/// The version of the schema that the events keep to.
const VERSION: &str = "1.6.0";
/// Class "Compliance Finding" in category "Findings"; the type is class × 100 + activity.
const CLASS: u64 = 2003;
const CATEGORY: u64 = 2;
/// Activity "Create".
const CREATE: u64 = 1;

/// A Compliance Finding for every finding of the checklist, those that pass too.
///
/// What is not applicable makes no event: the class has no status for it. `compliance.status` says *Warning* for
/// what is unproven, since the schema's *Unknown* would hide it from the usual filters.
#[must_use]
pub fn ocsf(checklist: &Checklist) -> Value {
    let events = checklist.controls.iter().flat_map(|control| {
        let told = control.findings.iter().filter(|finding| finding.verdict != Verdict::NotApplicable);
        told.map(move |finding| event(checklist, control, finding))
    });
    Value::Array(events.collect())
}

fn event(checklist: &Checklist, control: &ControlResult, finding: &Finding) -> Value {
    let (status_id, status) = match finding.verdict {
        Verdict::Waived => (3, "Suppressed"),
        Verdict::Pass => (4, "Resolved"),
        Verdict::RedFlag | Verdict::Unproven | Verdict::NotApplicable => (1, "New"),
    };
    let (severity_id, severity) = match finding.verdict {
        Verdict::RedFlag => (4, "High"),
        Verdict::Unproven => (3, "Medium"),
        Verdict::Waived => (2, "Low"),
        Verdict::Pass | Verdict::NotApplicable => (1, "Informational"),
    };
    let (compliance_id, compliance) = match finding.verdict {
        Verdict::Pass => (1, "Pass"),
        Verdict::RedFlag => (3, "Fail"),
        Verdict::Unproven | Verdict::Waived | Verdict::NotApplicable => (2, "Warning"),
    };
    let time = checklist.as_of.seconds().saturating_mul(1000);
    let mut event = json!({
        "class_uid": CLASS,
        "class_name": "Compliance Finding",
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "activity_id": CREATE,
        "activity_name": "Create",
        "type_uid": CLASS * 100 + CREATE,
        "type_name": "Compliance Finding: Create",
        "time": time,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": inert(&finding.message),
        "metadata": {
            "version": VERSION,
            "product": {"name": "Cadastre", "vendor_name": "Cadastre", "version": checklist.tool_version},
        },
        "finding_info": {
            "uid": fingerprint(control, finding),
            "title": inert(&control.title),
            "desc": inert(&told(finding)),
            "types": [control.area],
        },
        "compliance": {
            "control": control.id,
            "desc": inert(&control.title),
            "category": control.area,
            "standards": ["Cadastre control catalogue"],
            "requirements": [control.id],
            "status_id": compliance_id,
            "status": compliance,
            "status_details": [format!("verdict: {}", finding.verdict.name())],
        },
        "resources": [{"uid": inert(&finding.subject), "name": inert(&finding.subject)}],
        "unmapped": {
            "boundary": inert(&checklist.boundary),
            "evidence_root": checklist.evidence_root,
            "verdict": finding.verdict,
        },
    });
    let evidences: Vec<Value> = finding.evidence.iter().map(|id| json!({"data": {"record": id}})).collect();
    if let Some(object) = event.as_object_mut() {
        // The schema wants lists that are present to hold something.
        if !evidences.is_empty() {
            object.insert("evidences".to_owned(), Value::Array(evidences));
        }
        if !finding.fix.is_empty() {
            object.insert("remediation".to_owned(), json!({"desc": inert(&finding.fix.join("\n"))}));
        }
    }
    event
}
