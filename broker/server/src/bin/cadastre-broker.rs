//! The reference broker as a program of its own.
//!
//! `cadastre-broker --config server.properties [--ready-file F] [--log-format json]` serves until SIGTERM or SIGINT; SIGHUP reads key stores anew;
//! `cadastre-broker --config server.properties --check-config` only reads the configuration;
//! `cadastre-broker format --config server.properties` prepares the log directory;
//! `cadastre-broker status --config server.properties` says which keys the storage depends on;
//! `cadastre-broker rewrap --config server.properties --to KEY` moves everything under the configured key.
//! `cadastre-broker verify-receipt --key signer.pem RECEIPT` checks that a topic's keys were said to be destroyed by that key.
//! Data goes to standard output, everything else to standard error; errors are one line. Exit codes: 0 done, 1 failed,
//! 4 `status` and `rewrap` cannot tell of something which key it uses, 64 usage.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cadastre_server::{Broker, BrokerConfig, ConfigError, FormatOptions, RunningBroker, chain};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Blocking threads come and go with what is read, and the system's allocator keeps what each of them once used. How this
/// one is set stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Usage errors, as `sysexits.h` numbers them.
const USAGE: u8 = 64;
/// The answer is incomplete: something could not be told. The same number as in the command `cadastre`.
const INCOMPLETE: u8 = 4;

/// Whether everything that was asked for could be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Complete,
    Incomplete,
}

#[derive(Debug, Parser)]
#[command(name = "cadastre-broker", version, about = "The Kafka-compatible reference broker of Cadastre.")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// The broker's configuration, with Kafka's property names.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Is written once connections are accepted: a line `NAME=HOST:PORT` for each listener.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// How the log on standard error is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// Reads and checks the configuration, prints what is set, and ends.
    #[arg(long)]
    check_config: bool,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for what collects logs: `timestamp`, `level`, `target`, and the event's `fields`.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prepares the log directory: cluster id, key-encryption key, first SCRAM credentials.
    Format(FormatArguments),
    /// Says what the storage is, and what uses which key.
    Status(ConfigArguments),
    /// Moves every data key under the configured key; touches no record, and may be interrupted and run again.
    Rewrap(RewrapArguments),
    /// Checks the receipt of a deleted topic; needs nothing but the public key.
    VerifyReceipt(VerifyArguments),
}

#[derive(Debug, Args)]
struct ConfigArguments {
    /// The broker's configuration, with Kafka's property names.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct RewrapArguments {
    /// The broker's configuration, with Kafka's property names.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The key that everything is to be under: the one that the configuration names.
    #[arg(long, value_name = "KEY")]
    to: String,
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// The public key of the broker that signed: PEM, or base64 of its 32 bytes.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The receipt.
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
}

#[derive(Debug, Args)]
struct FormatArguments {
    /// The broker's configuration, with Kafka's property names.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The cluster's id; a random one when not given.
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
    /// A credential to begin with, such as `SCRAM-SHA-512=[name=admin,password=secret]`; may be repeated.
    #[arg(long, value_name = "CREDENTIAL")]
    add_scram: Vec<String>,
    /// Adds credentials to a log directory that was formatted before.
    #[arg(long)]
    ignore_formatted: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors and go to standard output; clap knows which is which.
            let _printed = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let filter = EnvFilter::try_from_env("CADASTRE_LOG").unwrap_or_else(|_unset| EnvFilter::new("info"));
    // Said of an event that cannot be written, to the same place, it would end the thread that tried: the log may lie on the
    // very disk that is full.
    let subscriber = tracing_subscriber::fmt().log_internal_errors(false);
    let subscriber = subscriber.with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match arguments.serve.log_format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    match run(arguments) {
        Ok(Answer::Complete) => ExitCode::SUCCESS,
        Ok(Answer::Incomplete) => ExitCode::from(INCOMPLETE),
        Err(message) => {
            let _printed = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<Answer, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    match arguments.command {
        Some(Command::Format(arguments)) => runtime.block_on(format(arguments)).map(|()| Answer::Complete),
        Some(Command::Status(arguments)) => runtime.block_on(status(&arguments)),
        Some(Command::VerifyReceipt(arguments)) => verify(&arguments).map(|()| Answer::Complete),
        Some(Command::Rewrap(arguments)) => runtime.block_on(rewrap(&arguments)),
        None => {
            let path = arguments.serve.config.as_deref().ok_or("--config is missing")?;
            let config = load(path)?;
            if arguments.serve.check_config {
                return check(&config).map(|()| Answer::Complete);
            }
            let served = runtime.block_on(serve(config, arguments.serve.ready_file.as_deref()));
            served.map(|()| Answer::Complete)
        }
    }
}

fn load(path: &Path) -> Result<BrokerConfig, String> {
    BrokerConfig::load(path).map_err(|error: ConfigError| chain(&error))
}

fn check(config: &BrokerConfig) -> Result<(), String> {
    for notice in &config.notices {
        report(notice);
    }
    let mut out = std::io::stdout().lock();
    for line in cadastre_server::config::broker_config::effective(config).values() {
        writeln!(out, "{line}").map_err(|error| format!("cannot print: {error}"))?;
    }
    Ok(())
}

fn report(line: &str) {
    // Nobody to tell when standard error is closed.
    let _printed = writeln!(std::io::stderr(), "{line}");
}

async fn format(arguments: FormatArguments) -> Result<(), String> {
    let config = load(&arguments.config)?;
    let options = FormatOptions {
        cluster_id: arguments.cluster_id,
        scram: arguments.add_scram,
        ignore_formatted: arguments.ignore_formatted,
    };
    let formatted = cadastre_server::format(&config, &options).await.map_err(|error| chain(&error))?;
    let mut out = std::io::stdout().lock();
    let users = match formatted.users.as_slice() {
        [] => String::new(),
        users => format!(", credentials for {}", users.join(", ")),
    };
    writeln!(out, "formatted {} for cluster {}{users}", formatted.directory.display(), formatted.cluster_id)
        .map_err(|error| format!("cannot print: {error}"))
}

async fn status(arguments: &ConfigArguments) -> Result<Answer, String> {
    let config = load(&arguments.config)?;
    let status = cadastre_server::status(&config).await.map_err(|error| chain(&error))?;
    let mut text = format!("cluster {} ({})\n", status.cluster_id, status.mode);
    if status.is_running {
        text.push_str("the broker is running: only the keys of its segments are listed\n");
    }
    if status.mode == "cluster" {
        let brokers: Vec<String> = status.brokers.iter().map(ToString::to_string).collect();
        text.push_str(&format!("brokers {}\n", brokers.join(" ")));
    }
    if let Some(losses) = &status.losses {
        text.push_str(&format!("damaged: {losses}\n"));
    }
    text.push_str(&format!("current key {}\n", status.current_key));
    for (key, holders) in &status.keys {
        let state = if holders.is_current { "current" } else { "old" };
        text.push_str(&format!("{state} {key}: {} data keys\n", holders.count));
        if !holders.is_current {
            for holder in &holders.holders {
                text.push_str(&format!("  {holder}\n"));
            }
        }
    }
    if !status.untold.is_empty() {
        text.push_str(&format!(
            "could not tell the keys of {}; no old key may be destroyed:\n",
            status.untold.len()
        ));
    }
    for (holder, reason) in &status.untold {
        text.push_str(&format!("  {holder}: {reason}\n"));
    }
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| format!("cannot print: {error}"))?;
    Ok(if status.untold.is_empty() { Answer::Complete } else { Answer::Incomplete })
}

async fn rewrap(arguments: &RewrapArguments) -> Result<Answer, String> {
    let config = load(&arguments.config)?;
    let progress = |_: &_| {};
    let rewrapped =
        cadastre_server::rewrap_to(&config, &arguments.to, progress).await.map_err(|error| chain(&error))?;
    for (holder, error) in &rewrapped.failures {
        report(&format!("{holder}: {error}"));
    }
    for (holder, reason) in &rewrapped.untold {
        report(&format!("could not tell the key of {holder}: {reason}"));
    }
    writeln!(
        std::io::stdout().lock(),
        "moved {} data keys under {}, {} were there",
        rewrapped.moved,
        rewrapped.key,
        rewrapped.current
    )
    .map_err(|error| format!("cannot print: {error}"))?;
    match (rewrapped.is_done, rewrapped.failures.is_empty(), rewrapped.untold.is_empty()) {
        (true, _, _) => Ok(Answer::Complete),
        (false, true, false) => Ok(Answer::Incomplete),
        _ => Err("some data keys were not moved; run it again".to_owned()),
    }
}

fn verify(arguments: &VerifyArguments) -> Result<(), String> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    };
    let key = String::from_utf8_lossy(&read(&arguments.key)?).into_owned();
    let key = cadastre_keys::signing::VerifyingKey::parse(&key).map_err(|error| chain(&error))?;
    let receipt = read(&arguments.receipt)?;
    let receipt = cadastre_keys::verify_receipt(&receipt, &key).map_err(|error| chain(&error))?;
    let mut text = format!(
        "verified: keys of topic {} in cluster {} were destroyed at {}, says {}\n",
        receipt.topic_id, receipt.cluster, receipt.time, receipt.signer
    );
    for key in &receipt.keys {
        text.push_str(&format!("key {} under {}, wrapped {}\n", key.holder, key.key_id, key.wrapped_sha256));
    }
    text.extend(receipt.objects.iter().map(|object| format!("object {object}\n")));
    text.extend(receipt.remains.iter().map(|place| format!("remains {place}\n")));
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| format!("cannot print: {error}"))
}

async fn serve(config: BrokerConfig, ready_file: Option<&Path>) -> Result<(), String> {
    // Registered first, so that a signal during the start is not lost.
    let handler = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut hangup = handler(SignalKind::hangup())?;
    let broker = Broker::start(config).await.map_err(|error| chain(&error))?;
    if let Some(path) = ready_file {
        write_ready(path, &broker).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // What was refused is in the log, and the certificate before it stays.
            _ = hangup.recv() => drop(broker.reload_certificates().await),
        }
    }
    if let Some(path) = ready_file {
        // Gone already is what is wanted.
        let _removed = std::fs::remove_file(path);
    }
    broker.shutdown().await.map_err(|error| chain(&error))
}

/// Whole or absent: whoever waits for the file may read it at once.
fn write_ready(path: &Path, broker: &RunningBroker) -> std::io::Result<()> {
    let mut text = format!("cluster.id={}\n", broker.cluster_id());
    for (name, address) in broker.listeners() {
        text.push_str(&format!("{name}={address}\n"));
    }
    if let Some(address) = broker.monitoring() {
        text.push_str(&format!("cadastre.monitoring.listener={address}\n"));
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}
