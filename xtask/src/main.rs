//! Development tasks: `cargo xtask VERB`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a development tool that talks to a terminal")]

mod access_bench;
mod access_cases;
mod access_classes;
mod access_differential;
mod access_fuzz;
mod access_hostile;
mod access_peer;
mod access_scenarios;
mod authorizer;
mod azure_simulator;
mod azure_topologies;
mod bench;
mod bench_broker;
mod bench_drift;
mod bench_logs;
mod bench_report;
mod broker_fuzz;
mod browser;
mod compat;
mod deployment;
mod directions;
mod fixtures;
mod hostile_account;
mod kill;
mod mutations;
mod namespace;
mod network_differential;
mod network_simulator;
mod network_topologies;
mod organisation;
mod packet;
mod parts;
mod policies;
mod process;
mod protocol_differential;
mod prove;
mod prove_cluster;
mod prove_ground;
mod prove_kafka;
mod prove_page;
mod query_engine;
mod reference_account;
mod simulate;
mod streams;
mod tamper;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Get the real parts (moto, Apache Kafka, foreign clients) and run every test against them
    Test(test::Options),
    /// Get the real parts only, and say where they lie
    Parts,
    /// Apply mutations to clean evidence and compare what changes with what must change
    Mutations {
        /// Directory of `*.yaml` mutations
        #[arg(default_value = "fixtures/mutations")]
        directory: PathBuf,
        /// Print every mutation, not only those that miss or make noise
        #[arg(long)]
        verbose: bool,
    },
    /// Apply the AWS deployment to moto, scan it, exercise a stand-in for its brokers, and judge it
    Deployment(deployment::Options),
    /// Check that rooms depend on each other only in the directions of ARCHITECTURE.md
    Directions,
    /// Drive Chromium through reports: accessibility, search, the diagram, self-verification, widths
    Browser(browser::Options),
    /// Change a packet in many ways and hold verification to detecting each
    PacketTamper {
        /// Single-byte changes, and as many structural ones
        #[arg(default_value_t = 10_000)]
        changes: u32,
    },
    /// Run the controls and their tests on Open Policy Agent, and compare the engines
    Policies,
    /// Compare our answers with those of somebody else's program, and write the result to docs/
    #[command(subcommand)]
    Differential(Differential),
    /// Look for input that breaks something, from a seed
    #[command(subcommand)]
    Fuzz(Fuzz),
    /// Run the broker's storage under seeded faults, and check what clients saw
    Simulate(simulate::Options),
    /// Run other people's client test suites against the broker, and write docs/compatibility.md
    Compat(compat::Options),
    /// Kill real brokers under load, and read every acknowledged record back
    Kill(kill::Options),
    /// Kill brokers under a Kafka Streams application that counts exactly once, and write docs/exactly-once.md
    Streams(streams::Options),
    /// Alter every region of every durable file kind of the broker, and see that it is noticed
    Tamper(tamper::Options),
    /// Build the engine of `cadastre logs query`, hold its answers against DuckDB and a cluster, and write the result to docs/
    QueryEngine(query_engine::Options),
    /// Exercise brokers as `cadastre prove` does, and write what came of it to docs/proof.md
    Prove(prove::Options),
    /// Record the reference account and its Kafka cluster into fixtures/ again
    RecordFixtures(fixtures::Options),
    /// Measure, and write the results to docs/benchmarks/
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// What to compare.
#[derive(Debug, Subcommand)]
enum Differential {
    /// Our evaluation of AWS policies with another evaluator's, on generated cases
    Iam(access_differential::Options),
    /// Our paths over sets of packets with a walk of single packets, on random networks
    Network(network_differential::Options),
    /// The broker's authorizer with Apache Kafka's `StandardAuthorizer`, on random sets of ACLs
    Authorizer(authorizer::Options),
    /// The broker's answers to requests of every kind with Apache Kafka's, field by field
    Protocol,
}

/// What to break.
#[derive(Debug, Subcommand)]
enum Fuzz {
    /// The access engine, with hostile lines of cases and hostile policies
    Access(access_fuzz::Options),
    /// What the broker reads from strangers, by libFuzzer
    Broker(broker_fuzz::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Tamper(options) => match tamper::run(&options) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Verb::Test(options) => test::run(&options),
        Verb::Parts => parts::Parts::prepare().map(|parts| parts.describe()),
        Verb::Mutations { directory, verbose } => mutations::run(&directory, verbose),
        Verb::Deployment(options) => deployment::run(&options),
        Verb::Directions => directions::run(),
        Verb::Browser(options) => browser::run(&options),
        Verb::PacketTamper { changes } => packet::tamper(changes),
        Verb::Policies => policies::run(),
        Verb::Differential(Differential::Iam(options)) => access_differential::run(&options),
        Verb::Differential(Differential::Network(options)) => network_differential::run(&options),
        Verb::Differential(Differential::Authorizer(options)) => authorizer::differential(&options),
        Verb::Differential(Differential::Protocol) => protocol_differential::run(),
        Verb::Fuzz(Fuzz::Access(options)) => access_fuzz::run(&options),
        Verb::Fuzz(Fuzz::Broker(options)) => broker_fuzz::run(&options),
        Verb::Simulate(options) => simulate::run(&options),
        Verb::Compat(options) => compat::run(&options),
        Verb::Kill(options) => kill::run(&options),
        Verb::Streams(options) => streams::run(&options),
        Verb::QueryEngine(options) => query_engine::run(&options),
        Verb::Prove(options) => prove::run(&options),
        Verb::RecordFixtures(options) => fixtures::record(&options),
        Verb::Bench(bench) => bench::run(&bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
