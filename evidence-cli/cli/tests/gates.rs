//! `cadastre plan` and `cadastre drift` as a pipeline sees them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

const BUCKET: &str = "payments-kafka-data-111122223333";
const VENDOR: &str = "arn:aws:iam::999988887777:role/streamco-control-plane";

fn clean() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clean")
}

fn cadastre(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cadastre")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

/// Exit code, standard output and standard error, with record and key ids replaced.
fn shown(output: &Output, directory: &Path) -> String {
    let text = format!(
        "exit: {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = text.replace(&directory.display().to_string(), "DIRECTORY");
    let mut shown = String::new();
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_ascii_hexdigit() || (character == '-' && !word.is_empty()) {
            word.push(character);
            continue;
        }
        let long = word.len() >= 12 && word.bytes().any(|byte| byte.is_ascii_alphabetic());
        shown.push_str(if long { "ID" } else { &word });
        word.clear();
        shown.push(character);
    }
    shown
}

/// The policy that a recorded call answered with, and the key of the data bucket.
fn recorded(operation: &str, subject: &str) -> Value {
    let text = std::fs::read_to_string(clean().join("evidence/records/aws.ndjson")).unwrap();
    let mut records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = records.find(|record| {
        record["operation"] == operation && record["subject"].as_str().unwrap().ends_with(subject)
    });
    found.unwrap()["response"].clone()
}

fn key() -> String {
    let aliases = recorded("kms:ListAliases", "eu-central-1");
    let alias =
        aliases["Aliases"].as_array().unwrap().iter().find(|a| a["AliasName"] == "alias/payments-kafka-data");
    format!("arn:aws:kms:eu-central-1:111122223333:key/{}", alias.unwrap()["TargetKeyId"].as_str().unwrap())
}

fn plan(changes: &[(&str, Value, Value)]) -> Value {
    let resources: Vec<Value> = changes
        .iter()
        .map(|(address, before, after)| {
            let (kind, name) = address.split_once('.').unwrap();
            json!({"address": address, "mode": "managed", "type": kind, "name": name,
                "provider_name": "registry.terraform.io/hashicorp/aws",
                "change": {"actions": ["update"], "before": before, "after": after, "after_unknown": {}}})
        })
        .collect();
    json!({"format_version": "1.2", "terraform_version": "1.13.3", "timestamp": "2026-11-21T12:30:00Z", "errored": false,
        "resource_changes": resources, "configuration": {"root_module": {}}})
}

/// A vendor's role gets objects and key of the data bucket.
fn opened() -> Value {
    let policy = recorded("s3:GetBucketPolicy", BUCKET)["Policy"].clone();
    let mut open = policy.clone();
    let statements = open["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| statement["Sid"] == "TlsOnly");
    statements.push(
        json!({"Sid": "Support", "Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{BUCKET}/*")}),
    );
    let key_policy = recorded("kms:GetKeyPolicy", &key())["Policy"].clone();
    let mut open_key = key_policy.clone();
    open_key["Statement"].as_array_mut().unwrap().push(
        json!({"Sid": "Support", "Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:Decrypt", "Resource": "*"}),
    );
    let bucket = |policy: &Value| json!({"bucket": BUCKET, "id": BUCKET, "policy": policy.to_string()});
    let of_key = |policy: &Value| json!({"key_id": key(), "policy": policy.to_string()});
    plan(&[
        ("aws_s3_bucket_policy.records", bucket(&policy), bucket(&open)),
        ("aws_kms_key_policy.records", of_key(&key_policy), of_key(&open_key)),
    ])
}

fn cosmetic() -> Value {
    let policy = recorded("s3:GetBucketPolicy", BUCKET)["Policy"].clone();
    let mut other = policy.clone();
    other["Statement"].as_array_mut().unwrap().reverse();
    let values = |policy: String| json!({"bucket": BUCKET, "id": BUCKET, "policy": policy});
    let pretty = serde_json::to_string_pretty(&other).unwrap();
    plan(&[("aws_s3_bucket_policy.records", values(policy.to_string()), values(pretty))])
}

fn run(document: &Value, directory: &Path, further: &[&str]) -> Output {
    let path = directory.join("plan.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let boundary = clean().join("boundary.yaml").display().to_string();
    let evidence = clean().join("evidence").display().to_string();
    let path = path.display().to_string();
    let mut arguments = vec!["plan", &path, "-b", &boundary, "--evidence", &evidence];
    arguments.extend(further);
    cadastre(&arguments)
}

#[test]
fn a_plan_that_opens_the_data_bucket_to_the_vendor_fails_on_one_screen() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&opened(), directory.path(), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output, directory.path()));
    assert!(String::from_utf8_lossy(&output.stdout).lines().count() <= 50);
    insta::assert_snapshot!(shown(&output, directory.path()));
}

/// `fixtures/plans/data-bucket` says how Terraform made it.
#[test]
fn a_plan_as_terraform_writes_it_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let made = std::fs::read_to_string(clean().join("../plans/data-bucket/plan.json")).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let output = run(&made, directory.path(), &["--quiet"]);
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output, directory.path()));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains(&format!("BND-06 {VENDOR}")), "{told}");
    assert!(told.contains(&format!("{VENDOR} can now read objects of arn:aws:s3:::{BUCKET}")), "{told}");
    assert!(told.lines().count() <= 24, "{told}");
    let report = run(&made, directory.path(), &["--format", "json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["unresolved"], &report["not_examined"]), (&json!([]), &json!([])));
}

#[test]
fn a_cosmetic_plan_is_silent() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&cosmetic(), directory.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output, directory.path()));
    let report = run(&cosmetic(), directory.path(), &["--format", "json", "--fail-on", "unproven"]);
    assert_eq!(report.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (&report["drift"], &report["red_flags"], &report["unproven"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!(report["baseline_root"], report["evidence_root"]);
}

#[test]
fn alerts_of_a_plan_are_new_once_and_absent_once() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json").display().to_string();
    let states = |document: &Value| -> Vec<String> {
        let output = run(
            document,
            directory.path(),
            &["--format", "sarif", "--state", &state, "--update-state", "--fail-on", "never"],
        );
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output, directory.path()));
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut states: Vec<String> = log["runs"][0]["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["baselineState"].as_str().unwrap().to_owned())
            .collect();
        states.sort();
        states.dedup();
        states
    };
    assert_eq!(states(&opened()), ["new"]);
    assert_eq!(states(&opened()), ["unchanged"]);
    assert_eq!(states(&cosmetic()), ["absent"]);
    assert_eq!(states(&cosmetic()), Vec::<String>::new());
}

#[test]
fn what_is_no_plan_is_refused_with_1() {
    let directory = tempfile::tempdir().unwrap();
    for document in
        [json!({}), json!({"format_version": "9.0"}), json!({"format_version": "1.2", "values": {}})]
    {
        let output = run(&document, directory.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output, directory.path()));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_baseline_may_be_a_packet_and_must_verify() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for name in ["a", "b"] {
        let (private, public) = (path(&format!("{name}.key")), path(&format!("{name}.pub")));
        openssl(&["genpkey", "-algorithm", "ed25519", "-out", &private]);
        openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
    }
    let boundary = clean().join("boundary.yaml").display().to_string();
    let evidence = clean().join("evidence").display().to_string();
    let (packet, signer) = (path("packet.zip"), path("a.key"));
    let made =
        cadastre(&["packet", "create", &evidence, "-b", &boundary, "--sign-key", &signer, "-o", &packet]);
    assert_eq!(made.status.code(), Some(0), "{}", shown(&made, directory.path()));
    let drift = |further: &[&str]| {
        let mut arguments = vec!["drift", "--baseline", &packet, &evidence, "-b", &boundary];
        arguments.extend(further);
        cadastre(&arguments)
    };
    let right = drift(&["--public-key", &path("a.pub")]);
    assert_eq!(right.status.code(), Some(0), "{}", shown(&right, directory.path()));
    assert!(String::from_utf8_lossy(&right.stdout).starts_with("no drift"));
    for (further, said) in
        [(vec!["--public-key".to_owned(), path("b.pub")], "does not verify"), (vec![], "--public-key")]
    {
        let further: Vec<&str> = further.iter().map(String::as_str).collect();
        let output = drift(&further);
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output, directory.path()));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(said),
            "{}",
            shown(&output, directory.path())
        );
    }
    let mut bytes = std::fs::read(&packet).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&packet, bytes).unwrap();
    assert_eq!(drift(&["--public-key", &path("a.pub")]).status.code(), Some(1));
}

/// The findings of one control on one subject: verdict and message.
fn findings(
    boundary: &str,
    evidence: &str,
    further: &[&str],
    control: &str,
    subject: &str,
) -> Vec<(String, String)> {
    let mut arguments =
        vec!["check", evidence, "-b", boundary, "--format", "json", "--quiet", "--fail-on", "never"];
    arguments.extend(further);
    let checklist: Value = serde_json::from_slice(&cadastre(&arguments).stdout).unwrap();
    let controls = checklist["controls"].as_array().unwrap();
    let found = controls.iter().find(|found| found["id"] == control).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings =
        found["findings"].as_array().unwrap().iter().filter(|finding| finding["subject"] == subject);
    findings.map(|finding| (text(&finding["verdict"]), text(&finding["message"]))).collect()
}

#[test]
fn a_waiver_ends_with_its_date_reopens_when_what_was_accepted_changes_and_can_be_given_again() {
    let directory = tempfile::tempdir().unwrap();
    let planted = clean().join("../planted");
    let boundary = directory.path().join("boundary.yaml");
    std::fs::copy(planted.join("boundary.yaml"), &boundary).unwrap();
    let (boundary, evidence) =
        (boundary.display().to_string(), planted.join("evidence").display().to_string());
    let listed = std::fs::read_to_string(planted.join("expected.txt")).unwrap();
    let line = listed.lines().find(|line| line.starts_with("KEY-03 red-flag ")).unwrap();
    let subject = line.trim_start_matches("KEY-03 red-flag ");
    let said = |further: &[&str]| findings(&boundary, &evidence, further, "KEY-03", subject);
    let waive = || {
        let output = cadastre(&[
            "waive",
            "KEY-03",
            subject,
            &evidence,
            "-b",
            &boundary,
            "--reason",
            "until the migration ends",
            "--approver",
            "head of platform",
            "--expires",
            "2027-01-01T00:00:00Z",
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output, directory.path()));
    };
    let all = |found: &[(String, String)], verdict: &str, words: &str| {
        assert!(!found.is_empty());
        for (found, message) in found {
            assert!(found == verdict && message.contains(words), "{found} {message}");
        }
    };
    waive();
    all(
        &said(&[]),
        "waived",
        "waived by head of platform until 2027-01-01T00:00:00Z: until the migration ends",
    );
    let late = said(&["--as-of", "2027-01-01T00:00:00Z"]);
    assert!(
        late.iter().any(|(_, message)| message.contains("reopened: the waiver by head of platform ended")),
        "{late:?}"
    );
    assert!(late.iter().all(|(verdict, _)| verdict != "waived"), "{late:?}");
    let file = directory.path().join("waivers.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("sha256:", "sha256:00")).unwrap();
    all(&said(&[]), "red-flag", "reopened: what head of platform accepted has changed");
    waive();
    all(&said(&[]), "waived", "waived by head of platform");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_questionnaire_is_filled_in_and_its_blanks_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(
        path("q.csv"),
        "Question ID,Question,Answer\nKEY-01,?,\nCEK-12.1,?,\nX.9,?,\nKEY-02,?,No\n",
    )
    .unwrap();
    let boundary = clean().join("boundary.yaml").display().to_string();
    let evidence = clean().join("evidence").display().to_string();
    let answer = || {
        cadastre(&[
            "answer",
            "--questionnaire",
            &path("q.csv"),
            &evidence,
            "-b",
            &boundary,
            "-o",
            &path("a.csv"),
        ])
    };
    let output = answer();
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output, directory.path()));
    let answered = std::fs::read_to_string(path("a.csv")).unwrap();
    let lines: Vec<&str> = answered.lines().collect();
    assert!(lines[1].starts_with("KEY-01,?,Yes,") && lines[2].starts_with("CEK-12.1,?,Yes,"), "{answered}");
    assert!(lines[3].starts_with("X.9,?,") && !lines[3].contains("Yes"), "{answered}");
    assert!(lines[4].starts_with("KEY-02,?,No"), "{answered}");
    let reasons = std::fs::read_to_string(path("a.csv.reasons.csv")).unwrap();
    assert!(
        reasons.contains("no control, no requirement") && reasons.contains("answered already"),
        "{reasons}"
    );
    assert_eq!(answer().status.code(), Some(1));
}
