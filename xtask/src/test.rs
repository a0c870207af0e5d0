//! `cargo xtask test`: every fast test, against real parts.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, bail};
use clap::Args;

use crate::parts::Parts;
use crate::{directions, mutations, process};

/// What to test.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Test these packages only
    #[arg(long, short)]
    package: Vec<String>,
    /// Passed on to the test runner
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Debug, Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs the tests, then the mutations and the direction check, and prints the totals last.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let mut command = process::cargo();
    command.args(["test", "--no-fail-fast"]);
    if options.package.is_empty() {
        command.arg("--workspace");
    }
    for package in &options.package {
        command.args(["--package", package]);
    }
    command.arg("--").args(&options.rest);
    parts.export(&mut command);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let mut totals = Totals::default();
    let stdout = child.stdout.take().context("cargo test has no standard output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        totals.add(&line);
        println!("{line}");
    }
    let succeeded = child.wait()?.success();
    if options.package.is_empty() {
        directions::run()?;
        mutations::run("fixtures/mutations".as_ref(), false)?;
    }
    if parts.missing() > 0 {
        println!("{} kinds of real part were missing: see the lines above", parts.missing());
    }
    println!("{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.ignored);
    if !succeeded {
        bail!("tests failed");
    }
    Ok(())
}

impl Totals {
    /// Adds a `test result: ok. 3 passed; 0 failed; 1 ignored; …` line of the test runner.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            counts
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<u64>().ok())
                .unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_over_test_binaries() {
        let mut totals = Totals::default();
        totals.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        totals.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
        totals.add("running 3 tests");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (5, 1, 1));
    }
}
