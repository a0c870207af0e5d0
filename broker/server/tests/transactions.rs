//! Transactions as clients that nobody here wrote make them, and as they are after the broker's end.

mod common;

use common::TestBroker;

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
