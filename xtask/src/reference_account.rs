//! The reference account in moto, for recording and for benchmarks.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::process;

/// A running moto server with the reference account in it.
pub(crate) struct ReferenceAccount {
    /// Its URL.
    pub(crate) url: String,
    seeded: Value,
    _server: Server,
}

impl ReferenceAccount {
    /// Starts the server and seeds one variant; `python` makes a command of the Python that has moto.
    pub(crate) fn start(variant: &str, python: impl Fn() -> Command) -> anyhow::Result<Self> {
        let server = Server::start(python().arg(script("server.py")), |_| true)?;
        let url = server.line.clone();
        let seeded = process::output(python().arg(script("seed.py")).args([
            "--endpoint-url",
            &url,
            "--variant",
            variant,
        ]))?;
        let seeded = serde_json::from_str(&seeded).context("seed.py prints JSON")?;
        Ok(Self { url, seeded, _server: server })
    }

    /// Lets a command sign in as the account's read-only scanner.
    pub(crate) fn sign_in<'a>(&self, command: &'a mut Command) -> anyhow::Result<&'a mut Command> {
        let command = signed_in(command, &self.seeded, "scanner")?;
        Ok(command.args(["--aws-endpoint-url", &self.url]))
    }
}

/// Signs a command in as somebody whose credentials a seeding script printed.
pub(crate) fn signed_in<'a>(
    command: &'a mut Command,
    printed: &Value,
    who: &str,
) -> anyhow::Result<&'a mut Command> {
    for (variable, name) in [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ] {
        let value = printed.pointer(&format!("/{who}/{name}")).and_then(Value::as_str);
        command.env(variable, value.with_context(|| format!("no {name} of {who} was printed"))?);
    }
    Ok(command.env("AWS_REGION", "eu-central-1"))
}

/// A script of `fixtures/reference-account/`.
pub(crate) fn script(name: &str) -> PathBuf {
    process::root().join("fixtures/reference-account").join(Path::new(name))
}

/// A program that serves until its standard input closes.
pub(crate) struct Server {
    child: Child,
    /// The line that said it is ready.
    pub(crate) line: String,
}

impl Server {
    /// Starts it and waits for the line that says it is ready.
    pub(crate) fn start(command: &mut Command, ready: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
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
