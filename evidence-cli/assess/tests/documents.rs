//! Operating documents beside the recorded reference account: filled in they pass, as starting texts none of them does.

#![cfg(test)]

use std::path::Path;

use cadastre_assess::{Options, assess};
use cadastre_documents::{DocumentFile, Folder, observe, starting_texts};
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::record::Record;

const CONTROLS: [&str; 6] = ["KEY-09", "OPS-01", "OPS-04", "OPS-06", "SEM-05", "EXT-05"];

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn filled_in() -> Vec<DocumentFile> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(fixtures().join("clean/documents")).unwrap() {
        let path = entry.unwrap().path();
        files.push(DocumentFile {
            path: path.file_name().unwrap().to_string_lossy().into_owned(),
            content: std::fs::read(&path).unwrap(),
        });
    }
    files
}

/// What these controls say of the clean account with these documents: `OPS-01 unproven document:…: message`.
fn judged(files: Vec<DocumentFile>) -> Vec<(String, Verdict, String)> {
    let declaration = Declaration::read(&fixtures().join("clean/boundary.yaml")).unwrap();
    let clean = Evidence::read(&fixtures().join("clean/evidence")).unwrap();
    let (from, to) = (clean.manifest().started_at, clean.manifest().finished_at);
    let others = clean.records().iter().filter(|record| record.collector != "documents");
    let mut records: Vec<Record> = others.cloned().collect();
    let folder = Folder { files, ..Folder::default() };
    records.extend(observe(&folder, &declaration.name, to).into_iter().map(|seen| seen.seal().unwrap()));
    let evidence = Evidence::from_records(records, "0", from, to, true);
    let assessment = assess(&evidence, &declaration, &Options::default()).unwrap();
    assert_eq!(assessment.errors, []);
    let controls = assessment.checklist.controls.into_iter();
    controls
        .filter(|control| CONTROLS.contains(&control.id.as_str()))
        .flat_map(|control| {
            let id = control.id.clone();
            control.findings.into_iter().map(move |finding| {
                (id.clone(), finding.verdict, format!("{}: {}", finding.subject, finding.message))
            })
        })
        .collect()
}

#[test]
fn filled_in_documents_pass_and_runbooks_wait_for_their_drills() {
    let judged = judged(filled_in());
    let open: Vec<_> = judged.iter().filter(|(_, verdict, _)| *verdict != Verdict::Pass).collect();
    let told: Vec<String> =
        open.iter().map(|(id, verdict, told)| format!("{id} {} {told}", verdict.name())).collect();
    assert_eq!(
        told,
        [
            "KEY-09 unproven document:certificate-rotation.md: names the drill `certificate-rotation`, of which there is no record on cluster:payments",
            "OPS-01 unproven document:upgrade-and-rollback.md: names the drill `upgrade-rollback`, of which there is no record on cluster:payments"
        ]
    );
    for control in CONTROLS.iter().filter(|control| !["KEY-09", "OPS-01"].contains(control)) {
        assert!(judged.iter().any(|(id, ..)| id == control), "{control} examined nothing");
    }
}

#[test]
fn the_recorded_evidence_holds_the_documents_as_they_are() {
    let clean = Evidence::read(&fixtures().join("clean/evidence")).unwrap();
    let folder = Folder { files: filled_in(), ..Folder::default() };
    let read = observe(&folder, "payments", clean.manifest().finished_at);
    let mut read: Vec<Record> = read.into_iter().map(|seen| seen.seal().unwrap()).collect();
    read.sort_by(|a, b| a.id().cmp(b.id()));
    let recorded = clean.records().iter().filter(|record| record.collector == "documents");
    let mut recorded: Vec<Record> = recorded.cloned().collect();
    recorded.sort_by(|a, b| a.id().cmp(b.id()));
    assert_eq!(
        recorded, read,
        "`cargo run -p cadastre-assess --example operating_documents` records them again"
    );
}

#[test]
fn starting_texts_pass_nothing_before_they_are_filled_in() {
    let texts = starting_texts()
        .iter()
        .map(|text| DocumentFile { path: text.name.to_owned(), content: text.content.as_bytes().to_vec() });
    let judged = judged(texts.collect());
    let passed: Vec<_> = judged.iter().filter(|(_, verdict, _)| *verdict == Verdict::Pass).collect();
    assert!(passed.is_empty(), "{passed:#?}");
    for control in CONTROLS {
        assert!(judged.iter().any(|(id, ..)| id == control), "{control} says nothing");
    }
    // Their headings are the ones that are asked for: each is there, and blank.
    let missing: Vec<_> = judged.iter().filter(|(.., told)| told.contains("has no section")).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let blank = judged.iter().filter(|(.., told)| told.contains("to be filled in")).count();
    assert_eq!(blank, 4 + 4 + 2 + 3 + 3 + 3, "{judged:#?}");
}

#[test]
fn a_broken_document_spoils_nothing_but_itself() {
    let mut files = filled_in();
    files.push(DocumentFile {
        path: "second-runbook.md".to_owned(),
        content: b"---\nkind: runbook\ncontrols: [OPS-01]\nownr: platform\n---\n".to_vec(),
    });
    assert_eq!(judged(files), judged(filled_in()));
}

#[test]
fn a_document_that_the_policies_contradict_is_a_red_flag() {
    let mut files = filled_in();
    let page = files.iter_mut().find(|file| file.path == "vendor-access.md").unwrap();
    let text = String::from_utf8(page.content.clone()).unwrap();
    page.content =
        text.replace("{operation: upgrade, by: customer}", "{operation: upgrade, by: vendor}").into_bytes();
    let judged = judged(files);
    let red: Vec<&str> = judged
        .iter()
        .filter(|(_, verdict, _)| *verdict == Verdict::RedFlag)
        .map(|(.., told)| told.as_str())
        .collect();
    assert_eq!(
        red,
        ["operation:upgrade: is for the vendor to do, and nobody on the side of the vendor can do it"]
    );
}
