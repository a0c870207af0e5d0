//! Gives the recorded reference account the trail that its story tells: `reference_trail FIXTURE [DIR]`.
//!
//! FIXTURE is `fixtures/clean` or `fixtures/planted`, whose evidence is written again with what the trail's files and the
//! broker's ledger say. With DIR the files themselves are kept there, for `cadastre scan --trail`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a tool for fixtures, whose input is checked in"
)]

mod bucket;
mod observed;
mod story;

use std::path::{Path, PathBuf};

use cadastre_model::Record;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use observed::Handed;
use story::Story;

/// Days that the trail reaches back; the declared window is a day shorter.
const DAYS: i64 = 31;

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let fixture = arguments.next().expect("the fixture's directory");
    let kept = arguments.next();
    let planted = fixture.file_name().is_some_and(|name| name == "planted");
    let directory = fixture.join("evidence");
    let evidence = Evidence::read(&directory).expect("the fixture's evidence");
    let declaration = Declaration::read(&fixture.join("boundary.yaml")).expect("the fixture's declaration");
    let (bucket, ledger) = if planted {
        let story = Story::planted(&evidence, DAYS);
        (story.planted_bucket(), story.ledger())
    } else {
        let story = Story::clean(&evidence, DAYS);
        (story.bucket(), story.ledger())
    };
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let place = kept.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&place).expect("the directory");
    std::fs::write(place.join("keys.json"), bucket::public_keys()).expect("the directory");
    let handed = Handed { keys: true, ledger: Some(&ledger) };
    let logs = observed::records(&bucket, &handed, &declaration, &place);
    add(&evidence, logs, &directory);
}

/// Adds the records to the evidence's directory, and leaves the files of other collectors as they are.
fn add(evidence: &Evidence, logs: Vec<Record>, directory: &Path) {
    const FILE: &str = "logs.ndjson";
    let written = tempfile::tempdir().expect("a temporary directory");
    let fresh = written.path().join("evidence");
    let mut manifest = observed::joined(evidence, logs).write(&fresh).expect("the evidence");
    let others = evidence.manifest().files.iter().filter(|(name, _)| *name != FILE);
    manifest.files.extend(others.map(|(name, entry)| (name.clone(), entry.clone())));
    let manifest = serde_json::to_string_pretty(&manifest).expect("a manifest") + "\n";
    std::fs::copy(fresh.join("records").join(FILE), directory.join("records").join(FILE))
        .expect("the records");
    std::fs::write(directory.join("manifest.json"), manifest).expect("the manifest");
}
