//! `kill -9` at brokers under load, again and again, or another fault, and a look at every record in between.
//!
//! Brokers are real processes. Clients go on sending while brokers are gone; a batch with a producer id is repeated, to
//! any broker, until it is answered. Every so many rounds all clients pause and the whole log is read back and
//! compared with what was acknowledged. A seed gives the same delays, victims and batches, not the same interleaving.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test in the shape of a program: it ends where it cannot go on, and talks to a terminal"
)]

mod brokers;
mod check;
mod faults;
mod load;
#[path = "../../../sequencer/tests/support/mod.rs"]
mod postgres;
mod proxy;
mod random;
mod sabotage;
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use brokers::{Broker, Mode};
use clap::Parser;
use faults::Fault;
use load::Load;
use random::Random;
use tokio::task::JoinHandle;

/// How many producers repeat their batches until they are answered.
const IDEMPOTENT: u32 = 6;

/// After how long everything is read once more when something is wrong.
const LATER: Duration = Duration::from_secs(3);

/// How long brokers stand still: longer than their lease.
const PAUSE: Duration = Duration::from_millis(2000);

/// After a fault that has passed, a broker that acknowledges nothing for so long is started again.
const RESUMING: Duration = Duration::from_secs(15);

/// How many producers there are.
const PRODUCERS: u32 = 8;

#[derive(Debug, Parser)]
struct Options {
    /// How often brokers are killed
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// Where brokers keep everything
    #[arg(long, value_enum, default_value_t = Mode::Embedded)]
    mode: Mode,
    /// How many brokers, in cluster mode
    #[arg(long, default_value_t = 3)]
    brokers: usize,
    /// Victims, delays and batches follow from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// After how many rounds everything is read back
    #[arg(long, default_value_t = 20)]
    every: u64,
    /// What happens in each round
    #[arg(long, value_enum, default_value_t = Fault::Kill)]
    fault: Fault,
    /// Damage durable files once, halfway: the run then succeeds only if that is noticed
    #[arg(long)]
    sabotage: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let directory = tempfile::tempdir().unwrap();
    let violations = run(&options, directory.path()).await;
    for violation in violations.iter().take(20) {
        println!("VIOLATION {violation}");
    }
    if options.sabotage {
        println!("sabotage: {} violations noticed", violations.len());
        return if violations.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    if violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "{} violations with seed {}; see {}",
        violations.len(),
        options.seed,
        directory.keep().display()
    );
    ExitCode::FAILURE
}

async fn run(options: &Options, directory: &Path) -> Vec<String> {
    let mut random = Random::new(options.seed);
    let count = if options.mode == Mode::Embedded { 1 } else { options.brokers };
    let (mut brokers, ground) = brokers::prepare(options.mode, options.fault, count, directory).await;
    for broker in &mut brokers {
        broker.spawn();
        broker.wait_until_ready().await.unwrap();
    }
    let load = Load::new(brokers.iter().map(|broker| broker.address.clone()).collect());
    wire::Connection::new(load.addresses.clone(), random.fork(3)).create_topic().await;
    let mut clients: Vec<JoinHandle<()>> = (0..PRODUCERS)
        .map(|client| {
            let own = random.fork(100 + u64::from(client));
            tokio::spawn(load::produce(Arc::clone(&load), client, own, client < IDEMPOTENT))
        })
        .collect();
    clients.push(tokio::spawn(load::follow(Arc::clone(&load), random.fork(4))));

    let (mut kills, mut under_load, mut starts) = (0_u64, 0_u64, Vec::new());
    let (mut resumed, mut restarts) = (Vec::new(), 0_u64);
    for round in 1..=options.rounds {
        tokio::time::sleep(Duration::from_millis(50 + random.below(900))).await;
        let mut victims = vec![random.index(count)];
        if count > 1 && random.below(4) == 0 {
            victims.push((victims[0] + 1) % count);
        }
        under_load += u64::from(load.under_way.load(Ordering::Relaxed) > 0);
        match options.fault {
            Fault::Kill => {
                for victim in &victims {
                    kills += 1;
                    brokers[*victim].kill();
                }
            }
            Fault::Pause => {
                victims.iter().for_each(|victim| brokers[*victim].signal("STOP"));
                tokio::time::sleep(PAUSE + Duration::from_millis(random.below(2000))).await;
                victims.iter().for_each(|victim| brokers[*victim].signal("CONT"));
            }
            fault => ground.suffer(fault, &mut random).await,
        }
        if options.sabotage && round == options.rounds.div_ceil(2) {
            // What other brokers have in memory would hide what is gone from the store.
            brokers.iter_mut().for_each(Broker::kill);
            sabotage::sabotage(options.mode, directory);
            victims = (0..count).collect();
        }
        if options.fault == Fault::Kill {
            tokio::time::sleep(Duration::from_millis(random.below(200))).await;
        } else if let Some(after) = load.next_acknowledgement(RESUMING).await
            && brokers.iter_mut().all(Broker::is_running)
        {
            resumed.push(after);
            victims.clear();
        } else {
            restarts += 1;
            brokers.iter().for_each(|broker| println!("round {round}: {}", broker.last_words()));
            brokers.iter_mut().for_each(Broker::kill);
            victims = (0..count).collect();
        }
        for victim in victims {
            if let Err(violation) = restart(&mut brokers[victim], &mut random, &mut kills, &mut starts).await
            {
                return vec![violation];
            }
        }
        if round % options.every == 0 || round == options.rounds {
            let mut outcome = check::check(&load, random.fork(5)).await;
            if clients.iter().any(JoinHandle::is_finished) {
                outcome.violations.push("a client gave up".to_owned());
            }
            println!(
                "round {round}: {kills} kills, {under_load} rounds with requests under way; {} batches acknowledged, {} \
                 of unknown fate, {} sent again; {} seen by the reader; {} records ({} bytes) read back; {} violations",
                outcome.acknowledged,
                outcome.unknown,
                load.repeated.load(Ordering::Relaxed),
                outcome.seen,
                outcome.records,
                outcome.bytes,
                outcome.violations.len(),
            );
            if !outcome.violations.is_empty() {
                // Tells what is lost from what a broker did not show yet; the run fails either way.
                tokio::time::sleep(LATER).await;
                let again = check::check(&load, random.fork(6)).await;
                println!("{} violations when everything was read once more later", again.violations.len());
                return outcome.violations;
            }
        }
    }
    load.is_over.store(true, Ordering::Relaxed);
    println!("start after a kill: {}", spread(starts));
    if options.fault != Fault::Kill {
        println!(
            "first acknowledgement after the fault had passed: {}; started again {restarts} times",
            spread(resumed)
        );
    }
    let errors = load.errors.lock().unwrap().clone();
    errors.iter().for_each(|(error, times)| println!("{times} times: {error}"));
    errors.into_keys().filter(|error| error.starts_with("a batch")).collect()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at =
        |part: usize| times.get((times.len().saturating_sub(1)) * part / 100).copied().unwrap_or_default();
    format!("median {} ms, longest {} ms, of {}", at(50).as_millis(), at(100).as_millis(), times.len())
}

/// Starts a broker; one start in five is itself interrupted by a kill.
async fn restart(
    broker: &mut Broker,
    random: &mut Random,
    kills: &mut u64,
    starts: &mut Vec<Duration>,
) -> Result<(), String> {
    if random.below(5) == 0 {
        broker.spawn();
        tokio::time::sleep(Duration::from_millis(random.below(250))).await;
        broker.kill();
        *kills += 1;
    }
    let begun = Instant::now();
    broker.spawn();
    broker.wait_until_ready().await?;
    starts.push(begun.elapsed());
    Ok(())
}
