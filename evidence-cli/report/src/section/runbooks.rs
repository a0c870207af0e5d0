//! Runbooks: what was exercised, by which drill, with what it measured; and what nobody has shown.

use cadastre_model::asset::document::{Day, OperatingDocument};
use cadastre_model::evidence::Evidence;
use cadastre_model::record::Record;
use serde::Serialize;
use serde_json::Value;

use super::standing::{self, Standing};
use crate::citations::{Citations, Link};
use crate::input::ReportInput;
use crate::words;

/// How drills name their records.
const DRILL: &str = "drill:";
/// How many promises of one drill are listed.
const CHECKS: usize = 60;

/// What a runbook is asked for, and the controls that judge whether it was exercised.
const ASKED: [(&str, &str); 11] = [
    ("Upgrade and rollback", "OPS-01"),
    ("Replacing a broker", "OPS-02"),
    ("Losing a zone, backup and restore", "OPS-03"),
    ("Adding capacity", "OPS-05"),
    ("Revoking the key", "KEY-05"),
    ("Rotating certificates", "KEY-09"),
    ("Migration", "SEM-03"),
    ("Rollback after a cutover", "SEM-04"),
    ("Deleting for good", "EXT-01"),
    ("Removing a vendor's access", "EXT-04"),
    ("Leaving", "EXT-05"),
];

/// The section.
#[derive(Debug, Serialize)]
pub(crate) struct Runbooks {
    asked: Vec<Asked>,
    documents: Vec<Document>,
    /// Documents that could not be read, and what is wrong with them.
    broken: Vec<Broken>,
    pub(crate) drills: Vec<Drill>,
}

#[derive(Debug, Serialize)]
struct Asked {
    what: &'static str,
    control: Standing,
}

/// A document that was read.
#[derive(Debug, Serialize)]
struct Document {
    name: String,
    kind: &'static str,
    controls: Vec<String>,
    owner: String,
    contacts: Vec<String>,
    reviewed: String,
    exercised: String,
    drills: Vec<String>,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Broken {
    problem: String,
    evidence: Vec<Link>,
}

/// A drill that left a record.
#[derive(Debug, Serialize)]
pub(crate) struct Drill {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) at: String,
    pub(crate) client: String,
    pub(crate) kept: usize,
    pub(crate) all: usize,
    checks: Vec<Check>,
    more: usize,
    pub(crate) evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Check {
    promise: String,
    /// `null` for a promise that could not be tried.
    kept: Option<bool>,
    seen: String,
    milliseconds: u64,
}

/// Builds the section.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Runbooks {
    let asked = ASKED
        .iter()
        .filter_map(|(what, id)| {
            let control = standing::of(input.checklist, &[*id]).into_iter().next()?;
            Some(Asked { what, control })
        })
        .collect();
    let found = &input.inventory.documents;
    let documents = found.read.iter().map(|read| document(read, citations)).collect();
    let broken = found
        .broken
        .iter()
        .map(|broken| Broken {
            problem: broken.problem.clone(),
            evidence: citations.records(&broken.evidence),
        })
        .collect();
    Runbooks { asked, documents, broken, drills: drills(input.evidence, citations) }
}

fn document(read: &OperatingDocument, citations: &mut Citations) -> Document {
    let front = &read.front;
    let day = |day: &Option<Day>| day.as_ref().map(|day| day.as_str().to_owned()).unwrap_or_default();
    Document {
        name: read.id.trim_start_matches("document:").to_owned(),
        kind: words::document_kind(front.kind),
        controls: front.controls.iter().cloned().collect(),
        owner: front.owner.clone().unwrap_or_default().trim().to_owned(),
        contacts: front
            .contacts
            .iter()
            .filter(|contact| !contact.role.trim().is_empty())
            .map(|contact| format!("{}: {}", contact.role, contact.reach))
            .collect(),
        reviewed: day(&front.last_reviewed),
        exercised: day(&front.last_exercised),
        drills: front.drills.iter().cloned().collect(),
        evidence: citations.records(&read.evidence),
    }
}

fn drills(evidence: &Evidence, citations: &mut Citations) -> Vec<Drill> {
    let mut records: Vec<&Record> =
        evidence.records().iter().filter(|record| record.operation.starts_with(DRILL)).collect();
    records.sort_by(|a, b| {
        (&a.operation, &a.subject, a.observed_at).cmp(&(&b.operation, &b.subject, b.observed_at))
    });
    records.into_iter().map(|record| drill(record, citations)).collect()
}

fn drill(record: &Record, citations: &mut Citations) -> Drill {
    let text = |value: &Value, member: &str| {
        value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let checks: Vec<Check> = record
        .response
        .get("checks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|check| Check {
            promise: text(check, "promise"),
            kept: check.get("kept").and_then(Value::as_bool),
            seen: text(check, "seen"),
            milliseconds: check.get("milliseconds").and_then(Value::as_u64).unwrap_or_default(),
        })
        .collect();
    Drill {
        name: record.operation.trim_start_matches(DRILL).to_owned(),
        subject: record.subject.clone(),
        at: record.observed_at.to_string(),
        client: text(&record.request, "client"),
        kept: checks.iter().filter(|check| check.kept == Some(true)).count(),
        all: checks.len(),
        more: checks.len().saturating_sub(CHECKS),
        checks: checks.into_iter().take(CHECKS).collect(),
        evidence: citations.records([record.id()]),
    }
}
