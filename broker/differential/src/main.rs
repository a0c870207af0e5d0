//! `cadastre-differential`: starts Apache Kafka and the broker, sends both the same requests, and writes a page about every field of
//! their answers that differs. `cargo xtask differential protocol` builds and runs it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to a terminal")]

mod compare;
mod decisions;
mod fields;
mod page;
mod pair;
mod scenarios;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use cadastre_protocol::client::{ClientConfig, Mechanism, Password, Sasl, Security};
use clap::Parser;

use decisions::Decisions;
use pair::Pair;
use servers::{Server, USER, USER_SECRET};

/// Sends the same requests to Apache Kafka and to the broker, and compares their answers field by field
#[derive(Debug, Parser)]
struct Arguments {
    /// The program `cadastre-broker`
    #[arg(long)]
    broker: PathBuf,
    /// A folder with the libraries of Apache Kafka
    #[arg(long)]
    kafka_libraries: PathBuf,
    /// What was decided about differences
    #[arg(long)]
    decisions: PathBuf,
    /// Where the page goes
    #[arg(long)]
    page: PathBuf,
    /// A line about the machine
    #[arg(long, default_value = "")]
    machine: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = tokio::runtime::Runtime::new()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(open) => {
            eprintln!("error: {open} differences without a decision");
            ExitCode::from(3)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How many differences nobody decided about.
async fn run(arguments: &Arguments) -> anyhow::Result<usize> {
    let decisions = Decisions::read(&arguments.decisions)?;
    let kafka = Server::kafka(&arguments.kafka_libraries)?;
    let own = Server::own(&arguments.broker)?;
    let [kafka_plain, own_plain] = [kafka.ready(&kafka.plain).await?, own.ready(&own.plain).await?];
    let mut anybody = ClientConfig::new("differential", Security { tls: None, sasl: None });
    anybody.request_timeout = Duration::from_secs(10);
    for address in [&kafka_plain, &own_plain] {
        servers::coordinated(address, &anybody).await?;
    }
    let mut pair = Pair::connect(&kafka_plain, &own_plain, &anybody, "").await?;
    scenarios::allowed(&mut pair).await?;
    scenarios::prepare_denied(&mut pair, USER).await?;
    let sasl = Sasl {
        mechanism: Mechanism::Plain,
        username: USER.to_owned(),
        password: Password::new(USER_SECRET.to_owned()),
    };
    let mut stranger = anybody.clone();
    stranger.security = Security { tls: None, sasl: Some(sasl) };
    let mut denied = Pair::connect(&kafka.sasl, &own.sasl, &stranger, "by somebody without rights: ").await?;
    scenarios::denied(&mut denied).await?;
    pair.absorb(denied);
    let (text, open) = page::write(&pair, &decisions, &arguments.machine);
    std::fs::write(&arguments.page, text)
        .with_context(|| format!("cannot write {}", arguments.page.display()))?;
    println!(
        "{} requests, {} cases, {} fields, {} differences of which {open} without a decision",
        pair.requests,
        pair.cases.len(),
        pair.fields,
        pair.found.len()
    );
    Ok(open)
}
