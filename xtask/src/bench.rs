//! `cargo xtask bench`: measurements, with the machine they were made on, written to `docs/benchmarks/`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::bench_logs;
use crate::organisation;
use crate::parts::Parts;
use crate::process;
use crate::reference_account::{ReferenceAccount, script};

/// How long each way of deciding is measured unless told otherwise, in seconds of processor time.
const DECISION_SECONDS: u32 = 2;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Scan, check and report on a moto account with 2,000 roles of 3 policies each
    Scan {
        /// Number of roles
        #[arg(long, default_value_t = 2_000)]
        roles: u32,
    },
    /// First build of the README's first command, and a rebuild after touching `graph`
    Build,
    /// Single decisions beside another evaluator, then a whole organization: `decisions` and `organisation`
    Access,
    /// An organization of 20 accounts with the policies AWS manages: capabilities, plaintext derivations, cuts
    Organisation(organisation::Options),
    /// Verification of a large packet, beside sha256sum, openssl and unzip on the same bytes
    Packet {
        /// Size of the packet
        #[arg(long, default_value_t = 1_024)]
        mebibytes: u32,
    },
    /// Comparing two large graphs, and telling what moved in every format
    Drift {
        /// Nodes of each graph
        #[arg(long, default_value_t = 5_000)]
        nodes: u32,
        /// Changes between them
        #[arg(long, default_value_t = 2_000)]
        changes: u32,
    },
    /// Permitted flows and paths of a network of 2,000 interfaces and 500 security groups
    Network,
    /// Single decisions on AWS policies, beside another evaluator
    Decisions {
        /// How long each way of deciding is measured, in seconds of processor time
        #[arg(long, default_value_t = DECISION_SECONDS)]
        seconds: u32,
    },
    /// Decisions of the broker's authorizer on 10,000 ACLs, beside Apache Kafka's `StandardAuthorizer`
    Authorizer {
        /// How long each is measured, in seconds of processor time
        #[arg(long, default_value_t = DECISION_SECONDS)]
        seconds: u32,
    },
    /// The broker beside Apache Kafka: throughput, latency, processor time, memory, start, recovery
    Broker(crate::bench_broker::Options),
    /// Every format of the report of a made-up boundary of 5,000 nodes with 2,000 findings, and its page in Chromium
    Report(crate::bench_report::Options),
    /// Verify a CloudTrail trail, beside the AWS CLI's own code
    Trail(bench_logs::TrailOptions),
    /// Group flow logs, beside DuckDB
    FlowTable(bench_logs::FlowOptions),
}

/// Runs one benchmark.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Scan { roles } => scan(*roles),
        Bench::Build => build(),
        Bench::Broker(options) => crate::bench_broker::run(options),
        Bench::Access => {
            run(&Bench::Decisions { seconds: DECISION_SECONDS })?;
            organisation::bench()
        }
        Bench::Organisation(options) => options.measure(),
        Bench::Packet { mebibytes } => publish("packet.md", &crate::packet::bench(*mebibytes, &machine())?),
        Bench::Drift { nodes, changes } => {
            publish("drift.md", &crate::bench_drift::run(*nodes, *changes, &machine())?)
        }
        Bench::Decisions { seconds } => {
            publish("decisions.md", &crate::access_bench::run(*seconds, &machine())?)
        }
        Bench::Authorizer { seconds } => publish("authorizer.md", &crate::authorizer::bench(*seconds)?),
        Bench::Report(options) => options.run(),
        Bench::Network => network(),
        Bench::Trail(options) => bench_logs::trail(options),
        Bench::FlowTable(options) => bench_logs::flow_table(options),
    }
}

/// Runs the network's example three times; the best run counts, since the machine has other work.
fn network() -> anyhow::Result<()> {
    let build = ["build", "--release", "--quiet", "--package", "cadastre-network", "--example", "network"];
    process::run(process::cargo().args(build))?;
    let program = process::target_directory().join("release/examples/network");
    let mut best: Option<serde_json::Value> = None;
    let total = |run: &serde_json::Value| {
        let seconds = |member| run.get(member).and_then(serde_json::Value::as_f64).unwrap_or(f64::MAX);
        seconds("flows_seconds") + seconds("paths_seconds")
    };
    for _ in 0..3 {
        let run = serde_json::from_str(&process::output(Command::new(&program).args(["2000", "500"]))?)?;
        if best.as_ref().is_none_or(|best| total(&run) < total(best)) {
            best = Some(run);
        }
    }
    let Some(best) = best else { bail!("nothing was measured") };
    let number =
        |pointer: &str| best.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
    let asked = number("/paths/open") + number("/paths/unknown") + number("/paths/blocked");
    let text = format!(
        "# Reachability at size\n\n`cargo xtask bench network`: one VPC of 20 subnets with 2,000 interfaces and 500 security groups that name each other, peering, NAT, an internet gateway, an endpoint and network ACLs, generated; best of three runs, one thread.\n{} Load {:.1}.\n\n| what | count | seconds |\n| --- | ---: | ---: |\n| permitted flows of every interface | {} | {:.2} |\n| paths between two ends, there and back | {asked} | {:.2} |\n\nOf the paths {} are open, {} unknown, {} blocked. Aim: flows under 2 seconds.\n",
        machine(),
        load()?,
        number("/flows"),
        number("/flows_seconds"),
        number("/paths_seconds"),
        number("/paths/open"),
        number("/paths/unknown"),
        number("/paths/blocked"),
    );
    publish("network.md", &text)
}

/// What one run of a program took.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// On all processors together: what a machine with other work does not change much.
    pub(crate) processor_seconds: f64,
    pub(crate) peak_mebibytes: f64,
}

/// Clock ticks in a second, as the kernel tells processes' times (`sysconf(_SC_CLK_TCK)` is 100 on every Linux of today).
const TICKS: f64 = 100.0;

/// Runs a program under GNU time's eye: seconds by our clock, peak memory as the kernel tells of children.
pub(crate) fn measure(command: &mut Command, accepted: &[i32]) -> anyhow::Result<Measured> {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn().context("cannot run")?;
    let status_file = format!("/proc/{}/status", child.id());
    let times_file = format!("/proc/{}/stat", child.id());
    let (mut peak, mut processor_seconds) = (0_u64, 0.0_f64);
    let status = loop {
        // The high-water mark only grows, so the last reading before the end is within one interval of the peak.
        if let Ok(text) = fs::read_to_string(&status_file) {
            peak = peak.max(high_water_mark(&text));
        }
        if let Ok(text) = fs::read_to_string(&times_file) {
            processor_seconds = processor_seconds.max(processor_time(&text));
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        pause(Duration::from_millis(5));
    };
    let seconds = started.elapsed().as_secs_f64();
    if !status.code().is_some_and(|code| accepted.contains(&code)) {
        bail!("a measured program ended with {status}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of KiB is far below 2^52")]
    let peak_mebibytes = peak as f64 / 1024.0;
    Ok(Measured { seconds, processor_seconds, peak_mebibytes })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark samples another process at intervals")]
fn pause(interval: Duration) {
    std::thread::sleep(interval);
}

/// `utime` and `stime` in seconds, the 14th and 15th field (proc(5)); the second field may hold spaces, and ends with `)`.
pub(crate) fn processor_time(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// `VmHWM` in KiB (proc(5)).
fn high_water_mark(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn scan(roles: u32) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let Some(python) = parts.python else { bail!("this benchmark needs moto") };
    process::run(process::cargo().args(["build", "--release", "--package", "cadastre"]))?;
    let binary = process::target_directory().join("release/cadastre");
    let fixtures = process::root().join("fixtures");
    let work = process::target_directory().join("bench-scan");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;

    let account = ReferenceAccount::start("clean", || Command::new(&python))?;
    eprintln!("creating {roles} roles with 3 policies each");
    process::output(Command::new(&python).arg(script("many_roles.py")).args([
        "--endpoint-url",
        &account.url,
        "--roles",
        &roles.to_string(),
    ]))?;

    let boundary = fixtures.join("clean/boundary.yaml");
    let evidence = work.join("evidence");
    let mut command = Command::new(&binary);
    command
        .args(["--quiet", "scan", "--only", "aws", "--boundary"])
        .arg(&boundary)
        .arg("--output")
        .arg(&evidence);
    let scan = measure(account.sign_in(&mut command)?, &[0, 4])?;
    drop(account);
    let manifest = fs::read_to_string(evidence.join("manifest.json"))?;
    if manifest.contains("\"failed\"") || manifest.contains("\"denied\"") {
        bail!("the scan was not answered in full, so its time says nothing: {}", evidence.display());
    }
    let judge = |verb: &str, further: &[&str]| {
        measure(
            Command::new(&binary)
                .args(["--quiet", verb])
                .arg(&evidence)
                .arg("--boundary")
                .arg(&boundary)
                .args(further),
            &[0, 3, 4],
        )
    };
    let check = judge("check", &["--format", "json"])?;
    let report_directory = work.join("report").display().to_string();
    let report = judge("report", &["--output", &report_directory])?;

    let mut text = format!(
        "# Scan, check and report on {roles} roles × 3 policies\n\n`cargo xtask bench scan --roles {roles}`, release build, the reference account in moto with {roles} further roles.\n{}\n\n| command | seconds | peak MiB |\n| --- | ---: | ---: |\n",
        machine()
    );
    for (name, measured) in [("scan --only aws", &scan), ("check", &check), ("report", &report)] {
        let _infallible =
            writeln!(text, "| `{name}` | {:.2} | {:.0} |", measured.seconds, measured.peak_mebibytes);
    }
    text.push_str(
        "\nThe time of `scan` is mostly moto's: it answers from one Python process on the same machine.\n",
    );
    publish("scan.md", &text)
}

fn build() -> anyhow::Result<()> {
    let target = process::target_directory().join("bench-build");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let build = || {
        let mut command = process::cargo();
        command.args(["build", "--release", "--quiet"]).env("CARGO_TARGET_DIR", &target);
        command
    };
    eprintln!("first build");
    let started = Instant::now();
    process::run(&mut build())?;
    let first = started.elapsed();
    let file = process::root().join("evidence-cli/graph/src/lib.rs");
    touch(&file)?;
    eprintln!("rebuild after touching graph");
    let started = Instant::now();
    process::run(&mut build())?;
    let again = started.elapsed();
    fs::remove_dir_all(&target)?;
    let text = format!(
        "# Build times\n\n`cargo xtask bench build`, release profile, packages already downloaded.\n{}\n\n| what | seconds |\n| --- | ---: |\n| first build of `cargo run --release -- demo` | {:.0} |\n| rebuild after touching `evidence-cli/graph` | {:.1} |\n",
        machine(),
        first.as_secs_f64(),
        again.as_secs_f64()
    );
    publish("build.md", &text)
}

fn touch(path: &Path) -> anyhow::Result<()> {
    let text = fs::read(path)?;
    fs::write(path, text).with_context(|| format!("cannot touch {}", path.display()))
}

/// One line about the machine, so that nobody compares figures of different ones.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1_048_576;
    format!("Machine: {model}, {cores} cores, {memory} GiB.")
}

/// How many processes the machine has had to run in the last five minutes (proc(5)).
pub(crate) fn load() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().nth(1).context("the kernel tells the load")?.parse()?)
}

/// Writes and prints a page of results.
pub(crate) fn publish(name: &str, text: &str) -> anyhow::Result<()> {
    let directory = process::root().join("docs/benchmarks");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), text)?;
    print!("{text}");
    Ok(())
}
