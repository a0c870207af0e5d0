//! `cargo xtask bench decisions`: single decisions a second, ours beside another evaluator's, in one run.

use std::fs;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use crate::access_cases::{Dice, case};
use crate::access_peer::{Peer, VERSION};
use crate::process;

/// How many cases are decided over and over.
const CASES: u64 = 2_000;

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
    let ours = figures(Command::new(rate).arg(&path).arg(seconds.to_string()))?;
    let theirs = figures(peer.command(&path).arg("measure").arg(seconds.to_string()))?;
    let of = |figures: &Value, name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
    let (prepared, lines) = (of(&ours, "prepared"), of(&ours, "lines"));
    let (their_prepared, their_objects, their_lines) =
        (of(&theirs, "prepared"), of(&theirs, "objects"), of(&theirs, "lines"));
    Ok(format!(
        "# Single decisions a second\n\n\
         `cargo xtask bench decisions --seconds {seconds}`, release build, {CASES} generated cases (seed 1) decided over and over, one\n\
         thread each, one after the other in one run. Per second of the deciding thread's processor time (`schedstat`), so that\n\
         others on the machine do not count. {machine}\n\n\
         | what is measured | ours | `@cloud-copilot/iam-simulate` {VERSION} | ratio |\n| --- | ---: | ---: | ---: |\n\
         | deciding, requests and policies read and compiled before | {prepared:.0} | {their_prepared:.0} | {:.0} |\n\
         | from the parsed request and policies, its public function | | {their_objects:.0} | |\n\
         | from the text of a case to the answer | {lines:.0} | {their_lines:.0} | {:.0} |\n\n\
         The first row gives the other evaluator its own pre-parsed policy objects and its internal `authorize`, without the input checks\n\
         of its public function. In the last row our evaluator keeps documents that repeat compiled, as `cadastre access eval` does;\n\
         answers name the statements they rest on.\n",
        prepared / their_prepared,
        lines / their_lines
    ))
}

fn figures(command: &mut Command) -> anyhow::Result<Value> {
    serde_json::from_str(&process::output(command)?).context("the measuring program said something else")
}
