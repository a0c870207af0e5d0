//! What is drift and what is not.

use cadastre_graph::{DriftKind, DriftReport, Severity, diff};
use cadastre_model::Known;
use cadastre_model::access::Capability::{Decrypt, ReadObjects};
use cadastre_model::access::Decision;

use crate::support::*;

#[test]
fn nothing_moved_is_no_drift_even_when_records_and_statements_are_new() {
    let mut before = Deployment::new();
    before.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    let mut after = Deployment::new();
    after.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["the-same-grant-read-later"]);
    after.inventory.buckets[0].evidence = [record("read later")].into();
    assert_eq!(diff(&before.graph(), &after.graph()), []);
    assert_eq!(DriftReport::new(&before.graph(), &after.graph()).schema, "cadastre/drift/v1");
}

#[test]
fn a_new_outsider_with_plaintext_is_critical_and_told_in_words() {
    let before = Deployment::new();
    let mut after = Deployment::new();
    after.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    after.edge(AGENT, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    let changes = diff(&before.graph(), &after.graph());
    let first = changes.first().unwrap();
    assert_eq!((first.severity, first.kind), (Severity::Critical, DriftKind::Opened));
    assert_eq!(first.message, format!("{AGENT} can now reach plaintext of {BUCKET}"));
    assert!(changes.iter().any(|change| change.message == format!("{AGENT} can now decrypt with {KEY}")));
    let back = diff(&after.graph(), &before.graph());
    assert!(
        back.iter()
            .all(|change| change.kind == DriftKind::Closed && change.severity == Severity::Information)
    );
    assert!(back.iter().any(|change| change.message.starts_with("path closed")));
}

#[test]
fn a_condition_that_falls_away_is_drift() {
    let with = |decision: Decision| {
        let mut deployment = Deployment::new();
        deployment.encryption(Known::Absent).decided(
            AGENT,
            ReadObjects,
            BUCKET,
            "s3:GetObject",
            &["read"],
            decision,
        );
        deployment.graph()
    };
    let limited = with(Decision::Conditional("aws:SourceVpce in [vpce-1]".into()));
    let free = with(Decision::Allow);
    assert!(diff(&limited, &free).iter().any(|change| change.severity == Severity::Critical));
    assert!(diff(&free, &limited).iter().all(|change| change.severity == Severity::Information));
}

#[test]
fn a_store_that_loses_its_key_is_drift() {
    let before = Deployment::new();
    let mut after = Deployment::new();
    after.encryption(Known::Absent);
    let changes = diff(&before.graph(), &after.graph());
    assert!(
        changes
            .iter()
            .any(|change| change.severity == Severity::High
                && change.message.contains("no longer encrypted by")),
        "{changes:?}"
    );
}
