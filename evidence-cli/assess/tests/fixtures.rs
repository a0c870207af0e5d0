//! The recorded reference accounts, judged: what is found is what `expected.txt` says, and nothing else.

#![cfg(test)]

use std::path::Path;

use cadastre_assess::waivers::WaiverFile;
use cadastre_assess::{Options, assess};
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_policy::finding_hash;

fn found(name: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
    let evidence = Evidence::read(&directory.join("evidence")).unwrap();
    let assessment = assess(&evidence, &declaration, &Options::default()).unwrap();
    assert_eq!(assessment.errors, []);
    let mut found: Vec<String> = assessment
        .checklist
        .controls
        .iter()
        .flat_map(|control| control.findings.iter().map(move |finding| (control, finding)))
        .filter(|(_, finding)| !matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable))
        .map(|(control, finding)| format!("{} {} {}", control.id, finding.verdict.name(), finding.subject))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn the_planted_account_shows_what_was_planted_and_nothing_else() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let expected = std::fs::read_to_string(directory.join("planted/expected.txt")).unwrap();
    let expected: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
    let found = found("planted");
    let missing: Vec<_> = expected.iter().filter(|line| !found.iter().any(|found| found == *line)).collect();
    let further: Vec<_> = found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    assert!(missing.is_empty() && further.is_empty(), "missing {missing:#?}\nfurther {further:#?}");
}

#[test]
fn the_clean_account_leaves_only_the_hidden_super_users_and_what_nobody_exercised_open() {
    assert_eq!(
        found("clean"),
        [
            "AUD-04 unproven cluster:payments",
            "CST-02 unproven cluster:payments",
            "EXT-01 unproven cluster:payments",
            "EXT-02 unproven snap-3d169eb8b5c8e5a5a",
            "EXT-03 unproven cluster:payments",
            "KAF-03 unproven cluster:payments",
            "KEY-05 unproven cluster:payments",
            "KEY-09 unproven document:certificate-rotation.md",
            "OPS-01 unproven document:upgrade-and-rollback.md",
            "OPS-02 unproven cluster:payments",
            "OPS-05 unproven cluster:payments",
            "SEM-01 unproven cluster:payments",
            "SEM-02 unproven cluster:payments",
        ]
    );
}

#[test]
fn what_stays_open_in_the_clean_account_was_accepted_by_somebody() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clean");
    let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
    let evidence = Evidence::read(&directory.join("evidence")).unwrap();
    let text = std::fs::read_to_string(directory.join("waivers.yaml")).unwrap();
    let waivers = WaiverFile::parse(&text, "waivers.yaml").unwrap().waivers;
    let assessment = assess(&evidence, &declaration, &Options { waivers, ..Options::default() }).unwrap();
    let open = assessment.checklist.controls.iter().flat_map(|control| {
        let findings = control.findings.iter();
        let open = findings.filter(|finding| {
            !matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable | Verdict::Waived)
        });
        open.map(|finding| {
            format!("{} {} would accept {}", control.id, finding.subject, finding_hash(&control.id, finding))
        })
    });
    assert_eq!(open.collect::<Vec<_>>(), Vec::<String>::new());
}
