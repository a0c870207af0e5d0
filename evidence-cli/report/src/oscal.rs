//! Open Security Controls Assessment Language (OSCAL) 1.2: assessment results.
//!
//! An export, never a working format. What maps to what: a control to a *finding*, a finding on a subject to an
//! *observation*, a subject to an *inventory item*, what is open or waived to a *risk*, and a fix to a *remediation*.
//! OSCAL knows *satisfied* and *not-satisfied* only, so what is unproven is not satisfied for the reason `other`, and the
//! property `verdict` says which it is. Controls that are not applicable are listed as such in the remarks.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_model::checklist::{Checklist, ControlResult, Finding, Verdict};
use cadastre_model::evidence::Evidence;
use serde_json::{Map, Value, json};

use crate::identity::uuid_in;
use crate::text::{inert, told};

pub(crate) const VERSION: &str = "1.2.1";
/// The namespace of our properties.
const NAMESPACE: &str = "https://cadastre.dev/ns/oscal";

/// The checklist as an OSCAL document of the model "Assessment Results".
#[must_use]
pub fn assessment_results(checklist: &Checklist, evidence: &Evidence) -> Value {
    let document = Document { checklist };
    json!({"assessment-results": document.assessment_results(evidence)})
}

/// Names things so that the same assessment gives the same identifiers.
struct Document<'a> {
    checklist: &'a Checklist,
}

impl Document<'_> {
    fn uuid(&self, kind: &str, parts: &[&str]) -> String {
        uuid_in(self.checklist, kind, parts)
    }

    fn assessment_results(&self, evidence: &Evidence) -> Value {
        let catalogue = self.uuid("catalogue", &[]);
        let manifest = evidence.manifest();
        json!({
            "uuid": self.uuid("assessment-results", &[]),
            "metadata": {
                "title": line(&format!("Boundary assessment of {}", self.checklist.boundary)),
                "last-modified": self.checklist.as_of,
                "version": self.checklist.tool_version,
                "oscal-version": VERSION,
                "props": [property("evidence-root", &self.checklist.evidence_root), property("tool", "cadastre")],
            },
            "import-ap": {
                "href": format!("#{catalogue}"),
                "remarks": "There is no assessment plan apart from the catalogue of controls: every control in it was to be examined.",
            },
            "results": [self.result(manifest.started_at.to_string(), manifest.finished_at.to_string())],
            "back-matter": {"resources": [{
                "uuid": catalogue,
                "title": "Cadastre control catalogue",
                "description": "The controls, what each takes as a pass signal and as a red flag, and the evidence that each requires.",
                "base64": {
                    "filename": "controls.json",
                    "media-type": "application/json",
                    "value": STANDARD.encode(self.catalogue().to_string()),
                },
            }]},
        })
    }

    /// The controls that were examined, embedded so that the document needs nothing beside it.
    fn catalogue(&self) -> Value {
        let controls = self.checklist.controls.iter();
        controls
            .map(|control| {
                json!({
                    "id": control_id(control),
                    "area": control.area,
                    "title": inert(&control.title),
                    "requires": control.requires,
                })
            })
            .collect()
    }

    fn result(&self, start: String, end: String) -> Value {
        let judged: Vec<&ControlResult> = self
            .checklist
            .controls
            .iter()
            .filter(|control| control.verdict != Verdict::NotApplicable)
            .collect();
        let told = || {
            judged.iter().flat_map(|control| {
                control
                    .findings
                    .iter()
                    .filter(|finding| finding.verdict != Verdict::NotApplicable)
                    .map(move |finding| (*control, finding))
            })
        };
        let subjects: BTreeSet<&str> = told().map(|(_, finding)| finding.subject.as_str()).collect();
        let items: Vec<Value> = subjects.iter().map(|subject| self.inventory_item(subject)).collect();
        let observations: Vec<Value> =
            told().map(|(control, finding)| self.observation(control, finding, &end)).collect();
        let risks: Vec<Value> = told()
            .filter(|(_, finding)| finding.verdict != Verdict::Pass)
            .map(|(control, finding)| self.risk(control, finding))
            .collect();
        let findings: Vec<Value> = judged.iter().map(|control| self.finding(control)).collect();

        let mut result = Map::new();
        let mut put = |name: &str, value: Value| drop(result.insert(name.to_owned(), value));
        put("uuid", self.uuid("result", &[]).into());
        put("title", line(&format!("Checklist of {}", self.checklist.boundary)).into());
        put("description", "Verdicts of every control that was examined, with what each rests on.".into());
        put("start", start.into());
        put("end", end.into());
        put("reviewed-controls", json!({"control-selections": [selection(&judged)]}));
        // OSCAL wants lists that are present to hold something.
        let summary = self.checklist.summary.iter();
        let counts: Vec<Value> = summary
            .map(|(verdict, count)| property(&format!("controls-{verdict}"), &count.to_string()))
            .collect();
        let lists =
            [("props", counts), ("observations", observations), ("risks", risks), ("findings", findings)];
        for (name, list) in lists {
            if !list.is_empty() {
                put(name, Value::Array(list));
            }
        }
        if !items.is_empty() {
            put("local-definitions", json!({"inventory-items": items}));
        }
        if let Some(remarks) = self.remarks() {
            put("remarks", remarks.into());
        }
        Value::Object(result)
    }

    fn inventory_item(&self, subject: &str) -> Value {
        json!({"uuid": self.uuid("subject", &[subject]), "description": filled(subject)})
    }

    fn observation(&self, control: &ControlResult, finding: &Finding, collected: &str) -> Value {
        let mut observation = json!({
            "uuid": self.finding_uuid("observation", control, finding),
            "title": line(&format!("{} {}", control.id, finding.subject)),
            "description": filled(&told(finding)),
            "props": [property("verdict", finding.verdict.name())],
            "methods": ["EXAMINE"],
            "types": ["finding"],
            "subjects": [{"subject-uuid": self.uuid("subject", &[&finding.subject]), "type": "inventory-item"}],
            "collected": collected,
        });
        let evidence: Vec<Value> = finding
            .evidence
            .iter()
            .map(|id| json!({"description": format!("evidence record {id}"), "props": [property("record", &id.to_string())]}))
            .collect();
        if let (Some(object), false) = (observation.as_object_mut(), evidence.is_empty()) {
            object.insert("relevant-evidence".to_owned(), Value::Array(evidence));
        }
        observation
    }

    fn risk(&self, control: &ControlResult, finding: &Finding) -> Value {
        let is_waived = finding.verdict == Verdict::Waived;
        let mut risk = json!({
            "uuid": self.finding_uuid("risk", control, finding),
            "title": line(&format!("{} {}", control.id, finding.subject)),
            "description": filled(&control.title),
            "statement": filled(&finding.message),
            "props": [property("verdict", finding.verdict.name())],
            "status": if is_waived { "deviation-approved" } else { "open" },
            "related-observations": [{"observation-uuid": self.finding_uuid("observation", control, finding)}],
        });
        let remediations: Vec<Value> = finding
            .fix
            .iter()
            .enumerate()
            .map(|(number, fix)| {
                json!({
                    "uuid": self.uuid("remediation", &[&control.id, &finding.subject, &finding.message, &number.to_string(), fix]),
                    "lifecycle": "recommendation",
                    "title": format!("Change {}", number + 1),
                    "description": filled(fix),
                })
            })
            .collect();
        if let (Some(object), false) = (risk.as_object_mut(), remediations.is_empty()) {
            object.insert("remediations".to_owned(), Value::Array(remediations));
        }
        risk
    }

    fn finding(&self, control: &ControlResult) -> Value {
        let (state, reason) = match control.verdict {
            Verdict::Pass | Verdict::NotApplicable => ("satisfied", "pass"),
            Verdict::RedFlag => ("not-satisfied", "fail"),
            Verdict::Unproven | Verdict::Waived => ("not-satisfied", "other"),
        };
        let mut finding = json!({
            "uuid": self.uuid("finding", &[&control.id]),
            "title": line(&format!("{} {}", control.id, control.title)),
            "description": filled(&control.title),
            "props": [property("verdict", control.verdict.name()), property("area", &control.area)],
            "target": {
                "type": "objective-id",
                "target-id": format!("{}_obj", control_id(control)),
                "status": {"state": state, "reason": reason},
            },
        });
        let told = || control.findings.iter().filter(|finding| finding.verdict != Verdict::NotApplicable);
        let observations: Vec<Value> = told()
            .map(|it| json!({"observation-uuid": self.finding_uuid("observation", control, it)}))
            .collect();
        let risks: Vec<Value> = told()
            .filter(|it| it.verdict != Verdict::Pass)
            .map(|it| json!({"risk-uuid": self.finding_uuid("risk", control, it)}))
            .collect();
        if let Some(object) = finding.as_object_mut() {
            for (name, list) in [("related-observations", observations), ("related-risks", risks)] {
                if !list.is_empty() {
                    object.insert(name.to_owned(), Value::Array(list));
                }
            }
        }
        finding
    }

    /// One control can say several things of one subject, so the words are part of the name.
    fn finding_uuid(&self, kind: &str, control: &ControlResult, finding: &Finding) -> String {
        let mut parts = vec![&*control.id, &*finding.subject, finding.verdict.name(), &*finding.message];
        parts.extend(finding.path.iter().map(String::as_str));
        self.uuid(kind, &parts)
    }

    fn remarks(&self) -> Option<String> {
        let idle = |control: &&ControlResult| control.verdict == Verdict::NotApplicable;
        let idle: Vec<&str> =
            self.checklist.controls.iter().filter(idle).map(|control| control.id.as_str()).collect();
        let mut remarks = Vec::new();
        if !idle.is_empty() {
            remarks.push(format!("Not applicable: {}.", idle.join(", ")));
        }
        if !self.checklist.not_examined.is_empty() {
            remarks.push(format!(
                "Not examined, so nothing is said about them: {}.",
                self.checklist.not_examined.join(", ")
            ));
        }
        (!remarks.is_empty()).then(|| remarks.join(" "))
    }
}

/// The controls that were examined. OSCAL has no empty selection; all of an empty catalogue is one.
fn selection(controls: &[&ControlResult]) -> Value {
    if controls.is_empty() {
        return json!({"description": "No control was examined.", "include-all": {}});
    }
    let ids: Vec<Value> = controls.iter().map(|control| json!({"control-id": control_id(control)})).collect();
    json!({"include-controls": ids})
}

/// Control ids in OSCAL's catalogues are lower-case tokens.
fn control_id(control: &ControlResult) -> String {
    control.id.to_ascii_lowercase()
}

pub(crate) fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "ns": NAMESPACE, "value": line(value)})
}

/// Text for OSCAL's `markup-line` and `string`: on one line, neither empty nor with blanks at its ends.
pub(crate) fn line(text: &str) -> String {
    let line = inert(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "(empty)".to_owned() } else { line }
}

/// Text for OSCAL's `markup-multiline`.
pub(crate) fn filled(text: &str) -> String {
    let text = inert(text);
    let text = text.trim();
    if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() }
}
