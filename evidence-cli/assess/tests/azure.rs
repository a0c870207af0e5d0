//! An Azure subscription from files to verdicts: `fixtures/azure`.

#![cfg(test)]

use std::path::{Path, PathBuf};

use cadastre_assess::{Assessment, Options, assess};
use cadastre_model::Timestamp;
use cadastre_model::access::Capability;
use cadastre_model::checklist::{Checklist, Verdict};
use cadastre_model::declaration::{Account, AccountPurpose, Declaration, Provider};
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::{Node, NodeKind, Side};
use cadastre_network::azure::AzureTracer;
use cadastre_network::trace::{Fate, Party, PortRange, Question};
use cadastre_offline::OfflineFile;

const BROKER: &str = "entra:b0000000-0000-4000-8000-0000000000b1";
const VENDOR: &str = "entra:c0000000-0000-4000-8000-0000000000c1";
const OPERATOR: &str = "entra:a0000000-0000-4000-8000-0000000000a2";
const AUTOMATION: &str = "entra:d0000000-0000-4000-8000-0000000000d1";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn at() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000).unwrap()
}

fn evidence(keep: impl Fn(&str) -> bool) -> Evidence {
    let root = fixtures().join("azure/evidence");
    let mut files = Vec::new();
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if keep(&name) {
                let content = std::fs::read(&path).unwrap();
                files.push(OfflineFile { path: name, content, written_at: at() });
            }
        }
    }
    let records = cadastre_offline::read(&files).unwrap().records;
    Evidence::from_records(records, "0", at(), at(), true)
}

fn declaration() -> Declaration {
    Declaration::read(&fixtures().join("azure/boundary.yaml")).unwrap()
}

fn assessed(keep: impl Fn(&str) -> bool) -> Assessment {
    let assessment = assess(&evidence(keep), &declaration(), &Options::default()).unwrap();
    assert_eq!(assessment.errors, []);
    assessment
}

fn verdict(checklist: &Checklist, control: &str) -> Verdict {
    checklist.controls.iter().find(|known| known.id == control).unwrap().verdict
}

#[test]
fn roles_account_keys_and_machines_lead_to_records() {
    let assessment = assessed(|_| true);
    let store = declaration().stores.first().unwrap().arn.clone();
    let answer = assessment.who_can(&declaration(), Capability::ReadObjects, &store).unwrap();
    let decision = |principal: &str| {
        let found = answer.principals.iter().find(|known| known.principal == principal);
        found.map(|known| (known.decision.as_str(), known.inside, known.path.len()))
    };
    assert_eq!(decision(BROKER), Some(("allow", true, 1)));
    assert_eq!(decision(VENDOR), Some(("allow", false, 1)));
    assert_eq!(decision(AUTOMATION), Some(("conditional", true, 1)));
    // It runs commands on the brokers' machines, and so is the identity that they run as.
    assert_eq!(decision(OPERATOR), Some(("allow", true, 2)));
    assert!(answer.principals.iter().all(|known| !known.evidence.is_empty()));
    let paths = assessment.graph.paths.iter().filter(|path| path.side == Side::Vendor);
    let paths: Vec<_> = paths.collect();
    assert!(paths.iter().any(|path| path.principal == VENDOR && path.target == store), "{paths:#?}");
    let cut = &paths.first().unwrap().cut;
    assert!(
        cut.iter().all(|statement| statement.policy.as_str().starts_with("role assignment of ")),
        "{cut:?}"
    );
}

#[test]
fn every_statement_points_at_an_assignment_in_the_evidence() {
    let evidence = evidence(|_| true);
    let assessment = assess(&evidence, &declaration(), &Options::default()).unwrap();
    let mut seen = 0;
    for statement in assessment.access.edges.iter().flat_map(|edge| &edge.statements) {
        let record = evidence.records().iter().find(|record| *record.id() == statement.record).unwrap();
        let value = serde_json::to_value(record).unwrap();
        assert!(value.pointer(statement.pointer.as_str()).is_some_and(serde_json::Value::is_object));
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn keys_are_used_by_whom_roles_or_access_policies_name() {
    let assessment = assessed(|_| true);
    let decrypts = |name: &str| -> Vec<String> {
        let key = assessment.inventory.azure.keys.iter().find(|key| key.name == name).unwrap();
        let edges = assessment.access.edges.iter();
        let edges = edges.filter(|edge| edge.target == key.id && edge.capability == Capability::Decrypt);
        let mut found: Vec<String> = edges.map(|edge| edge.principal.clone()).collect();
        found.dedup();
        found
    };
    assert_eq!(decrypts("kafka-data"), [BROKER]);
    assert_eq!(decrypts("old"), [VENDOR]);
}

#[test]
fn the_graph_has_machines_in_subnets_and_stores_in_the_subscription() {
    let assessment = assessed(|_| true);
    let nodes = |kind: NodeKind| -> Vec<&Node> {
        assessment.graph.nodes.iter().filter(|node| node.kind == kind && !node.evidence.is_empty()).collect()
    };
    let labels = |kind: NodeKind| nodes(kind).into_iter().map(|node| node.label.as_str()).collect::<Vec<_>>();
    assert_eq!(labels(NodeKind::Host), ["kafka-1", "kafka-2"]);
    assert_eq!(labels(NodeKind::Key), ["kafka-data"]);
    assert!(labels(NodeKind::Store).contains(&"paymentskafkadata"));
    assert!(nodes(NodeKind::Host).iter().all(|node| {
        let zone = node.zone.as_deref().unwrap();
        assessment.graph.nodes.iter().any(|other| other.id == zone && other.kind == NodeKind::Subnet)
    }));
}

#[test]
fn paths_between_machines_follow_groups_routes_and_the_manager() {
    let assessment = assessed(|_| true);
    let azure = &assessment.inventory.azure;
    let tracer = AzureTracer::new(azure);
    let end = |name: &str| match name.parse::<ipnet::IpNet>() {
        Ok(range) => Party::Outside(range),
        Err(_) => Party::Interface(azure.interfaces.iter().find(|nic| nic.name == name).unwrap().id.clone()),
    };
    let check = |from: &str, to: &str, port: u16, expected: &str| {
        let ports = PortRange { from: port, to: port };
        let answer = tracer.trace(&Question { from: end(from), to: end(to), protocol: 6, ports }).unwrap();
        let told: Vec<String> = answer
            .outcomes
            .iter()
            .map(|outcome| match &outcome.fate {
                Fate::Arrives(_) => "arrives".to_owned(),
                Fate::Leaves(_) => "leaves".to_owned(),
                Fate::Blocked(hop) => format!("blocked by {}", hop.at.rsplit('/').next().unwrap()),
                Fate::Unknown(missing) => format!("unknown: {missing}"),
            })
            .collect();
        assert_eq!(told, [expected], "{from} to {to}:{port}");
    };
    check("nic-app", "nic-kafka-1", 9093, "arrives");
    check("nic-app", "nic-kafka-1", 9092, "blocked by nsg-brokers");
    check("nic-app", "nic-kafka-1", 23, "blocked by no-telnet");
    check("nic-jump", "nic-kafka-2", 22, "arrives");
    check("nic-app", "nic-pe-data", 443, "arrives");
    check("203.0.113.0/24", "nic-jump", 22, "arrives");
    check("198.51.100.0/24", "nic-jump", 22, "blocked by nsg-jump");
    check("203.0.113.0/24", "nic-kafka-1", 9093, "blocked by nic-kafka-1");
    check("nic-kafka-1", "203.0.113.0/24", 443, "blocked by rt-brokers");
    check("nic-app", "203.0.113.0/24", 443, "blocked by apps");
}

#[test]
fn without_the_managers_rules_nothing_that_enters_is_settled() {
    let assessment = assessed(|path| !path.contains("EffectiveSecurityAdminRules"));
    let azure = &assessment.inventory.azure;
    let nic = |name: &str| {
        Party::Interface(azure.interfaces.iter().find(|nic| nic.name == name).unwrap().id.clone())
    };
    let ports = PortRange { from: 9093, to: 9093 };
    let question = Question { from: nic("nic-app"), to: nic("nic-kafka-1"), protocol: 6, ports };
    let answer = AzureTracer::new(azure).trace(&question).unwrap();
    assert!(answer.outcomes.iter().all(|outcome| matches!(outcome.fate, Fate::Unknown(_))), "{answer:#?}");
}

#[test]
fn nothing_about_a_cloud_passes_where_a_declared_subscription_was_not_scanned() {
    let directory = fixtures().join("clean");
    let mut declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
    let evidence = Evidence::read(&directory.join("evidence")).unwrap();
    let alone = assess(&evidence, &declaration, &Options::default()).unwrap().checklist;
    declaration.accounts.push(Account {
        id: "3f2a1b0c-0000-4000-8000-000000000001".to_owned(),
        provider: Provider::Azure,
        purpose: AccountPurpose::DataPlane,
        collect_role: None,
        external_id: None,
    });
    let both = assess(&evidence, &declaration, &Options::default()).unwrap().checklist;
    let of_clouds = |requires: &[String]| {
        let lists =
            ["iam:", "s3:", "ec2:", "kms:", "cloudtrail:", "logs:", "events:", "sts:", "organizations:"];
        requires.iter().any(|operation| lists.iter().any(|list| operation.starts_with(list)))
    };
    let mut reopened = 0;
    for control in alone.controls.iter().filter(|control| of_clouds(&control.requires)) {
        assert_ne!(verdict(&both, &control.id), Verdict::Pass, "{}", control.id);
        reopened += u32::from(control.verdict == Verdict::Pass);
        let passing = both.controls.iter().find(|known| known.id == control.id).unwrap();
        assert!(passing.findings.iter().all(|finding| finding.verdict != Verdict::Pass), "{}", control.id);
    }
    assert!(reopened > 10, "{reopened}");
    let kafka = |checklist: &Checklist| verdict(checklist, "KAF-05");
    assert_eq!(kafka(&both), kafka(&alone));
}
