//! A trail's files and a broker's ledger, whole and damaged in every way, and what the controls make of them: AUD-03, AUD-05,
//! IDN-05 and KEY-07 over the clean reference account.

#![cfg(test)]
#![expect(
    dead_code,
    reason = "the modules are those of the example that writes the fixtures, which uses all of them"
)]

#[path = "../examples/reference_trail/bucket.rs"]
mod bucket;
#[path = "../examples/reference_trail/observed.rs"]
mod observed;
#[path = "../examples/reference_trail/story.rs"]
mod story;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bucket::{Bucket, GLOBAL, REGION, Used};
use cadastre_assess::{Options, assess};
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::time::Period;
use cadastre_policy::PolicySet;
use observed::Handed;
use story::{BROKER, SUPPORT, Story};

const KEY: &str = "KEY-07 arn:aws:kms:eu-central-1:111122223333:key/817b2e8b-6478-4dfc-b617-385a0ae349a3";
const JUDGED: [(&str, &str); 4] = [
    ("AUD-03", "audit/aud_03.rego"),
    ("AUD-05", "audit/aud_05.rego"),
    ("IDN-05", "identity/idn_05.rego"),
    ("KEY-07", "key-authority/key_07.rego"),
];
const DAY: i64 = 86_400;

/// One telling of what happened, and what was handed over.
struct Case {
    evidence: Evidence,
    declaration: Declaration,
    story: Story,
    keys: bool,
    ledger: Option<fn(&Story) -> String>,
    damage: fn(&mut Bucket),
}

impl Case {
    fn new() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clean");
        let evidence = Evidence::read(&directory.join("evidence")).unwrap();
        let mut declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
        declaration.limits.usage_window = Period::days(3);
        Self {
            declaration,
            story: Story::clean(&evidence, 4),
            evidence,
            keys: true,
            ledger: Some(Story::ledger),
            damage: |_| {},
        }
    }

    /// What is not a pass: verdict, control and subject, without repetition.
    fn found(&self) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let mut bucket = self.story.bucket();
        (self.damage)(&mut bucket);
        let ledger = self.ledger.map(|ledger| ledger(&self.story));
        let handed = Handed { keys: self.keys, ledger: ledger.as_deref() };
        let logs = observed::records(&bucket, &handed, &self.declaration, directory.path());
        let evidence = observed::joined(&self.evidence, logs);
        let assessment = assess(&evidence, &self.declaration, options()).unwrap();
        assert_eq!(assessment.errors, []);
        let mut found: Vec<String> = Vec::new();
        for control in &assessment.checklist.controls {
            for finding in control.findings.iter().filter(|one| one.verdict != Verdict::Pass) {
                found.push(format!("{} {} {}", finding.verdict.name(), control.id, finding.subject));
                assert!(
                    finding.verdict != Verdict::RedFlag || !finding.evidence.is_empty(),
                    "a red flag points at evidence: {finding:#?}"
                );
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

/// The four controls alone, with the library they stand on; read once.
fn options() -> &'static Options {
    static OPTIONS: OnceLock<Options> = OnceLock::new();
    OPTIONS.get_or_init(|| Options { policies: Some(policies()), ..Options::default() })
}

fn policies() -> PolicySet {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(policies.join("lib")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(JUDGED.map(|(_, file)| policies.join("controls").join(file)));
    let read = |path: &PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    PolicySet::only(files.iter().map(read).collect()).unwrap()
}

#[track_caller]
fn check(change: impl FnOnce(&mut Case), expected: &[&str]) {
    let mut case = Case::new();
    change(&mut case);
    let mut expected: Vec<String> = expected.iter().map(|line| line.replace("KEY", KEY)).collect();
    expected.sort();
    assert_eq!(case.found(), expected);
}

/// What is not proven of the boundary's region once its trail is in doubt.
const REGION_IN_DOUBT: [&str; 2] = ["unproven AUD-05 StreamCo", "unproven KEY"];

#[track_caller]
fn check_doubt(change: impl FnOnce(&mut Case), trail: &str) {
    let [vendor, key] = REGION_IN_DOUBT;
    check(change, &[trail, vendor, key]);
}

#[test]
fn a_whole_trail_and_a_whole_ledger_pass() {
    check(|_| {}, &[]);
}

#[test]
fn a_decrypt_that_no_ledger_tells_of_is_found_whoever_did_it() {
    // By the broker's own role, at the same second as a use that the ledger has.
    check(
        |case| {
            let at = case.story.uses[3].at;
            case.story.kms(at, "Decrypt", BROKER, "unknown-request");
        },
        &["red-flag KEY"],
    );
    // By the vendor: the use itself is nothing that its declared function needs, and nothing grants it.
    check(
        |case| {
            let at = case.story.end - DAY;
            case.story.kms(at, "Decrypt", SUPPORT, "unknown-request");
        },
        &[
            "red-flag KEY",
            "red-flag AUD-05 arn:aws:iam::111122223333:role/streamco-support",
            "red-flag IDN-05 arn:aws:iam::111122223333:role/streamco-support",
        ],
    );
}

#[test]
fn a_ledger_entry_that_the_trail_does_not_show_leaves_it_unproven() {
    check(
        |case| {
            let at = case.story.end - 2 * DAY;
            case.story.uses.push(Used { at, operation: "unwrap", request: "never-seen".to_owned() });
        },
        &["unproven KEY"],
    );
}

#[test]
fn an_altered_ledger_explains_nothing() {
    // One request written over: that use has no entry any more, and the entry no use.
    check(
        |case| case.ledger = Some(|story| story.ledger().replacen("\"d2-0\"", "\"d2-9\"", 1)),
        &["red-flag KEY", "unproven KEY"],
    );
    // A line taken out of the middle.
    check(
        |case| {
            case.ledger = Some(|story| {
                let lines = story.ledger();
                lines
                    .lines()
                    .enumerate()
                    .filter(|(at, _)| *at != 7)
                    .map(|(_, line)| format!("{line}\n"))
                    .collect()
            });
        },
        &["red-flag KEY"],
    );
    // The first lines cut off: their uses have no entry, and the ledger begins late.
    check(
        |case| {
            case.ledger =
                Some(|story| story.ledger().lines().skip(2).map(|line| format!("{line}\n")).collect());
        },
        &["red-flag KEY", "unproven KEY"],
    );
}

#[test]
fn a_ledger_with_a_gap_or_none_at_all_proves_nothing() {
    check(
        |case| {
            let at = case.story.end - DAY;
            case.story.uses.push(Used { at, operation: "gap", request: "gap".to_owned() });
        },
        &["unproven KEY"],
    );
    check(|case| case.ledger = None, &["unproven KEY"]);
}

#[test]
fn clocks_may_differ_as_far_as_stated_and_no_further() {
    let skewed = |seconds: i64| {
        move |case: &mut Case| {
            let used = case.story.uses.iter_mut().find(|used| used.request == "d2-1").unwrap();
            used.at += seconds;
        }
    };
    check(skewed(299), &[]);
    check(skewed(-299), &[]);
    check(skewed(301), &["red-flag KEY", "unproven KEY"]);
    check(skewed(-301), &["red-flag KEY", "unproven KEY"]);
}

#[test]
fn an_edited_log_file_is_a_red_flag_and_the_rest_is_in_doubt() {
    check_doubt(
        |case| {
            case.damage = |bucket| {
                let key = bucket.newest("/CloudTrail/eu-central-1/", "GetMetricData");
                bucket.edit(&key, |text| text.replace("10.20.1.10", "10.20.1.11"));
            };
        },
        "red-flag AUD-03 111122223333/eu-central-1",
    );
}

#[test]
fn missing_files_are_a_red_flag_and_the_rest_is_in_doubt() {
    let region = "red-flag AUD-03 111122223333/eu-central-1";
    // A log file with uses of the key, which the ledger misses, too.
    check_doubt(
        |case| {
            case.damage = |bucket| {
                let key = bucket.newest("/CloudTrail/eu-central-1/", "Decrypt");
                bucket.files.remove(&key);
            };
        },
        region,
    );
    // A digest in the middle, with its metadata.
    check_doubt(
        |case| {
            case.damage = |bucket| {
                let digests: Vec<String> = bucket
                    .files
                    .keys()
                    .filter(|key| key.contains("/CloudTrail-Digest/eu-central-1/") && key.ends_with(".gz"))
                    .cloned()
                    .collect();
                let key = &digests[digests.len() / 2];
                bucket.files.remove(key);
                bucket.files.remove(&format!("{key}.metadata.json"));
            };
        },
        region,
    );
}

#[test]
fn damage_elsewhere_leaves_the_region_proven() {
    check(
        |case| {
            case.damage = |bucket| {
                let key = bucket.newest("/CloudTrail/us-east-1/", "AssumeRole");
                bucket.files.remove(&key);
            };
        },
        &["red-flag AUD-03 111122223333/us-east-1", "unproven AUD-05 StreamCo"],
    );
}

#[test]
fn without_the_keys_nothing_on_the_trail_is_proven() {
    check(
        |case| case.keys = false,
        &[
            "unproven AUD-03 111122223333/eu-central-1",
            "unproven AUD-03 111122223333/us-east-1",
            "unproven AUD-05 StreamCo",
            "unproven IDN-05 arn:aws:iam::111122223333:role/kafka-broker",
            "unproven KEY",
        ],
    );
}

#[test]
fn a_trail_that_begins_after_the_window_or_ended_long_ago_proves_nothing() {
    check_doubt(
        |case| {
            let late = case.story.end - DAY;
            case.story.start = late;
            case.story.events.retain(|one| one.at >= late);
            case.story.uses.retain(|one| one.at >= late);
            case.story.regions = vec![REGION];
        },
        "red-flag AUD-03 111122223333/eu-central-1",
    );
    check(
        |case| {
            case.story = Story::clean(&case.evidence, 7);
            let end = case.story.end - 3 * DAY;
            case.story.end = end;
            case.story.events.retain(|one| one.at < end);
            case.story.uses.retain(|one| one.at < end);
            case.story.regions = vec![REGION];
        },
        &[
            "unproven AUD-03 111122223333/eu-central-1",
            "unproven AUD-05 StreamCo",
            "unproven IDN-05 arn:aws:iam::111122223333:role/kafka-broker",
            "unproven KEY",
        ],
    );
}

#[test]
fn a_trail_that_was_switched_off_in_the_window_does_not_prove_what_was_not_done() {
    check(
        |case| {
            let at = case.story.end - 2 * DAY;
            case.story.call(
                at,
                REGION,
                "cloudtrail",
                "StopLogging",
                "arn:aws:iam::111122223333:role/log-archive",
                &[],
            );
        },
        &[
            "unproven AUD-03 111122223333/eu-central-1",
            "unproven AUD-03 111122223333/us-east-1",
            "unproven AUD-05 StreamCo",
            "unproven KEY",
        ],
    );
}

#[test]
fn what_a_vendor_did_beyond_its_function_is_found_and_so_is_what_it_tried() {
    check(
        |case| {
            let at = case.story.end - 2 * DAY;
            case.story.call(at, REGION, "ec2", "TerminateInstances", SUPPORT, &[]);
        },
        &["red-flag AUD-05 arn:aws:iam::111122223333:role/streamco-support"],
    );
    check(
        |case| {
            let at = case.story.end - 2 * DAY;
            case.story.call(at, GLOBAL, "iam", "ListRoles", "arn:aws:iam::999988887777:role/somebody", &[]);
            case.story.events.last_mut().unwrap().event["errorCode"] = "AccessDenied".into();
        },
        &["red-flag AUD-05 arn:aws:iam::999988887777:role/somebody"],
    );
    // The same before the window is nobody's affair.
    check(
        |case| {
            let at = case.story.start + 1_800;
            case.story.call(at, REGION, "ec2", "TerminateInstances", SUPPORT, &[]);
        },
        &[],
    );
}

#[test]
fn permissions_nobody_used_and_nobody_declares_are_found() {
    // Nothing says any more that the broker is a broker, so that what it does not use is not needed.
    let undeclared = |case: &mut Case| {
        case.declaration.identities.retain(|identity| identity.principal != BROKER);
        for key in &mut case.declaration.keys {
            key.decrypt.retain(|principal| principal != BROKER);
        }
    };
    check(undeclared, &[]);
    check(
        |case| {
            undeclared(case);
            case.story.events.retain(|one| one.event["eventName"] != "GetObject");
        },
        &["red-flag IDN-05 arn:aws:iam::111122223333:role/kafka-broker"],
    );
}
