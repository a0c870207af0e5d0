//! `cargo xtask bench decisions`: single decisions a second, ours beside another evaluator's, in one run.

use std::fs;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use crate::access_cases::{Dice, case};
use crate::access_peer::{Peer, VERSION};
use crate::bench::load;
use crate::process;

/// How many cases are decided over and over.
const CASES: u64 = 2_000;
/// How often each is measured, in turns.
const TIMES: usize = 3;

/// Measures both, and returns the page.
pub(crate) fn run(seconds: u32, machine: &str) -> anyhow::Result<String> {
    let peer = Peer::prepare()?;
    let path = process::target_directory().join("access-bench.ndjson");
    let mut dice = Dice::new(1);
    let mut text = String::new();
    for id in 0..CASES {
        text.push_str(&case(&mut dice, id).to_string());
        text.push('\n');
    }
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    process::run(process::cargo().args([
        "build",
        "--release",
        "--package",
        "cadastre-access",
        "--example",
        "rate",
    ]))?;
    let rate = process::target_directory().join("release/examples/rate");
    let before = load()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        ours.push(figures(Command::new(&rate).arg(&path).arg(seconds.to_string()))?);
        theirs.push(figures(peer.command(&path).arg("measure").arg(seconds.to_string()))?);
    }
    let load = (before, load()?);
    let (prepared, lines) = (median(&ours, "prepared"), median(&ours, "lines"));
    let (their_prepared, their_objects, their_lines) =
        (median(&theirs, "prepared"), median(&theirs, "objects"), median(&theirs, "lines"));
    Ok(format!(
        "# Single decisions a second\n\n\
         `cargo xtask bench decisions --seconds {seconds}`, release build, {CASES} generated cases (seed 1) decided over and over, one\n\
         thread each, {TIMES} times in turns in one run, of which the median counts. Per second of the deciding thread's processor time\n\
         (`schedstat`), so that waiting for a core does not count. {machine} Load average of the machine over five\n\
         minutes: {:.1} before and {:.1} after; caches and cores are shared with whatever else runs.\n\n\
         | what is measured | ours | `@cloud-copilot/iam-simulate` {VERSION} | ratio |\n| --- | ---: | ---: | ---: |\n\
         | deciding, requests and policies read and compiled before; its internal `authorize` | {prepared:.0} | {their_prepared:.0} | {:.0} |\n\
         | the same; its public function, from the parsed request and policies | {prepared:.0} | {their_objects:.0} | {:.0} |\n\
         | from the text of a case to the answer | {lines:.0} | {their_lines:.0} | {:.0} |\n\n\
         The first row gives the other evaluator its own pre-parsed policy objects and its internal function, without the input checks\n\
         of its public one, which is the second row and how its documentation tells to call it. In the last row our evaluator keeps\n\
         documents that repeat compiled, as `cadastre access eval` does; answers name the statements they rest on.\n\n\
         Aim: 200 times. {}\n",
        load.0,
        load.1,
        prepared / their_prepared,
        prepared / their_objects,
        lines / their_lines,
        if prepared / their_objects >= 200.0 { "Met by the public function." } else { "Missed." },
    ))
}

/// The figure that is neither the highest nor the lowest.
fn median(runs: &[Value], name: &str) -> f64 {
    let mut figures: Vec<f64> = runs.iter().filter_map(|run| run.get(name)?.as_f64()).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn figures(command: &mut Command) -> anyhow::Result<Value> {
    serde_json::from_str(&process::output(command)?).context("the measuring program said something else")
}
