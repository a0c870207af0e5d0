//! Exports, held against validators that others wrote; skipped, and said so, where those are not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use calamine::{Data, Reader, Xlsx};
use serde_json::Value;

use crate::sample::Sample;

fn samples() -> [(&'static str, Sample); 3] {
    [("plain", Sample::plain()), ("hostile", Sample::hostile()), ("empty", Sample::empty())]
}

/// A Python that has the validators (`cargo xtask parts`).
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("CADASTRE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: CADASTRE_PYTHON is not set; `cargo xtask test` sets it");
    }
    python
}

/// Writes the document and runs a validator over it; its standard output, trimmed.
#[track_caller]
fn validated(program: &Path, arguments: &[&str], document: &Value) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("document.json");
    std::fs::write(&file, serde_json::to_vec_pretty(document).unwrap()).unwrap();
    let output = Command::new(program).args(arguments).arg(&file).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout.trim().to_owned()
}

fn script() -> String {
    format!("{}/tests/validators/validate.py", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn ocsf_events_fit_the_published_schema() {
    let Some(python) = python() else { return };
    for (name, sample) in samples() {
        let events = cadastre_report::ocsf(&sample.checklist);
        let count = validated(&python, &[&script(), "ocsf"], &events);
        let expected = if name == "empty" { "0" } else { "4" };
        assert_eq!(count, expected, "{name}");
    }
}

/// OASIS's schema, as the crate that the other tests read SARIF with brings it along.
fn sarif_schema() -> PathBuf {
    let metadata = ["metadata", "--offline", "--locked", "--format-version", "1"];
    let output = Command::new(env!("CARGO")).args(metadata).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src").join("schema.json")
}

#[test]
fn sarif_fits_the_published_schema_and_what_does_not_is_noticed() {
    let Some(python) = python() else { return };
    let schema = sarif_schema();
    let arguments = [&script(), "sarif", schema.to_str().unwrap()];
    for (name, sample) in samples() {
        let results = validated(&python, &arguments, &cadastre_report::sarif(&sample.checklist));
        assert_eq!(results == "0", name == "empty", "{name}: {results}");
    }
    let mut broken = cadastre_report::sarif(&Sample::plain().checklist);
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broken.sarif");
    std::fs::write(&file, broken.to_string()).unwrap();
    assert!(!Command::new(&python).args(arguments).arg(&file).output().unwrap().status.success());
}

#[test]
fn oscal_results_fit_the_model_and_their_references_resolve() {
    let Some(python) = python() else { return };
    for (name, sample) in samples() {
        let results = cadastre_report::oscal(&sample.checklist, &sample.evidence);
        let observations = validated(&python, &[&script(), "oscal"], &results);
        let expected = if name == "empty" { "0" } else { "4" };
        assert_eq!(observations, expected, "{name}");
    }
}

#[test]
fn oscal_results_meet_the_published_constraints() {
    let Some(validator) = std::env::var_os("CADASTRE_OSCAL_VALIDATE").map(PathBuf::from) else {
        eprintln!("skipped: CADASTRE_OSCAL_VALIDATE is not set (it needs Python 3.12 or later)");
        return;
    };
    for (_, sample) in samples() {
        let results = cadastre_report::oscal(&sample.checklist, &sample.evidence);
        validated(&validator, &[], &results);
        validated(&validator, &[], &cadastre_report::component_definition(&sample.input()));
    }
}

#[test]
fn component_definitions_fit_the_model_and_their_references_resolve() {
    let Some(python) = python() else { return };
    for (name, sample) in samples() {
        let definition = cadastre_report::component_definition(&sample.input());
        let requirements = validated(&python, &[&script(), "component"], &definition);
        let expected: usize = sample.frameworks.iter().map(|framework| framework.requirements.len()).sum();
        assert_eq!(requirements, expected.to_string(), "{name}");
    }
}

#[test]
fn cyclonedx_attestations_fit_the_published_schema_and_their_references_resolve() {
    let Some(python) = python() else { return };
    for (name, sample) in samples() {
        let document = cadastre_report::cyclonedx(&sample.input());
        let claims = validated(&python, &[&script(), "cyclonedx"], &document);
        let expected = if name == "empty" { "0" } else { "4" };
        assert_eq!(claims, expected, "{name}");
    }
}

#[test]
fn a_broken_attestation_would_be_noticed() {
    let Some(python) = python() else { return };
    let break_it: [fn(&mut Value); 2] = [
        |document| document["declarations"]["attestations"][0]["map"][0]["conformance"]["score"] = 2.into(),
        |document| document["declarations"]["claims"][0]["target"] = "target:nothing".into(),
    ];
    for change in break_it {
        let mut document = cadastre_report::cyclonedx(&Sample::plain().input());
        change(&mut document);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("document.json");
        std::fs::write(&file, document.to_string()).unwrap();
        let output = Command::new(&python).args([&script(), "cyclonedx"]).arg(&file).output().unwrap();
        assert!(!output.status.success());
    }
}

#[test]
fn an_attestation_tells_what_conforms_from_what_does_not_and_from_what_nobody_knows() {
    let document = cadastre_report::cyclonedx(&Sample::plain().input());
    let map = document["declarations"]["attestations"][0]["map"].as_array().unwrap();
    let scores: Vec<(&str, i64, i64)> = map
        .iter()
        .map(|entry| {
            let requirement = entry["requirement"].as_str().unwrap();
            let score = |of: &str| entry[of]["score"].as_i64().unwrap();
            (requirement, score("conformance"), score("confidence"))
        })
        .collect();
    assert!(scores.contains(&("requirement:cadastre:BND-04", 0, 1)), "{scores:?}");
    assert!(scores.contains(&("requirement:cadastre:KEY-05", 0, 0)), "{scores:?}");
    for entry in map.iter().filter(|entry| entry["conformance"]["score"] == 1) {
        assert_eq!(entry["counterClaims"].as_array().unwrap().len(), 0, "{entry}");
    }
}

#[test]
fn a_broken_oscal_document_would_be_noticed() {
    let Some(python) = python() else { return };
    let mut results = cadastre_report::oscal(&Sample::plain().checklist, &Sample::plain().evidence);
    results["assessment-results"]["results"][0]["findings"][0]["target"]["status"]["state"] = "maybe".into();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("document.json");
    std::fs::write(&file, results.to_string()).unwrap();
    let output = Command::new(python).args([&script(), "oscal"]).arg(&file).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn the_workbook_has_a_sheet_for_every_artefact_and_no_formula() {
    for (name, sample) in samples() {
        let bytes = cadastre_report::xlsx(&sample.input()).unwrap();
        assert_eq!(bytes, cadastre_report::xlsx(&sample.input()).unwrap(), "{name}: same input, same bytes");
        let mut workbook: Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(bytes)).unwrap();
        let sheets = workbook.sheet_names();
        let files = cadastre_report::csv_files(&sample.input()).unwrap();
        assert_eq!(sheets.len(), files.len());
        for (sheet, (file, values)) in sheets.iter().zip(&files) {
            assert_eq!(format!("{}.csv", sheet.replace(' ', "-")), *file);
            assert!(workbook.worksheet_formula(sheet).unwrap().is_empty(), "{name}: {sheet}");
            let range = workbook.worksheet_range(sheet).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(values.as_bytes());
            let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            assert_eq!(range.height(), lines.len(), "{name}: {sheet}");
            for (row, line) in range.rows().zip(&lines) {
                let cells = row.iter().map(|cell| match cell {
                    Data::Float(number) => number.to_string(),
                    other => other.to_string(),
                });
                for (cell, value) in cells.zip(line) {
                    let value = value.strip_prefix('\'').unwrap_or(value);
                    assert_eq!(cell.trim_end(), value.replace('\r', "").trim_end(), "{name}: {sheet}");
                }
            }
        }
    }
}

/// Validates a file against one of our published schemas; its number of documents, or what is wrong.
fn held_against(python: &Path, schema: &str, file: &Path) -> Result<String, String> {
    let output = Command::new(python).args([&script(), "schema", schema]).arg(file).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn recorded_evidence_fits_the_published_schemas() {
    let Some(python) = python() else { return };
    for variant in ["clean", "planted"] {
        let evidence =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(variant).join("evidence");
        assert_eq!(held_against(&python, "evidence", &evidence.join("manifest.json")), Ok("1".to_owned()));
        for collector in ["aws", "kafka"] {
            let records = evidence.join("records").join(format!("{collector}.ndjson"));
            let count: usize = held_against(&python, "record", &records).unwrap().parse().unwrap();
            assert!(count > 100, "{count}");
        }
    }
}

#[test]
fn checklists_fit_the_published_schema_and_broken_ones_do_not() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("checklist.json");
    for (name, sample) in samples() {
        let mut checklist = serde_json::to_value(&sample.checklist).unwrap();
        std::fs::write(&file, checklist.to_string()).unwrap();
        assert_eq!(held_against(&python, "checklist", &file), Ok("1".to_owned()), "{name}");
        checklist["surprise"] = Value::Null;
        std::fs::write(&file, checklist.to_string()).unwrap();
        assert!(held_against(&python, "checklist", &file).unwrap_err().contains("surprise"));
    }
}
