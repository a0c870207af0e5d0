//! kafka-python's integration tests, as its source distribution on PyPI has them.
//!
//! They start brokers themselves, by Kafka's scripts and templates of `server.properties`. Scripts and templates are not part of the
//! distribution, nor is the module that runs them; `fixtures/compat/kafka-python` has ours, which run `cadastre-broker`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::pytest::{self, Pytest};
use super::results::TestResult;
use super::{Suite, Workshop};
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
const LIMIT_SECONDS: u32 = 1500;

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
    let python = pytest::python(workshop, "python", &PACKAGES)?;
    let suite = source(workshop, &folder)?;
    let root = servers(&folder)?;
    let suite = Pytest {
        python: &python,
        suite: &suite,
        arguments: &["test/integration"],
        folder: &folder,
        limit_seconds: LIMIT_SECONDS,
        test_limit_seconds: 60,
        prefix: "test/integration/",
    };
    suite.run(&[
        ("PYTHONPATH", suite.suite),
        ("KAFKA_VERSION", Path::new(EXPECTED_KAFKA)),
        ("PROJECT_ROOT", &root),
        ("KAFKA_ROOT", &root.join("kafka-bin")),
        ("CADASTRE_BROKER", &workshop.broker),
    ])
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
