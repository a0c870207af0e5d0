//! `cargo xtask record-fixtures`: the reference account and its cluster, recorded by the real collectors.
//!
//! Everything runs in a network namespace of its own, in which the brokers have the addresses that the
//! account's instances have. That needs root and iproute2; what is recorded is checked in, so that nothing
//! else does.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::parts::Parts;
use crate::process;

/// What to record.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The variant; both unless given
    #[arg(long, value_enum)]
    variant: Option<Variant>,
    /// Write below this directory instead of fixtures/
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Variant {
    Clean,
    Planted,
}

impl Variant {
    const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Planted => "planted",
        }
    }
}

/// Addresses of the reference account's brokers.
const BROKERS: [&str; 3] = ["10.20.1.10", "10.20.2.10", "10.20.3.10"];

/// Records the chosen variants.
pub(crate) fn record(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let (Some(python), Some(libs)) = (&parts.python, &parts.kafka_libs) else {
        bail!("recording needs moto and Apache Kafka");
    };
    process::run(process::cargo().args(["build", "--package", "cadastre"]))?;
    let variants = options.variant.map_or_else(|| vec![Variant::Clean, Variant::Planted], |one| vec![one]);
    let output = options.output.clone().unwrap_or_else(|| process::root().join("fixtures"));
    for variant in variants {
        let namespace = Namespace::create()?;
        record_variant(variant, python, libs, &namespace, &output)
            .with_context(|| format!("recording {}", variant.name()))?;
    }
    Ok(())
}

fn record_variant(
    variant: Variant,
    python: &Path,
    libs: &Path,
    namespace: &Namespace,
    output: &Path,
) -> anyhow::Result<()> {
    let fixtures = process::root().join("fixtures");
    let account = fixtures.join("reference-account");
    let work = process::target_directory().join("fixtures").join(variant.name());
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;

    eprintln!("starting moto and the cluster ({})", variant.name());
    let moto = Server::start(namespace.command(python).arg(account.join("server.py")), |_| true)?;
    let url = moto.line.clone();
    let cluster = Server::start(
        namespace
            .command(python)
            .arg(fixtures.join("reference-cluster/cluster.py"))
            .arg("--libs")
            .arg(libs)
            .arg("--directory")
            .arg(&work)
            .args(["--variant", variant.name()]),
        |line| line == "ready",
    )?;
    let seeded = process::output(namespace.command(python).arg(account.join("seed.py")).args([
        "--endpoint-url",
        &url,
        "--variant",
        variant.name(),
    ]))?;
    let seeded: serde_json::Value = serde_json::from_str(&seeded).context("seed.py prints JSON")?;
    let credential = |name: &str| {
        seeded
            .pointer(&format!("/scanner/{name}"))
            .and_then(serde_json::Value::as_str)
            .with_context(|| format!("seed.py prints no {name}"))
    };

    eprintln!("scanning");
    let boundary = fixtures.join(variant.name()).join("boundary.yaml");
    fs::copy(&boundary, work.join("boundary.yaml")).with_context(|| format!("no {}", boundary.display()))?;
    let evidence = output.join(variant.name()).join("evidence");
    process::run(
        namespace
            .command(&process::target_directory().join("debug/cadastre"))
            .args(["--quiet", "scan", "--force", "--boundary"])
            .arg(work.join("boundary.yaml"))
            .arg("--output")
            .arg(&evidence)
            .args(["--aws-endpoint-url", &url])
            .env("AWS_ACCESS_KEY_ID", credential("AccessKeyId")?)
            .env("AWS_SECRET_ACCESS_KEY", credential("SecretAccessKey")?)
            .env("AWS_SESSION_TOKEN", credential("SessionToken")?)
            .env("AWS_REGION", "eu-central-1"),
    )?;
    drop(cluster);
    println!("recorded {}", evidence.display());
    Ok(())
}

/// A network namespace with the brokers' addresses on its loopback interface.
struct Namespace {
    name: String,
}

impl Namespace {
    fn create() -> anyhow::Result<Self> {
        if !process::exists("ip") {
            bail!("no `ip` on the PATH (Debian package iproute2)");
        }
        let namespace = Self { name: format!("cadastre-{}", std::process::id()) };
        process::run(Command::new("ip").args(["netns", "add", &namespace.name]))
            .context("a network namespace needs root")?;
        let ip = |arguments: &[&str]| {
            process::run(Command::new("ip").args(["-n", &namespace.name]).args(arguments))
        };
        ip(&["link", "set", "lo", "up"])?;
        for address in BROKERS {
            ip(&["address", "add", &format!("{address}/32"), "dev", "lo"])?;
        }
        Ok(namespace)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing is left to do where it is gone already.
        drop(Command::new("ip").args(["netns", "delete", &self.name]).status());
    }
}

/// A program that serves until its standard input closes.
struct Server {
    child: Child,
    line: String,
}

impl Server {
    /// Starts it and waits for the line that says it is ready.
    fn start(command: &mut Command, ready: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                let status = child.wait()?;
                bail!("a server ended with {status} before it was ready");
            }
            if ready(line.trim()) {
                break;
            }
        }
        // Whatever else it prints is taken off the pipe, so that it never blocks.
        std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        Ok(Self { child, line: line.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Its end is all that is waited for; how it ended changes nothing.
        drop(self.child.wait());
    }
}
