//! `@cloud-copilot/iam-simulate`, another evaluator of AWS policies: got by npm, run as a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::process;

/// The version that results are stated for.
pub(crate) const VERSION: &str = "0.1.173";

/// Where it lies.
#[derive(Debug)]
pub(crate) struct Peer {
    modules: PathBuf,
}

impl Peer {
    /// Gets it, unless it is there.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let directory = process::target_directory().join("parts/iam-simulate");
        let stamp = directory.join("version");
        let modules = directory.join("node_modules");
        if fs::read_to_string(&stamp).is_ok_and(|there| there == VERSION) {
            return Ok(Self { modules });
        }
        for program in ["node", "npm"] {
            if !process::exists(program) {
                bail!("no {program} on the PATH");
            }
        }
        eprintln!("getting @cloud-copilot/iam-simulate {VERSION}");
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        process::run(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--silent", "--no-save", "--prefix"])
                .arg(&directory)
                .arg(format!("@cloud-copilot/iam-simulate@{VERSION}")),
        )?;
        fs::write(&stamp, VERSION)?;
        Ok(Self { modules })
    }

    /// A run over a file of cases.
    pub(crate) fn command(&self, cases: &Path) -> Command {
        let mut command = Command::new("node");
        command
            .arg(process::root().join("fixtures/access/simulate.mjs"))
            .arg(&self.modules)
            .arg(cases)
            .stdin(Stdio::null());
        command
    }
}
