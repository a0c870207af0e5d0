//! What a restart and a crash leave: everything that was acknowledged.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use common::TestBroker;

#[test]
fn a_restart_keeps_topics_settings_acls_users_records_and_offsets() {
    let mut broker = TestBroker::secure();
    if broker.python("restart.py", &["before"]).is_none() {
        return;
    }
    broker.stop();
    broker.start();
    broker.python("restart.py", &["after"]);
}

#[test]
fn a_crash_keeps_topics_settings_acls_users_records_and_offsets() {
    let mut broker = TestBroker::secure();
    if broker.python("restart.py", &["before"]).is_none() {
        return;
    }
    broker.kill();
    broker.start();
    broker.python("restart.py", &["after"]);
}

/// A partition and an offset.
type Place = (u32, u64);

/// Reads lines of partition, offset and value.
fn records(text: &str) -> BTreeMap<Place, u64> {
    let record = |line: &str| {
        let mut words = line.split(' ');
        let partition = words.next()?.parse().ok()?;
        let offset = words.next()?.parse().ok()?;
        Some(((partition, offset), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(record).collect()
}

#[test]
fn killing_the_broker_under_load_loses_nothing_acknowledged_and_doubles_nothing() {
    let mut broker = TestBroker::with("auto.create.topics.enable=true\nnum.partitions=3\n");
    let Some(mut producer) = broker.python_steady() else { return };
    for _ in 0..4 {
        common::wait(700);
        broker.kill();
        broker.start();
    }
    common::wait(500);
    drop(producer.stdin.take());
    let mut text = String::new();
    producer.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(producer.wait().unwrap().success());
    let acknowledged = records(&text);
    assert!(acknowledged.len() > 500, "only {} records were acknowledged", acknowledged.len());
    let stored = records(&broker.python("read_all.py", &["steady"]).unwrap());
    let lost: Vec<_> =
        acknowledged.iter().filter(|(place, value)| stored.get(place) != Some(value)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged records are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    let values: BTreeSet<u64> = stored.values().copied().collect();
    assert_eq!(values.len(), stored.len(), "an idempotent producer's records are there twice");
}
