//! CloudTrail's events: what is read, what is refused, what happened, and which key uses are explained.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use aws_lc_rs::digest;
use cadastre_logs::events::{
    Activity, Event, EventFiles, KeyLedger, Reconciliation, ReconciliationOutcome, read_events, reconcile,
};
use cadastre_model::declaration::Declaration;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const BROKER: &str = "arn:aws:iam::111122223333:role/broker";
const VENDOR: &str = "arn:aws:iam::111122223333:role/streamco";

fn event(id: &str, minute: u32, source: &str, name: &str, role: &str, request: &str) -> Value {
    json!({
        "eventVersion": "1.11", "eventID": id, "eventTime": format!("2026-10-01T12:{minute:02}:00Z"),
        "eventSource": format!("{source}.amazonaws.com"), "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "10.20.1.10", "vpcEndpointId": "vpce-1", "readOnly": name == "Decrypt", "requestID": request,
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "AssumedRole", "accountId": "111122223333",
            "arn": format!("{}/session", role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")),
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}}},
        "requestParameters": {"encryptionContext": {"cadastre:purpose": "segment"}},
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}],
    })
}

fn decrypt(id: &str, minute: u32, request: &str) -> Value {
    event(id, minute, "kms", "Decrypt", BROKER, request)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(directory: &Path, name: &str, records: &[Value]) {
    std::fs::write(directory.join(name), gzip(json!({"Records": records}).to_string().as_bytes())).unwrap();
}

fn read(directory: &Path) -> (EventFiles, Vec<Event>) {
    let mut events = Vec::new();
    let read = read_events(directory, None, None, |event| events.push(event)).unwrap();
    (read, events)
}

#[test]
fn an_event_keeps_who_what_with_which_key_and_whence() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "a.json.gz", &[decrypt("e1", 1, "r1")]);
    let (read, events) = read(directory.path());
    assert_eq!((read.files, read.events, read.refused), (1, 1, 0));
    let event = events.first().unwrap();
    assert_eq!(event.action(), "kms:Decrypt");
    assert_eq!(event.identity.principal(), BROKER);
    assert_eq!(event.identity.arn.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/broker/session"));
    assert_eq!(event.key.as_deref(), Some(KEY));
    assert_eq!(event.encryption_context.get("cadastre:purpose").map(String::as_str), Some("segment"));
    assert_eq!(event.vpc_endpoint.as_deref(), Some("vpce-1"));
    assert_eq!(event.request.as_deref(), Some("r1"));
    assert_eq!((event.read_only, event.error.as_deref()), (Some(true), None));
}

#[test]
fn what_cannot_be_used_is_named_by_file_and_record_and_the_rest_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let mut timeless = decrypt("e2", 2, "r2");
    timeless["eventTime"] = json!("yesterday");
    file(
        directory.path(),
        "a.json.gz",
        &[decrypt("e1", 1, "r1"), timeless, json!(7), decrypt("e3", 3, "r3")],
    );
    let whole =
        gzip(json!({"Records": [decrypt("e4", 4, "r4"), decrypt("e5", 5, "r5")]}).to_string().as_bytes());
    std::fs::write(directory.path().join("b.json.gz"), &whole[..whole.len() - 30]).unwrap();
    std::fs::write(directory.path().join("c.json"), b"{\"Records\": [{}").unwrap();
    std::fs::write(directory.path().join("d.json"), b"[]").unwrap();
    // Delivered twice.
    file(directory.path(), "e.json.gz", &[decrypt("e1", 1, "r1"), decrypt("e6", 6, "r6")]);
    let (read, events) = read(directory.path());
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert!(ids.starts_with(&["e1", "e3"]) && ids.ends_with(&["e6"]), "{ids:?}");
    assert_eq!(read.repeated, 1);
    let places: Vec<(&str, Option<u64>)> =
        read.refusals.iter().map(|refused| (refused.file.as_str(), refused.record)).collect();
    let expected = [
        ("a.json.gz", Some(2)),
        ("a.json.gz", Some(3)),
        ("b.json.gz", None),
        ("c.json", Some(1)),
        ("c.json", None),
        ("d.json", None),
    ];
    assert_eq!(places, expected);
    assert_eq!(read.refused, 6);
}

#[test]
fn a_directory_without_events_is_an_error_and_digests_are_none() {
    let directory = tempfile::tempdir().unwrap();
    assert!(read_events(directory.path(), None, None, |_| {}).is_err());
}

fn declaration() -> Declaration {
    serde_json::from_value(json!({
        "schema": "cadastre/boundary/v1", "name": "reference", "operating-model": "customer-operated-software", "architecture": "tiered-storage",
        "vendors": [{"name": "streamco", "accounts": ["444455556666"],
            "roles": [{"arn": VENDOR, "function": "scales brokers", "actions": ["ec2:Run*"]}]}],
        "identities": [{"principal": "arn:aws:iam::111122223333:role/emergency*", "job": "break-glass"}],
    }))
    .unwrap()
}

#[test]
fn activity_is_told_by_what_reviewers_ask_about() {
    let records = [
        event("v1", 1, "ec2", "RunInstances", VENDOR, "1"),
        event("v2", 2, "ec2", "RunInstances", VENDOR, "2"),
        event("v3", 3, "s3", "GetObject", VENDOR, "3"),
        event("b1", 4, "iam", "PutRolePolicy", "arn:aws:iam::111122223333:role/emergency-1", "4"),
        decrypt("k1", 5, "5"),
        event("n1", 6, "ec2", "DescribeVpcs", BROKER, "6"),
    ];
    let mut collector = Activity::collector(&declaration());
    for record in &records {
        collector.take(&Event::read(record).unwrap());
    }
    let activity = collector.finish();
    let vendor: Vec<(&str, u64, Option<&str>)> =
        activity.vendor.iter().map(|row| (row.action.as_str(), row.count, row.function.as_deref())).collect();
    assert_eq!(vendor, [("ec2:RunInstances", 2, Some("scales brokers")), ("s3:GetObject", 1, None)]);
    assert_eq!(activity.unexplained().count(), 1);
    let actions = |rows: &[cadastre_logs::events::ActivityRow]| {
        rows.iter().map(|row| row.action.clone()).collect::<Vec<_>>()
    };
    assert_eq!(actions(&activity.break_glass), ["iam:PutRolePolicy"]);
    assert_eq!(actions(&activity.policy_changes), ["iam:PutRolePolicy"]);
    assert_eq!(actions(&activity.key_uses), ["kms:Decrypt"]);
}

/// A ledger whose entries have the requests and minutes given, chained as the broker chains them.
fn ledger(entries: &[(&str, u32)]) -> String {
    let mut previous = "0".repeat(64);
    let mut text = String::new();
    for ((request, minute), sequence) in entries.iter().zip(1_u64..) {
        let line = json!({
            "version": 1, "sequence": sequence, "time": format!("2026-10-01T12:{minute:02}:00.250Z"), "previous": previous,
            "operation": "unwrap", "outcome": "ok", "key_id": KEY, "purpose": "segment",
            "context": {"cadastre:purpose": "segment"}, "request_id": request,
        })
        .to_string();
        previous = hex::encode(digest::digest(&digest::SHA256, line.as_bytes()));
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[track_caller]
fn reconciled(records: &[Value], ledger: &str) -> Reconciliation {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "a.json.gz", records);
    let path = directory.path().join("key-ledger-0000000001.ndjson");
    std::fs::write(&path, ledger).unwrap();
    let (read, events) = read(directory.path());
    reconcile(&[KeyLedger::read(&path).unwrap()], &events, &read, &BTreeSet::new(), 60)
}

/// The edges of the window, and two uses inside it that both sides show.
fn edges() -> Vec<Value> {
    vec![
        event("first", 0, "ec2", "DescribeVpcs", BROKER, "x"),
        decrypt("e1", 10, "r1"),
        decrypt("e2", 20, "r2"),
        event("last", 59, "ec2", "DescribeVpcs", BROKER, "y"),
    ]
}

#[test]
fn uses_that_both_sides_show_are_explained() {
    let result = reconciled(&edges(), &ledger(&[("r1", 10), ("r2", 20)]));
    assert_eq!((result.matched, result.outcome()), (2, ReconciliationOutcome::Explained), "{result:#?}");
}

#[test]
fn a_decrypt_that_the_ledger_does_not_show_is_unexplained() {
    let mut records = edges();
    records.push(event("theirs", 30, "kms", "Decrypt", VENDOR, "r9"));
    let result = reconciled(&records, &ledger(&[("r1", 10), ("r2", 20)]));
    assert_eq!(result.outcome(), ReconciliationOutcome::Unexplained);
    let theirs: Vec<_> = result
        .unexplained
        .iter()
        .map(|key_use| (key_use.reference.as_str(), key_use.principal.as_deref()))
        .collect();
    assert_eq!(theirs, [("theirs", Some(VENDOR))]);
}

#[test]
fn a_second_use_of_a_request_and_one_that_differs_are_unexplained() {
    let mut again = edges();
    again.push(decrypt("again", 11, "r1"));
    assert_eq!(reconciled(&again, &ledger(&[("r1", 10), ("r2", 20)])).unexplained.len(), 1);
    let mut other = edges();
    other.push(event("other", 30, "kms", "GenerateDataKey", BROKER, "r3"));
    let result = reconciled(&other, &ledger(&[("r1", 10), ("r2", 20), ("r3", 30)]));
    assert_eq!(result.unexplained.len(), 1, "{result:#?}");
    let late = reconciled(&edges(), &ledger(&[("r1", 10), ("r2", 40)]));
    assert_eq!(late.unexplained.len(), 1, "{late:#?}");
}

#[test]
fn a_refused_call_is_an_attempt_and_no_use() {
    let mut records = edges();
    let mut refused = event("tried", 30, "kms", "Decrypt", VENDOR, "r9");
    refused["errorCode"] = json!("AccessDenied");
    records.push(refused);
    let result = reconciled(&records, &ledger(&[("r1", 10), ("r2", 20)]));
    assert_eq!((result.attempts.len(), result.outcome()), (1, ReconciliationOutcome::Explained));
}

#[test]
fn an_entry_that_the_trail_should_show_makes_it_incomplete() {
    let result = reconciled(&edges(), &ledger(&[("r1", 10), ("r2", 20), ("r3", 30)]));
    assert_eq!((result.unseen.len(), result.outcome()), (1, ReconciliationOutcome::Incomplete));
    // At the edge of the window, it may have been delivered before or after.
    let result = reconciled(&edges(), &ledger(&[("r1", 10), ("r2", 20), ("r3", 59)]));
    assert_eq!((result.outside, result.outcome()), (1, ReconciliationOutcome::Explained), "{result:#?}");
}

#[test]
fn an_altered_ledger_explains_nothing() {
    let text = ledger(&[("r1", 10), ("r2", 20)]);
    let altered = text.replacen("r1", "r9", 1);
    let result = reconciled(&edges(), &altered);
    assert_eq!((result.ledger_broken.len(), result.outcome()), (1, ReconciliationOutcome::Unexplained));
    let cut: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(
        reconciled(&edges(), &cut).incomplete.iter().any(|missing| missing.contains("begins with entry 2"))
    );
}

#[test]
fn a_damaged_trail_is_never_complete() {
    let mut records = edges();
    records.push(json!({"eventID": "half"}));
    let result = reconciled(&records, &ledger(&[("r1", 10), ("r2", 20)]));
    assert_eq!(result.outcome(), ReconciliationOutcome::Incomplete, "{result:#?}");
}
