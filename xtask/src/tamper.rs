//! `cargo xtask tamper`: every region of every durable file kind of the broker is altered, and has to be noticed.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::process;

/// The exit code when a change went unnoticed.
const MISSED: u8 = 3;

/// What to alter.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Positions and bits follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many bytes of each region are changed, its first and last among them
    #[arg(long, default_value_t = 8)]
    positions: usize,
    /// This kind alone: log, objects, database, ledger, files or server
    #[arg(long)]
    kind: Option<String>,
}

/// Prints the table; the exit code is 3 when a change went unnoticed.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--example", "tamper", "--package", "cadastre-server", "--"]);
    command.args(["--seed", &options.seed.to_string(), "--positions", &options.positions.to_string()]);
    if let Some(kind) = &options.kind {
        command.args(["--kind", kind]);
    }
    let status = command.status()?;
    match status.code() {
        Some(0) => Ok(ExitCode::SUCCESS),
        Some(code) if code == i32::from(MISSED) => Ok(ExitCode::from(MISSED)),
        _ => bail!("the tamper test ended with {status}"),
    }
}
