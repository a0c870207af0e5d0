//! Cluster mode: several programs over one database and one store are one broker to clients.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod common;
#[path = "../../sequencer/tests/support/mod.rs"]
mod postgres;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cadastre_protocol::client::{Client, ClientConfig, Mechanism, Password, Sasl, Security};
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use cadastre_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, TopicName,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::{Request, StrBytes};
use common::{ADMIN, ADMIN_PASSWORD, ALICE, ALICE_PASSWORD, PATIENCE, run, text};
use tempfile::TempDir;

/// Programs that share a database, a store and a key.
struct Cluster {
    directory: TempDir,
    brokers: Vec<Broker>,
}

struct Broker {
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Cluster {
    /// A cluster of `count` brokers with an administrator and a user, none of them started; `None` without PostgreSQL.
    fn new(count: usize) -> Option<Self> {
        let server = postgres::shared_server()?;
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir(root.join("store")).unwrap();
        let schema = postgres::fresh_schema();
        let database = server.config(&schema).connection;
        let mut brokers = Vec::new();
        for node_id in 1..=count {
            let own = root.join(format!("broker-{node_id}"));
            std::fs::create_dir(&own).unwrap();
            let port = common::free_port();
            let properties = format!(
                "process.roles=broker\nnode.id={node_id}\nlisteners=SASL_PLAINTEXT://127.0.0.1:{port}\n\
                 log.dirs={own}/data\ncadastre.key.file={root}/kek\nsasl.enabled.mechanisms=SCRAM-SHA-512\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:admin\ngroup.initial.rebalance.delay.ms=100\n\
                 transaction.abort.timed.out.transaction.cleanup.interval.ms=200\nauto.create.topics.enable=true\n\
                 num.partitions=4\ncadastre.storage.mode=cluster\ncadastre.cluster.id=test-cluster\n\
                 cadastre.objects.location=file://{root}/store\ncadastre.metadata.url={database}\n\
                 cadastre.metadata.schema={schema}\ncadastre.cluster.linger.ms=5\n\
                 log.cleaner.backoff.ms=200\n\
                 cadastre.cluster.heartbeat.interval.ms=300\ncadastre.cluster.lease.ms=1500\n",
                own = own.display(),
                root = root.display(),
            );
            std::fs::write(own.join("server.properties"), properties).unwrap();
            brokers.push(Broker { directory: own, port, child: None });
        }
        let first = brokers.first().unwrap().directory.join("server.properties");
        let credential = |user, password| format!("SCRAM-SHA-512=[name={user},password={password}]");
        let formatted = run(&[
            "format",
            "--config",
            first.to_str().unwrap(),
            "--add-scram",
            &credential(ADMIN, ADMIN_PASSWORD),
            "--add-scram",
            &credential(ALICE, ALICE_PASSWORD),
        ]);
        assert!(formatted.status.success(), "{}", text(&formatted));
        Some(Self { directory, brokers })
    }

    fn started(count: usize) -> Option<Self> {
        let mut cluster = Self::new(count)?;
        cluster.brokers.iter_mut().for_each(Broker::start);
        Some(cluster)
    }

    fn bootstrap(&self) -> String {
        let live = self.brokers.iter().filter(|broker| broker.child.is_some());
        live.map(|broker| format!("127.0.0.1:{}", broker.port)).collect::<Vec<_>>().join(",")
    }

    fn python(&self, script: &str, arguments: &[&str]) -> Command {
        self.python_for(script, arguments, PATIENCE)
    }

    fn python_for(&self, script: &str, arguments: &[&str], patience: Duration) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg(patience.as_secs().to_string())
            .arg(common::python().unwrap())
            .arg("-B")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script))
            .args(arguments)
            .env("BOOTSTRAP", self.bootstrap())
            .env("PLAIN_BOOTSTRAP", "")
            .env("CA_FILE", "")
            .env("SECURITY", "SASL_PLAINTEXT");
        command
    }

    #[track_caller]
    fn run(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.python(script, arguments).stdin(Stdio::null()).output().unwrap();
        let logs: Vec<String> = self.brokers.iter().map(Broker::log).collect();
        assert!(
            output.status.success(),
            "{script} {arguments:?} failed: {}\n{}",
            text(&output),
            logs.join("\n----\n")
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn objects(&self) -> usize {
        fn count(path: &Path) -> usize {
            if !path.is_dir() {
                return 1;
            }
            std::fs::read_dir(path).unwrap().map(|entry| count(&entry.unwrap().path())).sum()
        }
        count(&self.directory.path().join("store"))
    }
}

impl Broker {
    fn start(&mut self) {
        self.child = Some(common::start_program(&self.directory, "log"));
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

#[test]
fn brokers_of_a_cluster_are_one_to_clients_and_one_fewer_is_enough() {
    if common::python().is_none() {
        return;
    }
    let Some(mut cluster) = Cluster::started(3) else { return };
    cluster.run("cluster.py", &["one"]);
    assert!(cluster.objects() > 8);
    cluster.brokers[1].kill();
    cluster.run("cluster.py", &["two"]);
}

#[test]
fn transactions_are_the_same_over_several_brokers() {
    if common::python().is_none() {
        return;
    }
    let Some(cluster) = Cluster::started(2) else { return };
    cluster.run("transactions.py", &["all"]);
}

#[test]
fn a_transaction_outlives_the_broker_that_coordinated_it() {
    if common::python().is_none() {
        return;
    }
    let Some(mut cluster) = Cluster::started(3) else { return };
    cluster.run("transactions.py", &["before"]);
    cluster.brokers[0].kill();
    cluster.brokers[1].kill();
    cluster.brokers[1].start();
    cluster.run("transactions.py", &["after"]);
}

#[test]
fn each_record_is_moved_once_while_brokers_come_and_go() {
    if common::python().is_none() {
        return;
    }
    let Some(mut cluster) = Cluster::started(2) else { return };
    let mut command = cluster.python_for("exactly_once.py", &["3000"], Duration::from_secs(170));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mover = common::until_ready(child);
    for round in 0..4 {
        common::wait(900);
        cluster.brokers[round % 2].kill();
        common::wait(300);
        cluster.brokers[round % 2].start();
    }
    let output = mover.wait_with_output().unwrap();
    let logs: Vec<String> = cluster.brokers.iter().map(Broker::log).collect();
    assert!(output.status.success(), "{}\n{}", text(&output), logs.join("\n----\n"));
    println!("{}", text(&output));
}

#[test]
fn members_of_a_consumer_group_do_not_notice_that_its_coordinator_dies() {
    if common::python().is_none() {
        return;
    }
    let Some(mut cluster) = Cluster::started(3) else { return };
    let folder = tempfile::tempdir().unwrap();
    let arguments = [folder.path().to_str().unwrap(), "3"];
    let mut command = cluster.python_for("consumer_group_failover.py", &arguments, Duration::from_secs(600));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = Some(child);
    'rounds: for round in 0..3 {
        for (file, is_before) in [(format!("before-{round}"), true), (format!("after-{round}"), false)] {
            while !folder.path().join(&file).exists() {
                if child.as_mut().unwrap().try_wait().unwrap().is_some() {
                    break 'rounds;
                }
                common::pause();
            }
            // One of the three coordinates the group.
            if is_before {
                cluster.brokers[round].kill();
                std::fs::write(folder.path().join(format!("killed-{round}")), "").unwrap();
            } else {
                cluster.brokers[round].start();
            }
        }
    }
    let output = child.take().unwrap().wait_with_output().unwrap();
    let logs: Vec<String> = cluster.brokers.iter().map(Broker::log).collect();
    assert!(output.status.success(), "{}\n{}", text(&output), logs.join("\n----\n"));
}

/// A client of one broker, through the library.
struct Direct {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Direct {
    fn connect(broker: &Broker) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let password = Password::new(ADMIN_PASSWORD.to_owned());
        let sasl = Sasl { mechanism: Mechanism::ScramSha512, username: ADMIN.to_owned(), password };
        let config = ClientConfig::new("test", Security { tls: None, sasl: Some(sasl) });
        let address = format!("127.0.0.1:{}", broker.port).parse().unwrap();
        let client = runtime.block_on(Client::connect(&address, &config)).unwrap();
        Self { runtime, client }
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.runtime.block_on(self.client.send_version(version, request)).unwrap()
    }

    fn produce(&mut self, value: String) -> i64 {
        let record = Record { value: Some(Bytes::from(value)), ..Record::default() };
        let batch = RecordBatch::build(0, &[record], None).unwrap();
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.bytes().clone()));
        let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
        let response = self.send(9, &request);
        let answer = &response.responses.first().unwrap().partition_responses.first().unwrap();
        assert_eq!(answer.error_code, 0);
        answer.base_offset
    }

    /// The bytes of the records, and where the log ends.
    fn fetch(&mut self, offset: i64) -> (Bytes, i64) {
        let wanted = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![wanted]);
        let request = FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![wanted]);
        let response = self.send(12, &request);
        let answer = response.responses.first().unwrap().partitions.first().unwrap();
        assert_eq!(answer.error_code, 0);
        (answer.records.clone().unwrap_or_default(), answer.high_watermark)
    }

    /// Where the log ends, by `ListOffsets` and by `OffsetForLeaderEpoch`.
    fn ends(&mut self) -> (i64, i64) {
        let wanted = ListOffsetsPartition::default().with_timestamp(-1);
        let wanted = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![wanted]);
        let listed = self.send(6, &ListOffsetsRequest::default().with_topics(vec![wanted]));
        let listed = listed.topics.first().unwrap().partitions.first().unwrap().offset;
        let wanted = OffsetForLeaderPartition::default().with_leader_epoch(0);
        let wanted = OffsetForLeaderTopic::default().with_topic(topic()).with_partitions(vec![wanted]);
        let of_epoch = self.send(4, &OffsetForLeaderEpochRequest::default().with_topics(vec![wanted]));
        (listed, of_epoch.topics.first().unwrap().partitions.first().unwrap().end_offset)
    }
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("at-once"))
}

#[test]
fn a_record_acknowledged_by_one_broker_is_read_through_another_at_once() {
    let Some(cluster) = Cluster::started(2) else { return };
    let (mut writer, mut reader) =
        (Direct::connect(&cluster.brokers[0]), Direct::connect(&cluster.brokers[1]));
    let made = CreatableTopic::default().with_name(topic()).with_num_partitions(1).with_replication_factor(1);
    writer.send(5, &CreateTopicsRequest::default().with_topics(vec![made]).with_timeout_ms(5000));
    let deadline = Instant::now() + PATIENCE;
    while reader.ends() != (0, 0) {
        assert!(Instant::now() < deadline, "the topic is not seen");
        common::pause();
    }
    for round in 0..40 {
        let offset = writer.produce(format!("first {round}"));
        let (records, end) = reader.fetch(offset);
        assert!(!records.is_empty() && end == offset + 1, "round {round}: the end is said to be {end}");
        let offset = writer.produce(format!("second {round}"));
        assert_eq!(reader.ends(), (offset + 1, offset + 1));
        // The answer has records, and says that there are more than the broker knew of.
        let offset = writer.produce(format!("third {round}"));
        let (_, end) = reader.fetch(offset - 1);
        assert_eq!(end, offset + 1);
    }
}

#[test]
fn a_deleted_topic_of_a_cluster_leaves_a_receipt_in_the_bucket() {
    let Some(cluster) = Cluster::started(1) else { return };
    let mut client = Direct::connect(&cluster.brokers[0]);
    let made = CreatableTopic::default().with_name(topic()).with_num_partitions(1).with_replication_factor(1);
    client.send(5, &CreateTopicsRequest::default().with_topics(vec![made]).with_timeout_ms(5000));
    client.produce("secret".to_owned());
    let deleted = DeleteTopicsRequest::default().with_topic_names(vec![topic()]).with_timeout_ms(5000);
    assert_eq!(client.send(5, &deleted).responses.first().unwrap().error_code, 0);
    let receipts = cluster.directory.path().join("store/receipts/test-cluster");
    let paths: Vec<PathBuf> =
        std::fs::read_dir(receipts).unwrap().map(|entry| entry.unwrap().path()).collect();
    let of_kind = |ending: &str| {
        let path = paths.iter().find(|path| path.extension().is_some_and(|extension| extension == ending));
        std::fs::read(path.unwrap()).unwrap()
    };
    let key = String::from_utf8(of_kind("pem")).unwrap();
    let key = cadastre_keys::signing::VerifyingKey::parse(&key).unwrap();
    let receipt = cadastre_keys::verify_receipt(&of_kind("json"), &key).unwrap();
    // The record lies in an object of many topics, and that is said.
    assert_eq!((receipt.keys.len(), receipt.objects.len(), receipt.remains.len()), (0, 0, 1), "{receipt:?}");
}

#[test]
fn killing_and_stopping_brokers_under_load_loses_nothing_acknowledged_and_doubles_nothing() {
    if common::python().is_none() {
        return;
    }
    let Some(mut cluster) = Cluster::started(2) else { return };
    let mut producer = cluster.python("steady_producer.py", &[]);
    let producer = producer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    common::wait(2000);
    for index in [0, 1] {
        cluster.brokers[index].kill();
        common::wait(2500);
        cluster.brokers[index].start();
        common::wait(500);
    }
    // A broker that slept longer than its lease wakes up fenced, commits nothing of before, and registers again.
    cluster.brokers[0].signal("-STOP");
    common::wait(3000);
    cluster.brokers[0].signal("-CONT");
    common::wait(2500);
    let acknowledged = common::acknowledged(producer);
    let stored = common::records(&cluster.run("read_all.py", &["steady"]));
    common::check_nothing_lost(&acknowledged, &stored);
    let woken = cluster.brokers[0].log();
    assert!(woken.contains("registered again after being fenced"), "{woken}");
}

#[test]
fn what_a_cluster_cannot_be_made_of_is_said_in_one_line() {
    let Some(cluster) = Cluster::new(1) else { return };
    let file = cluster.brokers[0].directory.join("server.properties");
    let good = std::fs::read_to_string(&file).unwrap();
    let check = |from: &str, to: &str, expected: &str| {
        std::fs::write(&file, good.replace(from, to)).unwrap();
        let output = run(&["--config", file.to_str().unwrap()]);
        assert!(!output.status.success());
        let said = text(&output);
        let line = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(line.contains(expected), "expected `{expected}`: {said}");
    };
    check("cadastre.metadata.url=", "#", "property `cadastre.metadata.url`: `` is refused");
    check("cadastre.objects.location=", "#", "property `cadastre.objects.location`: `` is refused");
    check(
        "cadastre.metadata.url=host=",
        "cadastre.metadata.url=password=x host=",
        "a password does not belong here",
    );
    check(
        "cadastre.cluster.id=test-cluster",
        "cadastre.cluster.id=other",
        "belongs to cluster `test-cluster`",
    );
    check("SASL_PLAINTEXT://127.0.0.1:", "SASL_PLAINTEXT://0.0.0.0:", "advertised.listeners");
}

#[test]
fn a_cluster_moves_to_another_key_while_its_brokers_run() {
    if common::python().is_none() {
        return;
    }
    let Some(mut cluster) = Cluster::new(2) else { return };
    let new_file = cluster.directory.path().join("new-kek");
    let new_key =
        cadastre_keys::KeyProvider::key_id(&cadastre_keys::LocalKeyFile::create(&new_file).unwrap())
            .to_owned();
    let old_file = cluster.directory.path().join("kek");
    for broker in &cluster.brokers {
        let file = broker.directory.join("server.properties");
        let properties = std::fs::read_to_string(&file).unwrap();
        let properties = properties.replace(
            &format!("cadastre.key.file={}", old_file.display()),
            &format!(
                "cadastre.key.file={}\ncadastre.key.previous.files={}",
                new_file.display(),
                old_file.display()
            ),
        );
        std::fs::write(&file, properties).unwrap();
    }
    cluster.brokers.iter_mut().for_each(Broker::start);
    let file = cluster.brokers[0].directory.join("server.properties");
    // A tool of its own: the ledger of keys has one writer.
    let tool = cluster.directory.path().join("tool.properties");
    let properties = std::fs::read_to_string(&file).unwrap();
    let ledger =
        format!("cadastre.key.ledger.directory={}/tool-ledger\n", cluster.directory.path().display());
    std::fs::write(&tool, properties + &ledger).unwrap();
    let tool = tool.to_str().unwrap();
    let status = text(&run(&["status", "--config", tool]));
    assert!(status.contains("brokers 1 2\n") && status.contains("  metadata/key\n"), "{status}");
    let rewrapped = text(&run(&["rewrap", "--config", tool, "--to", &new_key]));
    assert!(rewrapped.contains(&format!("under {new_key}")), "{rewrapped}");
    let status = text(&run(&["status", "--config", tool]));
    assert!(!status.contains("\nold "), "{status}");
    cluster.run("cluster.py", &["one"]);
}
