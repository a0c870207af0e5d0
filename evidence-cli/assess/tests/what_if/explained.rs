//! Explanations on the planted reference account: how somebody can, and what stands in the way of somebody who cannot.

use cadastre_assess::what_if::Removal;
use cadastre_graph::DriftKind;
use cadastre_model::access::{Capability, Decision};
use cadastre_model::refusal::ObstacleKind;

use crate::reference::fixture;

const BROKER: &str = "arn:aws:iam::111122223333:role/kafka-broker";

#[test]
fn the_vendors_way_to_records_is_told_with_what_closes_it() {
    let (assessment, declaration) = fixture("planted");
    let bucket = "arn:aws:s3:::payments-kafka-data-111122223333";
    let told =
        assessment.explain(&declaration, "streamco-installer", Capability::ReadRecords, bucket).unwrap();
    assert_ne!(told.decision, Decision::Deny);
    let without = assessment
        .without(&declaration, &told.cut.iter().cloned().map(Removal::Statement).collect::<Vec<_>>());
    let answer = without.who_can(&declaration, Capability::ReadRecords, bucket).unwrap();
    assert!(!answer.principals.iter().any(|one| one.principal == told.principal));
    assert!(told.text().contains("To close every way, remove or narrow:"), "{}", told.text());
}

#[test]
fn every_refusal_names_an_obstacle_and_what_would_be_needed() {
    let (assessment, declaration) = fixture("planted");
    let mut refused = 0;
    let mut kinds = std::collections::BTreeSet::new();
    for principal in assessment.inventory.principals.iter().map(|principal| principal.arn.as_str()) {
        for key in &assessment.inventory.keys {
            let told = assessment.explain(&declaration, principal, Capability::Decrypt, &key.arn);
            let Ok(told) = told else { continue };
            if told.decision != Decision::Deny {
                assert!(told.refusals.is_empty());
                continue;
            }
            refused += 1;
            assert!(!told.refusals.is_empty(), "{principal} {}", key.arn);
            for refusal in &told.refusals {
                assert!(!refusal.obstacles.is_empty());
                kinds.extend(refusal.obstacles.iter().map(|obstacle| obstacle.kind));
            }
        }
    }
    assert!(refused > 5, "{refused}");
    assert!(kinds.contains(&ObstacleKind::NoAllow));
}

#[test]
fn a_deny_whose_removal_opens_or_loosens_something_is_named_as_what_stood_in_the_way() {
    let (assessment, declaration) = fixture("clean");
    let mut named = 0;
    for bucket in &assessment.inventory.buckets {
        let statements = bucket.policy.observed().and_then(|policy| policy.document.get("Statement"));
        for (statement, number) in statements.and_then(|list| list.as_array()).into_iter().flatten().zip(0..)
        {
            if statement["Effect"] != "Deny" {
                continue;
            }
            let removals = assessment.removal(&format!("{}#{number}", bucket.arn)).unwrap();
            let [Removal::Statement(at)] = removals.as_slice() else { panic!("one statement: {removals:?}") };
            for change in assessment.without(&declaration, &removals).changes {
                let Some(capability) = change.capability.filter(|one| *one != Capability::ReadRecords) else {
                    continue;
                };
                if change.kind == DriftKind::Closed {
                    continue;
                }
                let refusals = cadastre_access::why_not(
                    &assessment.inventory,
                    &declaration,
                    &change.subject,
                    capability,
                    &change.target,
                );
                let mut obstacles = refusals.iter().flat_map(|refusal| &refusal.obstacles);
                assert!(
                    obstacles.any(|obstacle| obstacle.statement.as_ref() == Some(at)),
                    "{change:?} {refusals:#?}"
                );
                named += 1;
            }
        }
    }
    assert!(named > 0);
}

#[test]
fn the_matrix_holds_every_plaintext_path_of_the_graph() {
    let (assessment, declaration) = fixture("planted");
    let matrix = assessment.matrix(&declaration);
    for path in &assessment.graph.paths {
        let row = matrix.rows.iter().find(|row| row.principal == path.principal).unwrap();
        let cell = row
            .cells
            .iter()
            .find(|cell| cell.target == path.target && cell.capability == Capability::ReadRecords)
            .unwrap();
        assert_eq!((&cell.decision, cell.steps), (&path.decision, path.steps.len()));
    }
    assert!(matrix.rows.iter().any(|row| row.principal == BROKER));
}
