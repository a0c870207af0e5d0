//! Suites that no registry has: their projects' repositories, at the commit that the tested package was made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::Workshop;
use crate::process;

/// A repository at a tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// As `--sources` names its folder.
    pub(super) name: &'static str,
    /// Where it is cloned from when that folder does not have it.
    pub(super) url: &'static str,
    pub(super) tag: &'static str,
}

impl Source {
    /// A fresh working tree in `folder`.
    pub(super) fn check_out(&self, workshop: &Workshop, folder: &Path) -> anyhow::Result<PathBuf> {
        let repository = self.repository(workshop)?;
        let tree = folder.join(self.name);
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet", "--shared", "--no-checkout"]).arg(&repository).arg(&tree);
        process::run(&mut clone)?;
        let mut checkout = Command::new("git");
        checkout.arg("-C").arg(&tree).args(["checkout", "--quiet", "--detach", self.tag]);
        process::run(&mut checkout).with_context(|| format!("{} has no `{}`", self.name, self.tag))?;
        Ok(tree)
    }

    /// The repository in the folder that was named, or a clone that is kept from run to run.
    fn repository(&self, workshop: &Workshop) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &workshop.sources {
            let given = folder.join(self.name);
            if given.exists() {
                return Ok(fs::canonicalize(given)?);
            }
        }
        let clone = workshop.directory.join("sources").join(format!("{}-{}", self.name, self.tag));
        if !clone.exists() {
            let mut command = Command::new("git");
            command.args(["clone", "--quiet", "--bare", "--depth", "1", "--branch", self.tag, self.url]);
            process::run(command.arg(&clone))?;
        }
        Ok(clone)
    }
}
