//! Apache Kafka's own command-line clients and Kafka Streams, from Maven Central, and kcat where it is installed.
//!
//! These are programs rather than suites: each test runs them as a user would and compares what comes out with what went in.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::broker::{PASSWORD, TestBroker, USER};
use super::results::{Outcome, TestResult};
use super::{Suite, Workshop};
use crate::parts::{self, Parts};
use crate::process;

/// How long a program may take, in seconds.
const LIMIT_SECONDS: &str = "240";
/// How many records the console clients and kcat move.
const LINES: usize = 1_000;
/// How many records the performance and verifiable clients move.
const RECORDS: usize = 50_000;

/// Everything over TLS with SCRAM.
pub(super) const TOOLS: Suite = Suite {
    name: "kafka-tools",
    title: "Apache Kafka's console, performance and verifiable clients, Kafka Streams, kcat",
    version: "4.1.1",
    source: "Maven Central; kcat as installed",
    setting: "SASL_SSL with SCRAM-SHA-512. Not a suite of tests: each program runs as a user would run it, and what comes out is compared with\n\
              what went in. The word count runs with `processing.guarantee=exactly_once_v2` (`fixtures/compat/java/WordCount.java`).",
    run,
};

/// The programs with the broker they talk to.
struct Tools {
    broker: TestBroker,
    folder: PathBuf,
    libraries: PathBuf,
    streams: PathBuf,
    client: PathBuf,
}

type Check = fn(&Tools) -> anyhow::Result<Option<String>>;

/// Each returns why it cannot run, if it cannot.
const CHECKS: [(&str, Check); 5] = [
    ("console producer and consumer", console),
    ("performance producer and consumer", performance),
    ("verifiable producer and consumer", verifiable),
    ("Streams word count, exactly once", word_count),
    ("kcat", kcat),
];

fn run(workshop: &Workshop) -> anyhow::Result<Vec<TestResult>> {
    let folder = workshop.clean("kafka-tools")?;
    let parts = Parts::prepare()?;
    let libraries = parts.kafka_libraries().context("Apache Kafka's jars are missing")?.to_owned();
    let streams = parts::maven(&workshop.directory, "streams", "fixtures/compat/java/pom.xml")?;
    let broker = TestBroker::start(workshop, &folder, "auto.create.topics.enable=true\nnum.partitions=3\n")?;
    let client = folder.join("client.properties");
    let properties = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
         ssl.truststore.type=PEM\nssl.truststore.location={}\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"{USER}\" password=\"{PASSWORD}\";\n",
        broker.authority.display()
    );
    fs::write(&client, properties)?;
    let mut tools = Tools { broker, folder, libraries, streams, client };
    let mut results = Vec::new();
    for (name, check) in CHECKS {
        results.push(match check(&tools) {
            Ok(None) => TestResult::new(name, Outcome::Passed, ""),
            Ok(Some(missing)) => TestResult::new(name, Outcome::Skipped, &missing),
            Err(error) => TestResult::new(name, Outcome::Failed, &format!("{error:#}")),
        });
        tools.broker.check()?;
    }
    Ok(results)
}

impl Tools {
    fn java(&self) -> Command {
        let mut command = Command::new("timeout");
        let classes = format!("{}/*:{}/*", self.libraries.display(), self.streams.display());
        command.args([LIMIT_SECONDS, "java", "-cp", &classes]);
        command
    }

    /// Runs one of Kafka's tools, with the option that names the client's properties.
    fn tool(&self, class: &str, option: &str, arguments: &[&str], input: Stdio) -> anyhow::Result<String> {
        let mut command = self.java();
        command.arg(class).args(["--bootstrap-server", &self.broker.sasl_ssl]).arg(option).arg(&self.client);
        said(command.args(arguments).stdin(input))
    }

    /// A file with so many different lines.
    fn lines(&self) -> anyhow::Result<(PathBuf, Vec<String>)> {
        let mut lines: Vec<String> = (0..LINES).map(|number| format!("line {number:06}")).collect();
        let path = self.folder.join("lines.txt");
        fs::write(&path, lines.join("\n") + "\n")?;
        lines.sort();
        Ok((path, lines))
    }
}

/// What a program printed; it must succeed.
fn said(command: &mut Command) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } = command.output().context("cannot run it")?;
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        bail!("ended with {status}: {printed}{}", String::from_utf8_lossy(&stderr));
    }
    Ok(printed)
}

fn same_lines(printed: &str, expected: &[String]) -> anyhow::Result<()> {
    let mut lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("line ")).collect();
    lines.sort_unstable();
    ensure!(lines == expected, "{} lines came out, {} went in", lines.len(), expected.len());
    Ok(())
}

fn console(tools: &Tools) -> anyhow::Result<Option<String>> {
    let (path, lines) = tools.lines()?;
    let producer = "org.apache.kafka.tools.ConsoleProducer";
    tools.tool(producer, "--producer.config", &["--topic", "console"], File::open(path)?.into())?;
    let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let count = LINES.to_string();
    let arguments =
        ["--topic", "console", "--from-beginning", "--timeout-ms", "60000", "--max-messages", &count];
    let printed = tools.tool(consumer, "--consumer.config", &arguments, Stdio::null())?;
    same_lines(&printed, &lines)?;
    Ok(None)
}

fn performance(tools: &Tools) -> anyhow::Result<Option<String>> {
    let count = RECORDS.to_string();
    let bootstrap = format!("bootstrap.servers={}", tools.broker.sasl_ssl);
    let mut producer = tools.java();
    producer.arg("org.apache.kafka.tools.ProducerPerformance");
    producer.args(["--topic", "performance", "--record-size", "200", "--throughput", "-1"]);
    producer.args(["--num-records", &count, "--producer-props", &bootstrap, "--producer.config"]);
    let printed = said(producer.arg(&tools.client).stdin(Stdio::null()))?;
    ensure!(printed.contains(&format!("{count} records sent")), "{printed}");
    let consumer = "org.apache.kafka.tools.ConsumerPerformance";
    let arguments = ["--topic", "performance", "--messages", &count, "--timeout", "60000"];
    let printed = tools.tool(consumer, "--consumer.config", &arguments, Stdio::null())?;
    let figures = printed.lines().last().unwrap_or_default();
    ensure!(figures.split(", ").nth(4) == Some(count.as_str()), "{printed}");
    Ok(None)
}

fn verifiable(tools: &Tools) -> anyhow::Result<Option<String>> {
    let count = RECORDS.to_string();
    let producer = "org.apache.kafka.tools.VerifiableProducer";
    let arguments = ["--topic", "verifiable", "--max-messages", &count, "--throughput", "-1", "--acks", "-1"];
    let printed = tools.tool(producer, "--producer.config", &arguments, Stdio::null())?;
    let acknowledged =
        events(&printed, "tool_data").filter_map(|event| event.get("acked")?.as_u64()).sum::<u64>();
    ensure!(acknowledged == RECORDS as u64, "{acknowledged} of {count} records were acknowledged");
    let consumer = "org.apache.kafka.tools.VerifiableConsumer";
    let arguments = [
        "--topic",
        "verifiable",
        "--group-id",
        "verifier",
        "--reset-policy",
        "earliest",
        "--max-messages",
        &count,
    ];
    let printed = tools.tool(consumer, "--consumer.config", &arguments, Stdio::null())?;
    let consumed =
        events(&printed, "records_consumed").filter_map(|event| event.get("count")?.as_u64()).sum::<u64>();
    ensure!(consumed == RECORDS as u64, "{consumed} of {count} records were read");
    Ok(None)
}

/// The JSON lines of one name.
fn events(printed: &str, name: &'static str) -> impl Iterator<Item = Value> {
    let events = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(move |event| event.get("name").and_then(Value::as_str) == Some(name))
}

fn word_count(tools: &Tools) -> anyhow::Result<Option<String>> {
    let program = process::root().join("fixtures/compat/java/WordCount.java");
    let mut command = tools.java();
    command.arg(program).arg(&tools.broker.sasl_ssl).arg(&tools.client).arg("20000");
    let printed = said(command.stdin(Stdio::null()))?;
    ensure!(printed.contains("exactly once"), "{printed}");
    Ok(None)
}

fn kcat(tools: &Tools) -> anyhow::Result<Option<String>> {
    if !process::exists("kcat") {
        return Ok(Some("kcat is not installed".to_owned()));
    }
    let (path, lines) = tools.lines()?;
    let run = |arguments: &[&str], input: Option<&Path>| {
        let mut command = Command::new("timeout");
        command.args([LIMIT_SECONDS, "kcat", "-b", &tools.broker.sasl_ssl, "-t", "kcat"]);
        for setting in [
            "security.protocol=SASL_SSL".to_owned(),
            "sasl.mechanisms=SCRAM-SHA-512".to_owned(),
            format!("sasl.username={USER}"),
            format!("sasl.password={PASSWORD}"),
            format!("ssl.ca.location={}", tools.broker.authority.display()),
        ] {
            command.args(["-X", &setting]);
        }
        let input = input.map_or_else(|| Ok(Stdio::null()), |path| File::open(path).map(Stdio::from))?;
        said(command.args(arguments).stdin(input))
    };
    run(&["-P", "-z", "lz4"], Some(&path))?;
    same_lines(&run(&["-C", "-o", "beginning", "-e", "-q"], None)?, &lines)?;
    let listed = run(&["-L", "-J"], None)?;
    ensure!(listed.contains("\"kcat\""), "{listed}");
    Ok(None)
}
