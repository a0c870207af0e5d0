//! `cadastre-simulate`: runs seeds and says which of them break a promise.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool that talks to a terminal")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cadastre_keys::LocalKeyFile;
use cadastre_simulation::{Outcome, Plan, Sabotage, SimulatedMode, run};
use clap::{Parser, ValueEnum};

/// Runs the broker's storage under seeded faults and checks what clients saw
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds, in each mode
    #[arg(long, default_value_t = 1000)]
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
    /// One mode alone
    #[arg(long)]
    mode: Option<Mode>,
    /// How many threads; each runs seeds of its own
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Embedded,
    Cluster,
}

/// What all runs did together.
#[derive(Debug, Default)]
struct Totals {
    runs: AtomicU64,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    reads: AtomicU64,
    named_holes: AtomicU64,
    rewritten: AtomicU64,
    events: AtomicU64,
    starts: AtomicU64,
    violating: Mutex<Vec<String>>,
}

fn main() -> ExitCode {
    match simulate(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let key = Arc::new(LocalKeyFile::create(&directory.path().join("key"))?);
    let modes: &[SimulatedMode] = match arguments.mode {
        None => &[SimulatedMode::Embedded, SimulatedMode::Cluster],
        Some(Mode::Embedded) => &[SimulatedMode::Embedded],
        Some(Mode::Cluster) => &[SimulatedMode::Cluster],
    };
    if let Some(seed) = arguments.seed {
        return Ok(one_seed(seed, modes, arguments.trace, &key)?);
    }
    let mut is_sound = true;
    for mode in modes {
        let totals = Totals::default();
        let next = AtomicU64::new(arguments.first);
        let end = arguments.first.saturating_add(arguments.seeds);
        thread::scope(|scope| {
            for _ in 0..arguments.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end {
                            return;
                        }
                        let outcome = run(&plan(seed, *mode, false), &key);
                        totals.add(seed, outcome);
                    }
                });
            }
        });
        is_sound &= totals.report(*mode);
    }
    Ok(is_sound)
}

const fn plan(seed: u64, mode: SimulatedMode, keeps_trace: bool) -> Plan {
    Plan { seed, mode, sabotage: Sabotage::None, keeps_trace }
}

fn one_seed(
    seed: u64,
    modes: &[SimulatedMode],
    prints_trace: bool,
    key: &Arc<LocalKeyFile>,
) -> std::io::Result<bool> {
    let mut is_sound = true;
    for mode in modes {
        let first = run(&plan(seed, *mode, prints_trace), key)?;
        let second = run(&plan(seed, *mode, false), key)?;
        first.trace.iter().for_each(|line| println!("{line}"));
        println!("{} seed {seed}: {} events, trace {}", name(*mode), first.events, first.fingerprint);
        if first.fingerprint != second.fingerprint {
            println!("  the second run differs: {}", second.fingerprint);
            is_sound = false;
        }
        for violation in &first.violations {
            println!("  {violation}");
            is_sound = false;
        }
    }
    Ok(is_sound)
}

const fn name(mode: SimulatedMode) -> &'static str {
    match mode {
        SimulatedMode::Embedded => "embedded",
        SimulatedMode::Cluster => "cluster",
    }
}

impl Totals {
    fn add(&self, seed: u64, outcome: std::io::Result<Outcome>) {
        let mut lines = Vec::new();
        match outcome {
            Ok(outcome) => {
                for (total, more) in [
                    (&self.runs, 1),
                    (&self.acknowledged, outcome.counts.acknowledged),
                    (&self.unknown, outcome.counts.unknown),
                    (&self.reads, outcome.counts.reads),
                    (&self.named_holes, outcome.counts.named_holes),
                    (&self.rewritten, outcome.counts.rewritten),
                    (&self.events, outcome.events),
                    (&self.starts, outcome.starts),
                ] {
                    total.fetch_add(more, Ordering::Relaxed);
                }
                lines.extend(outcome.violations.iter().map(|violation| format!("seed {seed}: {violation}")));
            }
            Err(error) => lines.push(format!("seed {seed}: cannot run: {error}")),
        }
        // Another thread that panicked has said why.
        self.violating.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
    }

    fn report(&self, mode: SimulatedMode) -> bool {
        let mut violating = self.violating.lock().unwrap_or_else(PoisonError::into_inner).clone();
        violating.sort();
        let count = |total: &AtomicU64| total.load(Ordering::Relaxed);
        println!(
            "{}: {} seeds, {} violations; {} batches acknowledged, {} of unknown fate, {} reads, {} named holes, {} objects rewritten, {} broker starts, {} events",
            name(mode),
            count(&self.runs),
            violating.len(),
            count(&self.acknowledged),
            count(&self.unknown),
            count(&self.reads),
            count(&self.named_holes),
            count(&self.rewritten),
            count(&self.starts),
            count(&self.events),
        );
        violating.iter().for_each(|line| println!("  {line}"));
        violating.is_empty()
    }
}
