//! What a restart and a crash leave: everything that was acknowledged.

mod common;

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

#[test]
fn killing_the_broker_under_load_loses_nothing_acknowledged_and_doubles_nothing() {
    let mut broker = TestBroker::with("auto.create.topics.enable=true\nnum.partitions=3\n");
    let Some(producer) = broker.python_steady() else { return };
    for _ in 0..4 {
        common::wait(700);
        broker.kill();
        broker.start();
    }
    common::wait(500);
    let acknowledged = common::acknowledged(producer);
    let stored = common::records(&broker.python("read_all.py", &["steady"]).unwrap());
    common::check_nothing_lost(&acknowledged, &stored);
}
