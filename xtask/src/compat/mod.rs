//! `cargo xtask compat`: other people's client test suites, unmodified, against this broker.
//!
//! Each suite comes from a package registry, or its project's repository, at a pinned version into the target directory, runs against a broker of its own on
//! loopback ports, and leaves one outcome a test. What came of them is kept in `docs/compatibility-runs.json`. Outcomes are joined with `docs/compatibility-decisions.yaml`, which says of each
//! failure why it happens and what the owner decided, and the whole becomes `docs/compatibility.md`. A failure that nothing explains
//! fails the verb.

mod aiokafka;
mod broker;
mod confluent;
mod decisions;
mod franz_go;
mod kafka_python;
mod kafka_tools;
mod librdkafka;
mod page;
mod pytest;
mod results;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use self::decisions::Decisions;
use self::results::{Run, Summaries, Summary, TestResult};
use crate::process;

/// Which suites to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run these suites only; the page keeps what the others last did
    suites: Vec<String>,
    /// Where repositories lie whose tests no registry has, each in a folder of the project's name; what is not there is cloned
    #[arg(long, value_name = "DIRECTORY")]
    sources: Option<PathBuf>,
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
const SUITES: [Suite; 8] = [
    franz_go::PLAINTEXT,
    franz_go::TLS,
    librdkafka::PLAINTEXT,
    librdkafka::SASL_SSL,
    kafka_python::INTEGRATION,
    confluent::INTEGRATION,
    aiokafka::TESTS,
    kafka_tools::TOOLS,
];

/// What was asked for and cannot run from a registry: project, version looked at, why.
const WITHOUT_TESTS: [(&str, &str, &str); 2] = [
    (
        "kafkajs",
        "2.2.4",
        "the package on npm has one test of a pure function; those in its repository need three brokers at fixed ports",
    ),
    (
        "@platformatic/kafka",
        "1.35.0",
        "the package on npm has no tests; those in its repository need several clusters at fixed ports",
    ),
];

/// Where suites lie and run.
#[derive(Debug)]
struct Workshop {
    /// In the target directory.
    directory: PathBuf,
    /// The broker's program.
    broker: PathBuf,
    /// Repositories of projects, in folders of their names.
    sources: Option<PathBuf>,
}

impl Workshop {
    fn prepare(sources: Option<PathBuf>) -> anyhow::Result<Self> {
        let target = process::target_directory();
        let directory = target.join("compat");
        fs::create_dir_all(directory.join("results"))?;
        let package = ["--package", "cadastre-server", "--bin", "cadastre-broker"];
        process::run(process::cargo().args(["build", "--quiet"]).args(package))?;
        Ok(Self { directory, broker: target.join("debug/cadastre-broker"), sources })
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
    let published = process::root().join("docs/compatibility-runs.json");
    let mut summaries = Summaries::read(&published)?;
    for name in &options.suites {
        if !SUITES.iter().any(|suite| suite.name == name) {
            let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            bail!("no suite is called `{name}`: there are {}", known.join(", "));
        }
    }
    if !options.page_only {
        let workshop = Workshop::prepare(options.sources.clone())?;
        let is_wanted = |suite: &&Suite| {
            options.suites.is_empty() || options.suites.iter().any(|name| name == suite.name)
        };
        for suite in SUITES.iter().filter(is_wanted) {
            summaries.0.insert(suite.name.to_owned(), run_suite(suite, &workshop, &results)?);
            summaries.write(&published)?;
        }
    }
    let judged: Vec<page::Judged<'_>> = SUITES
        .iter()
        .filter_map(|suite| Some(page::Judged::new(*suite, summaries.0.get(suite.name)?, &decisions)))
        .collect();
    let text = page::render(&judged, &WITHOUT_TESTS);
    fs::write(process::root().join("docs/compatibility.md"), &text)?;
    print!("{text}");
    let mut unexplained = 0;
    for (suite, failure) in
        judged.iter().flat_map(|judged| judged.unexplained().map(|test| (judged.suite.name, test)))
    {
        eprintln!("unexplained: {suite}: {failure}; what it said is in {}", results.display());
        unexplained += 1;
    }
    for (suite, test) in decisions.unused(judged.iter().map(|judged| (judged.suite.name, judged.run))) {
        eprintln!("decision without a test: {suite}: {test}");
    }
    if unexplained > 0 {
        bail!("{unexplained} failures have no entry in docs/compatibility-decisions.yaml");
    }
    Ok(())
}

fn run_suite(suite: &Suite, workshop: &Workshop, results: &Path) -> anyhow::Result<Summary> {
    eprintln!("running {} {}", suite.title, suite.version);
    let started = Instant::now();
    let mut tests = (suite.run)(workshop).with_context(|| format!("suite `{}` did not run", suite.name))?;
    if tests.is_empty() {
        bail!("suite `{}` reported no test", suite.name);
    }
    tests.sort_by(|left, right| left.name.cmp(&right.name));
    let run = Run { seconds: started.elapsed().as_secs(), tests };
    run.write(&results.join(format!("{}.json", suite.name)))?;
    Ok(run.summary())
}
