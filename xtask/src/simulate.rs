//! `cargo xtask simulate`: the broker's storage under seeded faults.

use clap::Args;

use crate::process;

/// What to simulate.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seeds, in each mode
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// This seed alone, twice: both runs must have the same trace
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// Print what happened; with --seed
    #[arg(long, requires = "seed")]
    trace: bool,
    /// One mode alone: embedded or cluster
    #[arg(long)]
    mode: Option<String>,
    /// How many threads; each runs seeds of its own
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// In a release build: some 3 ms of processor time a seed
    #[arg(long)]
    release: bool,
}

/// Runs the seeds; fails when one of them breaks a promise.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--package", "cadastre-simulation", "--bin", "cadastre-simulate"]);
    if options.release {
        command.arg("--release");
    }
    command.arg("--");
    match options.seed {
        Some(seed) => {
            command.args(["--seed", &seed.to_string()]);
        }
        None => {
            command.args(["--seeds", &options.seeds.to_string(), "--first", &options.first.to_string()]);
        }
    }
    if options.trace {
        command.arg("--trace");
    }
    if let Some(mode) = &options.mode {
        command.args(["--mode", mode]);
    }
    process::run(command.args(["--threads", &options.threads.to_string()]))
}
