//! What is drift and what is not.

use cadastre_graph::{DriftKind, DriftReport, Severity, diff};
use cadastre_model::Known;
use cadastre_model::access::Capability::{self, Decrypt, ReadObjects};
use cadastre_model::access::Decision;
use cadastre_model::graph::{BoundaryGraph, Edge, Layer, Node, NodeKind, Plane, Relation, Side};

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

/// A graph with an outsider, a target, and an edge between them or none.
fn edge(from: &str, capability: Capability, decision: Option<Decision>, evidence: &str) -> BoundaryGraph {
    let node = |id: &str, kind: NodeKind, side: Side| Node {
        id: id.to_owned(),
        kind,
        label: id.to_owned(),
        zone: None,
        side,
        plane: Plane::Data,
        evidence: [record("node")].into(),
    };
    BoundaryGraph {
        nodes: vec![
            node(from, NodeKind::Principal, Side::Outside),
            node("target", NodeKind::Store, Side::Customer),
        ],
        edges: decision
            .into_iter()
            .map(|decision| Edge {
                from: from.to_owned(),
                to: "target".to_owned(),
                relation: Relation::Can(capability),
                layer: Layer::Permitted,
                decision,
                statements: Vec::new(),
                evidence: [record(evidence)].into(),
            })
            .collect(),
        ..BoundaryGraph::default()
    }
}

#[test]
fn every_capability_is_told_when_it_is_gained_and_when_it_is_lost_with_the_evidence_of_its_side() {
    let words = [
        (Capability::ReadRecords, "read records of"),
        (Capability::WriteRecords, "write records to"),
        (ReadObjects, "read objects of"),
        (Capability::WriteObjects, "write or delete objects of"),
        (Decrypt, "decrypt with"),
        (Capability::ManageKey, "manage"),
        (Capability::OperateHost, "operate"),
        (Capability::ChangePolicy, "change what is allowed on"),
        (Capability::Assume, "become"),
        (Capability::ReadLogs, "read logs of"),
        (Capability::AlterLogs, "alter logs of"),
        (Capability::Reach, "reach"),
    ];
    assert_eq!(words.map(|(capability, _)| capability).as_slice(), Capability::ALL.as_slice());
    for (capability, doing) in words {
        let without = edge("role", capability, None, "");
        let with = edge("role", capability, Some(Decision::Allow), "proof");
        let gained = diff(&without, &with);
        assert_eq!(gained.len(), 1, "{gained:?}");
        assert_eq!(gained[0].message, format!("role can now {doing} target"));
        assert_eq!((gained[0].severity, gained[0].kind), (Severity::High, DriftKind::Opened));
        assert_eq!((gained[0].capability, gained[0].before.len()), (Some(capability), 0));
        assert_eq!(gained[0].after, [record("proof")].into());
        let lost = diff(&with, &without);
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(lost[0].message, format!("role can no longer {doing} target"));
        assert_eq!((lost[0].severity, lost[0].kind), (Severity::Information, DriftKind::Closed));
        assert_eq!((lost[0].capability, lost[0].after.len()), (Some(capability), 0));
        assert_eq!(lost[0].before, [record("proof")].into());
        let limited = edge("role", capability, Some(Decision::Conditional("x is y".into())), "limited");
        let looser = diff(&limited, &with);
        assert_eq!(looser[0].message, format!("role can {doing} target under looser terms than before"));
        assert_eq!((looser[0].severity, looser[0].kind), (Severity::High, DriftKind::Changed));
        assert_eq!(
            (&looser[0].before, &looser[0].after),
            (&[record("limited")].into(), &[record("proof")].into())
        );
        let tighter = diff(&with, &limited);
        assert_eq!(tighter[0].severity, Severity::Information);
        assert!(
            tighter[0].message.ends_with("only under tighter terms than before, if x is y"),
            "{tighter:?}"
        );
        assert_eq!(diff(&with, &with), []);
    }
}

#[test]
fn the_internet_is_told_by_name() {
    let without = edge("internet", Capability::Reach, None, "");
    let with = edge("internet", Capability::Reach, Some(Decision::Allow), "route");
    assert_eq!(diff(&without, &with)[0].message, "target became reachable from the internet");
    assert_eq!(diff(&with, &without)[0].message, "target is no longer reachable from the internet");
}
