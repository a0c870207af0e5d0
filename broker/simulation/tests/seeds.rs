//! A few hundred seeds keep every promise, a seed is the same run every time, and every broken promise is noticed.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_keys::LocalKeyFile;
use cadastre_simulation::{Outcome, Plan, Sabotage, SimulatedMode, run};

fn play(seed: u64, mode: SimulatedMode, sabotage: Sabotage) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let key = Arc::new(LocalKeyFile::create(&directory.path().join("key")).unwrap());
    run(&Plan { seed, mode, sabotage, keeps_trace: false }, &key).unwrap()
}

#[track_caller]
fn check_seeds(seeds: std::ops::Range<u64>, mode: SimulatedMode) {
    let (mut acknowledged, mut rewritten) = (0, 0);
    for seed in seeds {
        let outcome = play(seed, mode, Sabotage::None);
        assert_eq!(outcome.violations, Vec::new(), "seed {seed}");
        acknowledged += outcome.counts.acknowledged;
        rewritten += outcome.counts.rewritten;
    }
    assert!(acknowledged > 1000, "{acknowledged} batches say little");
    assert!(rewritten > 100, "{rewritten} rewritten objects say little");
}

#[test]
fn a_broker_of_its_own_keeps_its_promises_under_faults() {
    check_seeds(1..61, SimulatedMode::Embedded);
}

#[test]
fn brokers_of_a_cluster_keep_their_promises_under_faults() {
    check_seeds(1..61, SimulatedMode::Cluster);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for mode in [SimulatedMode::Embedded, SimulatedMode::Cluster] {
        for seed in 1..9 {
            let runs: BTreeSet<_> = (0..2).map(|_| play(seed, mode, Sabotage::None).fingerprint).collect();
            assert_eq!(runs.len(), 1, "seed {seed}, {mode:?}");
        }
    }
}

/// Breaks one promise over some seeds, and expects the checker to name it.
#[track_caller]
fn check_noticed(sabotage: Sabotage, mode: SimulatedMode, expected: &str) {
    let mut kinds = BTreeSet::new();
    for seed in 1..31 {
        kinds.extend(play(seed, mode, sabotage).violations.iter().map(cadastre_simulation::Violation::kind));
        if kinds.contains(expected) {
            return;
        }
    }
    assert!(kinds.contains(expected), "{sabotage:?} gave {kinds:?}");
}

#[test]
fn every_broken_promise_is_noticed_in_a_broker_of_its_own() {
    let mode = SimulatedMode::Embedded;
    check_noticed(Sabotage::LyingDisk, mode, "lost");
    check_noticed(Sabotage::ForgetfulStore, mode, "broken");
    check_noticed(Sabotage::LosesAcknowledged, mode, "lost");
    check_noticed(Sabotage::Doubles, mode, "doubled");
    check_noticed(Sabotage::Reorders, mode, "reordered");
    check_noticed(Sabotage::ShowsUncommitted, mode, "uncommitted");
    check_noticed(Sabotage::Alters, mode, "altered");
    check_noticed(Sabotage::ServesDeleted, mode, "undeleted");
    check_noticed(Sabotage::ForgetsOffsets, mode, "group-offset");
}

#[test]
fn every_broken_promise_is_noticed_in_a_cluster() {
    let mode = SimulatedMode::Cluster;
    check_noticed(Sabotage::ForgetfulStore, mode, "broken");
    check_noticed(Sabotage::LosesAcknowledged, mode, "lost");
    check_noticed(Sabotage::Doubles, mode, "doubled");
    check_noticed(Sabotage::Reorders, mode, "reordered");
    check_noticed(Sabotage::ShowsUncommitted, mode, "uncommitted");
    check_noticed(Sabotage::Alters, mode, "altered");
    check_noticed(Sabotage::ServesDeleted, mode, "undeleted");
    check_noticed(Sabotage::ForgetsOffsets, mode, "group-offset");
}
