//! A small assessment made by hand, plain or with hostile strings wherever others could have written them.

use std::collections::BTreeMap;

use cadastre_model::access::{
    Access, Capability, CapabilityEdge, Damage, DeadGuard, Decision, Destruction, GuardDefect,
};
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::kafka::{AclBinding, KafkaCluster, KafkaListener};
use cadastre_model::asset::keys::{Key, Rotation};
use cadastre_model::checklist::{Checklist, ControlResult, Finding, SCHEMA, Verdict};
use cadastre_model::coverage::{Coverage, Question};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::framework::{ControlStanding, FrameworkStanding, RequirementStanding};
use cadastre_model::graph::{BoundaryGraph, Node, NodeKind, PlaintextPath, Plane, PrincipalView, Side, Step};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::{Crossing, Direction, Hop, PermittedFlow, Ports, Reachability};
use cadastre_model::record::{Page, Problem};
use cadastre_model::usage::{Usage, UsageReport, UsageState, VendorAct};
use cadastre_model::{Known, Observation, Outcome, Record, RecordId, Scope, Timestamp};
use cadastre_report::ReportInput;
use serde_json::json;

/// What somebody would write into a name to be run, hidden, turned round, or to close what surrounds it.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x>]]>``\u{202e}\u{200b}\u{1b}[31m\u{0}|\n# [x](http://example.org) @all";

const BOUNDARY: &str = "
schema: cadastre/boundary/v1
name: payments
operating-model: customer-operated-software
architecture: tiered-storage
accounts: [{id: '111122223333', provider: aws, purpose: data-plane}]
regions: [eu-central-1]
networks: [{name: brokers, cidrs: [10.20.1.0/24], purpose: brokers}]
vendors: [{name: StreamCo, accounts: ['999988887777']}]
flows: [{name: between brokers, purpose: replication, from: brokers, to: brokers, ports: [9093]}]
";

/// An assessment.
pub(crate) struct Sample {
    pub(crate) declaration: Declaration,
    pub(crate) evidence: Evidence,
    pub(crate) inventory: Inventory,
    pub(crate) coverage: Coverage,
    pub(crate) access: Access,
    pub(crate) reachability: Reachability,
    pub(crate) usage: UsageReport,
    pub(crate) graph: BoundaryGraph,
    pub(crate) checklist: Checklist,
    pub(crate) frameworks: Vec<FrameworkStanding>,
}

fn at() -> Timestamp {
    "2026-11-21T10:24:28Z".parse().unwrap()
}

fn record(operation: &str, subject: &str, response: serde_json::Value, outcome: Outcome) -> Record {
    let problem = (outcome != Outcome::Observed)
        .then(|| Problem { code: "AccessDenied".to_owned(), message: "not allowed".to_owned() });
    let observation = Observation {
        collector: "aws".to_owned(),
        operation: operation.to_owned(),
        scope: Scope::region("111122223333", "eu-central-1"),
        subject: subject.to_owned(),
        caller: "arn:aws:iam::111122223333:role/scanner".to_owned(),
        observed_at: at(),
        outcome,
        request: json!({"about": subject}),
        response,
        problem,
        page: Page::ONLY,
    };
    observation.seal().unwrap()
}

impl Sample {
    pub(crate) fn plain() -> Self {
        Self::with("")
    }

    pub(crate) fn hostile() -> Self {
        Self::with(HOSTILE)
    }

    /// Nothing was collected, and nothing examined.
    pub(crate) fn empty() -> Self {
        let mut sample = Self::plain();
        sample.evidence = Evidence::from_records(vec![], "0.1.0", at(), at(), false);
        sample.inventory = Inventory::default();
        sample.coverage = Coverage::default();
        sample.access = Access::default();
        sample.reachability = Reachability::default();
        sample.usage = UsageReport::default();
        sample.graph = BoundaryGraph::default();
        sample.checklist.controls.clear();
        sample.checklist.not_examined.clear();
        sample.frameworks.clear();
        sample
    }

    pub(crate) fn input(&self) -> ReportInput<'_> {
        ReportInput {
            declaration: &self.declaration,
            evidence: &self.evidence,
            inventory: &self.inventory,
            coverage: &self.coverage,
            access: &self.access,
            reachability: &self.reachability,
            usage: &self.usage,
            graph: &self.graph,
            checklist: &self.checklist,
            cost: None,
            frameworks: &self.frameworks,
        }
    }

    /// `extra` is appended to every string that comes from elsewhere.
    fn with(extra: &str) -> Self {
        let say = |text: &str| format!("{text}{extra}");
        let role = say("arn:aws:iam::111122223333:role/streamco-support");
        let bucket = say("arn:aws:s3:::payments-data");
        let key_arn = say("arn:aws:kms:eu-central-1:111122223333:key/1");
        let topic = say("topic:payments/orders");
        let policy = json!({"Policy": {"Statement": [{"Effect": "Allow", "Action": say("kms:Decrypt")}]}, "pad": "x".repeat(6000)});
        let records = vec![
            record("kms:GetKeyPolicy", &key_arn, policy, Outcome::Observed),
            record("s3:GetBucketPolicy", &bucket, json!(null), Outcome::Denied),
            record("kafka:DescribeAcls", &say("payments"), json!({"acls": [say("acl")]}), Outcome::Observed),
        ];
        let ids: Vec<RecordId> = records.iter().map(|record| record.id().clone()).collect();
        let statement = StatementRef {
            policy: say("data-key").into(),
            record: ids[0].clone(),
            pointer: "/response/Policy/Statement/0".into(),
        };
        let evidence_of = |index: usize| [ids[index].clone()].into();
        let mut declaration = Declaration::parse(BOUNDARY, "boundary.yaml").unwrap();
        declaration.name = say("payments");
        let edge = |capability: Capability, target: &str, decision: Decision| CapabilityEdge {
            principal: role.clone(),
            capability,
            target: target.to_owned(),
            decision,
            action: say("kms:Decrypt"),
            statements: vec![statement.clone()],
            choices: Vec::new(),
            enables: None,
            summary: false,
        };
        let access = Access {
            edges: vec![
                edge(Capability::ReadRecords, &topic, Decision::Unknown(say("who is a super user"))),
                edge(
                    Capability::ReadObjects,
                    &bucket,
                    Decision::Conditional(say("aws:SourceVpce is vpce-1")),
                ),
                edge(Capability::Decrypt, &key_arn, Decision::Allow),
            ],
            unknown: vec![(say("role/other"), say("its policy is not readable"))],
            destruction: vec![Destruction {
                principal: role.clone(),
                damage: Damage::Destroy,
                target: bucket.clone(),
                action: say("s3:PutLifecycleConfiguration"),
                disguised: true,
                decision: Decision::Conditional(say("aws:SourceVpce is vpce-1")),
                statements: vec![statement.clone()],
            }],
            guards: vec![DeadGuard {
                subject: role.clone(),
                defect: GuardDefect::WalkedAround,
                told: say("its deny of `s3:DeleteObject` leaves `s3:PutLifecycleConfiguration`"),
                statements: vec![statement.clone()],
            }],
            ..Access::default()
        };
        let step = |capability: Capability, to: &str| Step {
            from: role.clone(),
            capability,
            to: to.to_owned(),
            action: say("s3:GetObject"),
            decision: Decision::Allow,
            statements: vec![statement.clone()],
        };
        let node = |id: &str, kind: NodeKind, zone: Option<&str>, side: Side| Node {
            id: id.to_owned(),
            kind,
            label: id.to_owned(),
            zone: zone.map(str::to_owned),
            side,
            plane: Plane::Data,
            evidence: evidence_of(0),
        };
        let account = say("account:111122223333");
        let graph = BoundaryGraph {
            nodes: vec![
                node(&account, NodeKind::Account, None, Side::Customer),
                node(&bucket, NodeKind::Store, Some(&account), Side::Customer),
                node(&key_arn, NodeKind::Key, Some(&account), Side::Customer),
                node(&role, NodeKind::Principal, Some(&account), Side::Vendor),
            ],
            edges: vec![],
            paths: vec![PlaintextPath {
                principal: role.clone(),
                side: Side::Vendor,
                target: bucket.clone(),
                decision: Decision::Conditional(say("a condition")),
                steps: vec![step(Capability::ReadObjects, &bucket), step(Capability::Decrypt, &key_arn)],
                cut: vec![statement.clone()],
                cut_is_minimal: true,
                cut_at_least: 1,
                evidence: evidence_of(0),
            }],
            principals: vec![PrincipalView {
                id: role.clone(),
                side: Side::Vendor,
                account: Some(say("111122223333")),
                vendor: Some(say("StreamCo")),
                jobs: vec![],
                assumable_by: vec![say("account:999988887777")],
                evidence: evidence_of(0),
            }],
        };
        Self {
            inventory: inventory(&say, &key_arn, &ids),
            coverage: coverage(&records),
            reachability: reachability(&say, &ids),
            usage: usage(&say, &ids),
            checklist: checklist(&say, &role, &ids),
            frameworks: frameworks(),
            evidence: Evidence::from_records(records, "0.1.0", at(), at(), true),
            declaration,
            access,
            graph,
        }
    }
}

fn inventory(say: &dyn Fn(&str) -> String, key: &str, ids: &[RecordId]) -> Inventory {
    let key = Key {
        arn: key.to_owned(),
        account: say("111122223333"),
        region: say("eu-central-1"),
        aliases: vec![say("alias/data")],
        manager: Known::Observed("CUSTOMER".to_owned()),
        state: Known::Observed(say("Enabled")),
        origin: Known::Unknown(say("kms:DescribeKey")),
        usage: Known::Absent,
        spec: Known::Absent,
        multi_region: Known::Observed(false),
        replica_regions: vec![],
        deletion_date: Known::Absent,
        rotation: Known::Observed(Rotation { enabled: true, period_days: Some(365) }),
        policy: Known::Unknown(say("kms:GetKeyPolicy")),
        grants: Known::Observed(vec![]),
        tags: vec![],
        evidence: [ids[0].clone()].into(),
    };
    let acl = AclBinding {
        resource_type: "TOPIC".to_owned(),
        resource_name: say("orders"),
        pattern_type: "LITERAL".to_owned(),
        principal: say("User:ledger"),
        host: say("10.0.0.1"),
        operation: say("READ"),
        permission: "ALLOW".to_owned(),
        record: ids[2].clone(),
        pointer: "/response/acls/0".to_owned(),
    };
    let listener = KafkaListener {
        name: say("CLIENTS"),
        broker: Some(1),
        host: say("broker-1"),
        port: 9093,
        protocol: Known::Observed(say("SASL_SSL")),
        anonymous_access: Known::Observed(true),
        plaintext: Known::Observed(false),
        tls_versions: Known::Observed(vec![say("TLSv1.3")]),
        cipher_suites: vec![],
        certificates: Known::Unknown(say("no probe")),
        evidence: [ids[2].clone()].into(),
    };
    let cluster = KafkaCluster {
        name: "payments".to_owned(),
        cluster_id: Known::Unknown(say("kafka:DescribeCluster")),
        brokers: Known::Unknown(say("kafka:Metadata")),
        quorum: Known::Absent,
        listeners: vec![listener],
        topics: Known::Observed(vec![]),
        acls: Known::Observed(vec![acl]),
        scram_credentials: Known::Absent,
        quotas: Known::Absent,
        groups: Known::Absent,
        delegation_tokens: Known::Absent,
        features: Known::Absent,
        log_directories: Known::Absent,
        denials: vec![],
        evidence: [ids[2].clone()].into(),
    };
    Inventory { keys: vec![key], clusters: vec![cluster], ..Inventory::default() }
}

fn coverage(records: &[Record]) -> Coverage {
    let mut questions: BTreeMap<String, Vec<Question>> = BTreeMap::new();
    for record in records {
        questions.entry(record.operation.clone()).or_default().push(Question {
            operation: record.operation.clone(),
            scope: record.scope.clone(),
            subject: record.subject.clone(),
            outcome: record.outcome,
            oldest: record.observed_at,
            problem: record.problem.as_ref().map(|problem| format!("{}: {}", problem.code, problem.message)),
            records: vec![record.id().clone()],
        });
    }
    Coverage { questions }
}

fn usage(say: &dyn Fn(&str) -> String, ids: &[RecordId]) -> UsageReport {
    let row = |state, count, blind| Usage {
        principal: say("arn:aws:iam::111122223333:role/streamco-support"),
        capability: Capability::Decrypt,
        target: say("arn:aws:kms:eu-central-1:111122223333:key/1"),
        state,
        granted: [say("kms:Decrypt")].into(),
        used: [(say("kms:Decrypt"), count)].into(),
        last: Some(at()),
        blind,
        evidence: ids.iter().cloned().collect(),
    };
    UsageReport {
        since: Some(at()),
        until: Some(at()),
        observed: true,
        rows: vec![
            row(UsageState::NotGranted, 3, None),
            row(UsageState::Unobserved, 0, Some(say("no trail of it is in the evidence"))),
        ],
        vendors: vec![VendorAct {
            vendor: say("StreamCo"),
            principal: say("arn:aws:iam::111122223333:role/streamco-support"),
            action: say("kms:Decrypt"),
            targets: vec![say("arn:aws:kms:eu-central-1:111122223333:key/1")],
            function: None,
            error: Some(say("AccessDenied")),
            count: 2,
            first: at(),
            last: at(),
            evidence: ids.iter().cloned().collect(),
        }],
        doubts: vec![],
        unseen_keys: vec![],
    }
}

fn reachability(say: &dyn Fn(&str) -> String, ids: &[RecordId]) -> Reachability {
    Reachability {
        flows: vec![PermittedFlow {
            direction: Direction::Ingress,
            interface: say("eni-1"),
            instance: Some(say("i-1")),
            vpc: say("vpc-1"),
            peer: Some("0.0.0.0/0".parse().unwrap()),
            peer_name: Some(say("pl-1")),
            ports: Ports { protocol: Some(6), from: 9092, to: 9093 },
            crossing: Crossing::Internet,
            hops: vec![Hop { at: say("sg-1"), what: say("allows tcp 9092-9093 from 0.0.0.0/0") }],
            evidence: [ids[1].clone()].into(),
        }],
        unknown: vec![],
    }
}

fn frameworks() -> Vec<FrameworkStanding> {
    let control = |id: &str, verdict| ControlStanding { id: id.to_owned(), verdict };
    vec![FrameworkStanding {
        id: "soc-2".to_owned(),
        name: "SOC 2".to_owned(),
        version: "2017".to_owned(),
        requirements: vec![
            RequirementStanding {
                id: "CC6.1".to_owned(),
                title: "Logical access".to_owned(),
                verdict: Verdict::RedFlag,
                controls: vec![control("BND-04", Some(Verdict::RedFlag))],
            },
            RequirementStanding {
                id: "CC7.4".to_owned(),
                title: "Incidents".to_owned(),
                verdict: Verdict::Unproven,
                controls: vec![control("OPS-04", None)],
            },
        ],
    }]
}

fn checklist(say: &dyn Fn(&str) -> String, role: &str, ids: &[RecordId]) -> Checklist {
    let finding = |verdict: Verdict, subject: &str, evidence: &[RecordId]| Finding {
        subject: subject.to_owned(),
        verdict,
        message: say("reaches the records"),
        path: vec![say("reads objects"), say("decrypts")],
        evidence: evidence.to_vec(),
        fix: vec![say("remove the statement")],
    };
    let control = |id: &str, area: &str, findings: Vec<Finding>| ControlResult {
        id: id.to_owned(),
        area: area.to_owned(),
        title: say("Nobody outside reaches records"),
        verdict: findings[0].verdict,
        findings,
        requires: vec!["kms:GetKeyPolicy".to_owned(), say("s3:GetBucketAcl")],
    };
    Checklist {
        schema: SCHEMA.to_owned(),
        as_of: at(),
        tool_version: "0.1.0".to_owned(),
        boundary: say("payments"),
        evidence_root: "0".repeat(64),
        summary: BTreeMap::new(),
        controls: vec![
            control(
                "BND-04",
                "boundary",
                vec![
                    finding(Verdict::RedFlag, role, &ids[..1]),
                    finding(Verdict::Pass, &say("another"), &ids[2..]),
                ],
            ),
            control("KEY-04", "key-authority", vec![finding(Verdict::Waived, &say("a key"), &ids[..1])]),
            control("KEY-05", "key-authority", vec![finding(Verdict::Unproven, &say("a key"), &[])]),
        ],
        not_examined: vec!["SEM-01".to_owned()],
    }
}
