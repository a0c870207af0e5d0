//! franz-go's `kgo` tests, as its module on the Go module proxy has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::Value;

use super::broker::{PASSWORD, TestBroker, USER};
use super::results::{Outcome, TestResult};
use super::{Suite, Workshop};
use crate::process;

const VERSION: &str = "v1.22.2";
const SOURCE: &str = "Go module `github.com/twmb/franz-go`";
/// How many records the tests that consume, transform and produce again move; 500,000 unless told.
const RECORDS: &str = "50000";
/// How long all tests may take.
const LIMIT: &str = "40m";

/// Without encryption, as the project's own CI runs it, and SCRAM where a test asks for it.
pub(super) const PLAINTEXT: Suite = Suite {
    name: "franz-go",
    title: "franz-go `kgo`",
    version: VERSION,
    source: SOURCE,
    setting: "PLAINTEXT, SCRAM-SHA-256 over SASL_PLAINTEXT where a test asks for SCRAM; 50,000 records through each group and transaction\n\
              test (`KGO_TEST_RECORDS`). Many of its tests need no broker.",
    run: |workshop| run(workshop, "franz-go", false),
};

/// The same over TLS.
pub(super) const TLS: Suite = Suite {
    name: "franz-go-tls",
    title: "franz-go `kgo` over TLS",
    setting: "SSL, otherwise as above. Tests that give the client a dialler of their\n\
              own are left out: with `KGO_TEST_TLS` set they make no client, whatever the broker.",
    run: |workshop| run(workshop, "franz-go-tls", true),
    ..PLAINTEXT
};

/// Tests that cannot make a client once `KGO_TEST_TLS` is set: a dialler and a TLS configuration exclude each other.
const OWN_DIALLER: &str = "^(TestIssue769)$";

fn run(workshop: &Workshop, name: &str, is_encrypted: bool) -> anyhow::Result<Vec<TestResult>> {
    let module = module()?;
    let folder = workshop.clean(name)?;
    let mut broker = TestBroker::start(workshop, &folder, "")?;
    let output = folder.join("output.ndjson");
    let mut command = Command::new("go");
    command
        .current_dir(&module)
        .args(["test", "-json", "-count=1", "-timeout", LIMIT])
        .env("KGO_TEST_RF", "1")
        .env("KGO_TEST_RECORDS", RECORDS)
        .env("KGO_TEST_STABLE_FETCH", "true")
        .env("KGO_TEST_SCRAM", format!("{USER}:{PASSWORD}"))
        .env("KGO_TEST_SCRAM_SEEDS", &broker.sasl_plaintext)
        .env("KGO_LOG_LEVEL", "none");
    if is_encrypted {
        command
            .args(["-skip", OWN_DIALLER])
            .env("KGO_SEEDS", &broker.ssl)
            .env("KGO_TEST_TLS", format!("ca:{}", broker.authority.display()));
    } else {
        command.env("KGO_SEEDS", &broker.plaintext);
    }
    command.arg("./pkg/kgo").stdin(Stdio::null()).stdout(fs::File::create(&output)?);
    command.stderr(fs::File::create(folder.join("errors.log"))?);
    // It fails when a test fails, which the output says.
    let _tests_failed = command.status().context("cannot run go")?;
    broker.check()?;
    parse(&output)
}

/// Where the module lies, once it is downloaded.
fn module() -> anyhow::Result<PathBuf> {
    let module = format!("github.com/twmb/franz-go@{VERSION}");
    // Outside any module, so that nothing about this one is asked.
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", &module]).current_dir(std::env::temp_dir());
    let said: Value = serde_json::from_str(&process::output(&mut download)?)?;
    let directory =
        said.get("Dir").and_then(Value::as_str).context("go does not say where the module lies")?;
    Ok(directory.into())
}

/// Reads `go test -json`. A test with parts counts by its parts, and by itself only when it fails without one of them.
fn parse(path: &Path) -> anyhow::Result<Vec<TestResult>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut tests: BTreeMap<String, (Outcome, String)> = BTreeMap::new();
    for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let field = |name: &str| event.get(name).and_then(Value::as_str);
        let (Some(action), Some(name)) = (field("Action"), field("Test")) else { continue };
        // Until it says otherwise: what was still running when the whole was ended has failed.
        let (outcome, said) = tests.entry(name.to_owned()).or_insert((Outcome::Failed, String::new()));
        match action {
            "pass" => *outcome = Outcome::Passed,
            "skip" => *outcome = Outcome::Skipped,
            "output" => said.push_str(field("Output").filter(|line| !is_frame(line)).unwrap_or_default()),
            _ => {}
        }
    }
    let parents = |name: &str| {
        let ends: Vec<usize> = name.match_indices('/').map(|(index, _)| index).collect();
        ends.into_iter().filter_map(|end| name.get(..end).map(str::to_owned)).collect::<Vec<_>>()
    };
    let with_parts: BTreeSet<String> = tests.keys().flat_map(|name| parents(name)).collect();
    let failed = tests.iter().filter(|(_, (outcome, _))| *outcome == Outcome::Failed);
    let with_failed_parts: BTreeSet<String> = failed.flat_map(|(name, _)| parents(name)).collect();
    let counts = |name: &String, outcome: Outcome| {
        !with_parts.contains(name) || outcome == Outcome::Failed && !with_failed_parts.contains(name)
    };
    Ok(tests
        .iter()
        .filter(|(name, (outcome, _))| counts(name, *outcome))
        .map(|(name, (outcome, said))| TestResult::new(name, *outcome, said))
        .collect())
}

/// Whether a line of output only says that a test starts, pauses or ends.
fn is_frame(line: &str) -> bool {
    ["=== ", "--- "].iter().any(|beginning| line.trim_start().starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_and_what_did_not_end_failed() {
        let line = |action: &str, test: &str| format!("{{\"Action\":\"{action}\",\"Test\":\"{test}\"}}\n");
        let said = "{\"Action\":\"output\",\"Test\":\"TestA/one\",\"Output\":\"    a.go:1: broken\\n\"}\n";
        let text = [
            line("run", "TestA"),
            line("run", "TestA/one"),
            said.to_owned(),
            line("fail", "TestA/one"),
            line("pass", "TestA/two"),
            line("fail", "TestA"),
            line("skip", "TestB"),
            line("run", "TestC"),
            line("pass", "TestD/part"),
            line("pass", "TestD"),
        ]
        .concat();
        let path = std::env::temp_dir().join(format!("compat-franz-go-{}.ndjson", std::process::id()));
        fs::write(&path, text).unwrap();
        let tests = parse(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let found: Vec<_> =
            tests.iter().map(|test| (test.name.as_str(), test.outcome, test.message.as_str())).collect();
        assert_eq!(
            found,
            [
                ("TestA/one", Outcome::Failed, "a.go:1: broken"),
                ("TestA/two", Outcome::Passed, ""),
                ("TestB", Outcome::Skipped, ""),
                ("TestC", Outcome::Failed, ""),
                ("TestD/part", Outcome::Passed, ""),
            ]
        );
    }
}
