//! A boundary of a chosen size: accounts, networks, hosts, stores, keys, topics and principals in fixed proportions.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::checklist::{Checklist, ControlResult, Finding, SCHEMA, Verdict};
use cadastre_model::coverage::{Coverage, Question};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::{
    BoundaryGraph, Edge, Layer, Node, NodeKind, PlaintextPath, Plane, PrincipalView, Relation, Side, Step,
};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::record::{Observation, Outcome, Page, RecordId, Scope};
use cadastre_model::usage::UsageReport;
use cadastre_report::ReportInput;
use serde_json::json;

const DECLARATION: &str = "
schema: cadastre/boundary/v1
name: made-up
operating-model: customer-operated-software
architecture: tiered-storage
accounts: [{id: '111122223333', provider: aws, purpose: data-plane}]
regions: [eu-central-1]
vendors: [{name: StreamCo, accounts: ['999988887777']}]
";
const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror=\"alerted=1\">]]>``\u{202e}\u{200b}\u{1b}[31m|# [x](http://example.org)";
const AREAS: [&str; 8] =
    ["audit", "boundary", "identity", "kafka", "key-authority", "network", "operations", "exit"];

/// What a report is made of.
pub(crate) struct MadeUp {
    declaration: Declaration,
    evidence: Evidence,
    inventory: Inventory,
    coverage: Coverage,
    access: Access,
    reachability: Reachability,
    usage: UsageReport,
    graph: BoundaryGraph,
    checklist: Checklist,
}

/// Names by kind, for drawing from.
#[derive(Default)]
struct Names {
    principals: Vec<(String, Side)>,
    stores: Vec<String>,
    keys: Vec<String>,
    topics: Vec<String>,
    hosts: Vec<String>,
}

impl MadeUp {
    pub(crate) fn new(nodes: usize, findings: usize, hostile: bool) -> Self {
        let extra = if hostile { HOSTILE } else { "" };
        let evidence = evidence(nodes * 3 / 5 + 20, extra);
        let ids: Vec<RecordId> = evidence.records().iter().map(|record| record.id().clone()).collect();
        let (mut graph, names) = nodes_of(nodes, &ids, extra);
        let access = Access { edges: edges(&names, &ids), ..Access::default() };
        for edge in &access.edges {
            graph.edges.push(Edge {
                from: edge.principal.clone(),
                to: edge.target.clone(),
                relation: Relation::Can(edge.capability),
                layer: Layer::Permitted,
                decision: edge.decision.clone(),
                statements: edge.statements.clone(),
                evidence: BTreeSet::new(),
            });
        }
        for (number, store) in names.stores.iter().enumerate() {
            graph.edges.push(relation(store, Relation::EncryptedBy, &names.keys[number % names.keys.len()]));
            graph.edges.push(relation(&names.hosts[number % names.hosts.len()], Relation::StoresIn, store));
        }
        graph.edges.sort();
        graph.paths = paths(nodes / 5 + 2, &names, &ids);
        graph.principals = names
            .principals
            .iter()
            .map(|(id, side)| PrincipalView {
                id: id.clone(),
                side: *side,
                account: None,
                vendor: (*side == Side::Vendor).then(|| "StreamCo".to_owned()),
                jobs: vec![],
                assumable_by: vec![],
                evidence: BTreeSet::new(),
            })
            .collect();
        let checklist = checklist(findings, &graph, &ids);
        Self {
            declaration: Declaration::parse(DECLARATION, "boundary.yaml").unwrap(),
            coverage: coverage(&evidence),
            inventory: Inventory::default(),
            reachability: Reachability::default(),
            usage: UsageReport::default(),
            evidence,
            access,
            graph,
            checklist,
        }
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
            frameworks: &[],
        }
    }
}

fn evidence(records: usize, extra: &str) -> Evidence {
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    let records = (0..records)
        .map(|number| {
            let statements: Vec<_> = (0..8)
                .map(|at| json!({"Sid": format!("s{at}"), "Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": format!("arn:aws:s3:::bucket-{number}-{at}/*{extra}")}))
                .collect();
            let observation = Observation {
                collector: "aws".to_owned(),
                operation: ["iam:GetRolePolicy", "kms:GetKeyPolicy", "s3:GetBucketPolicy"][number % 3].to_owned(),
                scope: Scope::region("111122223333", "eu-central-1"),
                subject: format!("subject-{number}{extra}"),
                caller: "arn:aws:sts::111122223333:assumed-role/cadastre-scanner/scan".to_owned(),
                observed_at: at,
                outcome: if number % 50 == 49 { Outcome::Denied } else { Outcome::Observed },
                request: json!({"name": format!("subject-{number}")}),
                response: json!({"Policy": {"Version": "2012-10-17", "Statement": statements}}),
                problem: None,
                page: Page::ONLY,
            };
            observation.seal().unwrap()
        })
        .collect();
    Evidence::from_records(records, env!("CARGO_PKG_VERSION"), at, at, true)
}

fn nodes_of(count: usize, ids: &[RecordId], extra: &str) -> (BoundaryGraph, Names) {
    let mut graph = BoundaryGraph::default();
    let mut names = Names::default();
    let mut add = |id: &str, kind: NodeKind, zone: Option<&str>, side: Side, plane: Plane| {
        graph.nodes.push(Node {
            label: id.rsplit(['/', ':']).next().unwrap_or(id).to_owned(),
            id: id.to_owned(),
            kind,
            zone: zone.map(str::to_owned),
            side,
            plane,
            evidence: [ids[id.len() % ids.len()].clone()].into(),
        });
    };
    add("internet", NodeKind::Internet, None, Side::Outside, Plane::Neither);
    add("vendor:StreamCo", NodeKind::Vendor, None, Side::Vendor, Plane::Control);
    let accounts = count.div_ceil(1_500);
    for account in 0..accounts {
        let zone = format!("account:{:012}", 111_122_223_333_usize + account);
        add(&zone, NodeKind::Account, None, Side::Customer, Plane::Neither);
        add(&format!("{zone}/vpc"), NodeKind::Network, Some(&zone), Side::Customer, Plane::Data);
        for subnet in 0..3 {
            let network = format!("{zone}/vpc");
            add(
                &format!("{zone}/subnet-{subnet}"),
                NodeKind::Subnet,
                Some(&network),
                Side::Customer,
                Plane::Data,
            );
        }
        add(&format!("cluster:c{account}"), NodeKind::Cluster, Some(&zone), Side::Customer, Plane::Data);
        add(&format!("{zone}/trail"), NodeKind::Log, Some(&zone), Side::Customer, Plane::Observability);
    }
    // Of every twenty: eight principals, five topics, three stores, three hosts, a key.
    for number in 0..count.saturating_sub(2 + 8 * accounts) {
        let account = number % accounts;
        let zone = format!("account:{:012}", 111_122_223_333_usize + account);
        let (id, kind, zone, side, plane) = match number % 20 {
            0..8 if number % 60 == 3 => (
                format!("account:99998888{number:04}{extra}"),
                NodeKind::Principal,
                "vendor:StreamCo".to_owned(),
                Side::Vendor,
                Plane::Control,
            ),
            0..8 => (
                format!("arn:aws:iam::111122223333:role/team-{number}{extra}"),
                NodeKind::Principal,
                zone,
                Side::Customer,
                Plane::Control,
            ),
            8..13 => (
                format!("topic:c{account}/orders.{number}{extra}"),
                NodeKind::Topic,
                format!("cluster:c{account}"),
                Side::Customer,
                Plane::Data,
            ),
            13..16 => (
                format!("arn:aws:s3:::bucket-{number}{extra}"),
                NodeKind::Store,
                zone,
                Side::Customer,
                Plane::Data,
            ),
            16..19 => (
                format!("i-{number:08x}{extra}"),
                NodeKind::Host,
                format!("{zone}/subnet-{}", number % 3),
                Side::Customer,
                Plane::Data,
            ),
            _ => (
                format!("arn:aws:kms:eu-central-1:111122223333:key/{number}{extra}"),
                NodeKind::Key,
                zone,
                Side::Customer,
                Plane::Data,
            ),
        };
        add(&id, kind, Some(&zone), side, plane);
        match kind {
            NodeKind::Principal => names.principals.push((id, side)),
            NodeKind::Topic => names.topics.push(id),
            NodeKind::Store => names.stores.push(id),
            NodeKind::Host => names.hosts.push(id),
            _ => names.keys.push(id),
        }
    }
    names.principals.sort();
    graph.nodes.sort_by(|a, b| a.id.cmp(&b.id));
    (graph, names)
}

fn statement(number: usize, ids: &[RecordId]) -> StatementRef {
    StatementRef {
        policy: format!("policy-{}", number % 97).into(),
        record: ids[number % ids.len()].clone(),
        pointer: format!("/response/Policy/Statement/{}", number % 8).into(),
    }
}

fn edges(names: &Names, ids: &[RecordId]) -> Vec<CapabilityEdge> {
    let mut edges = Vec::new();
    for (number, (principal, _)) in names.principals.iter().enumerate() {
        for (at, (capability, targets, action)) in [
            (Capability::ReadRecords, &names.topics, "kafka:Read"),
            (Capability::WriteRecords, &names.topics, "kafka:Write"),
            (Capability::ReadObjects, &names.stores, "s3:GetObject"),
            (Capability::Decrypt, &names.keys, "kms:Decrypt"),
            (Capability::OperateHost, &names.hosts, "ssm:StartSession"),
        ]
        .into_iter()
        .enumerate()
        {
            edges.push(CapabilityEdge {
                principal: principal.clone(),
                capability,
                target: targets[(number * 7 + at) % targets.len()].clone(),
                decision: if number % 9 == 0 {
                    Decision::Conditional("aws:SourceVpce is vpce-0a1b2c3d4e5f".to_owned())
                } else {
                    Decision::Allow
                },
                action: action.to_owned(),
                statements: vec![statement(number + at, ids)],
                choices: Vec::new(),
                enables: None,
                summary: false,
            });
        }
    }
    edges
}

fn relation(from: &str, relation: Relation, to: &str) -> Edge {
    Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        relation,
        layer: Layer::Observed,
        decision: Decision::Allow,
        statements: vec![],
        evidence: BTreeSet::new(),
    }
}

fn paths(count: usize, names: &Names, ids: &[RecordId]) -> Vec<PlaintextPath> {
    let mut paths: Vec<PlaintextPath> = (0..count)
        .map(|number| {
            let (principal, side) = &names.principals[number * 3 % names.principals.len()];
            let target = &names.stores[number * 5 % names.stores.len()];
            let key = &names.keys[number % names.keys.len()];
            let step = |capability: Capability, to: &str, action: &str| Step {
                from: principal.clone(),
                capability,
                to: to.to_owned(),
                action: action.to_owned(),
                decision: Decision::Allow,
                statements: vec![statement(number, ids)],
            };
            PlaintextPath {
                principal: principal.clone(),
                side: *side,
                target: target.clone(),
                decision: Decision::Allow,
                steps: vec![
                    step(Capability::ReadObjects, target, "s3:GetObject"),
                    step(Capability::Decrypt, key, "kms:Decrypt"),
                ],
                cut: vec![statement(number, ids)],
                cut_is_minimal: true,
                cut_at_least: 1,
                evidence: [ids[number % ids.len()].clone()].into(),
            }
        })
        .collect();
    paths.sort_by(|a, b| (&a.principal, &a.target).cmp(&(&b.principal, &b.target)));
    paths
}

fn coverage(evidence: &Evidence) -> Coverage {
    let mut questions: BTreeMap<String, Vec<Question>> = BTreeMap::new();
    for record in evidence.records() {
        questions.entry(record.operation.clone()).or_default().push(Question {
            operation: record.operation.clone(),
            scope: record.scope.clone(),
            subject: record.subject.clone(),
            outcome: record.outcome,
            oldest: record.observed_at,
            problem: None,
            records: vec![record.id().clone()],
        });
    }
    Coverage { questions }
}

fn checklist(findings: usize, graph: &BoundaryGraph, ids: &[RecordId]) -> Checklist {
    let mut controls: BTreeMap<String, ControlResult> = BTreeMap::new();
    for number in 0..findings {
        let area = AREAS[number % AREAS.len()];
        let id = format!("{}-{:02}", area[..3].to_uppercase(), number / AREAS.len() % 6 + 1);
        let path = &graph.paths[number % graph.paths.len()];
        let verdict = match number % 10 {
            0..4 => Verdict::RedFlag,
            4..6 => Verdict::Unproven,
            6 => Verdict::Waived,
            _ => Verdict::Pass,
        };
        let control = controls.entry(id.clone()).or_insert_with(|| ControlResult {
            title: format!("What control {id} asks of the boundary"),
            area: area.to_owned(),
            verdict,
            findings: Vec::new(),
            requires: vec!["iam:GetRolePolicy".to_owned(), "kms:GetKeyPolicy".to_owned()],
            id,
        });
        control.verdict = control.verdict.min(verdict);
        control.findings.push(Finding {
            subject: path.principal.clone(),
            verdict,
            message: format!("reaches the records in {}", path.target),
            path: path
                .steps
                .iter()
                .map(|step| format!("{} may {} {} by {}", step.from, step.capability, step.to, step.action))
                .collect(),
            evidence: (0..number % 12 + 1)
                .map(|at| ids[(number * 13 + at * 17) % ids.len()].clone())
                .collect(),
            fix: vec![format!("remove or narrow statement {} of policy-{}", number % 8, number % 97)],
        });
    }
    let mut summary: BTreeMap<String, u64> =
        Verdict::ALL.into_iter().map(|verdict| (verdict.name().to_owned(), 0)).collect();
    for control in controls.values_mut() {
        control.findings.sort();
        *summary.entry(control.verdict.name().to_owned()).or_default() += 1;
    }
    Checklist {
        schema: SCHEMA.to_owned(),
        as_of: "2026-11-21T10:00:00Z".parse().unwrap(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        boundary: "made-up".to_owned(),
        evidence_root: "0".repeat(64),
        summary,
        controls: controls.into_values().collect(),
        not_examined: vec![],
    }
}
