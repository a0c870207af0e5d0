//! Operating documents and options from the outside: begun, scanned, judged, and laid side by side.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn cadastre(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cadastre"))
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const BOUNDARY: &str = "schema: cadastre/boundary/v1
name: payments
operating-model: self-managed
architecture: shared-storage
documents: {folder: documents}
";

/// The verdict of one control, by the checklist of a scan of the folder.
fn verdicts(directory: &Path) -> Vec<(String, String)> {
    let checked = cadastre(directory, &["check", "evidence", "--format", "json"]);
    let checklist: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let controls = checklist["controls"].as_array().unwrap().iter();
    controls.map(|control| (text(&control["id"]), text(&control["verdict"]))).collect()
}

#[test]
fn starting_texts_are_written_once_scanned_and_pass_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("boundary.yaml"), BOUNDARY).unwrap();
    let begun = cadastre(at, &["init", "--documents", "documents"]);
    assert_eq!(begun.status.code(), Some(0), "{}", told(&begun));
    assert_eq!(std::fs::read_dir(at.join("documents")).unwrap().count(), 7);
    std::fs::write(at.join("documents/exit.md"), "mine").unwrap();
    let again = cadastre(at, &["init", "--documents", "documents"]);
    assert!(told(&again).contains("exit.md is there already"), "{}", told(&again));
    assert_eq!(std::fs::read_to_string(at.join("documents/exit.md")).unwrap(), "mine");
    let scanned = cadastre(at, &["scan", "--only", "documents", "-o", "evidence"]);
    assert_eq!(scanned.status.code(), Some(0), "{}", told(&scanned));
    let verdicts = verdicts(at);
    for id in ["KEY-09", "OPS-01", "OPS-04", "OPS-06", "SEM-05", "EXT-05"] {
        let (_, verdict) = verdicts.iter().find(|(known, _)| known == id).unwrap();
        assert!(verdict == "unproven" || verdict == "red-flag", "{id} {verdict}");
    }
}

#[test]
fn a_broken_document_is_told_by_file_and_line_and_the_scan_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("boundary.yaml"), BOUNDARY).unwrap();
    cadastre(at, &["init", "--documents", "documents"]);
    std::fs::write(at.join("documents/a.md"), "---\nkind: runbook\nownr: me\n---\n").unwrap();
    let scanned = cadastre(at, &["scan", "--only", "documents", "-o", "evidence"]);
    assert_eq!(scanned.status.code(), Some(4), "{}", told(&scanned));
    assert!(told(&scanned).contains("a.md:3:1: unknown field `ownr`"), "{}", told(&scanned));
    let records = std::fs::read_to_string(at.join("evidence/records/documents.ndjson")).unwrap();
    assert_eq!(records.lines().count(), 9);
}

#[test]
fn a_folder_that_is_not_there_is_not_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("boundary.yaml"), BOUNDARY).unwrap();
    let scanned = cadastre(at, &["scan", "--only", "documents", "-o", "evidence"]);
    assert_eq!(scanned.status.code(), Some(4), "{}", told(&scanned));
    assert!(verdicts(at).iter().all(|(_, verdict)| verdict != "red-flag"), "nobody looked");
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

#[test]
fn options_lie_side_by_side_as_folders_and_as_checklists() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let option = |name: &str| fixtures().join(name).display().to_string();
    let checked = cadastre(
        &fixtures().join("planted"),
        &["check", "evidence", "--format", "json", "--fail-on", "never"],
    );
    std::fs::write(at.join("planted.json"), checked.stdout).unwrap();
    let table = cadastre(at, &["compare", &option("clean"), "planted.json"]);
    assert_eq!(table.status.code(), Some(0), "{}", told(&table));
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.starts_with("area "), "{text}");
    assert!(text.contains("\nplanted: what blocks\n"), "{text}");
    assert!(!text.contains("\nclean: what blocks\n"), "{text}");
    for format in ["json", "markdown", "html"] {
        let shown = cadastre(at, &["compare", &option("clean"), &option("planted"), "--format", format]);
        assert_eq!(shown.status.code(), Some(0), "{format}: {}", told(&shown));
        assert!(String::from_utf8(shown.stdout).unwrap().contains("KEY-03"), "{format}");
    }
    let twice = cadastre(at, &["compare", &option("clean"), &option("clean")]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(told(&twice).contains("two options are called `clean`"), "{}", told(&twice));
}
