//! `cargo xtask fuzz broker`: libFuzzer on what the broker reads from strangers, and `docs/fuzzing.md`.
//!
//! The targets are those of the room `broker/fuzz`. They are built with coverage counters by a plain stable compiler: libFuzzer needs
//! LLVM's pass and no more. What a run reached is kept in the target directory and gone on from; `--keep` puts the smallest inputs
//! that reach all of it into the room's corpus, which every test run goes through again.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::bench::{machine, processor_time};
use crate::process;

/// For `--target`, without which build scripts would be built with counters too.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What libFuzzer asks the compiler for.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// What a panic would hide is made one: arithmetic that wraps, and assertions of the debug build.
const CHECKED: [&str; 2] = ["-Cdebug-assertions=on", "-Coverflow-checks=on"];
/// The most memory a target may hold, in MiB.
const MEMORY: u32 = 2_048;
/// The longest that an input may take, in seconds.
const SLOWEST: u32 = 25;
/// So many inputs of a target are kept, the smallest first: a test run goes through them.
const KEPT: usize = 400;

/// A target of the room, and what it is about.
struct Target {
    name: &'static str,
    about: &'static str,
    /// The longest input that is tried, in bytes.
    longest: u32,
    /// Whether it needs a whole broker.
    broker: bool,
}

const TARGETS: [Target; 7] = [
    Target {
        name: "requests",
        about: "every request's decoder, in every version",
        longest: 4_096,
        broker: false,
    },
    Target {
        name: "record_batches",
        about: "batches and their records: read, moved, compacted",
        longest: 4_096,
        broker: false,
    },
    Target {
        name: "decompression",
        about: "gzip, Snappy, LZ4 and Zstandard, bounded; what is packed unpacks",
        longest: 16_384,
        broker: false,
    },
    Target {
        name: "sasl",
        about: "PLAIN, SCRAM and OAUTHBEARER exchanges: nobody becomes anybody",
        longest: 2_048,
        broker: false,
    },
    Target {
        name: "tls",
        about: "a listener that asks for certificates, before and instead of a handshake",
        longest: 40_000,
        broker: false,
    },
    Target {
        name: "connection",
        about: "a running broker's connection without a password: frames in any order",
        longest: 4_096,
        broker: true,
    },
    Target {
        name: "dispatch",
        about: "a running broker's every API, from somebody who may do anything",
        longest: 4_096,
        broker: true,
    },
];

/// What to try, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// These targets alone: requests, record_batches, decompression, sasl, tls, connection, dispatch
    targets: Vec<String>,
    /// Processor time for each target, in seconds: wall time on a machine that does nothing else
    #[arg(long, default_value_t = 3_600)]
    processor_seconds: u64,
    /// Put the smallest inputs that reach everything into the room's corpus
    #[arg(long)]
    keep: bool,
}

/// One run of one target, a line of the ledger.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    target: String,
    processor_seconds: u64,
    executions: u64,
    edges: u64,
    inputs: u64,
    failed: Option<String>,
}

/// Runs the targets one after the other; fails when one found something.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| options.targets.is_empty() || options.targets.iter().any(|name| name == target.name))
        .collect();
    if chosen.len() < options.targets.len().max(1) {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("the targets are {}", names.join(", "));
    }
    build(chosen.iter().any(|target| target.broker))?;
    let mut failures = Vec::new();
    for target in chosen {
        let done = fuzz(target, options.processor_seconds)?;
        println!(
            "{}: {} executions in {} s of processor time, {} edges, {} inputs",
            target.name, done.executions, done.processor_seconds, done.edges, done.inputs
        );
        failures.extend(done.failed.as_ref().map(|failed| format!("{}: {failed}", target.name)));
        append(&done)?;
        if options.keep {
            keep(target)?;
        }
    }
    fs::write(process::root().join("docs/fuzzing.md"), page()?)?;
    if !failures.is_empty() {
        bail!("found: {}", failures.join("; "));
    }
    Ok(())
}

/// Where everything of the fuzzer lies.
fn place() -> PathBuf {
    process::target_directory().join("fuzz")
}

fn program(target: &Target) -> PathBuf {
    place().join("build").join(TRIPLE).join("release").join(target.name)
}

/// What a target's runs have reached so far.
fn reached(target: &Target) -> PathBuf {
    place().join("reached").join(target.name)
}

fn corpus(target: &Target) -> PathBuf {
    process::root().join("broker/fuzz/corpus").join(target.name)
}

fn build(broker: bool) -> anyhow::Result<()> {
    let features = if broker { "libfuzzer,broker" } else { "libfuzzer" };
    let flags: Vec<&str> = COVERAGE.into_iter().chain(CHECKED).collect();
    process::run(
        process::cargo()
            .args(["build", "--release", "--package", "cadastre-fuzz", "--bins", "--target", TRIPLE])
            .args(["--no-default-features", "--features", features])
            .env("CARGO_TARGET_DIR", place().join("build"))
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")),
    )
}

fn fuzz(target: &Target, processor_seconds: u64) -> anyhow::Result<Run> {
    let reached = reached(target);
    fs::create_dir_all(&reached)?;
    fs::create_dir_all(corpus(target))?;
    let found = place().join("found").join(target.name);
    fs::create_dir_all(&found)?;
    let mut child = Command::new(program(target))
        .arg(&reached)
        .arg(corpus(target))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={SLOWEST}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-print_final_stats=1", "-use_value_profile=0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", program(target).display()))?;
    let errors = child.stderr.take().context("standard error is ours")?;
    let reader = std::thread::spawn(move || told(BufReader::new(errors)));
    let (used, interrupted) = wait(&mut child, processor_seconds)?;
    let status = child.wait()?;
    let Ok(told) = reader.join() else { bail!("what {} said was not read", target.name) };
    let inputs = fs::read_dir(&reached)?.count() as u64;
    let failed = (!interrupted).then(|| format!("{status}; {}", told.last_lines.join(" / ")));
    Ok(Run {
        target: target.name.to_owned(),
        processor_seconds: used,
        executions: told.executions,
        edges: told.edges,
        inputs,
        failed,
    })
}

/// Waits until the program ends or has used its time; how much it used, and whether it was told to end.
#[expect(clippy::disallowed_methods, reason = "the fuzzer is another process")]
fn wait(child: &mut Child, processor_seconds: u64) -> anyhow::Result<(u64, bool)> {
    let id = child.id();
    let mut used = 0;
    loop {
        if child.try_wait()?.is_some() {
            return Ok((used, false));
        }
        if let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) {
            used = Duration::from_secs_f64(processor_time(&stat)).as_secs();
        }
        if used >= processor_seconds {
            process::run(Command::new("kill").args(["-INT", &id.to_string()]))?;
            return Ok((used, true));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// What libFuzzer said.
#[derive(Debug, Default)]
struct Told {
    executions: u64,
    edges: u64,
    last_lines: Vec<String>,
}

fn told(lines: impl BufRead) -> Told {
    let mut told = Told::default();
    for line in lines.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [first, ..] = words.as_slice()
            && let Some(count) = first.strip_prefix('#').and_then(|count| count.parse().ok())
        {
            told.executions = told.executions.max(count);
        }
        if let Some(at) = words.iter().position(|word| *word == "cov:")
            && let Some(edges) = words.get(at + 1).and_then(|edges| edges.parse().ok())
        {
            told.edges = told.edges.max(edges);
        }
        if let [.., "stat::number_of_executed_units:", count] = words.as_slice() {
            told.executions = count.parse().unwrap_or(told.executions);
        }
        if line.contains("panicked at") || line.contains("ERROR:") || line.contains("Test unit written") {
            told.last_lines.push(line);
        }
    }
    told
}

/// Puts the smallest inputs that reach everything into the room's corpus.
fn keep(target: &Target) -> anyhow::Result<()> {
    let merged = place().join("merged").join(target.name);
    if merged.exists() {
        fs::remove_dir_all(&merged)?;
    }
    fs::create_dir_all(&merged)?;
    process::run(
        Command::new(program(target))
            .args(["-set_cover_merge=1", &format!("-rss_limit_mb={MEMORY}")])
            .args([merged.as_path(), &reached(target), &corpus(target)])
            .stderr(Stdio::null()),
    )?;
    let mut inputs = files(&merged)?;
    inputs.truncate(KEPT);
    let kept = corpus(target);
    for (_, old) in files(&kept)? {
        fs::remove_file(old)?;
    }
    for (_, input) in &inputs {
        let name = input.file_name().context("a file has a name")?;
        fs::copy(input, kept.join(name))?;
    }
    println!("{}: {} inputs kept", target.name, inputs.len());
    Ok(())
}

/// The files of a folder with their sizes, the smallest first.
fn files(folder: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    files.sort();
    Ok(files)
}

fn ledger() -> PathBuf {
    place().join("ledger.jsonl")
}

fn append(run: &Run) -> anyhow::Result<()> {
    let mut text = fs::read_to_string(ledger()).unwrap_or_default();
    writeln!(text, "{}", serde_json::to_string(run)?)?;
    Ok(fs::write(ledger(), text)?)
}

/// Sums up the ledger.
fn page() -> anyhow::Result<String> {
    let runs: Vec<Run> =
        fs::read_to_string(ledger())?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut text = format!(
        "# Fuzzing\n\n\
         `cargo xtask fuzz broker` runs libFuzzer on what the broker reads from strangers (`broker/fuzz`): built for release with \
         coverage\ncounters, and with overflow checks and debug assertions on. An input fails by a panic in any thread, by a broken \
         promise of its target,\nby {SLOWEST} s for one input, or by {MEMORY} MiB of memory. {}\n\n\
         Times are processor time of the fuzzing process, all its runs since the targets were last changed added up.\n\n\
         | target | what it tries | processor time | executions | edges reached | inputs | found in the last run |\n\
         | --- | --- | ---: | ---: | ---: | ---: | --- |\n",
        machine()
    );
    for target in &TARGETS {
        let own: Vec<&Run> = runs.iter().filter(|run| run.target == target.name).collect();
        let Some(last) = own.last() else { continue };
        let seconds: u64 = own.iter().map(|run| run.processor_seconds).sum();
        let executions: u64 = own.iter().map(|run| run.executions).sum();
        writeln!(
            text,
            "| `{}` | {} | {} min | {} | {} | {} | {} |",
            target.name,
            target.about,
            seconds / 60,
            grouped(executions),
            grouped(last.edges),
            grouped(last.inputs),
            last.failed.as_deref().unwrap_or("nothing"),
        )?;
    }
    text.push_str(
        "\nThe smallest inputs that reach what was reached lie in `broker/fuzz/corpus`, at most 400 a target; \
         `cargo test -p cadastre-fuzz`\nruns each of them.\n",
    );
    Ok(text)
}

/// A count with commas between its thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_understood() {
        let said = "INFO: seed corpus: files: 3\n#4\tINITED cov: 120 ft: 300 corp: 2/9b\n#900\tNEW    cov: 131 ft: 320\n\
                    stat::number_of_executed_units: 1042\n";
        let told = told(said.as_bytes());
        assert_eq!((told.executions, told.edges, told.last_lines.len()), (1_042, 131, 0));
        assert_eq!(super::told(&b"thread 'main' panicked at src/x.rs:1:1:\n"[..]).last_lines.len(), 1);
    }

    #[test]
    fn the_room_has_the_same_targets() {
        let manifest = fs::read_to_string(process::root().join("broker/fuzz/Cargo.toml")).unwrap();
        let listed: Vec<&str> =
            manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
        let own: Vec<String> = TARGETS.iter().map(|target| format!("{}.rs\"", target.name)).collect();
        assert_eq!(listed, own);
    }

    #[test]
    fn counts_have_commas() {
        assert_eq!(
            ["0", "999", "1,000", "12,345,678"],
            [0, 999, 1_000, 12_345_678].map(grouped).each_ref().map(String::as_str)
        );
    }
}
