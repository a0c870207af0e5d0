//! What became of each test of a suite, kept between runs of the verb.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Passed,
    /// It failed, or did not end in time.
    Failed,
    /// The suite itself left it out.
    Skipped,
}

/// One test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TestResult {
    /// As the suite names it.
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// What the suite says about it; empty when it passed.
    pub(super) message: String,
}

impl TestResult {
    /// A result with at most the last few lines of what was said.
    pub(super) fn new(name: impl Into<String>, outcome: Outcome, said: &str) -> Self {
        const LONGEST: usize = 600;
        let said = said.trim();
        let start = said.char_indices().rev().nth(LONGEST).map_or(0, |(index, _)| index);
        let message = if outcome == Outcome::Passed { "" } else { said.get(start..).unwrap_or(said) };
        Self { name: name.into(), outcome, message: message.to_owned() }
    }
}

/// What a whole suite did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Run {
    /// How long it took, getting and building it included.
    pub(super) seconds: u64,
    /// By name.
    pub(super) tests: Vec<TestResult>,
}

impl Run {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_keep_their_end() {
        let result = TestResult::new("test", Outcome::Failed, &format!("{}the cause", "ä".repeat(2_000)));
        assert!(result.message.ends_with("the cause") && result.message.chars().count() <= 601);
        assert_eq!(TestResult::new("test", Outcome::Passed, "noise").message, "");
    }
}
