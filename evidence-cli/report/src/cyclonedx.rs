//! CycloneDX 1.6 attestations (ECMA-424): the catalogue and the frameworks as standards, findings as claims about
//! subjects, records as evidence, and an attestation for each standard.
//!
//! What maps to what: a finding that passes is a *claim*, every other one a *counter-claim* that says what stands against
//! the requirement. A requirement conforms (1) when its control passes and does not (0) otherwise; the confidence is 0
//! where it is unproven, because then nothing is known either way. What is not applicable is not attested.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cadastre_model::RecordId;
use cadastre_model::checklist::{Checklist, ControlResult, Finding, Verdict};
use cadastre_model::framework::FrameworkStanding;
use cadastre_model::record::Record;
use serde_json::{Value, json};

use crate::identity::uuid_in;
use crate::input::ReportInput;
use crate::text::{inert, told};
use crate::words;

/// The standard that the catalogue of controls is.
const CATALOGUE: &str = "cadastre";
const ASSESSOR: &str = "assessor";

/// The checklist as a CycloneDX 1.6 document with `declarations` and the `definitions` that they refer to.
#[must_use]
pub fn cyclonedx(input: &ReportInput<'_>) -> Value {
    let document = Document { input, checklist: input.checklist };
    let checklist = input.checklist;
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", document.uuid("cyclonedx", &[])),
        "version": 1,
        "metadata": {
            "timestamp": checklist.as_of,
            "tools": {"components": [
                {"type": "application", "name": "cadastre", "version": checklist.tool_version}
            ]},
            "component": {
                "type": "platform",
                "bom-ref": "boundary",
                "name": filled(&checklist.boundary),
                "description": format!("evidence root {}", checklist.evidence_root),
            },
        },
        "definitions": {"standards": document.standards()},
        "declarations": {
            "assessors": [{
                "bom-ref": ASSESSOR,
                "thirdParty": false,
                "organization": {"name": format!("cadastre {}, from recorded evidence", checklist.tool_version)},
            }],
            "attestations": document.attestations(),
            "claims": document.claims(),
            "evidence": document.evidence(),
            "targets": {"components": document.targets()},
        },
    })
}

struct Document<'a> {
    input: &'a ReportInput<'a>,
    checklist: &'a Checklist,
}

/// Findings that are attested, each with its control.
fn attested(control: &ControlResult) -> impl Iterator<Item = &Finding> {
    control.findings.iter().filter(|finding| finding.verdict != Verdict::NotApplicable)
}

impl Document<'_> {
    fn uuid(&self, kind: &str, parts: &[&str]) -> String {
        uuid_in(self.checklist, kind, parts)
    }

    fn standards(&self) -> Vec<Value> {
        let requirements: Vec<Value> = self
            .checklist
            .controls
            .iter()
            .map(|control| {
                json!({
                    "bom-ref": requirement_ref(CATALOGUE, &control.id),
                    "identifier": control.id,
                    "title": filled(&control.title),
                    "descriptions": control.requires.iter().map(|it| format!("rests on {it}")).collect::<Vec<_>>(),
                })
            })
            .collect();
        let catalogue = json!({
            "bom-ref": standard_ref(CATALOGUE),
            "name": "Cadastre control catalogue",
            "version": self.checklist.tool_version,
            "description": "Controls of a customer-owned Kafka data plane, judged from recorded evidence.",
            "owner": "Cadastre",
            "requirements": requirements,
        });
        let frameworks = self.input.frameworks.iter().map(|framework| {
            let requirements: Vec<Value> = framework
                .requirements
                .iter()
                .map(|requirement| {
                    json!({
                        "bom-ref": requirement_ref(&framework.id, &requirement.id),
                        "identifier": requirement.id,
                        "title": filled(&requirement.title),
                    })
                })
                .collect();
            json!({
                "bom-ref": standard_ref(&framework.id),
                "name": framework.name,
                "version": framework.version,
                "requirements": requirements,
            })
        });
        std::iter::once(catalogue).chain(frameworks).collect()
    }

    fn attestations(&self) -> Vec<Value> {
        let controls: Vec<&ControlResult> = self.checklist.controls.iter().collect();
        let map = controls.iter().filter_map(|control| {
            self.mapping(&requirement_ref(CATALOGUE, &control.id), control.verdict, &[*control])
        });
        let counts = self.checklist.summary.iter().map(|(verdict, count)| format!("{count} {verdict}"));
        let catalogue = json!({
            "summary": format!("Controls: {}.", counts.collect::<Vec<_>>().join(", ")),
            "assessor": ASSESSOR,
            "map": map.collect::<Vec<_>>(),
        });
        let frameworks =
            self.input.frameworks.iter().map(|framework| self.framework_attestation(framework, &controls));
        std::iter::once(catalogue).chain(frameworks).collect()
    }

    fn framework_attestation(&self, framework: &FrameworkStanding, controls: &[&ControlResult]) -> Value {
        let map = framework.requirements.iter().filter_map(|requirement| {
            let bearing: Vec<&ControlResult> = controls
                .iter()
                .copied()
                .filter(|control| requirement.controls.iter().any(|standing| standing.id == control.id))
                .collect();
            self.mapping(&requirement_ref(&framework.id, &requirement.id), requirement.verdict, &bearing)
        });
        json!({
            "summary": format!("{} {}, of this data plane alone.", framework.name, framework.version),
            "assessor": ASSESSOR,
            "map": map.collect::<Vec<_>>(),
        })
    }

    fn mapping(&self, requirement: &str, verdict: Verdict, controls: &[&ControlResult]) -> Option<Value> {
        let (score, confidence) = match verdict {
            Verdict::NotApplicable => return None,
            Verdict::Pass => (1, 1),
            Verdict::RedFlag | Verdict::Waived => (0, 1),
            Verdict::Unproven => (0, 0),
        };
        let findings =
            || controls.iter().flat_map(|control| attested(control).map(move |finding| (*control, finding)));
        let refs = |passing: bool| -> Vec<String> {
            let wanted = findings().filter(|(_, finding)| (finding.verdict == Verdict::Pass) == passing);
            // A control can bear on a requirement once only, and a finding is one claim.
            let refs: BTreeSet<String> =
                wanted.map(|(control, finding)| self.claim_ref(control, finding)).collect();
            refs.into_iter().collect()
        };
        let ids: Vec<&str> = controls.iter().map(|control| control.id.as_str()).collect();
        Some(json!({
            "requirement": requirement,
            "claims": refs(true),
            "counterClaims": refs(false),
            "conformance": {
                "score": score,
                "rationale": format!("{}, by {}", words::verdict(verdict), none_or(&ids.join(", "))),
            },
            "confidence": {
                "score": confidence,
                "rationale": if verdict == Verdict::Unproven {
                    "evidence is missing, denied, stale or cut short"
                } else {
                    "every statement cites the records that show it"
                },
            },
        }))
    }

    fn claims(&self) -> Vec<Value> {
        let mut claims: BTreeMap<String, Value> = BTreeMap::new();
        for control in &self.checklist.controls {
            for finding in attested(control) {
                claims.insert(self.claim_ref(control, finding), self.claim(control, finding));
            }
        }
        claims.into_values().collect()
    }

    fn claim(&self, control: &ControlResult, finding: &Finding) -> Value {
        let passes = finding.verdict == Verdict::Pass;
        let evidence: BTreeSet<String> = finding.evidence.iter().map(evidence_ref).collect();
        let mut claim = json!({
            "bom-ref": self.claim_ref(control, finding),
            "target": self.target_ref(&finding.subject),
            "predicate": if passes { filled(&control.title) } else { filled(&finding.message) },
            "reasoning": format!("{}: {}", words::verdict(finding.verdict), filled(&told(finding))),
        });
        if let (Some(claim), false) = (claim.as_object_mut(), evidence.is_empty()) {
            // A counter-claim is supported by its evidence too; it is the requirement that it speaks against.
            claim.insert("evidence".to_owned(), json!(evidence));
        }
        claim
    }

    fn evidence(&self) -> Vec<Value> {
        let findings = self.checklist.controls.iter().flat_map(attested);
        let cited: BTreeSet<&RecordId> = findings.flat_map(|finding| &finding.evidence).collect();
        let records: BTreeMap<&RecordId, &Record> =
            self.input.evidence.records().iter().map(|record| (record.id(), record)).collect();
        cited
            .into_iter()
            .map(|id| match records.get(id) {
                Some(record) => evidence(record),
                None => json!({"bom-ref": evidence_ref(id), "description": "not in this evidence"}),
            })
            .collect()
    }

    fn targets(&self) -> Vec<Value> {
        let findings = self.checklist.controls.iter().flat_map(attested);
        let subjects: BTreeSet<&str> = findings.map(|finding| finding.subject.as_str()).collect();
        let component = |subject: &str| json!({"type": "platform", "bom-ref": self.target_ref(subject), "name": filled(subject)});
        subjects.into_iter().map(component).collect()
    }

    /// One control can say several things of one subject, so the words are part of the name.
    fn claim_ref(&self, control: &ControlResult, finding: &Finding) -> String {
        let mut parts = vec![&*control.id, &*finding.subject, finding.verdict.name(), &*finding.message];
        parts.extend(finding.path.iter().map(String::as_str));
        format!("claim:{}", self.uuid("claim", &parts))
    }

    fn target_ref(&self, subject: &str) -> String {
        format!("target:{}", self.uuid("subject", &[subject]))
    }
}

fn evidence(record: &Record) -> Value {
    let caller = if record.caller.is_empty() { "nobody (anonymous)" } else { &record.caller };
    json!({
        "bom-ref": evidence_ref(record.id()),
        "propertyName": record.operation,
        "description": filled(&format!(
            "{} about {}, asked by {caller}: {}",
            record.operation,
            record.subject,
            words::outcome(record.outcome)
        )),
        "data": [{"name": record.id().to_string(), "contents": {"url": named_information(record.id())}}],
        "created": record.observed_at,
    })
}

/// A record as a name that anybody can check: `ni:///sha-256;…` (RFC 6920).
fn named_information(id: &RecordId) -> String {
    let digits = id.as_str().trim_start_matches("sha256:");
    format!("ni:///sha-256;{}", URL_SAFE_NO_PAD.encode(hex::decode(digits).unwrap_or_default()))
}

fn evidence_ref(id: &RecordId) -> String {
    format!("evidence:{id}")
}

fn standard_ref(standard: &str) -> String {
    format!("standard:{standard}")
}

fn requirement_ref(standard: &str, id: &str) -> String {
    format!("requirement:{standard}:{id}")
}

fn none_or(text: &str) -> &str {
    if text.is_empty() { "no examined control" } else { text }
}

fn filled(text: &str) -> String {
    let text = inert(text);
    let text = text.trim();
    if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() }
}
