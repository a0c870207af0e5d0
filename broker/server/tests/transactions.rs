//! Transactions as clients that nobody here wrote make them, and as they are after the broker's end.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where it cannot go on")]

mod common;

use std::time::Duration;

use common::{TestBroker, text};

const PROMPT: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=200\n";

#[test]
fn librdkafka_commits_aborts_is_fenced_and_times_out() {
    TestBroker::with(PROMPT).python("transactions.py", &["all"]);
}

#[test]
fn a_restart_in_the_middle_of_a_transaction_keeps_what_was_committed_and_nothing_else() {
    let mut broker = TestBroker::with(PROMPT);
    if broker.python("transactions.py", &["before"]).is_none() {
        return;
    }
    broker.stop();
    broker.start();
    broker.python("transactions.py", &["after"]);
}

#[test]
fn a_crash_in_the_middle_of_a_transaction_keeps_what_was_committed_and_nothing_else() {
    let mut broker = TestBroker::with(PROMPT);
    if broker.python("transactions.py", &["before"]).is_none() {
        return;
    }
    broker.kill();
    broker.start();
    broker.python("transactions.py", &["after"]);
}

#[test]
fn each_record_is_moved_once_while_the_broker_is_killed_again_and_again() {
    let mut broker = TestBroker::with(PROMPT);
    let patience = Duration::from_secs(170);
    let Some(mover) = broker.python_alongside("exactly_once.py", &["3000"], patience) else { return };
    for _ in 0..5 {
        common::wait(700);
        broker.kill();
        broker.start();
    }
    let output = mover.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\nbroker: {}", text(&output), broker.log());
    println!("{}", text(&output));
}
