//! What Apache Kafka's own command-line tools see of the broker.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{ADMIN, ADMIN_PASSWORD, TestBroker, kafka_libraries, text};

/// The tools, with the super user's credentials.
struct Tools<'broker> {
    broker: &'broker TestBroker,
    libraries: PathBuf,
}

impl<'broker> Tools<'broker> {
    fn new(broker: &'broker TestBroker) -> Option<Self> {
        let properties = format!(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
             ssl.truststore.type=PEM\nssl.truststore.location={}\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"{ADMIN}\" password=\"{ADMIN_PASSWORD}\";\n",
            broker.path("ca.pem").display()
        );
        std::fs::write(broker.path("client.properties"), properties).unwrap();
        Some(Self { broker, libraries: kafka_libraries()? })
    }

    /// Runs a tool and returns what it printed; the tool must succeed.
    fn run(&self, class: &str, arguments: &[&str]) -> String {
        self.run_with(class, "--command-config", arguments, None)
    }

    fn run_with(&self, class: &str, flag: &str, arguments: &[&str], input: Option<&Path>) -> String {
        let input = input.map_or_else(Stdio::null, |path| Stdio::from(File::open(path).unwrap()));
        let output = Command::new("timeout")
            .args(["60", "java", "-cp", &format!("{}/*", self.libraries.display()), class])
            .args(["--bootstrap-server", &self.broker.address().to_string()])
            .args([flag, self.broker.path("client.properties").to_str().unwrap()])
            .args(arguments)
            .stdin(input)
            .output()
            .unwrap();
        let printed = text(&output);
        assert!(output.status.success(), "{class} {arguments:?}: {printed}\nbroker: {}", self.broker.log());
        printed
    }

    #[track_caller]
    fn check(&self, class: &str, arguments: &[&str], expected: &[&str]) {
        let printed = self.run(class, arguments);
        for text in expected {
            assert!(printed.contains(text), "{class} {arguments:?}: expected `{text}`, got {printed}");
        }
    }

    /// A tool's class, which moved between releases.
    fn class(&self, newer: &'static str, older: &'static str) -> &'static str {
        let path = format!("{}.class", newer.replace('.', "/"));
        let found = std::fs::read_dir(&self.libraries).unwrap().any(|entry| {
            let entry = entry.unwrap().path();
            let is_tools =
                entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kafka-tools-"));
            // Names of entries stand in a jar as they are.
            is_tools
                && std::fs::read(entry).unwrap().windows(path.len()).any(|window| window == path.as_bytes())
        });
        if found { newer } else { older }
    }
}

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

#[test]
fn transactions_with_kafkas_own_client() {
    let broker = TestBroker::with("transaction.abort.timed.out.transaction.cleanup.interval.ms=200\n");
    let Some(tools) = Tools::new(&broker) else { return };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/Transactions.java");
    let output = Command::new("timeout")
        .args(["120", "java", "-cp", &format!("{}/*", tools.libraries.display())])
        .arg(program)
        .arg(broker.address().to_string())
        .arg(broker.path("client.properties"))
        .arg("40")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\nbroker: {}", text(&output), broker.log());
    tools.check(
        "org.apache.kafka.tools.TransactionsCommand",
        &["describe", "--transactional-id", "rounds"],
        &["CompleteCommit"],
    );
    tools.check("org.apache.kafka.tools.TransactionsCommand", &["list"], &["transformer", "CompleteCommit"]);
    tools.check(
        "org.apache.kafka.tools.TransactionsCommand",
        &["describe-producers", "--topic", "in", "--partition", "0"],
        &["CurrentTransactionStartOffset"],
    );
}

#[test]
fn consumer_groups_with_kafkas_own_client() {
    // The members hear of changes by their heartbeats, which are 5 seconds apart by default.
    let more = "group.consumer.min.heartbeat.interval.ms=500\ngroup.consumer.heartbeat.interval.ms=500\n\
                group.initial.rebalance.delay.ms=0\n";
    let broker = TestBroker::with(more);
    let Some(tools) = Tools::new(&broker) else { return };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/ConsumerGroups.java");
    let output = Command::new("timeout")
        .args(["900", "java", "-cp", &format!("{}/*", tools.libraries.display())])
        .arg(program)
        .arg(broker.address().to_string())
        .arg(broker.path("client.properties"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\nbroker: {}", text(&output), broker.log());
}

#[test]
fn administration_with_kafkas_own_tools() {
    let broker = TestBroker::secure();
    let Some(tools) = Tools::new(&broker) else { return };
    tools.check(
        TOPICS,
        &["--create", "--topic", "orders", "--partitions", "2", "--config", "retention.ms=1000000"],
        &["Created topic orders."],
    );
    tools.check(
        TOPICS,
        &["--describe"],
        &["PartitionCount: 2", "ReplicationFactor: 1", "retention.ms=1000000"],
    );
    let acls = tools.class("org.apache.kafka.tools.AclCommand", "kafka.admin.AclCommand");
    let acl = ["--allow-principal", "User:zoe", "--operation", "Read", "--topic", "ord"];
    let acl: Vec<&str> = acl.into_iter().chain(["--resource-pattern-type", "prefixed"]).collect();
    let with = |first: &[&'static str]| first.iter().copied().chain(acl.iter().copied()).collect::<Vec<_>>();
    tools.check(
        acls,
        &with(&["--add"]),
        &["(principal=User:zoe, host=*, operation=READ, permissionType=ALLOW)"],
    );
    tools.check(acls, &["--list"], &["ResourcePattern(resourceType=TOPIC, name=ord, patternType=PREFIXED)"]);
    tools.run(acls, &with(&["--remove", "--force"]));
    assert!(!tools.run(acls, &["--list"]).contains("zoe"));
    let topic = ["--entity-type", "topics", "--entity-name", "orders"];
    let on_topic = |first: &[&'static str]| first.iter().chain(&topic).copied().collect::<Vec<_>>();
    tools.run(CONFIGS, &on_topic(&["--alter", "--add-config", "retention.ms=5000,max.message.bytes=100000"]));
    tools.check(
        CONFIGS,
        &on_topic(&["--describe"]),
        &["{DYNAMIC_TOPIC_CONFIG:retention.ms=5000, DEFAULT_CONFIG:log.retention.hours=168}"],
    );
    tools.check(
        CONFIGS,
        &["--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"],
        &[
            "super.users=User:admin sensitive=false synonyms={STATIC_BROKER_CONFIG:super.users=User:admin",
            "ssl.keystore.password=null sensitive=true",
        ],
    );
    let user = ["--entity-type", "users", "--entity-name", "zoe"];
    let on_user = |first: &[&'static str]| first.iter().chain(&user).copied().collect::<Vec<_>>();
    let credential = "SCRAM-SHA-256=[iterations=8192,password=zoe-secret]";
    tools.run(CONFIGS, &on_user(&["--alter", "--add-config", credential]));
    tools.run(CONFIGS, &on_user(&["--alter", "--add-config", "producer_byte_rate=20000"]));
    tools.check(
        CONFIGS,
        &on_user(&["--describe"]),
        &["SCRAM-SHA-256=iterations=8192", "producer_byte_rate=20000.0"],
    );
    tools.check(
        "org.apache.kafka.tools.MetadataQuorumCommand",
        &["describe", "--status"],
        &["[{\"id\": 1}]"],
    );
    tools.check("org.apache.kafka.tools.LogDirsCommand", &["--describe"], &["\"partition\":\"orders-0\""]);
    let versions = tools.class(
        "org.apache.kafka.tools.BrokerApiVersionsCommand",
        "org.apache.kafka.tools.BrokerApiVersionsCommand",
    );
    tools.check(versions, &[], &["Produce(0)", "DescribeQuorum(55)"]);
}

#[test]
fn records_and_groups_with_kafkas_own_tools() {
    let broker = TestBroker::secure();
    let Some(tools) = Tools::new(&broker) else { return };
    tools.run(TOPICS, &["--create", "--topic", "lines", "--partitions", "3"]);
    let input = broker.path("lines.txt");
    let lines: String = (0..50).map(|number| format!("line-{number}\n")).collect();
    std::fs::write(&input, lines).unwrap();
    let producer = "org.apache.kafka.tools.ConsoleProducer";
    tools.run_with(producer, "--producer.config", &["--topic", "lines"], Some(&input));
    let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let arguments = ["--topic", "lines", "--from-beginning", "--max-messages", "50", "--group", "readers"];
    let arguments: Vec<&str> = arguments.into_iter().chain(["--timeout-ms", "30000"]).collect();
    let read = tools.run_with(consumer, "--consumer.config", &arguments, None);
    assert_eq!(read.lines().filter(|line| line.starts_with("line-")).count(), 50, "{read}");
    tools.check(GROUPS, &["--list"], &["readers"]);
    let described = tools.run(GROUPS, &["--describe", "--group", "readers"]);
    let lags = described.lines().filter(|line| line.contains(" lines ")).map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.get(5).map(|lag| (*lag).to_owned())
    });
    assert_eq!(lags.collect::<Vec<_>>(), vec![Some("0".to_owned()); 3], "{described}");
    let reset = ["--reset-offsets", "--group", "readers", "--topic", "lines", "--to-earliest", "--execute"];
    tools.check(GROUPS, &reset, &["lines"]);
    let again = tools.run_with(consumer, "--consumer.config", &arguments, None);
    assert_eq!(again.lines().filter(|line| line.starts_with("line-")).count(), 50, "{again}");
    tools.check(GROUPS, &["--delete", "--group", "readers"], &["successful"]);
}
