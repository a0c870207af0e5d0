//! `cargo xtask compat`: other people's client test suites, unmodified, against this broker.
//!
//! Each suite comes from a package registry at a pinned version into the target directory, runs against a broker of its own on
//! loopback ports, and leaves one outcome a test. Outcomes are joined with `docs/compatibility-decisions.yaml`, which says of each
//! failure why it happens and what the owner decided, and the whole becomes `docs/compatibility.md`. A failure that nothing explains
//! fails the verb.

mod broker;
mod decisions;
mod franz_go;
mod kafka_python;
mod kafka_tools;
mod librdkafka;
mod page;
mod results;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use self::decisions::Decisions;
use self::results::{Run, TestResult};
use crate::process;

/// Which suites to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run these suites only; the page keeps what the others last did in this target directory
    suites: Vec<String>,
    /// Run nothing: write the page from what the suites last did
    #[arg(long)]
    page_only: bool,
}

/// Somebody else's tests.
#[derive(Debug, Clone, Copy)]
struct Suite {
    /// As arguments and decisions name it.
    name: &'static str,
    /// The project and which part of its tests runs.
    title: &'static str,
    /// How its version is spelled there.
    version: &'static str,
    /// Where it comes from.
    source: &'static str,
    /// How it runs: in which mode, over which protocols.
    setting: &'static str,
    run: fn(&Workshop) -> anyhow::Result<Vec<TestResult>>,
}

/// The suites, in the order of the page.
const SUITES: [Suite; 6] = [
    franz_go::PLAINTEXT,
    franz_go::TLS,
    librdkafka::PLAINTEXT,
    librdkafka::SASL_SSL,
    kafka_python::INTEGRATION,
    kafka_tools::TOOLS,
];

/// What was asked for and cannot run from a registry: project, version looked at, why.
const WITHOUT_TESTS: [(&str, &str, &str); 4] = [
    ("aiokafka", "0.14.0", "the source distribution on PyPI has no tests"),
    ("confluent-kafka-python", "2.16.1", "the source distribution on PyPI has no tests"),
    ("kafkajs", "2.2.4", "the package on npm has no tests but one of a pure function"),
    ("@platformatic/kafka", "1.35.0", "the package on npm has no tests"),
];

/// Where suites lie and run.
#[derive(Debug)]
struct Workshop {
    /// In the target directory.
    directory: PathBuf,
    /// The broker's program.
    broker: PathBuf,
}

impl Workshop {
    fn prepare() -> anyhow::Result<Self> {
        let target = process::target_directory();
        let directory = target.join("compat");
        fs::create_dir_all(directory.join("results"))?;
        let package = ["--package", "cadastre-server", "--bin", "cadastre-broker"];
        process::run(process::cargo().args(["build", "--quiet"]).args(package))?;
        Ok(Self { directory, broker: target.join("debug/cadastre-broker") })
    }

    /// An empty folder for a suite's broker and output.
    fn clean(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.directory.join("runs").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Runs the suites and writes the page; fails when a failure has no decision.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let decisions = Decisions::read(&process::root().join("docs/compatibility-decisions.yaml"))?;
    let results = process::target_directory().join("compat/results");
    for name in &options.suites {
        if !SUITES.iter().any(|suite| suite.name == name) {
            let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            bail!("no suite is called `{name}`: there are {}", known.join(", "));
        }
    }
    if !options.page_only {
        let workshop = Workshop::prepare()?;
        let is_wanted = |suite: &&Suite| {
            options.suites.is_empty() || options.suites.iter().any(|name| name == suite.name)
        };
        for suite in SUITES.iter().filter(is_wanted) {
            run_suite(suite, &workshop, &results)?;
        }
    }
    let runs: Vec<(Suite, Run)> = SUITES
        .iter()
        .map(|suite| Ok((*suite, Run::read(&results.join(format!("{}.json", suite.name)))?)))
        .collect::<anyhow::Result<_>>()
        .context("the page needs every suite to have run once in this target directory")?;
    let judged: Vec<page::Judged> =
        runs.into_iter().map(|(suite, run)| page::Judged::new(suite, run, &decisions)).collect();
    let text = page::render(&judged, &WITHOUT_TESTS);
    fs::write(process::root().join("docs/compatibility.md"), &text)?;
    print!("{text}");
    let mut unexplained = 0;
    for (suite, failure) in
        judged.iter().flat_map(|judged| judged.unexplained().map(|test| (judged.suite.name, test)))
    {
        eprintln!("unexplained: {suite}: {}: {}", failure.name, failure.message);
        unexplained += 1;
    }
    for (suite, test) in decisions.unused(judged.iter().map(|judged| (judged.suite.name, &judged.run))) {
        eprintln!("decision without a test: {suite}: {test}");
    }
    if unexplained > 0 {
        bail!("{unexplained} failures have no entry in docs/compatibility-decisions.yaml");
    }
    Ok(())
}

fn run_suite(suite: &Suite, workshop: &Workshop, results: &Path) -> anyhow::Result<()> {
    eprintln!("running {} {}", suite.title, suite.version);
    let started = Instant::now();
    let mut tests = (suite.run)(workshop).with_context(|| format!("suite `{}` did not run", suite.name))?;
    if tests.is_empty() {
        bail!("suite `{}` reported no test", suite.name);
    }
    tests.sort_by(|left, right| left.name.cmp(&right.name));
    Run { seconds: started.elapsed().as_secs(), tests }.write(&results.join(format!("{}.json", suite.name)))
}
