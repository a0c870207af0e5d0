//! confluent-kafka-python's integration tests, from its repository.
//!
//! They start brokers through the package `trivup`, which downloads and runs Apache Kafka. `fixtures/compat/confluent-kafka-python`
//! has a package of that name that runs `cadastre-broker` with what the tests ask for.

use super::pytest::{self, Pytest};
use super::results::TestResult;
use super::sources::Source;
use super::{Suite, Workshop};
use crate::process;

const VERSION: &str = "2.15.0";
const SOURCE: Source = Source {
    name: "confluent-kafka-python",
    url: "https://github.com/confluentinc/confluent-kafka-python",
    tag: "v2.15.0",
};
const PACKAGES: [&str; 8] = [
    "confluent-kafka[schemaregistry,avro,json,protobuf]==2.15.0",
    "pytest==8.4.2",
    "pytest-timeout==2.4.0",
    "pytest-reportlog==1.0.0",
    "pytest-asyncio==1.2.0",
    "async-timeout",
    "requests-mock",
    "respx",
];

/// As each test has it.
pub(super) const INTEGRATION: Suite = Suite {
    name: "confluent-kafka-python",
    title: "confluent-kafka-python `tests/integration`",
    version: VERSION,
    source: "its repository; the client is the wheel on PyPI",
    setting: "One broker over PLAINTEXT, and one over SASL_PLAINTEXT with PLAIN and ACLs. What starts brokers is ours. Left out: `schema_registry`,\n\
              which tests another server, and the three folders `share_consumer*` with 157 functions, which need share groups (KIP-932). The broker has none.",
    run,
};

fn run(workshop: &Workshop) -> anyhow::Result<Vec<TestResult>> {
    let folder = workshop.clean("confluent-kafka-python")?;
    let python = pytest::python(workshop, "python-confluent", &PACKAGES)?;
    let tree = SOURCE.check_out(workshop, &folder)?;
    let ours = process::root().join("fixtures/compat/confluent-kafka-python");
    let suite = Pytest {
        python: &python,
        suite: &tree,
        arguments: &[
            "tests/integration/admin",
            "tests/integration/consumer",
            "tests/integration/producer",
            "tests/integration/serialization",
        ],
        folder: &folder,
        limit_seconds: 1800,
        test_limit_seconds: 180,
        prefix: "tests/integration/",
    };
    suite.run(&[("PYTHONPATH", &ours), ("CADASTRE_BROKER", &workshop.broker)])
}
