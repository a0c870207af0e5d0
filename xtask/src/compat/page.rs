//! `docs/compatibility.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Suite;
use super::decisions::Decisions;
use super::results::{Outcome, Summary};
use crate::bench::machine;

/// A suite with what it did and what was decided.
#[derive(Debug)]
pub(super) struct Judged<'run> {
    pub(super) suite: Suite,
    pub(super) run: &'run Summary,
    /// For each test that did not pass, whether it counts, why it failed or was skipped, and what was decided.
    explanations: Vec<Option<(bool, String, String)>>,
}

impl<'run> Judged<'run> {
    pub(super) fn new(suite: Suite, run: &'run Summary, decisions: &Decisions) -> Self {
        let explain = |(test, _): (&str, Outcome)| {
            let decision = decisions.of(suite.name, test)?;
            Some((decision.applicable, decision.reason.clone(), decision.decision.clone()))
        };
        let explanations = run.open().map(explain).collect();
        Self { suite, run, explanations }
    }

    /// What did not pass.
    fn open(&self) -> impl Iterator<Item = (&str, Outcome, Option<&(bool, String, String)>)> {
        let explanations = self.explanations.iter().map(Option::as_ref);
        self.run.open().zip(explanations).map(|((test, outcome), explanation)| (test, outcome, explanation))
    }

    /// Failures about which nothing was decided.
    pub(super) fn unexplained(&self) -> impl Iterator<Item = &str> {
        self.open()
            .filter(|(_, outcome, explanation)| *outcome == Outcome::Failed && explanation.is_none())
            .map(|(test, ..)| test)
    }

    /// How many tests ask for what a broker of this kind should do: all that passed, failures unless decided otherwise, and what
    /// the suite skipped because of something that the broker lacks and should have.
    fn applicable(&self) -> usize {
        let counts = |outcome, explanation: Option<&(bool, String, String)>| match outcome {
            Outcome::Passed => true,
            Outcome::Failed => explanation.is_none_or(|(applicable, ..)| *applicable),
            Outcome::Skipped => explanation.is_some_and(|(applicable, ..)| *applicable),
        };
        self.run.passed
            + self.open().filter(|(_, outcome, explanation)| counts(*outcome, *explanation)).count()
    }
}

/// The page.
pub(super) fn render(suites: &[Judged<'_>], without_tests: &[(&str, &str, &str)]) -> String {
    let mut text = format!(
        "# Compatibility\n\nOther people's client test suites, unmodified, against `cadastre-broker`. Made by `cargo xtask compat`, which gets each suite from\nits package registry or its repository into the target directory. {}\n\n\
         A test is *applicable* unless `docs/compatibility-decisions.yaml` says that it asks for something a broker of this kind should not\n\
         do or that the run does not have, or the suite skips it for a reason of its own. What a suite skips because the broker lacks\n\
         something that it should have counts as applicable and not passed. A row is the suite's last run, with a debug build.\n\n\
         | suite | version | from | tests | passed | failed | skipped | applicable | of these passed | seconds |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        machine()
    );
    for judged in suites {
        let Suite { title, version, source, .. } = judged.suite;
        let (passed, applicable) = (judged.run.passed, judged.applicable());
        let _infallible = writeln!(
            text,
            "| {title} | {version} | {source} | {} | {passed} | {} | {} | {applicable} | {} | {} |",
            judged.run.tests(),
            judged.run.failed.len(),
            judged.run.skipped.len(),
            per_cent(passed, applicable),
            judged.run.seconds,
        );
    }
    for judged in suites {
        section(&mut text, judged);
    }
    text.push_str("\n## Not run\n\n| project | version | why |\n| --- | --- | --- |\n");
    for (project, version, why) in without_tests {
        let _infallible = writeln!(text, "| {project} | {version} | {why} |");
    }
    text
}

/// A share with one decimal, rounded down: 100.0 % is said of all and of nothing less.
fn per_cent(part: usize, whole: usize) -> String {
    let tenths = (part * 1000).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn section(text: &mut String, judged: &Judged<'_>) {
    let _infallible = writeln!(text, "\n## {}\n\n{}", judged.suite.title, judged.suite.setting);
    // Tests that fare alike stand in one row.
    let mut rows: BTreeMap<(&str, &str, &str, &str), Vec<&str>> = BTreeMap::new();
    for (test, outcome, explanation) in judged.open() {
        let outcome = if outcome == Outcome::Failed { "failed" } else { "skipped" };
        let (counts, reason, decision) = match explanation {
            Some((true, reason, decision)) => ("yes", reason.as_str(), decision.as_str()),
            Some((false, reason, decision)) => ("no", reason.as_str(), decision.as_str()),
            None if outcome == "skipped" => ("no", "the suite's own choice", "none needed"),
            None => ("yes", "unexplained", "none yet"),
        };
        rows.entry((outcome, counts, reason, decision)).or_default().push(test);
    }
    if rows.is_empty() {
        text.push_str("\nEvery test passed.\n");
        return;
    }
    text.push_str(
        "\n| tests | outcome | applicable | reason | decision |\n| --- | --- | --- | --- | --- |\n",
    );
    for ((outcome, counts, reason, decision), tests) in rows {
        let tests: Vec<String> = tests.iter().map(|test| format!("`{}`", test.replace('|', "\\|"))).collect();
        let cell = |text: &str| text.trim().replace('\n', " ").replace('|', "\\|");
        let _infallible = writeln!(
            text,
            "| {} | {outcome} | {counts} | {} | {} |",
            tests.join(", "),
            cell(reason),
            cell(decision)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_is_never_said_to_be_all() {
        assert_eq!(per_cent(9_999, 10_000), "99.9 %");
        assert_eq!(per_cent(7, 7), "100.0 %");
        assert_eq!(per_cent(0, 0), "0.0 %");
    }
}
