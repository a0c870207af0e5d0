//! The drills against two brokers over PostgreSQL and one store.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

#[path = "../../../broker/sequencer/tests/support/mod.rs"]
mod postgres;
mod support;

use cadastre_drills::{DrillName, DrillOutcome};

use support::{Rig, exercise, told};

#[test]
#[ignore = "not a test: the broker that the tests start"]
fn broker_process() {
    support::serve();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_brokers_that_share_a_store_pass_the_drills_that_need_several() {
    let Some(server) = postgres::shared_server() else { return };
    let schema = postgres::fresh_schema();
    let database = server.config(&schema).connection;
    let rig = Rig::with(2, |_node, directory| {
        let store = directory.join("store");
        std::fs::create_dir_all(&store).unwrap();
        format!(
            "cadastre.storage.mode=cluster\ncadastre.cluster.id=drilled-cluster\n\
             cadastre.objects.location=file://{}\ncadastre.metadata.url={database}\n\
             cadastre.metadata.schema={schema}\ncadastre.cluster.linger.ms=5\n\
             cadastre.cluster.heartbeat.interval.ms=300\ncadastre.cluster.lease.ms=1500\n",
            store.display()
        )
    })
    .await;
    // Deletion is left to a run by hand: brokers of a cluster keep an object for five minutes after nothing refers to it.
    let drills = [
        DrillName::Denials,
        DrillName::BrokerReplacement,
        DrillName::KeyRevocation,
        DrillName::KeyRotation,
        DrillName::ScaleOut,
        DrillName::StoreOutage,
        DrillName::UpgradeRollback,
        DrillName::AuditTrail,
    ];
    let records = exercise(&rig.target(), &drills).await;
    let mut failed = Vec::new();
    for record in &records {
        eprintln!("{}", told(record));
        if record.outcome() != DrillOutcome::Passed {
            failed.push(told(record));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
