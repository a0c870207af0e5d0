//! librdkafka's own tests, as the source package of the crate `rdkafka-sys` has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, bail};
use serde_json::Value;

use super::broker::{PASSWORD, TestBroker, USER};
use super::results::{Outcome, TestResult};
use super::{Suite, Workshop};
use crate::process;

/// The crate's version and, behind the plus sign, librdkafka's; `Cargo.lock` pins it.
const CRATE: &str = "4.10.0+2.12.1";
/// How long one test may take, in seconds: the suite has limits of its own, which this only backs up.
const LIMIT_SECONDS: &str = "300";
/// How many tests run at a time.
const WORKERS: usize = 3;
/// The release of Kafka that the suite is told to expect.
const EXPECTED_KAFKA: &str = "4.1.0";

/// Without encryption.
pub(super) const PLAINTEXT: Suite = Suite {
    name: "librdkafka",
    title: "librdkafka `tests/`",
    version: "2.12.1",
    source: "source of the crate `rdkafka-sys` 4.10.0+2.12.1",
    setting: "PLAINTEXT, one broker, quick mode (`-Q`). Each test is a process of its own, three at a time; many are about\n\
              durations, so that what fails runs once more, alone, and that counts. Tests that need no broker (`-L`) are left out. The suite\n\
              is made for three Kafka brokers with Kafka's scripts beside them.",
    run: |workshop| run(workshop, "librdkafka", false),
};

/// With SCRAM over TLS.
pub(super) const SASL_SSL: Suite = Suite {
    name: "librdkafka-sasl-ssl",
    title: "librdkafka `tests/` with SCRAM over TLS",
    setting: "SASL_SSL with SCRAM-SHA-256; otherwise as above.",
    run: |workshop| run(workshop, "librdkafka-sasl-ssl", true),
    ..PLAINTEXT
};

fn run(workshop: &Workshop, name: &str, is_secured: bool) -> anyhow::Result<Vec<TestResult>> {
    let tests = build(workshop)?.join("tests");
    let folder = workshop.clean(name)?;
    let more = "auto.create.topics.enable=true\nnum.partitions=4\ngroup.initial.rebalance.delay.ms=0\n";
    let mut broker = TestBroker::start(workshop, &folder, more)?;
    let configuration = folder.join("test.conf");
    let settings = if is_secured {
        format!(
            "bootstrap.servers={}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\nsasl.username={USER}\n\
             sasl.password={PASSWORD}\nssl.ca.location={}\n",
            broker.sasl_ssl,
            broker.authority.display()
        )
    } else {
        format!("bootstrap.servers={}\n", broker.plaintext)
    };
    fs::write(&configuration, settings)?;
    let numbers = Mutex::new(numbers(&tests)?);
    let results = Mutex::new(Vec::new());
    let work = || -> anyhow::Result<()> {
        loop {
            let next = numbers.lock().map_err(|_poisoned| anyhow::anyhow!("a worker panicked"))?.pop_first();
            let Some(number) = next else { return Ok(()) };
            let found = run_one(&tests, &folder, &configuration, &number)?;
            results.lock().map_err(|_poisoned| anyhow::anyhow!("a worker panicked"))?.extend(found);
        }
    };
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_panic| anyhow::anyhow!("a worker panicked"))??;
        }
        Ok(())
    })?;
    let mut results = results.into_inner().map_err(|_poisoned| anyhow::anyhow!("a worker panicked"))?;
    let failed = results.iter().filter(|test| test.outcome == Outcome::Failed);
    let failed: BTreeSet<String> = failed.filter_map(|test| number_of(&test.name)).collect();
    for number in failed {
        results.retain(|test| number_of(&test.name).as_ref() != Some(&number));
        results.extend(run_one(&tests, &folder, &configuration, &number)?);
    }
    broker.check()?;
    Ok(results)
}

/// The number of the file that a test is in.
fn number_of(test: &str) -> Option<String> {
    test.get(..4).map(str::to_owned)
}

/// Runs the tests of one file and reads the suite's report about them.
fn run_one(
    tests: &Path,
    folder: &Path,
    configuration: &Path,
    number: &str,
) -> anyhow::Result<Vec<TestResult>> {
    let report = folder.join(format!("{number}.json"));
    let log = folder.join(format!("{number}.log"));
    let output = fs::File::create(&log)?;
    let libraries =
        ["src", "src-cpp"].map(|part| tests.join("..").join(part).display().to_string()).join(":");
    // It fails when a test fails, which the report says.
    let _tests_failed = Command::new("timeout")
        .args([LIMIT_SECONDS, "./test-runner", "-L", "-Q", "-p1"])
        .current_dir(tests)
        .env("RDKAFKA_TEST_CONF", configuration)
        .env("TESTS", format!("{number}_"))
        .env("TEST_REPORT", &report)
        .env("TEST_KAFKA_VERSION", EXPECTED_KAFKA)
        .env("LD_LIBRARY_PATH", libraries)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .context("cannot run the suite")?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let states = fs::read_to_string(&report).ok().and_then(|text| states(&text, number));
    let Some(states) = states else {
        return Ok(vec![TestResult::new(number, Outcome::Failed, &said)]);
    };
    let results = states.into_iter().filter_map(|(test, state)| {
        let about = about(&said, &test);
        match state.as_str() {
            "PASSED" => Some(TestResult::new(test, Outcome::Passed, "")),
            // Needs no broker.
            "SKIPPED" if about.contains("negative test flags") => None,
            "SKIPPED" => Some(TestResult::new(test, Outcome::Skipped, &about)),
            _ => Some(TestResult::new(test, Outcome::Failed, &about)),
        }
    });
    Ok(results.collect())
}

/// The state of each test that the report says was to run.
fn states(report: &str, number: &str) -> Option<BTreeMap<String, String>> {
    let report: Value = serde_json::from_str(report).ok()?;
    let tests = report.get("tests")?.as_object()?;
    let state = |test: &Value| test.get("state").and_then(Value::as_str).map(str::to_owned);
    let wanted = tests.iter().filter(|(name, _)| name.starts_with(number));
    let states = wanted.filter_map(|(name, test)| Some((name.clone(), state(test)?)));
    Some(states.filter(|(_, state)| state != "DNS").collect())
}

/// What the log says about why a test was skipped or failed: the last column of the suite's summary, or what follows the place where
/// it failed.
fn about(log: &str, test: &str) -> String {
    let place = format!("### Test \"{test}");
    let failure = log.lines().skip_while(|line| !line.contains(&place)).skip(1);
    let failure: Vec<&str> = failure.take(1).collect();
    if !failure.is_empty() {
        return plain(&failure.join(" "));
    }
    let row = log
        .lines()
        .map(plain)
        .find(|line| line.starts_with('|') && line.split('|').nth(1).is_some_and(|name| name.trim() == test));
    row.and_then(|row| row.rsplit('|').next().map(|text| text.trim().to_owned())).unwrap_or_default()
}

/// A line without the codes that colour a terminal.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, code)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = code.split_once('m').map_or("", |(_, after)| after);
    }
    text + rest
}

/// The numbers of the suite's files: `0012-produce_consume.c` is 0012.
fn numbers(tests: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(tests)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_source = name.ends_with(".c") || name.ends_with(".cpp");
        let number = name.split_once('-').map(|(number, _)| number).filter(|number| {
            is_source && number.starts_with('0') && number.chars().all(|digit| digit.is_ascii_digit())
        });
        numbers.extend(number.map(str::to_owned));
    }
    Ok(numbers)
}

/// Copies the library with its tests out of the registry's folder and builds both; once for all runs.
fn build(workshop: &Workshop) -> anyhow::Result<PathBuf> {
    let place = workshop.directory.join(format!("librdkafka-{CRATE}"));
    if place.join("tests/test-runner").exists() {
        return Ok(place);
    }
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    let source = source()?;
    process::run(Command::new("cp").arg("-R").arg(&source).arg(&place))?;
    process::run(Command::new("chmod").args(["-R", "u+w"]).arg(&place))?;
    let log = fs::File::create(workshop.directory.join("librdkafka-build.log"))?;
    let make = |program: &str, arguments: &[&str], directory: &Path| -> anyhow::Result<()> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        process::run(command.stdout(log.try_clone()?).stderr(log.try_clone()?))
    };
    // Without what no test against a broker of this kind uses and not every machine has.
    make("./configure", &["--disable-gssapi", "--disable-curl", "--disable-zstd"], &place)?;
    make("make", &["-j2", "libs"], &place)?;
    make("make", &["-j2", "build"], &place.join("tests"))?;
    Ok(place)
}

/// Where cargo keeps the crate's source.
fn source() -> anyhow::Result<PathBuf> {
    let said = process::output(process::cargo().args(["metadata", "--format-version", "1", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&said)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo lists no packages")?;
    let field = |package: &Value, name: &str| package.get(name).and_then(Value::as_str).map(str::to_owned);
    let package = packages.iter().find(|package| field(package, "name").as_deref() == Some("rdkafka-sys"));
    let package = package.context("rdkafka-sys is not among the packages")?;
    let version = field(package, "version").unwrap_or_default();
    if version != CRATE {
        bail!("Cargo.lock has rdkafka-sys {version}, the suite is pinned to {CRATE}");
    }
    let manifest = field(package, "manifest_path").context("rdkafka-sys lies nowhere")?;
    Ok(Path::new(&manifest).with_file_name("librdkafka"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_the_suites_own_words() {
        let log = "noise\n\u{1b}[31m### Test \"0011_produce_batch (part:629)\" failed at 0011.c:718 ###\n\
                   Test assertion failed: \"count == 10\": \nmore\n\
                   |\u{1b}[36m 0016_client_swname  | SKIPPED | 0.000s \u{1b}[0m|\u{1b}[36m Cannot run with SSL\u{1b}[0m\n";
        assert_eq!(about(log, "0011_produce_batch"), "Test assertion failed: \"count == 10\": ");
        assert_eq!(about(log, "0016_client_swname"), "Cannot run with SSL");
        assert_eq!(about(log, "0001_multiobj"), "");
    }

    #[test]
    fn tests_of_other_files_and_those_not_asked_for_are_left_out() {
        let report = r#"{"tests":{"<MAIN>":{"state":"PASSED"},"0011_a":{"state":"FAILED"},"0011_b":{"state":"DNS"},
                        "0012_c":{"state":"PASSED"}}}"#;
        let expected = BTreeMap::from([("0011_a".to_owned(), "FAILED".to_owned())]);
        assert_eq!(states(report, "0011"), Some(expected));
        assert_eq!(states("{", "0011"), None);
    }
}
