//! Brokers that break a promise: each is caught by its drill, with a red flag.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

#[path = "support/lossy_broker.rs"]
mod lossy_broker;
mod support;

use std::time::Duration;

use cadastre_drills::{DrillName, DrillOutcome, DrillRecord};
use tokio_util::sync::CancellationToken;

use lossy_broker::LossyBroker;
use support::{Rig, exercise, exercise_until, files, told};

#[test]
#[ignore = "not a test: the broker that the tests start"]
fn broker_process() {
    support::serve();
}

/// The promise that a failed drill broke.
#[track_caller]
fn broken<'a>(record: &'a DrillRecord, promise: &str) -> &'a str {
    assert_eq!(record.outcome(), DrillOutcome::Failed, "{}", told(record));
    let check =
        record.checks.iter().find(|check| check.kept == Some(false) && check.promise.contains(promise));
    &check.unwrap_or_else(|| panic!("`{promise}` was not broken: {}", told(record))).seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_one_acknowledged_batch_is_caught_by_the_clients_drill() {
    let rig = Rig::embedded("").await;
    let proxy = LossyBroker::start(rig.bootstrap(), 12).await;
    let mut target = rig.target();
    target.administrator = target.administrator.through(&format!("127.0.0.1:{}", proxy.port));
    target.denied.clear();
    let records = exercise(&target, &[DrillName::Clients]).await;
    assert!(proxy.lost() > 0, "the proxy lost nothing: {}", told(&records[0]));
    let seen = broken(&records[0], "every acknowledged record is read back");
    assert!(seen.contains("lost"), "{seen}");
    assert!(records[0].measurements["records_lost"] > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_on_serving_after_revocation_is_caught() {
    // It keeps keys for a minute, and 6 seconds are promised.
    let rig = Rig::embedded("cadastre.key.cache.ttl.ms=60000\n").await;
    let records = exercise(&rig.target(), &[DrillName::KeyRevocation]).await;
    let seen = broken(&records[0], "writes end within 6 s");
    assert!(seen.contains("still succeeded"), "{seen}");
    broken(&records[0], "reads end within 6 s");
    assert!(rig.directory.path().join("kek").exists(), "the key is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn residue_of_a_deleted_topic_is_caught() {
    let rig = Rig::embedded("").await;
    let store = rig.brokers[0].log_directory().unwrap().join("objects");
    // Somebody keeps copies of objects, and puts back what is deleted.
    let saboteur = tokio::spawn(async move {
        let mut copies = std::collections::BTreeMap::new();
        loop {
            for path in files(&store) {
                if let Ok(content) = std::fs::read(&path) {
                    copies.entry(path).or_insert(content);
                }
            }
            for (path, content) in &copies {
                if !path.exists() {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, content).unwrap();
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut target = rig.target();
    target.limits.deletion = Duration::from_secs(15);
    let records = exercise(&target, &[DrillName::Deletion]).await;
    saboteur.abort();
    let seen = broken(&records[0], "no object or log segment with its records is left");
    assert!(seen.contains("are left"), "{seen}");
    assert!(records[0].details["left"].as_array().is_some_and(|left| !left.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_drill_leaves_the_target_as_it_was_found() {
    let rig = Rig::embedded("").await;
    let (key, stop) = (rig.directory.path().join("kek"), CancellationToken::new());
    let (interrupt, withdrawn) = (stop.clone(), key.clone());
    let watcher = tokio::spawn(async move {
        while withdrawn.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        interrupt.cancel();
    });
    let drills = [DrillName::KeyRevocation, DrillName::Export];
    let records = exercise_until(&rig.target(), &drills, stop).await;
    watcher.await.unwrap();
    assert_eq!(records.len(), 1, "nothing follows an interruption");
    assert_eq!(records[0].outcome(), DrillOutcome::Stopped, "{}", told(&records[0]));
    assert_eq!(records[0].reason(), Some("interrupted"));
    assert!(key.exists(), "{}", told(&records[0]));
    assert!(records[0].clean_up.iter().all(|step| step.done), "{}", told(&records[0]));
    let records = exercise(&rig.target(), &[DrillName::Export]).await;
    assert_eq!(records[0].outcome(), DrillOutcome::Passed, "{}", told(&records[0]));
}
