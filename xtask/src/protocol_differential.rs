//! `cargo xtask differential protocol`: the same requests to Apache Kafka and to the broker, and `docs/protocol-differential.md`.

use anyhow::Context;

use crate::bench::machine;
use crate::parts::Parts;
use crate::process;

/// Builds the broker and the program that compares, and runs it; fails while a difference has no decision.
pub(crate) fn run() -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    process::run(process::cargo().args([
        "build",
        "--package",
        "cadastre-server",
        "--package",
        "cadastre-differential",
        "--bins",
    ]))?;
    let built = process::target_directory().join("debug");
    let libraries = parts.kafka_libraries().context("the libraries of Apache Kafka could not be had")?;
    let docs = process::root().join("docs");
    process::run(
        std::process::Command::new(built.join("cadastre-differential"))
            .arg("--broker")
            .arg(built.join("cadastre-broker"))
            .arg("--kafka-libraries")
            .arg(libraries)
            .arg("--decisions")
            .arg(docs.join("protocol-differential-decisions.yaml"))
            .arg("--page")
            .arg(docs.join("protocol-differential.md"))
            .arg("--machine")
            .arg(machine()),
    )
}
