//! `cargo xtask bench trail` and `cargo xtask bench flow-table`: logs at size, beside the tools that people use now.
//!
//! Data is generated into the target directory and kept for the next run. Both sides read the same files in one run, each in
//! a process of its own, and their answers are compared.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;

use crate::bench::{Measured, load, machine, measure, publish};
use crate::process;

/// What the two are measured against.
const PACKAGES: [&str; 2] = ["awscli==1.46.3", "duckdb==2.0.0"];

/// The size of a trail.
#[derive(Debug, Args)]
pub(crate) struct TrailOptions {
    /// Days that the chain covers
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Log files that it lists
    #[arg(long, default_value_t = 200_000)]
    logs: u32,
}

/// The size of flow logs.
#[derive(Debug, Args)]
pub(crate) struct FlowOptions {
    /// MiB before compression
    #[arg(long, default_value_t = 3_072)]
    mebibytes: u64,
}

/// Verifies a generated trail with both.
pub(crate) fn trail(options: &TrailOptions) -> anyhow::Result<()> {
    let (program, python) = (program()?, python()?);
    let name = format!("trail-{}-{}", options.days, options.logs);
    let directory = generated(&name, |to| {
        let sizes = [options.days.to_string(), options.logs.to_string()];
        process::run(Command::new(&program).arg("generate-trail").arg(to).args(sizes))
    })?;
    let mut ours = Command::new(&program);
    ours.arg("verify-trail").arg(directory.join("bucket")).arg(directory.join("keys.json"));
    let answer = process::output(&mut ours)?;
    let digests = options.days * 24;
    if answer.trim() != format!("true {digests} {} 0", options.logs) {
        bail!("the trail is not valid: {answer}");
    }
    let ours = measure(&mut ours, &[0])?;
    let mut theirs = Command::new(&python);
    // An end after any digest's, so that all of them are read.
    let window = ["2026-03-01T00:00:00Z", "2099-01-01T00:00:00Z"];
    theirs.arg(script("validate_logs.py")).arg(&directory).args(window);
    let theirs_measured = measure(&mut theirs, &[0])?;
    // Measuring throws away what it says; here it is read.
    let told = process::output(theirs.stdout(Stdio::piped()))?;
    for line in
        [format!("{digests}/{digests} digest files valid"), format!("{0}/{0} log files valid", options.logs)]
    {
        if !told.contains(&line) {
            bail!("the other side does not say `{line}`: {told}");
        }
    }
    let mut text = format!(
        "# Verifying a CloudTrail trail\n\n`cargo xtask bench trail --days {} --logs {}`: an hourly chain of {digests} digests that lists {} log files, files in the page cache as far as it holds them.\n{} Load {:.1}. The other side is the class behind `aws cloudtrail validate-logs` ({}) with its S3 and CloudTrail clients replaced by the file system; both say that all is valid.\n\n",
        options.days,
        options.logs,
        options.logs,
        machine(),
        load()?,
        PACKAGES[0]
    );
    compare(
        &mut text,
        [("`cadastre-logs`", &ours), ("`aws cloudtrail validate-logs`", &theirs_measured)],
        |measured| format!("{:.0} log files/s", f64::from(options.logs) / measured.seconds),
    );
    publish("trail.md", &text)
}

/// Groups generated flow logs with both.
pub(crate) fn flow_table(options: &FlowOptions) -> anyhow::Result<()> {
    let (program, python) = (program()?, python()?);
    let directory = generated(&format!("flows-{}", options.mebibytes), |to| {
        process::run(Command::new(&program).arg("generate-flows").arg(to).arg(options.mebibytes.to_string()))
    })?;
    let (mut compressed, mut files) = (0, 0_u32);
    for entry in fs::read_dir(&directory)? {
        compressed += entry?.metadata()?.len();
        files += 1;
    }
    let (out, other_out) = (answers("ours.csv"), answers("theirs.csv"));
    let mut ours = Command::new(&program);
    ours.arg("flow-table").arg(&directory).arg(&out);
    let mut theirs = Command::new(&python);
    theirs.arg(script("flow_table.py")).arg(&directory).arg(&other_out);
    // Each goes first once; the better run of each counts.
    let (ours_first, theirs_first) = (measure(&mut ours, &[0])?, measure(&mut theirs, &[0])?);
    let (theirs_again, ours_again) = (measure(&mut theirs, &[0])?, measure(&mut ours, &[0])?);
    let (ours, theirs) = (better(ours_first, ours_again), better(theirs_first, theirs_again));
    let rows = same_rows(&out, &other_out)?;
    let size = f64::from(u32::try_from(options.mebibytes).unwrap_or(u32::MAX));
    let mut text = format!(
        "# The flow table\n\n`cargo xtask bench flow-table --mebibytes {}`: {files} gzip files of VPC flow logs, {} MiB compressed, {} MiB before, grouped into {rows} rows and written as CSV, files in the page cache.\n{} Load {:.1}. The other side is {} with the columns' types stated; both answers are the same, row by row. The better of two runs each.\n\n",
        options.mebibytes,
        compressed >> 20,
        options.mebibytes,
        machine(),
        load()?,
        PACKAGES[1]
    );
    compare(&mut text, [("`cadastre-logs`", &ours), ("DuckDB", &theirs)], |measured| {
        format!("{:.0} MiB/s", size / measured.seconds)
    });
    publish("flow-table.md", &text)
}

fn compare(text: &mut String, sides: [(&str, &Measured); 2], rate: impl Fn(&Measured) -> String) {
    text.push_str(
        "| what | seconds | processor seconds | rate | peak MiB |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for (name, measured) in sides {
        let _infallible = writeln!(
            text,
            "| {name} | {:.2} | {:.2} | {} | {:.0} |",
            measured.seconds,
            measured.processor_seconds,
            rate(measured),
            measured.peak_mebibytes
        );
    }
    let [(_, ours), (_, theirs)] = sides;
    let _infallible = writeln!(
        text,
        "\n{:.1} times the speed, {:.1} times by processor time, in {:.2} times the memory.",
        theirs.seconds / ours.seconds,
        theirs.processor_seconds / ours.processor_seconds,
        ours.peak_mebibytes / theirs.peak_mebibytes
    );
}

fn better(a: Measured, b: Measured) -> Measured {
    let peak_mebibytes = a.peak_mebibytes.max(b.peak_mebibytes);
    Measured {
        seconds: a.seconds.min(b.seconds),
        processor_seconds: a.processor_seconds.min(b.processor_seconds),
        peak_mebibytes,
    }
}

/// Compares two answers without regard to the order of rows; returns how many rows they have.
fn same_rows(a: &Path, b: &Path) -> anyhow::Result<usize> {
    let read = |path: &Path| -> anyhow::Result<Vec<String>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut rows: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        rows.sort_unstable();
        Ok(rows)
    };
    let (a, b) = (read(a)?, read(b)?);
    if let Some((ours, theirs)) = a.iter().zip(&b).find(|(ours, theirs)| ours != theirs) {
        bail!("the answers differ: `{ours}` and `{theirs}`");
    }
    if a.len() != b.len() {
        bail!("the answers differ: {} and {} rows", a.len(), b.len());
    }
    Ok(a.len())
}

fn directory() -> PathBuf {
    process::target_directory().join("bench-logs")
}

fn answers(name: &str) -> PathBuf {
    directory().join(name)
}

fn script(name: &str) -> PathBuf {
    process::root().join("fixtures/benchmarks").join(name)
}

/// Data under a name, made when it is not there; a directory that was not finished is made again.
fn generated(name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let finished = directory().join(name);
    if finished.exists() {
        return Ok(finished);
    }
    let unfinished = directory().join(format!("{name}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    eprintln!("generating {}", finished.display());
    make(&unfinished)?;
    fs::rename(&unfinished, &finished)?;
    Ok(finished)
}

/// The program that is measured.
fn program() -> anyhow::Result<PathBuf> {
    let build = ["build", "--release", "--quiet", "--package", "cadastre-logs", "--example", "logs"];
    process::run(process::cargo().args(build))?;
    Ok(process::target_directory().join("release/examples/logs"))
}

/// A Python that has the other sides.
fn python() -> anyhow::Result<PathBuf> {
    let venv = process::target_directory().join("parts/python-logs");
    let python = venv.join("bin/python");
    let stamp = venv.join("packages");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && python.exists() {
        return Ok(python);
    }
    process::run(Command::new("python3").arg("-m").arg("venv").arg(&venv))?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}
