//! Changes every region of every durable file kind, opens the real storage over it, and says whether that was noticed.
//!
//! A change is a flipped bit, a cut, or content of another file of the same kind. Each is made on a copy of its own. The
//! table tells for each region how many changes were refused at once, named when the storage was read, or healed; one that
//! goes unnoticed, or whose content is served, fails the run with exit code 3.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test in the shape of a program: it ends where it cannot go on, and talks to a terminal"
)]

mod suite;

use std::process::ExitCode;

use clap::Parser;
use suite::Settings;

/// The exit code when a change went unnoticed.
const MISSED: u8 = 3;

#[derive(Debug, Parser)]
struct Options {
    /// Positions and bits follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many bytes of each region are changed, its first and last among them
    #[arg(long, default_value_t = 8)]
    positions: usize,
    /// These kinds alone
    #[arg(long, value_enum)]
    kind: Vec<suite::Kind>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let settings = Settings { seed: options.seed, positions: options.positions };
    let kinds = if options.kind.is_empty() { suite::KINDS.to_vec() } else { options.kind };
    let table = suite::run(&settings, &kinds).await;
    println!("{table}");
    if table.misses().is_empty() { ExitCode::SUCCESS } else { ExitCode::from(MISSED) }
}
