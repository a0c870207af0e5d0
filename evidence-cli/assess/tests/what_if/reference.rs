//! Cuts and what-if on the recorded reference accounts: what a cut promises is worked out again without it.

use std::path::Path;

use cadastre_assess::what_if::{Removal, RemovalError};
use cadastre_assess::{Assessment, Options, assess};
use cadastre_graph::DriftKind;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::BoundaryGraph;

pub(crate) fn fixture(name: &str) -> (Assessment, Declaration) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
    let evidence = Evidence::read(&directory.join("evidence")).unwrap();
    (assess(&evidence, &declaration, &Options::default()).unwrap(), declaration)
}

/// Whether somebody reaches something, by a way of its own or by what its account or anybody can do.
fn reaches(graph: &BoundaryGraph, principal: &str, target: &str) -> bool {
    let account = principal.split(':').nth(4).map(|account| format!("account:{account}"));
    let named = |one: &str| one == principal || one == "*" || Some(one) == account.as_deref();
    graph.paths.iter().any(|path| named(&path.principal) && path.target == target)
}

#[test]
fn every_cut_closes_its_paths_and_none_of_its_statements_can_be_spared() {
    let (assessment, declaration) = fixture("planted");
    let mut seen = std::collections::BTreeMap::new();
    for path in assessment.graph.paths.iter().filter(|path| !path.cut.is_empty()) {
        seen.entry(path.cut.clone()).or_insert_with(Vec::new).push(path);
    }
    assert!(seen.len() > 10, "{}", seen.len());
    for (cut, paths) in seen {
        let all: Vec<Removal> = cut.iter().cloned().map(Removal::Statement).collect();
        let without = assessment.without(&declaration, &all);
        for path in &paths {
            assert!(
                !reaches(&without.graph, &path.principal, &path.target),
                "{} {}",
                path.principal,
                path.target
            );
            let closed = without.changes.iter().any(|change| {
                change.kind == DriftKind::Closed
                    && change.subject == path.principal
                    && change.target == path.target
            });
            assert!(closed);
        }
        for (spared, statement) in cut.iter().enumerate() {
            let mut fewer = all.clone();
            fewer.remove(spared);
            let left = assessment.without(&declaration, &fewer).graph;
            for path in &paths {
                let (who, what) = (&path.principal, &path.target);
                assert!(reaches(&left, who, what), "{who} {what} without {statement:?} in {cut:?}");
            }
        }
    }
}

#[test]
fn every_step_of_a_path_is_allowed_by_the_access_engine() {
    let (assessment, _) = fixture("planted");
    let mut steps = 0;
    for path in &assessment.graph.paths {
        for step in path.steps.iter().filter(|step| !step.statements.is_empty()) {
            let allowed = assessment.access.edges.iter().any(|edge| {
                edge.principal == step.from
                    && edge.capability == step.capability
                    && edge.target == step.to
                    && edge.action == step.action
                    && edge.statements == step.statements
                    && edge.decision.possible()
            });
            assert!(allowed, "{step:?}");
            steps += 1;
        }
    }
    assert!(steps > 100, "{steps}");
}

#[test]
fn without_the_vendors_role_nothing_starts_from_it_or_leads_to_it() {
    let (assessment, declaration) = fixture("planted");
    let installer = assessment.removal("streamco-installer").unwrap();
    let [Removal::Principal(arn)] = installer.as_slice() else { panic!("{installer:?}") };
    let without = assessment.without(&declaration, &installer);
    assert!(assessment.graph.paths.iter().any(|path| path.principal == *arn));
    let involved = |path: &cadastre_model::graph::PlaintextPath| {
        path.principal == *arn || path.steps.iter().any(|step| step.from == *arn || step.to == *arn)
    };
    assert!(!without.graph.paths.iter().any(involved));
}

#[test]
fn a_deny_that_goes_opens_what_it_denied() {
    let (assessment, declaration) = fixture("clean");
    // Whatever its number, some deny of the clean account's bucket or key policies holds somebody off.
    let mut opened = 0;
    for bucket in &assessment.inventory.buckets {
        let statements = bucket.policy.observed().and_then(|policy| policy.document.get("Statement"));
        for (statement, number) in statements.and_then(|list| list.as_array()).into_iter().flatten().zip(0..)
        {
            if statement["Effect"] == "Deny" {
                let removals = assessment.removal(&format!("{}#{number}", bucket.arn)).unwrap();
                let without = assessment.without(&declaration, &removals);
                opened += without.changes.iter().filter(|change| change.kind != DriftKind::Closed).count();
                let closed = without.changes.iter().filter(|change| change.kind == DriftKind::Closed).count();
                assert_eq!(closed, 0, "{:?}", without.changes);
            }
        }
    }
    assert!(opened > 0);
}

#[test]
fn names_are_resolved_or_refused() {
    let (assessment, _) = fixture("planted");
    let path =
        assessment.graph.paths.iter().find(|path| path.principal.ends_with("streamco-installer")).unwrap();
    let statement = path.cut.first().unwrap();
    let expected = vec![Removal::Statement(statement.clone())];
    assert_eq!(
        assessment.removal(&format!("{}#{}", statement.record.short(), statement.pointer)),
        Ok(expected.clone())
    );
    assert_eq!(assessment.removal(&format!("{}#{}", statement.record, statement.pointer)), Ok(expected));
    assert!(matches!(assessment.removal("no-such-thing"), Err(RemovalError::Unknown(_))));
    assert!(matches!(assessment.removal("key-policy"), Err(RemovalError::Ambiguous { .. })));
    let grant = assessment.inventory.keys.iter().find_map(|key| key.grants.observed()?.first()).unwrap();
    assert_eq!(assessment.removal(&grant.id), Ok(vec![Removal::Statement(grant.at.clone())]));
}
