//! The drills against one embedded broker: a process of its own, killed, restarted and given other keys.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the helpers of tests fail as tests do"
)]

mod support;

use cadastre_drills::{DrillName, DrillOutcome};

use support::{Rig, exercise, told};

#[test]
#[ignore = "not a test: the broker that the tests start"]
fn broker_process() {
    support::serve();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_drill_that_an_embedded_broker_can_do_passes_and_the_rest_say_why_not() {
    let rig = Rig::embedded("").await;
    let records = exercise(&rig.target(), &DrillName::ALL).await;
    let mut failed = Vec::new();
    for record in &records {
        eprintln!("{}", told(record));
        let expected = match record.drill {
            DrillName::ScaleOut
            | DrillName::StoreOutage
            | DrillName::CertificateRotation
            | DrillName::UpgradeRollback => DrillOutcome::NotExercised,
            _ => DrillOutcome::Passed,
        };
        if record.outcome() != expected {
            failed.push(told(record));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(records.len(), DrillName::ALL.len());
}
