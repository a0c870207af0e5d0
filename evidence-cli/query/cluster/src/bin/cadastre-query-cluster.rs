//! The query engine with clusters, as a program: a request as JSON on standard input, the answer on standard output. Its verbs
//! are the parts of a cluster.

#![expect(clippy::print_stderr, reason = "why there is no answer is said on standard error")]
#![expect(clippy::print_stdout, reason = "a part of a cluster says where it listens on standard output")]

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cadastre_logs::query::Engine;
use cadastre_query::program;
use cadastre_query_cluster::{Executor, ExecutorOptions, Scheduler, answer};
use clap::{Args, Parser, Subcommand};

/// Wrong arguments (`sysexits.h`).
const USAGE: u8 = 64;

/// Answers queries over logs: without a verb, the request that `cadastre logs query` writes to standard input
#[derive(Debug, Parser)]
#[command(name = "cadastre-query-cluster", version)]
#[command(after_help = "\
Examples:
  cadastre-query-cluster scheduler --listen 10.0.0.5:50050
  cadastre-query-cluster executor --scheduler ballista://10.0.0.5:50050 --listen 10.0.0.6:50051 --work /var/tmp
  cadastre logs query 'SELECT count(*) FROM flows' /mnt/logs --engine ballista://10.0.0.5:50050

Every machine must see the logs under the same paths. The parts of a cluster ask nobody who he is: keep them in a network of
their own.")]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plan queries and hand out their steps
    Scheduler(SchedulerArguments),
    /// Read logs and do the steps of queries
    Executor(ExecutorArguments),
}

#[derive(Debug, Args)]
struct SchedulerArguments {
    /// Where to listen; port 0 takes any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    listen: SocketAddr,
    /// Executors from which on `GET /readyz` answers 200
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    executors: usize,
}

#[derive(Debug, Args)]
struct ExecutorArguments {
    /// The scheduler, as `ballista://HOST:PORT`
    #[arg(long)]
    scheduler: Engine,
    /// Where to hand out results; port 0 takes any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Directory in which intermediate results have a directory of their own
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Seconds to look for the scheduler
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
    /// Steps to do at once; as many as there are processors otherwise
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: Option<u16>,
    /// MiB for sorting, grouping and joining, for all steps together
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    memory: u64,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and the version are no error.
            let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
            let _nowhere_to_say_it = error.print();
            return code;
        }
    };
    let done = match arguments.verb {
        None => program::serve(answer),
        Some(Verb::Scheduler(arguments)) => part(scheduler(arguments)),
        Some(Verb::Executor(arguments)) => part(executor(arguments)),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a part of a cluster until it ends.
fn part(serve: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve)?;
    Ok(ExitCode::SUCCESS)
}

async fn scheduler(arguments: SchedulerArguments) -> anyhow::Result<()> {
    let scheduler = Scheduler::bind(arguments.listen, arguments.executors).await?;
    say(&format!("ballista://{}", scheduler.address()))?;
    Ok(scheduler.serve().await?)
}

async fn executor(arguments: ExecutorArguments) -> anyhow::Result<()> {
    let Engine::Ballista(scheduler) = arguments.scheduler else {
        bail!("`--scheduler` is `ballista://HOST:PORT`");
    };
    let work = match &arguments.work {
        Some(directory) => tempfile::TempDir::with_prefix_in("cadastre-query-", directory),
        None => tempfile::TempDir::with_prefix("cadastre-query-"),
    };
    let work = work.context("cannot make a directory of intermediate results")?;
    let slots = match arguments.slots {
        Some(slots) => usize::from(slots),
        None => std::thread::available_parallelism()?.get(),
    };
    let options = ExecutorOptions {
        scheduler,
        listen: arguments.listen,
        work: work.path().to_owned(),
        slots,
        patience: Duration::from_secs(arguments.wait),
        memory: arguments.memory << 20,
    };
    let executor = Executor::bind(options).await?;
    say(&executor.address().to_string())?;
    Ok(executor.serve().await?)
}

/// One line on standard output, at once.
fn say(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}
