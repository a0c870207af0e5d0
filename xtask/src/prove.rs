//! `cargo xtask prove`: the drills of `cadastre prove`, as a user runs them, against an embedded broker, two brokers over PostgreSQL
//! and a bucket, and Apache Kafka; and against brokers that break promises.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use crate::bench;
use crate::parts::Parts;
use crate::process;
use crate::prove_cluster::{self, Cluster};
use crate::prove_ground::{Database, Work};
use crate::prove_kafka::{self, Kafka};
use crate::prove_page::{self, Page};

/// What to prove.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// This target only; may be repeated. Nothing is written to docs/ then
    #[arg(long, value_enum)]
    only: Vec<Target>,
    /// A broker's program of the previous version, for the way back and forth; this version again unless given
    #[arg(long, value_name = "PROGRAM")]
    previous: Option<PathBuf>,
    /// This drill only; may be repeated. Nothing is written to docs/ then
    #[arg(long, value_name = "NAME")]
    drill: Vec<String>,
    /// Build the programs with optimizations
    #[arg(long)]
    release: bool,
    /// Where `cadastre` and `cadastre-broker` lie already; they are built unless given
    #[arg(long, value_name = "DIR", conflicts_with = "release")]
    programs: Option<PathBuf>,
}

/// What drills are run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The bundled broker, as `cadastre up` makes it
    Embedded,
    /// Two bundled brokers over PostgreSQL and a bucket
    Cluster,
    /// Apache Kafka
    Kafka,
    /// Brokers that break a promise
    Sabotage,
}

/// What was built.
#[derive(Debug)]
pub(crate) struct Programs {
    /// `cadastre`
    pub(crate) cadastre: PathBuf,
    /// `cadastre-broker`
    pub(crate) broker: PathBuf,
}

/// What `cadastre prove --format json` prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Results {
    /// Every drill together, in milliseconds.
    pub(crate) milliseconds: u64,
    /// Each drill.
    pub(crate) drills: Vec<Drill>,
}

/// One drill.
#[derive(Debug, Deserialize)]
pub(crate) struct Drill {
    /// Its name.
    pub(crate) drill: String,
    /// `passed`, `failed`, `stopped` or `not-exercised`.
    pub(crate) outcome: String,
    /// Why it is not `passed`.
    pub(crate) reason: Option<String>,
    /// How long it took.
    pub(crate) milliseconds: u64,
    /// What was tried.
    pub(crate) checks: Vec<Check>,
    /// What was measured; the unit is the end of the name.
    pub(crate) measurements: std::collections::BTreeMap<String, u64>,
}

/// One promise.
#[derive(Debug, Deserialize)]
pub(crate) struct Check {
    /// What was promised.
    pub(crate) promise: String,
    /// Whether it was kept.
    pub(crate) kept: Option<bool>,
    /// What was seen.
    pub(crate) seen: String,
}

/// What a run against one target came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// The drills.
    pub(crate) results: Results,
    /// From the start of the program to its end.
    pub(crate) wall: Duration,
    /// Controls that are judged by drills, with their verdict and what they say.
    pub(crate) controls: Vec<Control>,
    /// How many results of drills there are.
    pub(crate) told: usize,
    /// How many of them the rendered report tells, word for word.
    pub(crate) found: usize,
}

/// A control that is judged by drills.
#[derive(Debug)]
pub(crate) struct Control {
    /// Its id.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) title: String,
    /// What it says of the cluster.
    pub(crate) verdict: String,
}

/// Runs everything and writes `docs/proof.md`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let programs = Programs::find(options.programs.as_deref(), options.release)?;
    let wanted = |target| options.only.is_empty() || options.only.contains(&target);
    let work = Work::new()?;
    let mut page = Page::default();
    page.versions.push(process::output(Command::new(&programs.cadastre).arg("--version"))?.trim().to_owned());
    page.build = match (&options.programs, options.release) {
        (Some(_), _) => "programs that were built before",
        (None, true) => "release build",
        (None, false) => "debug build",
    };
    if wanted(Target::Embedded) {
        page.embedded = Some(embedded(&work, &programs, options)?);
    }
    if wanted(Target::Cluster) {
        let Some(python) = &parts.python else { bail!("moto is missing") };
        page.versions.push(Database::version()?);
        page.versions.push(moto(python)?);
        page.is_other_version = options.previous.is_some();
        let (run, residue) = cluster(&work, &programs, python, options)?;
        (page.cluster, page.residue) = (Some(run), residue);
    }
    if wanted(Target::Kafka) {
        let Some(libraries) = parts.kafka_libraries() else { bail!("Apache Kafka is missing") };
        page.versions.push(Kafka::version(libraries)?);
        page.kafka = Some(kafka(&work, &programs, libraries, options)?);
    }
    if wanted(Target::Sabotage) {
        page.sabotage = sabotage(&parts)?;
    }
    page.load = bench::load()?;
    let text = page.text();
    print!("{text}");
    if options.only.is_empty() && options.drill.is_empty() {
        std::fs::write(process::root().join("docs/proof.md"), &text).context("cannot write docs/proof.md")?;
    }
    page.check()
}

fn build(release: bool) -> anyhow::Result<Programs> {
    let mut command = process::cargo();
    command.args(["build", "--quiet", "--bin", "cadastre", "--bin", "cadastre-broker"]);
    command.args(["--package", "cadastre", "--package", "cadastre-server"]);
    if release {
        command.arg("--release");
    }
    process::run(&mut command)?;
    let directory = process::target_directory().join(if release { "release" } else { "debug" });
    Programs::of(&directory)
}

impl Programs {
    /// Those of a directory, or else built.
    pub(crate) fn find(directory: Option<&Path>, release: bool) -> anyhow::Result<Self> {
        directory.map_or_else(|| build(release), Self::of)
    }

    /// Those of a directory, by their full paths: drills look for a broker by the words of its command line.
    fn of(directory: &Path) -> anyhow::Result<Self> {
        let path = |name: &str| {
            let path = directory.join(name);
            std::fs::canonicalize(&path).with_context(|| format!("there is no `{}`", path.display()))
        };
        Ok(Self { cadastre: path("cadastre")?, broker: path("cadastre-broker")? })
    }
}

fn moto(python: &Path) -> anyhow::Result<String> {
    let ask = "import importlib.metadata; print('moto', importlib.metadata.version('moto'))";
    Ok(process::output(Command::new(python).args(["-c", ask]))?.trim().to_owned())
}

fn embedded(work: &Work, programs: &Programs, options: &Options) -> anyhow::Result<Run> {
    let state = work.directory("embedded")?.join("state");
    let cadastre = |verb: &str| {
        let mut command = Command::new(&programs.cadastre);
        command.arg(verb).arg("--state").arg(&state);
        command
    };
    process::output(&mut cadastre("up"))?;
    let boundary = state.join("boundary.yaml");
    let mut declared = std::fs::read_to_string(&boundary).context("there is no boundary.yaml")?;
    // What `up` cannot know; the drills of its only cluster are the last that it declares.
    declared.push_str(&format!("      previous-program: {}\n", previous(programs, options)?.display()));
    std::fs::write(&boundary, declared)?;
    let ran = exercise(programs, &boundary, &work.directory("embedded")?, "local", options);
    let down = process::output(&mut cadastre("down"));
    let ran = ran?;
    down?;
    Ok(ran)
}

/// The program of the version before.
fn previous(programs: &Programs, options: &Options) -> anyhow::Result<PathBuf> {
    let previous = options.previous.as_ref().unwrap_or(&programs.broker);
    std::fs::canonicalize(previous).with_context(|| format!("there is no `{}`", previous.display()))
}

/// The drills, and then the deletion again on a bucket that keeps what is deleted: the promise that it breaks.
fn cluster(
    work: &Work,
    programs: &Programs,
    python: &Path,
    options: &Options,
) -> anyhow::Result<(Run, Option<String>)> {
    let directory = work.directory("cluster")?;
    let cluster = Cluster::start(&directory, python, programs)?;
    let boundary = cluster.boundary(python, &previous(programs, options)?)?;
    let run = exercise(programs, &boundary, &directory, prove_cluster::NAME, options)?;
    if !options.drill.is_empty() {
        return Ok((run, None));
    }
    cluster.store().keep_versions()?;
    let mut prove = Command::new(&programs.cadastre);
    prove.arg("prove").arg("-b").arg(&boundary).arg("-o").arg(directory.join("residue"));
    // 3: a promise was broken.
    let printed = accept(prove.args(["--drill", "deletion", "--yes", "--format", "json"]), &[3])?;
    let results: Results = serde_json::from_str(&printed).context("`cadastre prove` printed no JSON")?;
    let mut checks = results.drills.iter().flat_map(|drill| &drill.checks);
    let broken = checks.find(|check| check.kept == Some(false));
    let broken = broken.context("versions that are kept were not noticed")?;
    Ok((run, Some(format!("{}: {}", broken.promise, broken.seen))))
}

fn kafka(work: &Work, programs: &Programs, libraries: &Path, options: &Options) -> anyhow::Result<Run> {
    let directory = work.directory("kafka")?;
    let kafka = Kafka::start(&directory, libraries)?;
    exercise(programs, &kafka.boundary()?, &directory, prove_kafka::NAME, options)
}

/// Scans, proves, checks and reports, as a user would.
fn exercise(
    programs: &Programs,
    boundary: &Path,
    directory: &Path,
    cluster: &str,
    options: &Options,
) -> anyhow::Result<Run> {
    let (evidence, report) = (directory.join("evidence"), directory.join("report"));
    let cadastre = |verb: &str| {
        let mut command = Command::new(&programs.cadastre);
        command.arg(verb).arg("-b").arg(boundary).current_dir(directory);
        command
    };
    // 3 and 4 speak of the evidence, not of the tool.
    accept(cadastre("scan").arg("-o").arg(&evidence), &[0, 3, 4])?;
    let mut prove = cadastre("prove");
    prove.arg("-o").arg(&evidence).args(["--yes", "--format", "json"]);
    for drill in &options.drill {
        prove.args(["--drill", drill]);
    }
    let started = Instant::now();
    let printed = accept(&mut prove, &[0, 3, 4])?;
    let wall = started.elapsed();
    let results: Results = serde_json::from_str(&printed).context("`cadastre prove` printed no JSON")?;
    let checked = accept(cadastre("check").arg(&evidence).args(["--format", "json"]), &[0, 3, 4])?;
    let checklist: Value = serde_json::from_str(&checked).context("`cadastre check` printed no JSON")?;
    accept(cadastre("report").arg(&evidence).arg("-o").arg(&report).args(["--format", "html"]), &[0, 3, 4])?;
    let html = std::fs::read_to_string(report.join("report.html")).context("there is no report.html")?;
    let shown = prove_page::letters(&html);
    let all: Vec<&Check> = results.drills.iter().flat_map(|drill| &drill.checks).collect();
    let found = all.iter().filter(|check| {
        shown.contains(&prove_page::letters(&check.promise))
            && shown.contains(&prove_page::letters(&check.seen))
    });
    Ok(Run { wall, controls: controls(&checklist, cluster)?, told: all.len(), found: found.count(), results })
}

/// Runs to the end, and accepts some exit codes; progress goes to the terminal.
fn accept(command: &mut Command, codes: &[i32]) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {command:?}"))?;
    let known = output.status.code().is_some_and(|code| codes.contains(&code));
    ensure!(known, "{command:?} ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The controls that ask for a drill, and what they say of a cluster.
fn controls(checklist: &Value, cluster: &str) -> anyhow::Result<Vec<Control>> {
    let list = checklist.get("controls").and_then(Value::as_array).context("a checklist has controls")?;
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let asks = |control: &&Value| {
        let requires = control.get("requires").and_then(Value::as_array);
        requires.is_some_and(|list| {
            list.iter().filter_map(Value::as_str).any(|operation| operation.starts_with("drill:"))
        })
    };
    let subject = format!("cluster:{cluster}");
    let of = |control: &Value| {
        let findings =
            control.get("findings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let said: Vec<String> = findings
            .iter()
            .filter(|finding| text(finding, "subject") == subject && text(finding, "verdict") != "pass")
            .map(|finding| text(finding, "message"))
            .collect();
        let verdict = text(control, "verdict");
        let verdict = if said.is_empty() { verdict } else { format!("{verdict}: {}", said.join("; ")) };
        Control { id: text(control, "id"), title: text(control, "title"), verdict }
    };
    Ok(list.iter().filter(asks).map(of).collect())
}

/// Runs the tests that exercise brokers which break a promise; each must be caught.
fn sabotage(parts: &Parts) -> anyhow::Result<Vec<String>> {
    let mut command = process::cargo();
    command.args(["test", "--quiet", "--package", "cadastre-drills", "--test", "sabotage", "--"]);
    command.args(["--format", "pretty", "--color", "never"]);
    parts.export(&mut command);
    let printed = process::output(&mut command)?;
    let mut caught: Vec<String> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"))
        .map(|name| name.replace('_', " "))
        .collect();
    ensure!(!caught.is_empty(), "no test of a broken promise ran");
    caught.sort();
    Ok(caught)
}
