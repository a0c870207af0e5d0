//! SARIF and JUnit, read back by parsers that others wrote.

use cadastre_model::checklist::Checklist;
use serde_sarif::sarif::{ResultLevel, Sarif};

use crate::sample::Sample;

fn parsed(checklist: &Checklist) -> Sarif {
    serde_json::from_value(cadastre_report::sarif(checklist)).unwrap()
}

#[track_caller]
fn check_sarif(sample: &Sample, expected: &[(&str, ResultLevel, bool)]) {
    let sarif = parsed(&sample.checklist);
    let run = &sarif.runs[0];
    let results = run.results.as_deref().unwrap_or_default();
    let seen: Vec<(&str, ResultLevel, bool)> = results
        .iter()
        .map(|result| {
            let suppressed = result.suppressions.as_ref().is_some_and(|list| !list.is_empty());
            (result.rule_id.as_deref().unwrap(), result.level.unwrap(), suppressed)
        })
        .collect();
    assert_eq!(seen, expected);
    let rules = run.tool.driver.rules.as_deref().unwrap();
    for result in results {
        let index = usize::try_from(result.rule_index.unwrap()).unwrap();
        assert_eq!(Some(&rules[index].id), result.rule_id.as_ref());
        assert_eq!(result.partial_fingerprints.as_ref().unwrap()["cadastre/v1"].len(), 64);
    }
}

#[test]
fn sarif_holds_what_is_open_and_marks_what_is_waived() {
    let expected = [
        ("BND-04", ResultLevel::Error, false),
        ("KEY-04", ResultLevel::Warning, true),
        ("KEY-05", ResultLevel::Warning, false),
    ];
    check_sarif(&Sample::plain(), &expected);
    check_sarif(&Sample::empty(), &[]);
    parsed(&Sample::hostile().checklist);
}

#[test]
fn fingerprints_survive_new_evidence_and_wording() {
    let before = Sample::plain();
    let mut after = Sample::plain();
    for finding in after.checklist.controls.iter_mut().flat_map(|control| &mut control.findings) {
        finding.message.push_str(", again");
        finding.evidence.clear();
    }
    let prints = |sample: &Sample| -> Vec<String> {
        let sarif = parsed(&sample.checklist);
        let results = sarif.runs[0].results.clone().unwrap();
        results
            .iter()
            .map(|result| result.partial_fingerprints.as_ref().unwrap()["cadastre/v1"].clone())
            .collect()
    };
    assert_eq!(prints(&before), prints(&after));
}

#[track_caller]
fn check_junit(sample: &Sample, expected: [usize; 4]) {
    let text = cadastre_report::junit(&sample.checklist);
    let document = roxmltree::Document::parse(&text).unwrap();
    let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
    let counted = [count("testcase"), count("failure"), count("error"), count("skipped")];
    assert_eq!(counted, expected);
    let told = ["tests", "failures", "errors", "skipped"]
        .map(|name| document.root_element().attribute(name).unwrap().parse::<usize>().unwrap());
    assert_eq!(told, expected);
}

#[test]
fn junit_counts_what_it_lists() {
    check_junit(&Sample::plain(), [4, 1, 1, 1]);
    check_junit(&Sample::empty(), [0, 0, 0, 0]);
    check_junit(&Sample::hostile(), [4, 1, 1, 1]);
}
