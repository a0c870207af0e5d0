//! aiokafka's tests, from its repository.
//!
//! They start a broker through the package `docker`. `fixtures/compat/aiokafka` has a package of that name whose only container is a
//! `cadastre-broker` with the listeners, users and certificates that the suite's own image has, and runs Kafka's tools on it.

use std::path::{Path, PathBuf};

use super::pytest::{self, Pytest};
use super::results::TestResult;
use super::sources::Source;
use super::{Suite, Workshop};
use crate::process;

const VERSION: &str = "0.14.0";
const SOURCE: Source =
    Source { name: "aiokafka", url: "https://github.com/aio-libs/aiokafka", tag: "v0.14.0" };
const PACKAGES: [&str; 8] = [
    "aiokafka==0.14.0",
    "cramjam==2.11.0",
    "pytest==9.0.2",
    "pytest-asyncio==1.3.0",
    "pytest-mock==3.15.1",
    "pytest-timeout==2.4.0",
    "pytest-reportlog==1.0.0",
    "async-timeout==5.0.1",
];
/// The name of an image, of which the suite reads the release of Kafka to expect. No later one is known to it.
const IMAGE: &str = "cadastre/broker:2.13_2.8.1";

/// As each test has it.
pub(super) const TESTS: Suite = Suite {
    name: "aiokafka",
    title: "aiokafka `tests/`",
    version: VERSION,
    source: "its repository; the client is the wheel on PyPI",
    setting: "PLAINTEXT, SSL with client certificates, SASL_PLAINTEXT and SASL_SSL with PLAIN and SCRAM, all on one broker, which the suite takes\n\
              for Kafka 2.8.1. The package `docker` by which it starts is ours. Many of its tests need no broker.",
    run,
};

fn run(workshop: &Workshop) -> anyhow::Result<Vec<TestResult>> {
    let folder = workshop.clean("aiokafka")?;
    let python = pytest::python(workshop, "python-aiokafka", &PACKAGES)?;
    let tree = SOURCE.check_out(workshop, &folder)?;
    // The tests import the installed package, not the tree, whose extensions are not built.
    std::fs::rename(tree.join("aiokafka"), tree.join("aiokafka.source"))?;
    let ours = process::root().join("fixtures/compat/aiokafka");
    let suite = Pytest {
        python: &python,
        suite: &tree,
        arguments: &["tests", "--docker-image", IMAGE, "--no-pull", "-W", "default"],
        folder: &folder,
        limit_seconds: 2400,
        test_limit_seconds: 180,
        prefix: "tests/",
    };
    suite.run(&[
        ("PYTHONPATH", &ours),
        ("CADASTRE_BROKER", &workshop.broker),
        ("PATH", &path_with(&ours.join("bin"))),
    ])
}

/// The search path with a folder before it.
fn path_with(folder: &Path) -> PathBuf {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let mut path = folder.as_os_str().to_owned();
    path.push(":");
    path.push(rest);
    path.into()
}
