//! Suites that run under pytest: a Python with what they import, the run, and what came of each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::Workshop;
use super::results::{Outcome, TestResult};
use crate::parts::Parts;
use crate::process;

/// A suite that is ready to run.
#[derive(Debug)]
pub(super) struct Pytest<'suite> {
    /// The Python that has the packages.
    pub(super) python: &'suite Path,
    /// Where the suite lies, which is where it runs.
    pub(super) suite: &'suite Path,
    /// What to run, and further arguments of pytest's.
    pub(super) arguments: &'suite [&'suite str],
    /// Where the report and what is printed go.
    pub(super) folder: &'suite Path,
    /// How long all tests may take, in seconds.
    pub(super) limit_seconds: u32,
    /// How long one test may take, in seconds.
    pub(super) test_limit_seconds: u32,
    /// What names of tests begin with and need not say.
    pub(super) prefix: &'suite str,
}

impl Pytest<'_> {
    /// Runs it with further variables.
    pub(super) fn run(&self, variables: &[(&str, &Path)]) -> anyhow::Result<Vec<TestResult>> {
        let report = self.folder.join("report.ndjson");
        let log = fs::File::create(self.folder.join("output.log"))?;
        let mut command = Command::new("timeout");
        Parts::prepare()?.export(&mut command);
        // It fails when a test fails, which the report says.
        let _tests_failed = command
            .arg(self.limit_seconds.to_string())
            .arg(self.python)
            .args(["-m", "pytest", "-p", "no:cacheprovider"])
            .args(self.arguments)
            .args(["--timeout", &self.test_limit_seconds.to_string(), "--timeout-method", "signal"])
            .arg("--report-log")
            .arg(&report)
            .current_dir(self.suite)
            .env("TMPDIR", self.folder)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("cannot run pytest")?;
        parse(&report, self.prefix)
    }
}

/// A Python with packages, kept from run to run.
pub(super) fn python(workshop: &Workshop, name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let venv = workshop.directory.join(name);
    let python = venv.join("bin/python");
    let (stamp, wanted) = (venv.join("packages"), packages.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// Reads pytest's report log. A test that could not be set up has failed; so has one whose end went wrong.
fn parse(path: &Path, prefix: &str) -> anyhow::Result<Vec<TestResult>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // Without it the run was cut short, and what would have come is not known.
    if !text.lines().any(|line| line.contains("\"SessionFinish\"")) {
        bail!("pytest did not come to its end: {}", path.display());
    }
    let mut tests: Vec<TestResult> = Vec::new();
    for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let field = |name: &str| event.get(name).and_then(Value::as_str);
        let (Some(name), Some(outcome)) = (field("nodeid"), field("outcome")) else { continue };
        let outcome = match outcome {
            "passed" if field("when") == Some("call") => Outcome::Passed,
            "passed" => continue,
            "skipped" => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        let name = name.strip_prefix(prefix).unwrap_or(name);
        let result = TestResult::new(name, outcome, &reason(event.get("longrepr")));
        match tests.iter_mut().find(|test| test.name == name) {
            Some(test) if outcome == Outcome::Failed => *test = result,
            Some(_) => {}
            None => tests.push(result),
        }
    }
    Ok(tests)
}

/// The message of a failure, or the third of the three parts that a skipped test has.
fn reason(told: Option<&Value>) -> String {
    let crash = told.and_then(|told| told.get("reprcrash")?.get("message")?.as_str());
    let skipped = told.and_then(|told| told.get(2)?.as_str());
    crash.or(skipped).or(told.and_then(Value::as_str)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_could_not_be_set_up_or_cleaned_up_has_failed() {
        let line = |name: &str, when: &str, outcome: &str, told: &str| {
            format!(
                r#"{{"nodeid":"test/integration/a.py::{name}","when":"{when}","outcome":"{outcome}","longrepr":{told}}}"#
            )
        };
        let text = [
            line("one", "setup", "passed", "null"),
            line("one", "call", "passed", "null"),
            line("two", "setup", "failed", r#"{"reprcrash":{"message":"no broker"}}"#),
            line("three", "call", "passed", "null"),
            line("three", "teardown", "failed", r#""left behind""#),
            line("four", "setup", "skipped", r#"["a.py",1,"Skipped: too old"]"#),
        ]
        .join("\n");
        let path = std::env::temp_dir().join(format!("compat-pytest-{}.ndjson", std::process::id()));
        fs::write(&path, &text).unwrap();
        assert!(parse(&path, "test/integration/").is_err(), "a run that was cut short");
        fs::write(&path, text + "\n{\"$report_type\": \"SessionFinish\", \"exitstatus\": 1}").unwrap();
        let tests = parse(&path, "test/integration/").unwrap();
        fs::remove_file(&path).unwrap();
        let found: Vec<_> =
            tests.iter().map(|test| (test.name.as_str(), test.outcome, test.message.as_str())).collect();
        assert_eq!(
            found,
            [
                ("a.py::one", Outcome::Passed, ""),
                ("a.py::two", Outcome::Failed, "no broker"),
                ("a.py::three", Outcome::Failed, "left behind"),
                ("a.py::four", Outcome::Skipped, "Skipped: too old"),
            ]
        );
    }
}
