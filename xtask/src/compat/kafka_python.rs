//! kafka-python's integration tests, as its source distribution on PyPI has them.
//!
//! They start brokers themselves, by Kafka's scripts and templates of `server.properties`. Scripts and templates are not part of the
//! distribution, nor is the module that runs them; `fixtures/compat/kafka-python` has ours, which run `cadastre-broker`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::results::{Outcome, TestResult};
use super::{Suite, Workshop};
use crate::parts::Parts;
use crate::process;

const VERSION: &str = "3.0.12";
/// What the tests import, and what reports on them.
const PACKAGES: [&str; 8] = [
    "pytest==9.2.0",
    "pytest-reportlog==1.0.0",
    "pytest-timeout==2.4.0",
    "py==1.11.0",
    "lz4",
    "zstandard",
    "python-snappy",
    "crc32c",
];
/// The release of Kafka that the tests are told to expect.
const EXPECTED_KAFKA: &str = "4.1.0";
/// How long all tests may take, in seconds.
const LIMIT_SECONDS: &str = "1500";

/// PLAINTEXT, SSL and SASL_PLAINTEXT, as each test has it.
pub(super) const INTEGRATION: Suite = Suite {
    name: "kafka-python",
    title: "kafka-python `test/integration`",
    version: VERSION,
    source: "source distribution on PyPI",
    setting: "Each file of tests starts brokers of its own: PLAINTEXT, SSL with a store that `keytool` makes, SASL_PLAINTEXT with PLAIN,\n\
              SCRAM-SHA-256 and SCRAM-SHA-512. The scripts by which they start are ours.",
    run,
};

fn run(workshop: &Workshop) -> anyhow::Result<Vec<TestResult>> {
    let folder = workshop.clean("kafka-python")?;
    let python = python(workshop)?;
    let suite = source(workshop, &folder)?;
    let root = servers(&folder)?;
    let report = folder.join("report.ndjson");
    let log = fs::File::create(folder.join("output.log"))?;
    let mut command = Command::new("timeout");
    Parts::prepare()?.export(&mut command);
    // It fails when a test fails, which the report says.
    let _tests_failed = command
        .arg(LIMIT_SECONDS)
        .arg(&python)
        .args(["-m", "pytest", "test/integration", "-p", "no:cacheprovider"])
        .args(["--timeout", "60", "--timeout-method", "signal", "--report-log"])
        .arg(&report)
        .current_dir(&suite)
        .env("PYTHONPATH", &suite)
        .env("TMPDIR", &folder)
        .env("KAFKA_VERSION", EXPECTED_KAFKA)
        .env("PROJECT_ROOT", &root)
        .env("KAFKA_ROOT", root.join("kafka-bin"))
        .env("CADASTRE_BROKER", &workshop.broker)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("cannot run pytest")?;
    parse(&report)
}

/// A Python with what the tests import.
fn python(workshop: &Workshop) -> anyhow::Result<PathBuf> {
    let venv = workshop.directory.join("python");
    let python = venv.join("bin/python");
    let (stamp, wanted) = (venv.join("packages"), PACKAGES.join("\n"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// The unpacked source distribution, with the module that it lacks.
fn source(workshop: &Workshop, folder: &Path) -> anyhow::Result<PathBuf> {
    let archive = workshop.directory.join(format!("kafka_python-{VERSION}.tar.gz"));
    if !archive.exists() {
        let mut download = Command::new("python3");
        download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest"]);
        process::run(download.arg(&workshop.directory).arg(format!("kafka-python=={VERSION}")))?;
    }
    process::run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder))?;
    let suite = folder.join(format!("kafka_python-{VERSION}"));
    let tests = suite.join("test");
    // Without it Python takes its own package `test` for this one.
    fs::write(tests.join("__init__.py"), "")?;
    fs::copy(ours("service.py"), tests.join("service.py"))?;
    Ok(suite)
}

/// Scripts and templates where the tests look for those of Kafka.
fn servers(folder: &Path) -> anyhow::Result<PathBuf> {
    let root = folder.join("root");
    fs::create_dir_all(root.join("servers/resources"))?;
    fs::create_dir_all(root.join("kafka-bin"))?;
    process::run(Command::new("cp").arg("-R").arg(ours("bin")).arg(root.join("kafka-bin/bin")))?;
    process::run(
        Command::new("cp").arg("-R").arg(ours("resources")).arg(root.join("servers/resources/default")),
    )?;
    Ok(root)
}

fn ours(name: &str) -> PathBuf {
    process::root().join("fixtures/compat/kafka-python").join(name)
}

/// Reads pytest's report log. A test that could not be set up has failed; so has one whose end went wrong.
fn parse(path: &Path) -> anyhow::Result<Vec<TestResult>> {
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
        let name = name.trim_start_matches("test/integration/");
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
        assert!(parse(&path).is_err(), "a run that was cut short");
        fs::write(&path, text + "\n{\"$report_type\": \"SessionFinish\", \"exitstatus\": 1}").unwrap();
        let tests = parse(&path).unwrap();
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
