//! `cargo xtask packet-tamper` and `cargo xtask bench packet`: every change to a packet is detected, and how fast
//! a packet is verified.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::parts::Parts;
use crate::process;

/// Runs the tampering tests with many changes and writes `docs/packet-tampering.md`.
pub(crate) fn tamper(changes: u32) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let started = Instant::now();
    let mut command = process::cargo();
    command
        .args(["test", "--package", "cadastre-packet", "--test", "tamper", "--test", "independent"])
        .env("CADASTRE_TAMPERINGS", changes.to_string());
    parts.export(&mut command);
    process::run(&mut command)?;
    let text = format!(
        "# Changed packets\n\n`cargo xtask packet-tamper {changes}`, from a fixed seed. A run fails with the first change that is not detected, so a \
         page that was\nwritten says that each was. {:.0} s, builds included. {}\n\n| change | how many | detected |\n| --- | ---: | ---: |\n\
         | one byte anywhere, to another value | {changes} | all |\n\
         | structural: cut short, bytes removed, repeated, reversed, inserted, appended, zeroed, put before | {changes} | all |\n\
         | each byte of every header of the container, in three ways | all of them | all |\n\
         | each file added, removed, renamed, exchanged with each other one, moved to each other place | all of them | all |\n\
         | records reordered, repeated, removed | one each | all |\n\nThe packet is signed with Ed25519 and verified with its public key alone \
         (`evidence-cli/packet/tests/tamper.rs`). Beside it runs `tests/independent.rs`:\nsignatures checked by openssl and by a DSSE \
         implementation of others, the tree by a few lines of Python.\n",
        started.elapsed().as_secs_f64(),
        crate::bench::machine(),
    );
    fs::write(process::root().join("docs/packet-tampering.md"), &text)?;
    print!("{text}");
    Ok(())
}

/// Seconds that a program takes, the best of some runs.
fn seconds(runs: u32, command: impl Fn() -> Command) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let started = Instant::now();
        let status =
            command().stdout(Stdio::null()).status().context("cannot run a program to compare with")?;
        if !status.success() {
            bail!("a measured program ended with {status}");
        }
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Measures, and returns the page for `docs/benchmarks/packet.md`.
pub(crate) fn bench(mebibytes: u32, machine: &str) -> anyhow::Result<String> {
    process::run(process::cargo().args([
        "build",
        "--release",
        "--package",
        "cadastre-packet",
        "--example",
        "packet_speed",
    ]))?;
    let program = process::target_directory().join("release/examples/packet_speed");
    let work = process::target_directory().join("bench-packet");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let (key, public, packet) = (work.join("key.pem"), work.join("public.pem"), work.join("packet.zip"));
    process::run(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&key))?;
    restrict(&key)?;
    process::run(
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public),
    )?;
    eprintln!("making a packet of {mebibytes} MiB");
    process::run(Command::new(&program).args(["make", &mebibytes.to_string()]).arg(&packet).arg(&key))?;
    #[expect(clippy::cast_precision_loss, reason = "a packet is smaller than 4 GiB")]
    let size = fs::metadata(&packet)?.len() as f64 / 1_048_576.0;

    let runs = 5;
    let verify = || {
        let mut command = Command::new(&program);
        command.arg("verify").arg(&packet).arg(&public);
        command
    };
    let other = |name: &'static str, arguments: &'static [&'static str]| {
        let packet = packet.clone();
        move || {
            let mut command = Command::new(name);
            command.args(arguments).arg(&packet);
            command
        }
    };
    let version = |name: &str, argument: &str| -> anyhow::Result<String> {
        let text = process::output(Command::new(name).arg(argument))?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    let rows = [
        (
            "`cadastre_packet::verify`: container, every file, every record, tree, signature".to_owned(),
            seconds(runs, verify)?,
        ),
        (
            format!("`sha256sum`, one hash over the file ({})", version("sha256sum", "--version")?),
            seconds(runs, other("sha256sum", &[]))?,
        ),
        (
            format!("`openssl dgst -sha256`, the same ({})", version("openssl", "version")?),
            seconds(runs, other("openssl", &["dgst", "-sha256"]))?,
        ),
        (
            format!("`unzip -tq`, CRC-32 of every file ({})", version("unzip", "-v")?),
            seconds(runs, other("unzip", &["-tq"]))?,
        ),
    ];
    fs::remove_dir_all(&work)?;
    let mut text = format!(
        "# Verifying a packet\n\n`cargo xtask bench packet --mebibytes {mebibytes}`, release build: a packet of {size:.0} MiB, three quarters records of about 3.7 KiB and one quarter reports,\nin the page cache. Best of {runs} runs, the start of the process included, one program after the other.\n{machine}\n\n| program | seconds | MiB/s |\n| --- | ---: | ---: |\n"
    );
    for (name, seconds) in rows {
        let _infallible = writeln!(text, "| {name} | {seconds:.3} | {:.0} |", size / seconds);
    }
    text.push_str("\nVerification hashes every byte of a records file twice, once for the file and once for the record's id, on all cores; the others hash once, on one.\n");
    Ok(text)
}

/// A private key that only its owner can read, as signing demands.
pub(crate) fn restrict(path: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
