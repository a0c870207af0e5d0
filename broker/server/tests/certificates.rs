//! Certificates that are replaced while clients are connected.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod common;

use common::TestBroker;

/// Runs one stage of the script, which reads and replaces the broker's files itself.
fn stage(broker: &TestBroker, name: &str) {
    let (directory, process) =
        (broker.directory.path().display().to_string(), broker.process_id().to_string());
    broker.python("certificates.py", &[name, &directory, &process]);
}

#[test]
fn a_signal_replaces_the_certificate_under_connected_clients_and_a_broken_one_is_refused() {
    stage(&TestBroker::with("cadastre.tls.reload.interval.ms=0\n"), "signal");
}

#[test]
fn a_file_that_changed_is_read_without_being_asked() {
    stage(&TestBroker::with("cadastre.tls.reload.interval.ms=50\n"), "watched");
}

#[test]
fn a_key_store_is_altered_as_in_kafka_and_is_still_altered_after_a_restart() {
    let mut broker = TestBroker::with("cadastre.tls.reload.interval.ms=0\n");
    stage(&broker, "altered");
    broker.kill();
    broker.start();
    stage(&broker, "restarted");
    broker.kill();
    std::fs::remove_file(broker.path("altered.pem")).unwrap();
    broker.start();
    if common::python().is_some() {
        stage(&broker, "fallen-back");
        let log = broker.log();
        assert!(log.contains("that of the configuration file is used"), "{log}");
    }
}
