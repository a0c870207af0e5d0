//! `cargo xtask streams`: a Kafka Streams application that counts exactly once, while the brokers under it are killed.
//!
//! A producer writes lines in transactions, a seventh of which it aborts. The application counts the words of the lines, and each count is
//! a record. A reader follows what is committed and fails unless each word is counted 1, 2, 3 and so on, to the number that the
//! producer wrote. Meanwhile brokers, and now and then the application itself, end by SIGKILL. The programs are `fixtures/streams`.

mod brokers;
mod page;
mod programs;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use self::brokers::Brokers;
use self::programs::Programs;
use crate::access_cases::Dice;
use crate::process;
use crate::prove_ground::{Work, until};

/// How often to kill what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often a broker is killed
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Where brokers keep everything
    #[arg(long, default_value = "embedded")]
    mode: Mode,
    /// In every such round the application is killed as well; 0 for never
    #[arg(long, default_value_t = 5)]
    application_every: u32,
    /// Lines that are written each second
    #[arg(long, default_value_t = 200)]
    lines: u32,
    /// Delays follow from it; the interleaving does not
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Where brokers keep what they keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// One broker over one directory.
    Embedded,
    /// Two brokers over PostgreSQL and moto's S3, killed in turn.
    Cluster,
}

/// What a run came to. It is written only when everything was counted exactly once.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    command: String,
    mode: Mode,
    broker_kills: u32,
    application_kills: u32,
    /// Lines in transactions that were committed.
    lines: u64,
    /// Transactions of the producer that were aborted.
    producer_aborts: u64,
    words: u64,
    /// Counts, each of which came out once.
    counts: u64,
    /// Counts in the log that belong to aborted transactions.
    aborted_counts: u64,
    /// How often a thread of the application gave up and was replaced.
    replaced_threads: u64,
    /// From the start of a killed broker until a new count was read, in milliseconds.
    recoveries: Vec<u64>,
    seconds: u64,
}

/// Runs it and writes `docs/exactly-once.md`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let results = process::target_directory().join("streams");
    fs::create_dir_all(&results)?;
    let outcome = count(options)?;
    let name = options.mode.to_possible_value().context("a mode has no name")?.get_name().to_owned();
    fs::write(results.join(format!("{name}.json")), serde_json::to_vec_pretty(&outcome)?)?;
    let mut outcomes = Vec::new();
    for entry in fs::read_dir(&results)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path)?;
            let outcome: Outcome = serde_json::from_str(&text)
                .with_context(|| format!("cannot understand {}", path.display()))?;
            outcomes.push(outcome);
        }
    }
    outcomes.sort_by_key(|outcome| outcome.mode);
    let text = page::render(&outcomes);
    fs::write(process::root().join("docs/exactly-once.md"), &text)?;
    print!("{text}");
    Ok(())
}

fn count(options: &Options) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let work = Work::new()?;
    let mut brokers = Brokers::start(options.mode, &work.directory("brokers")?)?;
    let mut programs = Programs::prepare(&work.directory("programs")?, &brokers.bootstrap(), options.lines)?;
    programs.create_topics()?;
    programs.start_counting()?;
    programs.start_checking()?;
    programs.start_feeding()?;
    let mut dice = Dice::new(options.seed);
    let mut recoveries = Vec::new();
    let mut application_kills = 0;
    programs.until_more_is_seen("counts come out")?;
    for round in 1..=options.rounds {
        rest(dice.below(1_500));
        let is_application_killed =
            options.application_every > 0 && round.is_multiple_of(options.application_every);
        let victim = usize::try_from(round)? % brokers.count();
        brokers.kill(victim);
        if is_application_killed {
            programs.restart_counting()?;
            application_kills += 1;
        }
        rest(dice.below(1_000));
        let start = Instant::now();
        brokers.launch(victim)?;
        programs.until_more_is_seen(&format!("counts come out again in round {round}"))?;
        recoveries.push(u64::try_from(start.elapsed().as_millis())?);
        eprintln!("round {round}: counting again after {} ms", start.elapsed().as_millis());
    }
    let fed = programs.stop_feeding()?;
    let checked = programs.finish_checking()?;
    let number = |from: &serde_json::Value, member: &str| {
        from.get(member)
            .and_then(serde_json::Value::as_u64)
            .with_context(|| format!("no `{member}` was told"))
    };
    let outcome = Outcome {
        command: command_line(options)?,
        mode: options.mode,
        broker_kills: options.rounds,
        application_kills,
        lines: number(&fed, "lines")?,
        producer_aborts: number(&fed, "aborted")?,
        words: number(&checked, "words")?,
        counts: number(&checked, "counts")?,
        aborted_counts: number(&checked, "aborted")?,
        replaced_threads: programs.replaced_threads()?,
        recoveries,
        seconds: started.elapsed().as_secs(),
    };
    ensure!(outcome.counts == 2 * outcome.lines, "a line has two words: {outcome:?}");
    Ok(outcome)
}

fn command_line(options: &Options) -> anyhow::Result<String> {
    let mode = options.mode.to_possible_value().context("a mode has no name")?;
    Ok(format!(
        "cargo xtask streams --mode {} --rounds {} --seed {}",
        mode.get_name(),
        options.rounds,
        options.seed
    ))
}

/// Lets the programs work for so many milliseconds.
fn rest(milliseconds: usize) {
    std::thread::park_timeout(Duration::from_millis(milliseconds as u64));
}

/// Waits until a file is there.
fn until_exists(what: &str, path: &std::path::Path) -> anyhow::Result<()> {
    until(what, || Ok(path.exists()))
}
