//! `cargo xtask record-fixtures`: the reference account and its cluster, recorded by the real collectors.
//!
//! Everything runs in a network namespace of its own, in which the brokers have the addresses that the
//! account's instances have. That needs root and iproute2; what is recorded is checked in, so that nothing
//! else does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::namespace::Namespace;
use crate::parts::Parts;
use crate::process;
use crate::reference_account::{ReferenceAccount, Server};

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
        let namespace = Namespace::create(&BROKERS)?;
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
    let work = process::target_directory().join("fixtures").join(variant.name());
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;

    eprintln!("starting moto and the cluster ({})", variant.name());
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
    let account = ReferenceAccount::start(variant.name(), || namespace.command(python))?;

    eprintln!("scanning");
    let boundary = fixtures.join(variant.name()).join("boundary.yaml");
    fs::copy(&boundary, work.join("boundary.yaml")).with_context(|| format!("no {}", boundary.display()))?;
    let evidence = output.join(variant.name()).join("evidence");
    let mut scan = namespace.command(&process::target_directory().join("debug/cadastre"));
    scan.args(["--quiet", "scan", "--force", "--boundary"])
        .arg(work.join("boundary.yaml"))
        .arg("--output")
        .arg(&evidence);
    process::run(account.sign_in(&mut scan)?)?;
    drop(cluster);
    let told = output.join(variant.name()).join("boundary.yaml");
    if !told.exists() {
        fs::copy(&boundary, &told)?;
    }
    // What the account's trail would have recorded is told by a story, for no cloud wrote any.
    process::run(
        process::cargo()
            .args(["run", "--quiet", "--package", "cadastre-assess", "--example", "reference_trail"])
            .arg(output.join(variant.name())),
    )?;
    println!("recorded {}", evidence.display());
    Ok(())
}
