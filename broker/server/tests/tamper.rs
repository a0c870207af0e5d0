//! Changes in durable files are noticed: one byte of each region here, all of it with `cargo xtask tamper`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    reason = "a test ends where it cannot go on, and uses a part of the program"
)]

#[path = "../examples/tamper/suite/mod.rs"]
mod suite;

use suite::{Kind, Settings};

async fn check(kind: Kind, at_least: usize) {
    let table = suite::run(&Settings { seed: 7, positions: 1 }, &[kind]).await;
    assert!(table.misses().is_empty(), "{table}");
    assert!(table.changes() >= at_least, "{} changes", table.changes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_log_are_noticed() {
    check(Kind::Log, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_objects_and_their_cache_are_noticed() {
    check(Kind::Objects, 100).await;
}

#[tokio::test]
async fn changes_of_the_key_ledger_are_noticed() {
    check(Kind::Ledger, 30).await;
}

#[tokio::test]
async fn changes_of_key_files_and_receipts_are_noticed() {
    check(Kind::Files, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_beside_the_log_are_noticed() {
    check(Kind::Server, 10).await;
}
