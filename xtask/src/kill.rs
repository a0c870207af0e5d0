//! `cargo xtask kill`: brokers as real processes, killed under load, or troubled in other ways.

use clap::Args;

use crate::parts::Parts;
use crate::process;

/// What to kill, and how often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often brokers are killed
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// Where brokers keep everything: embedded or cluster
    #[arg(long, default_value = "embedded")]
    mode: String,
    /// Victims, delays and batches follow from it; the interleaving does not
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What happens in each round: kill, pause, full-disk, slow-store, failing-store, database-restart or key-outage
    #[arg(long, default_value = "kill")]
    fault: String,
    /// After how many rounds everything is read back
    #[arg(long, default_value_t = 20)]
    every: u64,
    /// Damage durable files once, halfway: the run then succeeds only if that is noticed
    #[arg(long)]
    sabotage: bool,
}

/// Builds the broker and the harness, and runs the rounds; fails when an acknowledged record is not as it was.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let package = ["--package", "cadastre-server"];
    process::run(process::cargo().args(["build", "--quiet", "--bin", "cadastre-broker"]).args(package))?;
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--example", "kill"]).args(package).arg("--");
    command.args(["--rounds", &options.rounds.to_string(), "--seed", &options.seed.to_string()]);
    command.args(["--mode", &options.mode, "--fault", &options.fault, "--every", &options.every.to_string()]);
    // The store and the key service that fail are moto's.
    if matches!(options.fault.as_str(), "slow-store" | "failing-store" | "key-outage") {
        Parts::prepare()?.export(&mut command);
    }
    if options.sabotage {
        command.arg("--sabotage");
    }
    process::run(&mut command)
}
