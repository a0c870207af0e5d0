//! `cargo xtask query-engine`: builds the engine of `cadastre logs query`, a workspace of its own, and runs its tests.
//!
//! The result stands in `docs/formats/logs-query.md`, below what the verb promises.

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;

use crate::bench::{load, machine};
use crate::parts::Parts;
use crate::process;

const MARK: &str = "<!-- measured -->\n";
const PAGE: &str = "docs/formats/logs-query.md";

/// How to run them.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave the page of results as it is
    #[arg(long)]
    dry: bool,
}

/// A query that was answered alike, as the tests tell it.
#[derive(Debug, Deserialize)]
struct Answered {
    query: String,
    rows: u64,
    bytes: u64,
}

/// Builds, tests, and writes what came of it.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let python = parts.python.context("the queries are held against DuckDB, which needs the Python parts")?;
    let target = process::target_directory().join("query-engine");
    let engine = |verb: &str| {
        let mut command = process::cargo();
        command.arg(verb).args(["--manifest-path", "evidence-cli/query/Cargo.toml"]);
        if verb != "fmt" {
            command.args(["--locked", "--workspace"]);
        }
        command.env("CARGO_TARGET_DIR", &target).env("CADASTRE_PYTHON", &python);
        command
    };
    let begun = Instant::now();
    process::run(engine("test").args(["--no-run"]))?;
    let built = begun.elapsed();
    process::run(engine("fmt").args(["--check", "-p", "cadastre-query", "-p", "cadastre-query-cluster"]))?;
    process::run(engine("clippy").args(["--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    let report = target.join("report");
    if report.exists() {
        fs::remove_dir_all(&report)?;
    }
    fs::create_dir_all(&report)?;
    let begun = Instant::now();
    process::run(engine("test").env("CADASTRE_QUERY_REPORT", &report))?;
    let tested = begun.elapsed();
    // The other side of the pipe: the command with its engines.
    process::run(engine("build").arg("--bins"))?;
    let mut contract = process::cargo();
    contract.args(["test", "--package", "cadastre", "--test", "contract", "a_query"]);
    contract.env("CADASTRE_QUERY", target.join("debug/cadastre-query"));
    contract.env("CADASTRE_QUERY_CLUSTER", target.join("debug/cadastre-query-cluster"));
    process::run(&mut contract)?;

    let duckdb = answered(&report.join("duckdb.json"))?;
    let cluster = answered(&report.join("cluster.json"))?;
    let mut text = format!(
        "`cargo xtask query-engine`: {} queries, {} of them answered by DuckDB 2.0.0 with the same values, all {} by a scheduler and two executors with the same bytes as by one process.\n{} Load {:.1}. Building what was not built yet took {:.0} s, the tests {:.0} s, without optimisation.\n\n| query | rows | bytes as JSON | DuckDB | two executors |\n| --- | ---: | ---: | --- | --- |\n",
        cluster.len(),
        duckdb.len(),
        cluster.len(),
        machine(),
        load()?,
        built.as_secs_f64(),
        tested.as_secs_f64(),
    );
    for answer in &cluster {
        let other = duckdb.iter().find(|other| other.query == answer.query);
        let same = if other.is_some() { "same" } else { "not asked" };
        let query = answer.query.replace('|', "\\|");
        let _infallible =
            writeln!(text, "| `{query}` | {} | {} | {same} | same |", answer.rows, answer.bytes);
    }
    println!("{text}");
    if options.dry {
        return Ok(());
    }
    let path = process::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let (before, _) = page.split_once(MARK).with_context(|| format!("{PAGE} has no place for results"))?;
    fs::write(&path, format!("{before}{MARK}\n{text}")).with_context(|| format!("cannot write {PAGE}"))
}

/// What a test tells of the queries that it asked.
fn answered(path: &std::path::Path) -> anyhow::Result<Vec<Answered>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("a test did not run: there is no {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
