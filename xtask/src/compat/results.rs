//! What became of each test of a suite, kept between runs of the verb.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Passed,
    /// It failed, or did not end in time.
    Failed,
    /// The suite itself left it out.
    Skipped,
}

/// One test.
#[derive(Debug, Clone, Serialize)]
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
#[derive(Debug, Serialize)]
pub(super) struct Run {
    /// How long it took, getting and building it included.
    pub(super) seconds: u64,
    /// By name.
    pub(super) tests: Vec<TestResult>,
}

impl Run {
    /// Keeps it with all that its tests said, for whoever looks into a failure.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// What the page says of it.
    pub(super) fn summary(&self) -> Summary {
        let named = |outcome| {
            let tests = self.tests.iter().filter(move |test| test.outcome == outcome);
            tests.map(|test| test.name.clone()).collect::<Vec<_>>()
        };
        Summary {
            seconds: self.seconds,
            passed: named(Outcome::Passed).len(),
            failed: named(Outcome::Failed),
            skipped: named(Outcome::Skipped),
        }
    }
}

/// What a suite last did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Summary {
    /// How long it took, getting and building it included.
    pub(super) seconds: u64,
    /// How many tests passed.
    pub(super) passed: usize,
    /// Those that failed, by name.
    pub(super) failed: Vec<String>,
    /// Those that the suite left out, by name.
    pub(super) skipped: Vec<String>,
}

impl Summary {
    /// How many tests there are.
    pub(super) fn tests(&self) -> usize {
        self.passed + self.failed.len() + self.skipped.len()
    }

    /// What did not pass.
    pub(super) fn open(&self) -> impl Iterator<Item = (&str, Outcome)> {
        let failed = self.failed.iter().map(|name| (name.as_str(), Outcome::Failed));
        failed.chain(self.skipped.iter().map(|name| (name.as_str(), Outcome::Skipped)))
    }
}

/// What every suite last did, by name: kept in the repository, so that a run of one leaves the rows of the others as they were.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Summaries(pub(super) BTreeMap<String, Summary>);

impl Summaries {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
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

    #[test]
    fn a_summary_names_what_did_not_pass() {
        let test = |name: &str, outcome| TestResult::new(name, outcome, "");
        let tests = vec![test("a", Outcome::Passed), test("b", Outcome::Failed), test("c", Outcome::Skipped)];
        let summary = Run { seconds: 1, tests }.summary();
        assert_eq!(summary.tests(), 3);
        assert_eq!(summary.open().collect::<Vec<_>>(), [("b", Outcome::Failed), ("c", Outcome::Skipped)]);
    }
}
