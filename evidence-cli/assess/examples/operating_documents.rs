//! Records the operating documents of the clean reference account again, beside what was scanned of it.
//!
//! They are dated like the end of the scan, as those of an offline scan are, so that the same files give the same evidence.

#![expect(clippy::expect_used, reason = "a tool for fixtures, whose input is checked in")]

use std::path::Path;

use cadastre_documents::{DocumentFile, Folder, observe};
use cadastre_model::Record;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;

fn main() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clean");
    let directory = fixture.join("evidence");
    let declaration = Declaration::read(&fixture.join("boundary.yaml")).expect("the fixture's declaration");
    let evidence = Evidence::read(&directory).expect("the fixture's evidence");
    let (from, to) = (evidence.manifest().started_at, evidence.manifest().finished_at);
    let mut folder = Folder::default();
    for entry in std::fs::read_dir(fixture.join("documents")).expect("the documents") {
        let path = entry.expect("a document").path();
        folder.files.push(DocumentFile {
            path: path.file_name().expect("a name").to_string_lossy().into_owned(),
            content: std::fs::read(&path).expect("a document"),
        });
    }
    let others = evidence.records().iter().filter(|record| record.collector != "documents");
    let mut records: Vec<Record> = others.cloned().collect();
    for observation in observe(&folder, &declaration.name, to) {
        records.push(observation.seal().expect("a record"));
    }
    let joined = Evidence::from_records(records, &evidence.manifest().tool_version, from, to, true);
    let written = tempfile::tempdir().expect("a temporary directory");
    let fresh = written.path().join("evidence");
    let mut manifest = joined.write(&fresh).expect("the evidence");
    // Records of other collectors stay in the order in which they were made.
    let others = evidence.manifest().files.iter().filter(|(name, _)| *name != "documents.ndjson");
    manifest.files.extend(others.map(|(name, entry)| (name.clone(), entry.clone())));
    let text = serde_json::to_string_pretty(&manifest).expect("a manifest") + "\n";
    std::fs::copy(fresh.join("records/documents.ndjson"), directory.join("records/documents.ndjson"))
        .expect("the records");
    std::fs::write(directory.join("manifest.json"), text).expect("the manifest");
}
