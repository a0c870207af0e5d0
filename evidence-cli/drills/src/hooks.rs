//! What no Kafka client can do to a cluster: declared programs, or brokers on this machine.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;

use crate::local_broker::{LocalBroker, LocalBrokerError, Programs};

/// The longest that a declared program may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How brokers, keys, stores and certificates are handled.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    commands: BTreeMap<Hook, Vec<String>>,
    brokers: Vec<LocalBroker>,
    programs: Programs,
}

/// Something around the cluster could not be done.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// A declared program cannot be run.
    #[error("the program of `{hook}` cannot be run")]
    Run {
        /// The hook.
        hook: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A declared program failed.
    #[error("the program of `{hook}` {what}")]
    Failed {
        /// The hook.
        hook: &'static str,
        /// How, and the last line that it said.
        what: String,
    },
    /// A local broker could not be handled.
    #[error(transparent)]
    Local(#[from] LocalBrokerError),
    /// Neither a program nor a local broker.
    #[error("no `{hook}` hook is declared")]
    Missing {
        /// The hook.
        hook: &'static str,
    },
}

impl Hooks {
    /// Declared programs come first; local brokers do the rest.
    #[must_use]
    pub const fn new(
        commands: BTreeMap<Hook, Vec<String>>,
        brokers: Vec<LocalBroker>,
        programs: Programs,
    ) -> Self {
        Self { commands, brokers, programs }
    }

    /// Brokers on this machine.
    #[must_use]
    pub fn brokers(&self) -> &[LocalBroker] {
        &self.brokers
    }

    /// What starts them.
    #[must_use]
    pub const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The declared program of a hook, in one line for a person.
    #[must_use]
    pub fn told(&self, hook: Hook) -> Option<String> {
        self.commands.get(&hook).map(|command| command.join(" "))
    }

    /// Whether a declared program does it.
    #[must_use]
    pub fn declares(&self, hook: Hook) -> bool {
        self.commands.contains_key(&hook)
    }

    /// Runs a declared program, with `{broker}` replaced; tells how long it took.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub async fn run(&self, hook: Hook, broker: Option<i32>) -> Result<Duration, HookError> {
        let started = Instant::now();
        self.output(hook, broker).await?;
        Ok(started.elapsed())
    }

    /// Runs a declared program, with `{broker}` replaced, and hands over the lines that it printed.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub async fn output(&self, hook: Hook, broker: Option<i32>) -> Result<Vec<String>, HookError> {
        let name = hook.name();
        let command = self.commands.get(&hook).ok_or(HookError::Missing { hook: name })?;
        let broker = broker.map(|broker| broker.to_string()).unwrap_or_default();
        let mut words = command.iter().map(|word| word.replace("{broker}", &broker));
        let program = words.next().ok_or(HookError::Missing { hook: name })?;
        let output = tokio::process::Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output)
            .await
            .map_err(|_elapsed| HookError::Failed {
                hook: name,
                what: format!("did not end within {} s", PATIENCE.as_secs()),
            })?
            .map_err(|source| HookError::Run { hook: name, source })?;
        if output.status.success() {
            let printed = String::from_utf8_lossy(&output.stdout);
            return Ok(printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Err(HookError::Failed { hook: name, what: format!("ended with {}: {last}", output.status) })
    }

    /// Whether brokers can be killed and started.
    #[must_use]
    pub fn can_replace_brokers(&self) -> bool {
        !self.brokers.is_empty() || (self.declares(Hook::KillBroker) && self.declares(Hook::StartBroker))
    }

    /// Ends a broker without asking it.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn kill_broker(&self, node: i32) -> Result<(), HookError> {
        if self.declares(Hook::KillBroker) {
            return self.run(Hook::KillBroker, Some(node)).await.map(drop);
        }
        self.broker(node, Hook::KillBroker)?.kill().await.map_err(HookError::from)
    }

    /// Starts a broker again.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_broker(&self, node: i32) -> Result<(), HookError> {
        if self.declares(Hook::StartBroker) {
            return self.run(Hook::StartBroker, Some(node)).await.map(drop);
        }
        self.broker(node, Hook::StartBroker)?.start(&self.programs).await.map_err(HookError::from)
    }

    fn broker(&self, node: i32, hook: Hook) -> Result<&LocalBroker, HookError> {
        self.brokers
            .iter()
            .find(|broker| broker.node() == node)
            .ok_or(HookError::Missing { hook: hook.name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(command: &[&str]) -> Hooks {
        let words = command.iter().map(|word| (*word).to_owned()).collect();
        Hooks::new(BTreeMap::from([(Hook::KillBroker, words)]), Vec::new(), Programs::none())
    }

    #[tokio::test]
    async fn a_program_gets_the_broker_and_its_last_words_are_told() {
        let run = hooks(&["sh", "-c", "test {broker} = 7"]);
        run.run(Hook::KillBroker, Some(7)).await.unwrap();
        let error = hooks(&["sh", "-c", "echo no such broker {broker} >&2; exit 3"])
            .run(Hook::KillBroker, Some(7))
            .await
            .unwrap_err();
        assert!(error.to_string().ends_with("no such broker 7"), "{error}");
    }

    #[tokio::test]
    async fn what_is_not_declared_is_missing_by_name() {
        let error = Hooks::default().run(Hook::DisableKey, None).await.unwrap_err();
        assert_eq!(error.to_string(), "no `disable-key` hook is declared");
    }
}
