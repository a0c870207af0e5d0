//! `cargo xtask fuzz access`: hostile lines and hostile policies against the access engine, from a seed.
//!
//! A line has to be answered, whatever it is: one JSON object with one of four decisions, no panic, no endless work. A
//! policy that nobody can read must never be part of a yes. An account whose policies are hostile has to be evaluated as a
//! whole in the same way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cadastre_access::batch::{Evaluator, Outcome};
use cadastre_model::declaration::Declaration;
use clap::Args;
use serde_json::Value;

use crate::access_cases::{Dice, case};
use crate::access_hostile::{change, change_text, garbage};
use crate::hostile_account;

/// More processor time than one line may take.
const LINE: Duration = Duration::from_secs(10);
/// More processor time than one account may take.
const ACCOUNT: Duration = Duration::from_secs(30);
/// One account is evaluated for so many lines.
const LINES_EACH: u64 = 50;

/// How long, and from where.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long to go on
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the generator starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    lines: u64,
    malformed: u64,
    unknown: u64,
    accounts: u64,
    slowest: Duration,
}

/// Goes on for so long, or until something is wrong.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let started = Instant::now();
    let limit = Duration::from_secs(options.seconds);
    let done = fuzz(options.seed, |_| started.elapsed() < limit)?;
    println!(
        "{} lines ({} no case at all, {} unknown) and {} accounts, nothing wrong; the slowest took {:.2} s of processor time",
        done.lines,
        done.malformed,
        done.unknown,
        done.accounts,
        done.slowest.as_secs_f64()
    );
    Ok(())
}

fn fuzz(seed: u64, go_on: impl Fn(u64) -> bool) -> anyhow::Result<Done> {
    let mut dice = Dice::new(seed);
    let mut evaluator = Evaluator::default();
    let mut done = Done::default();
    let declaration = hostile_account::declaration()?;
    while go_on(done.lines) {
        let mut asked = case(&mut dice, done.lines);
        let unreadable = dice.chance(10);
        let mut added = None;
        if unreadable {
            added = add_garbage(&mut dice, &mut asked);
        } else {
            change(&mut dice, &mut asked);
        }
        let mut line = asked.to_string();
        if !unreadable && dice.chance(30) {
            change_text(&mut dice, &mut line);
        }
        one_line(&mut evaluator, &line, added.as_deref(), &mut done)
            .with_context(|| format!("seed {seed}, line {}: {}", done.lines, shortened(&line)))?;
        if done.lines.is_multiple_of(LINES_EACH) {
            one_account(&mut dice, &declaration, &mut done)
                .with_context(|| format!("seed {seed}, account {}", done.accounts))?;
        }
    }
    Ok(done)
}

/// Puts what is no policy among the policies of a case, and says how answers name its place.
fn add_garbage(dice: &mut Dice, asked: &mut Value) -> Option<String> {
    let policies = asked.get_mut("policies").and_then(Value::as_object_mut)?;
    let place = dice.one(&["identity", "resource", "boundary", "session", "endpoint"]);
    let garbage = garbage(dice);
    if place != "identity" {
        // No policy at all is none that cannot be read.
        let there = !garbage.is_null();
        policies.insert(place.to_owned(), garbage);
        return there.then(|| place.to_owned());
    }
    let list = policies.entry(place).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?;
    list.push(garbage);
    Some(format!("identity[{}]", list.len() - 1))
}

fn one_line(
    evaluator: &mut Evaluator,
    line: &str,
    added: Option<&str>,
    done: &mut Done,
) -> anyhow::Result<()> {
    done.lines += 1;
    let started = processor_time()?;
    let Ok(answer) = catch_unwind(AssertUnwindSafe(|| evaluator.answer_line(line, 1))) else {
        bail!("a panic")
    };
    let took = processor_time()?.saturating_sub(started);
    done.slowest = done.slowest.max(took);
    if took > LINE {
        bail!("it took {took:?}");
    }
    let written: Value = serde_json::from_str(&serde_json::to_string(&answer)?)?;
    let decision = written.get("decision").and_then(Value::as_str);
    if !matches!(decision, Some("allow" | "deny" | "conditional" | "unknown")) {
        bail!("no decision: {written}");
    }
    if answer.error.is_some() {
        done.malformed += 1;
        if answer.decision != Outcome::Unknown || !answer.by.is_empty() {
            bail!("a line that is no case was decided: {written}");
        }
    }
    done.unknown += u64::from(answer.decision == Outcome::Unknown);
    let rests = |place: &str| answer.by.iter().any(|citation| citation.policy.to_string() == place);
    if answer.decision == Outcome::Allow && added.is_some_and(rests) {
        bail!("a yes rests on what nobody can read: {written}");
    }
    Ok(())
}

fn one_account(dice: &mut Dice, declaration: &Declaration, done: &mut Done) -> anyhow::Result<()> {
    done.accounts += 1;
    let inventory = hostile_account::made(dice)?;
    let started = Instant::now();
    let before = processor_time()?;
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        let access = cadastre_access::evaluate(&inventory, declaration);
        let graph = cadastre_assess::graph(&inventory, &access, &Default::default(), declaration);
        (access, graph)
    }));
    let Ok((access, graph)) = evaluated else { bail!("a panic") };
    // Work is shared with other threads, so that the wall clock counts where it is less than a busy machine makes it.
    let took = processor_time()?.saturating_sub(before).max(started.elapsed() / 8);
    if took > ACCOUNT {
        bail!("it took {took:?}");
    }
    if access.unknown.is_empty() && access.edges.is_empty() {
        bail!("hostile policies left neither edges nor anything unknown");
    }
    for path in &graph.paths {
        if path.cut_is_minimal && path.cut.is_empty() {
            bail!("an empty cut is called smallest");
        }
    }
    Ok(())
}

fn shortened(line: &str) -> String {
    line.chars().take(2_000).collect()
}

/// How long this thread has run, by what the kernel says.
fn processor_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("no processor time")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_lines_and_accounts_are_all_answered() {
        let done = fuzz(1, |lines| lines < 400).unwrap();
        assert_eq!((done.lines, done.accounts), (400, 8));
        assert!(done.malformed > 10 && done.unknown > done.malformed, "{done:?}");
    }

    #[test]
    fn a_seed_gives_the_same_lines() {
        let counts = |done: Done| (done.lines, done.malformed, done.unknown);
        assert_eq!(
            counts(fuzz(7, |lines| lines < 49).unwrap()),
            counts(fuzz(7, |lines| lines < 49).unwrap())
        );
    }
}
