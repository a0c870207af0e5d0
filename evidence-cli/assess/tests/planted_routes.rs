//! The planted vendor reaches plaintext by every route that was planted, and the cut closes all of them at once.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;

use cadastre_assess::what_if::Removal;
use cadastre_assess::{Assessment, Options, assess};
use cadastre_graph::{EveryWay, Reasoner};
use cadastre_model::access::{Capability, Decision};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::Side;

const SUPPORT: &str = "arn:aws:iam::111122223333:role/streamco-support";
const INSTALLER: &str = "arn:aws:iam::111122223333:role/streamco-installer";
const CONTROL: &str = "arn:aws:iam::999988887777:role/streamco-control-plane";
const DATA: &str = "arn:aws:s3:::payments-kafka-data-111122223333";
const SNAPSHOT: &str = "arn:aws:ec2:eu-central-1::snapshot/snap-3d169eb8b5c8e5a5a";
/// The volume named `payments-broker-3-spill`, by what nothing else has: it is not encrypted.
const PLAIN_DISK: &str = "plain disk";
const ARCHIVE: &str = "topic:payments/payments.archive";

/// A route of PLANTED.md (or of the reference cluster, whose README numbers none): its row, who takes it, to what, and
/// the actions that tell it from every other.
type Planted = (u8, &'static str, &'static str, &'static [&'static str]);

const ROUTES: [Planted; 11] = [
    (1, SUPPORT, DATA, &["s3:GetObject", "kms:Decrypt"]),
    (1, CONTROL, DATA, &["sts:AssumeRole", "s3:GetObject", "kms:Decrypt"]),
    (2, SUPPORT, DATA, &["s3:PutBucketPolicy", "kms:Decrypt"]),
    (3, SUPPORT, DATA, &["iam:PutRolePolicy"]),
    (3, SUPPORT, DATA, &["iam:PassRole and ec2:RunInstances"]),
    (4, INSTALLER, PLAIN_DISK, &["ec2:CreateSnapshot"]),
    (9, CONTROL, DATA, &["kms:PutKeyPolicy"]),
    (9, CONTROL, DATA, &["kms:CreateGrant"]),
    (10, CONTROL, SNAPSHOT, &["kms:Decrypt", "ec2:ModifySnapshotAttribute"]),
    (15, CONTROL, SNAPSHOT, &["ec2:ModifySnapshotAttribute"]),
    (0, "User:streamco-agent", ARCHIVE, &["kafka:Read"]),
];

fn planted() -> (Assessment, Declaration) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/planted");
    let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
    let evidence = Evidence::read(&directory.join("evidence")).unwrap();
    let assessment = assess(&evidence, &declaration, &Options::default()).unwrap();
    (assessment, declaration)
}

fn target_of(assessment: &Assessment, name: &str) -> String {
    if name != PLAIN_DISK {
        return name.to_owned();
    }
    let plain = assessment.inventory.volumes.iter().find(|volume| !volume.encrypted).unwrap();
    format!("arn:aws:ec2:{}:{}:volume/{}", plain.region, plain.account, plain.id)
}

fn ways(assessment: &Assessment, declaration: &Declaration, principal: &str, target: &str) -> EveryWay {
    let reasoner = Reasoner::new(&assessment.inventory, &assessment.access, declaration);
    let target = target_of(assessment, target);
    reasoner.every_way(&assessment.graph, principal, Capability::ReadRecords, &target, 256).unwrap()
}

#[test]
fn every_planted_route_is_among_the_ways_that_are_told() {
    let (assessment, declaration) = planted();
    let mut missing = Vec::new();
    for (row, principal, target, marks) in ROUTES {
        let found = ways(&assessment, &declaration, principal, target);
        let told = found.ways.iter().any(|way| {
            let actions: BTreeSet<&str> = way
                .steps
                .iter()
                .flat_map(|told| told.also.iter().chain([&told.step.action]))
                .map(String::as_str)
                .collect();
            way.decision != Decision::Deny && marks.iter().all(|mark| actions.contains(mark))
        });
        if !told {
            missing.push(format!("row {row}: {principal} to {target} by {marks:?}\n{}", found.text()));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_cuts_of_the_vendor_close_every_way_when_access_is_evaluated_again() {
    let (assessment, declaration) = planted();
    let of_vendor = |graph: &cadastre_model::graph::BoundaryGraph| -> Vec<(String, String)> {
        let paths = graph.paths.iter().filter(|path| path.side == Side::Vendor);
        paths.map(|path| (path.principal.clone(), path.target.clone())).collect()
    };
    assert!(of_vendor(&assessment.graph).len() > 5);
    // One route at a time, by its own cut.
    for (row, principal, target, _) in ROUTES {
        let target = target_of(&assessment, target);
        let path =
            assessment.graph.paths.iter().find(|path| path.principal == principal && path.target == target);
        let path = path.unwrap_or_else(|| panic!("row {row}: no path of {principal} to {target}"));
        assert!(!path.cut.is_empty(), "row {row}");
        assert!(path.cut_is_minimal, "row {row}: at least {} of {}", path.cut_at_least, path.cut.len());
        let removals: Vec<Removal> = path.cut.iter().cloned().map(Removal::Statement).collect();
        let after = assessment.without(&declaration, &removals);
        let still = after.graph.paths.iter().any(|path| path.principal == principal && path.target == target);
        assert!(!still, "row {row}: {principal} still reaches {target}");
        // Smallest: no single statement less does.
        for left in 0..path.cut.len() {
            let fewer: Vec<Removal> = removals
                .iter()
                .enumerate()
                .filter(|(number, _)| *number != left)
                .map(|(_, removal)| removal.clone())
                .collect();
            let after = assessment.without(&declaration, &fewer);
            assert!(
                after.graph.paths.iter().any(|path| path.principal == principal && path.target == target),
                "row {row}: {} of the cut is not needed",
                removals[left]
            );
        }
    }
    // All of them at once: nothing of the vendor's is left.
    let all: BTreeSet<Removal> = assessment
        .graph
        .paths
        .iter()
        .filter(|path| path.side == Side::Vendor)
        .flat_map(|path| path.cut.iter().cloned().map(Removal::Statement))
        .collect();
    let all: Vec<Removal> = all.into_iter().collect();
    assert_eq!(of_vendor(&assessment.without(&declaration, &all).graph), Vec::new());
}

#[test]
fn every_witness_replays_hop_by_hop_and_fails_without_any_statement_it_rests_on() {
    let (assessment, declaration) = planted();
    let again = cadastre_assess::access(&assessment.inventory, &declaration);
    let mut resting = BTreeSet::new();
    for path in &assessment.graph.paths {
        let mut reached: BTreeSet<&str> = BTreeSet::from([path.principal.as_str()]);
        for step in &path.steps {
            let whose =
                format!("{} to {}: {} {} {}", path.principal, path.target, step.from, step.action, step.to);
            if step.statements.is_empty() {
                // What an earlier step has made possible: by somebody who has been reached, or on what was opened.
                let earlier = reached.contains(step.from.as_str()) || reached.contains(step.to.as_str());
                assert!(earlier, "{whose}");
            } else {
                let edges: Vec<_> = again
                    .edges
                    .iter()
                    .filter(|edge| {
                        edge.principal == step.from
                            && edge.capability == step.capability
                            && edge.target == step.to
                            && edge.action == step.action
                            && edge.statements == step.statements
                    })
                    .collect();
                // A condition on the service that a request comes through may be met by the way it takes.
                let holds = edges.iter().any(|edge| {
                    edge.decision == step.decision
                        || matches!(
                            (&edge.decision, &step.decision),
                            (Decision::Conditional(_), Decision::Allow | Decision::Conditional(_))
                        )
                });
                assert!(holds, "{whose}: {:?}", step.decision);
                resting.extend(step.statements.iter().map(|statement| {
                    (
                        statement.clone(),
                        step.from.clone(),
                        step.action.clone(),
                        step.to.clone(),
                        step.statements.clone(),
                    )
                }));
            }
            reached.extend([step.from.as_str(), step.to.as_str()]);
        }
    }
    assert!(resting.len() > 30, "{}", resting.len());
    let statements: BTreeSet<_> = resting.iter().map(|(statement, ..)| statement.clone()).collect();
    for statement in statements {
        let without = assessment.without(&declaration, &[Removal::Statement(statement.clone())]).access;
        for (_, from, action, to, rests) in resting.iter().filter(|(own, ..)| *own == statement) {
            let still = without.edges.iter().any(|edge| {
                edge.principal == *from
                    && edge.action == *action
                    && edge.target == *to
                    && edge.statements == *rests
            });
            assert!(!still, "{from} {action} {to} stands without {}#{}", statement.policy, statement.pointer);
        }
    }
}
