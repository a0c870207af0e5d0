//! `cargo xtask bench broker`: the broker beside Apache Kafka, in release builds.

use clap::Args;

use crate::parts::Parts;
use crate::process;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often everything is measured; medians count
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How much is stored when the broker is killed, in MiB, smallest first
    #[arg(long, default_value = "128,512,2048")]
    stored: String,
}

/// Builds both programs and prints the tables for `docs/benchmarks/broker.md`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let Some(libraries) = parts.kafka_libraries() else { anyhow::bail!("Apache Kafka is missing") };
    let packages = ["--package", "cadastre-server", "--package", "cadastre-benchmark"];
    process::run(process::cargo().args(["build", "--quiet", "--release", "--bins"]).args(packages))?;
    let benchmark = || {
        let mut command = std::process::Command::new(
            process::target_directory().join("release").join("cadastre-benchmark"),
        );
        command.arg("--kafka-libraries").arg(libraries);
        command
    };
    process::run(benchmark().args(["load", "--rounds", &options.rounds.to_string()]))?;
    process::run(benchmark().args(["recovery", "--mebibytes", &options.stored]))?;
    process::run(benchmark().args(["replacement", "--mebibytes", &options.stored]))
}
