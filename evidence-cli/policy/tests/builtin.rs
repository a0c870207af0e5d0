//! The built-in controls over inputs that show nothing: none of them may pass.

#![expect(clippy::unwrap_used, reason = "a failing helper fails the test that called it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision, IdentityStatement};
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::identity::{Principal, PrincipalKind};
use cadastre_model::asset::stores::Bucket;
use cadastre_model::checklist::Verdict;
use cadastre_model::coverage::Coverage;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Manifest;
use cadastre_model::graph::{BoundaryGraph, PrincipalView, Side};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::{Known, RecordId, Timestamp};
use cadastre_policy::{Evaluation, PolicyInput, PolicySet};

const DECLARATION: &str = "schema: cadastre/boundary/v1
name: payments
operating-model: self-managed
architecture: shared-storage
accounts:
  - {id: '111122223333', provider: aws, purpose: data-plane}
regions: [eu-central-1]
";

fn evaluate(declaration: &str, inventory: &Inventory, access: &Access, graph: &BoundaryGraph) -> Evaluation {
    let declaration = Declaration::parse(declaration, "boundary.yaml").unwrap();
    let as_of: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let manifest = Manifest {
        schema: "cadastre/evidence/v1".to_owned(),
        tool_version: "0".to_owned(),
        started_at: as_of,
        finished_at: as_of,
        complete: true,
        callers: BTreeSet::new(),
        outcomes: BTreeMap::new(),
        files: BTreeMap::new(),
        merkle_root: "0".repeat(64),
    };
    let input = PolicyInput {
        as_of,
        declaration: &declaration,
        inventory,
        access,
        reachability: &Reachability::default(),
        graph,
        usage: &cadastre_model::usage::UsageReport::default(),
        cost: None,
        coverage: &Coverage::default(),
        evidence: &manifest,
    };
    PolicySet::builtin().unwrap().evaluate(&input, &[], "0").unwrap()
}

#[track_caller]
fn nothing_passes(declaration: &str) {
    let evaluation =
        evaluate(declaration, &Inventory::default(), &Access::default(), &BoundaryGraph::default());
    assert_eq!(evaluation.errors, []);
    for control in &evaluation.checklist.controls {
        assert_eq!(control.verdict, Verdict::Unproven, "{}: {:#?}", control.id, control.findings);
        for finding in &control.findings {
            assert_eq!(finding.verdict, Verdict::Unproven, "{}: {finding:#?}", control.id);
        }
    }
}

#[test]
fn no_control_passes_without_evidence() {
    nothing_passes(DECLARATION);
}

#[test]
fn no_control_passes_without_evidence_when_nothing_is_declared() {
    nothing_passes(
        "schema: cadastre/boundary/v1\nname: payments\noperating-model: self-managed\narchitecture: broker-local-disks\n",
    );
}

fn bucket(number: usize, record: &RecordId) -> Bucket {
    Bucket {
        arn: format!("arn:aws:s3:::bucket-{number}"),
        name: format!("bucket-{number}"),
        account: "111122223333".to_owned(),
        region: Known::Observed("eu-central-1".to_owned()),
        encryption: Known::Absent,
        policy: Known::Absent,
        policy_is_public: Known::Absent,
        public_access_blocked: Known::Absent,
        versioning: Known::Absent,
        lifecycle: Known::Absent,
        object_lock: Known::Absent,
        replication_destinations: Known::Absent,
        acl_grantees: Known::Observed(Vec::new()),
        tags: Vec::new(),
        evidence: [record.clone()].into(),
    }
}

/// Roles as a large account has them. Not a timed test: run it with `--release --ignored --nocapture`.
#[test]
#[ignore = "prints how long the evaluation of a large account takes"]
fn a_large_account_is_judged_in_seconds() {
    let record: RecordId = serde_json::from_value("sha256:00".into()).unwrap();
    let mut inventory = Inventory::default();
    for number in 0..3 {
        inventory.buckets.push(bucket(number, &record));
    }
    let declaration = format!(
        "{DECLARATION}stores:\n  - {{arn: 'arn:aws:s3:::bucket-0', holds: records}}\nlog-sinks:\n  - {{arn: 'arn:aws:s3:::bucket-1', receives: [cloud-api], retention: 400d}}\n"
    );
    let mut access = Access::default();
    let mut graph = BoundaryGraph::default();
    for number in 0..2_000 {
        let arn = format!("arn:aws:iam::111122223333:role/workload-{number:04}");
        inventory.principals.push(Principal {
            arn: arn.clone(),
            kind: PrincipalKind::Role,
            account: "111122223333".to_owned(),
            name: format!("workload-{number:04}"),
            policies: Known::Observed(Vec::new()),
            boundary: Known::Absent,
            trust: Known::Absent,
            groups: Vec::new(),
            tags: Vec::new(),
            access_keys: Known::Absent,
            console_password: Known::Absent,
            instance_profiles: Vec::new(),
            last_used: Known::Absent,
            maximum_session_seconds: Some(3_600),
            service_linked: false,
            evidence: [record.clone()].into(),
        });
        graph.principals.push(PrincipalView {
            id: arn.clone(),
            side: Side::Customer,
            account: Some("111122223333".to_owned()),
            vendor: None,
            jobs: Vec::new(),
            assumable_by: Vec::new(),
            evidence: [record.clone()].into(),
        });
        for policy in 0..3 {
            let at = StatementRef {
                policy: format!("policy-{policy}").into(),
                record: record.clone(),
                pointer: format!("/response/RoleDetailList/{number}/RolePolicyList/{policy}").into(),
            };
            access.statements.push(IdentityStatement {
                principal: arn.clone(),
                effect: "Allow".to_owned(),
                actions: vec!["s3:GetObject".to_owned(), "dynamodb:Query".to_owned()],
                not_actions: Vec::new(),
                resources: vec![format!("arn:aws:s3:::bucket-{policy}/*")],
                not_resources: Vec::new(),
                condition_keys: Vec::new(),
                at: at.clone(),
            });
            access.edges.push(CapabilityEdge {
                principal: arn.clone(),
                capability: Capability::ReadObjects,
                target: format!("arn:aws:s3:::bucket-{policy}"),
                decision: Decision::Allow,
                action: "s3:GetObject".to_owned(),
                statements: vec![at],
                choices: Vec::new(),
                enables: None,
                summary: false,
            });
        }
    }
    let started = Instant::now();
    let evaluation = evaluate(&declaration, &inventory, &access, &graph);
    println!("{} controls, 2,000 roles: {:?}", evaluation.checklist.controls.len(), started.elapsed());
    assert_eq!(evaluation.errors, []);
}
