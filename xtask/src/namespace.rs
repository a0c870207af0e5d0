//! A network namespace, in which brokers have the addresses that an account's instances have. It needs root and iproute2.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::process;

/// A namespace with some addresses on its loopback interface, and no way out.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes it, with addresses of version 4.
    pub(crate) fn create(addresses: &[&str]) -> anyhow::Result<Self> {
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
        for address in addresses {
            ip(&["address", "add", &format!("{address}/32"), "dev", "lo"])?;
        }
        Ok(namespace)
    }

    /// A program that runs in it.
    pub(crate) fn command(&self, program: &Path) -> Command {
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
