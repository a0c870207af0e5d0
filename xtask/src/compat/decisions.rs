//! `docs/compatibility-decisions.yaml`: of each failure, why it happens and what the owner decided.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::results::Summary;

/// What was decided about some tests of a suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// Which suite; a `*` stands for any characters.
    suite: String,
    /// Which test; a `*` stands for any characters.
    test: String,
    /// Whether the test asks for something that a Kafka broker of this kind should do. What is not applicable does not count.
    pub(super) applicable: bool,
    /// Why it fails.
    pub(super) reason: String,
    /// What the owner decided.
    pub(super) decision: String,
}

impl Decision {
    fn covers(&self, suite: &str, test: &str) -> bool {
        matches(&self.suite, suite) && matches(&self.test, test)
    }
}

/// Whether a text is as a pattern says, in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(beginning) else { return false };
    text.char_indices()
        .map(|(start, _)| start)
        .chain([text.len()])
        .any(|start| text.get(start..).is_some_and(|text| matches(rest, text)))
}

/// Every decision.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Decisions(Vec<Decision>);

impl Decisions {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let decisions: Self = serde_saphyr::from_str(text)?;
        for decision in &decisions.0 {
            let said = [&decision.reason, &decision.decision].iter().all(|text| !text.trim().is_empty());
            ensure!(said, "the decision about `{}` gives no reason or no decision", decision.test);
        }
        Ok(decisions)
    }

    /// The first decision that covers a test.
    pub(super) fn of(&self, suite: &str, test: &str) -> Option<&Decision> {
        self.0.iter().find(|decision| decision.covers(suite, test))
    }

    /// The decisions that cover no test that failed or was skipped.
    pub(super) fn unused<'a>(
        &'a self,
        runs: impl Iterator<Item = (&'a str, &'a Summary)> + Clone,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_used = move |decision: &Decision| {
            runs.clone().any(|(suite, run)| run.open().any(|(test, _)| decision.covers(suite, test)))
        };
        self.0
            .iter()
            .filter(move |decision| !is_used(decision))
            .map(|decision| (decision.suite.as_str(), decision.test.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "- suite: franz-go*\n  test: TestShare*\n  applicable: true\n  reason: none\n  decision: later\n";

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("A*848*", "A/range/848/static") && matches("A*848*", "A848") && matches("*", ""));
        assert!(!matches("A*848*", "A/range/849") && !matches("A*8", "A89") && !matches("", "A"));
        let decisions = Decisions::parse(ONE).unwrap();
        let found = |suite: &str, test: &str| decisions.of(suite, test).is_some();
        assert!(found("franz-go", "TestShare") && found("franz-go-tls", "TestShareGroup"));
        assert!(!found("franz-go", "TestGroup") && !found("librdkafka", "TestShare"));
    }

    #[test]
    fn a_decision_without_a_reason_is_refused() {
        assert!(Decisions::parse(&ONE.replace("none", "' '")).is_err());
        assert!(Decisions::parse(&ONE.replace("  reason: none\n", "")).is_err());
    }

    #[test]
    fn a_decision_about_tests_that_pass_is_named() {
        let decisions = Decisions::parse(ONE).unwrap();
        let passed = Summary { seconds: 1, passed: 1, failed: Vec::new(), skipped: Vec::new() };
        let failed = Summary { failed: vec!["TestShareGroup".to_owned()], ..passed.clone() };
        assert_eq!(decisions.unused([("franz-go", &passed)].into_iter()).count(), 1);
        assert_eq!(decisions.unused([("franz-go", &failed)].into_iter()).count(), 0);
    }
}
