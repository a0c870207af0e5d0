//! `cadastre-benchmark`: the broker beside Apache Kafka, each setting in turn, several rounds, medians.
//!
//! Load comes from Kafka's own `ProducerPerformance` and `ConsumerPerformance`, with the same properties for both. What a
//! broker costs is read from `/proc` for its process alone. Settings follow each other in every round, so that others on the
//! machine disturb each of them alike.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool that talks to a terminal")]

mod client;
mod figures;
mod load;
#[expect(clippy::unwrap_used, clippy::panic, reason = "shared with tests, which end where they cannot go on")]
#[path = "../../sequencer/tests/support/mod.rs"]
mod postgres;
mod recovery;
mod replacement;
mod server;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use figures::Figures;
use load::Load;
use server::{Server, Setting};

/// Measures the broker beside Apache Kafka
#[derive(Debug, Parser)]
struct Arguments {
    /// The directory with Kafka's jars
    #[arg(long, value_name = "DIRECTORY")]
    kafka_libraries: PathBuf,
    /// The broker to measure; the one beside this program when not given
    #[arg(long, value_name = "FILE")]
    broker: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Throughput, latency, fetching, processor time, memory, start
    Load {
        /// How often everything is measured
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Records of 1 KiB in a run; ten times as many of 100 bytes are sent in a run of their own, at half that weight
        #[arg(long, default_value_t = 400_000)]
        records: u64,
        /// How long the fixed rate is kept, in seconds
        #[arg(long, default_value_t = 15)]
        seconds: u64,
        /// These settings alone
        #[arg(long, value_enum)]
        setting: Vec<Setting>,
    },
    /// The first acknowledgement after `kill -9`, by how much is stored
    Recovery {
        /// How much is stored, in MiB, smallest first
        #[arg(long, value_delimiter = ',', default_values_t = [128_u64, 512, 2048])]
        mebibytes: Vec<u64>,
        /// How often the broker is killed at each size
        #[arg(long, default_value_t = 3)]
        kills: usize,
        /// These settings alone
        #[arg(long, value_enum)]
        setting: Vec<Setting>,
    },
    /// A new broker of a cluster in the place of a killed one, by how much is stored; needs PostgreSQL
    Replacement {
        /// How much is stored, in MiB, smallest first
        #[arg(long, value_delimiter = ',', default_values_t = [128_u64, 512, 2048])]
        mebibytes: Vec<u64>,
        /// How often a broker is replaced at each size
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
}

/// Where things lie.
#[derive(Debug)]
struct Places {
    kafka_libraries: PathBuf,
    broker: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let beside = std::env::current_exe()?.with_file_name("cadastre-broker");
    let places =
        Places { kafka_libraries: arguments.kafka_libraries, broker: arguments.broker.unwrap_or(beside) };
    match arguments.what {
        What::Load { rounds, records, seconds, setting } => {
            let settings = or_all(setting);
            let mut figures = Figures::default();
            for round in 1..=rounds {
                for setting in &settings {
                    let server = Server::prepare(&places, *setting)?;
                    let load = Load { places: &places, records, seconds };
                    load.measure(server, &mut figures).await?;
                    eprintln!("round {round} of {rounds}: {setting} done");
                }
            }
            println!("{}", figures.table(&settings));
        }
        What::Recovery { mebibytes, kills, setting } => {
            recovery::measure(&places, &or_all(setting), &mebibytes, kills).await?;
        }
        What::Replacement { mebibytes, times } => {
            replacement::measure(&places, &mebibytes, times).await?;
        }
    }
    println!("load on the machine at the end: {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    Ok(())
}

fn or_all(settings: Vec<Setting>) -> Vec<Setting> {
    if settings.is_empty() { Setting::ALL.to_vec() } else { settings }
}
