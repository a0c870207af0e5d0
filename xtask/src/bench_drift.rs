//! `cargo xtask bench drift`: comparing two large graphs, and telling what moved in every format.

use std::fmt::Write as _;

use anyhow::Context;

use crate::process;

/// Runs the example in release and puts what it prints into a table.
pub(crate) fn run(nodes: u32, changes: u32, machine: &str) -> anyhow::Result<String> {
    let (nodes, changes) = (nodes.to_string(), changes.to_string());
    let arguments = ["run", "--release", "--quiet", "-p", "cadastre-gate", "--example", "drift_speed", "--"];
    let text = process::output(process::cargo().args(arguments).args([&nodes, &changes]))?;
    let mut page = format!(
        "# Drift\n\n`cargo xtask bench drift --nodes {nodes} --changes {changes}`, release build, one thread. Two made-up graphs that differ in \
         that many edges; the times are those of one run, by the wall clock. Reading evidence and building graphs from it is not \
         part of it. Machine: {machine}.\n\n| step | result | ms |\n| --- | --- | ---: |\n"
    );
    let mut total = 0_u64;
    for line in text.lines() {
        let (step, rest) = line.split_once(": ").context("the example prints `step: result`")?;
        match rest.strip_suffix(" ms").and_then(|rest| rest.rsplit_once(" in ")) {
            Some((result, milliseconds)) => {
                total += milliseconds.parse::<u64>().context("the example prints milliseconds")?;
                let _infallible = writeln!(page, "| {step} | {result} | {milliseconds} |");
            }
            None => {
                let _infallible = writeln!(page, "| {step} | {rest} | |");
            }
        }
    }
    let _infallible = writeln!(page, "| all | | {total} |");
    Ok(page)
}
