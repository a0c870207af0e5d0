//! Apache Kafka as a foreign broker: formatted, started, awaited and stopped by the test that needs it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cadastre_protocol::client::{Address, Client, Identity};
use cadastre_protocol::messages::DescribeClusterRequest;
use tempfile::TempDir;

use super::{ADMIN, SCANNER, client_config, free_ports, scram, write_certificates};

const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
const START_SECONDS: u64 = 90;

/// Kafka's jars, where the environment names them.
pub(crate) fn libraries() -> Option<PathBuf> {
    std::env::var_os("CADASTRE_KAFKA_LIBS").map(PathBuf::from).filter(|path| path.is_dir())
}

/// How the broker is configured beyond the well-configured base: SASL_SSL for clients, mutual TLS for the controller,
/// the stock authorizer, default deny.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configuration {
    /// Adds a PLAINTEXT listener named `OPEN`.
    pub(crate) open_listener: bool,
    /// Further properties, which go last.
    pub(crate) properties: Vec<(&'static str, &'static str)>,
}

/// A running Apache Kafka. Stopped when dropped.
pub(crate) struct Kafka {
    process: Child,
    directory: TempDir,
    client_port: u16,
    controller_port: u16,
    open_port: Option<u16>,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // The process may have ended by itself; either way it is gone afterwards.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Kafka {
    /// Formats a log directory and starts one node that is broker and controller.
    pub(crate) async fn start(libraries: &Path, configuration: &Configuration) -> Self {
        let directory = TempDir::with_prefix("cadastre-kafka-").unwrap();
        let ports = free_ports(3);
        let (client_port, controller_port) = (ports[0], ports[1]);
        let open_port = configuration.open_listener.then_some(ports[2]);
        write_certificates(directory.path());
        let properties = directory.path().join("server.properties");
        fs::write(
            &properties,
            server_properties(directory.path(), client_port, controller_port, open_port, configuration),
        )
        .unwrap();
        fs::write(directory.path().join("log4j2.yaml"), LOG4J).unwrap();

        let format = java(libraries, directory.path())
            .args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"])
            .arg(&properties)
            .args(["--add-scram", &scram(ADMIN), "--add-scram", &scram(SCANNER)])
            .output()
            .unwrap();
        assert!(
            format.status.success(),
            "formatting failed: {}{}",
            String::from_utf8_lossy(&format.stdout),
            String::from_utf8_lossy(&format.stderr)
        );
        let log = File::create(directory.path().join("kafka.log")).unwrap();
        let process = java(libraries, directory.path())
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut kafka = Self { process, directory, client_port, controller_port, open_port };
        kafka.wait_until_ready().await;
        kafka
    }

    /// Where clients connect, by SASL_SSL.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    /// The controller's listener, by mutual TLS.
    pub(crate) fn controller(&self) -> String {
        format!("127.0.0.1:{}", self.controller_port)
    }

    /// The PLAINTEXT listener, where there is one.
    pub(crate) fn open(&self) -> Option<String> {
        self.open_port.map(|port| format!("127.0.0.1:{port}"))
    }

    /// PEM file of the authority that signed the broker's certificate.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A client certificate that the controller's listener accepts: the broker's own.
    pub(crate) fn identity(&self) -> Identity {
        let pem = fs::read(self.directory.path().join("keystore.pem")).unwrap();
        Identity::from_pem(&pem, &pem).unwrap()
    }

    async fn wait_until_ready(&mut self) {
        let address: Address = self.bootstrap().parse().unwrap();
        let config = client_config(&self.authority_file(), ADMIN);
        for _ in 0..START_SECONDS * 4 {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("kafka ended with {status}: {}", self.log_tail());
            }
            if let Ok(mut client) = Client::connect(&address, &config).await
                && let Ok(cluster) = client.send(&DescribeClusterRequest::default()).await
                && !cluster.brokers.is_empty()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("kafka did not start within {START_SECONDS} s: {}", self.log_tail());
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("kafka.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

fn java(libraries: &Path, directory: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .args(["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!("-Dlog4j2.configurationFile={}", directory.join("log4j2.yaml").display()))
        .arg("-cp")
        .arg(format!("{}/*", libraries.display()))
        .stdin(Stdio::null());
    command
}

const LOG4J: &str = "\
Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: '%p %m (%c)%n'
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: STDOUT
";

fn server_properties(
    directory: &Path,
    client_port: u16,
    controller_port: u16,
    open_port: Option<u16>,
    configuration: &Configuration,
) -> String {
    let mut listeners = format!("CLIENT://127.0.0.1:{client_port},CONTROLLER://127.0.0.1:{controller_port}");
    let mut advertised = format!("CLIENT://127.0.0.1:{client_port}");
    let mut protocols = "CLIENT:SASL_SSL,CONTROLLER:SSL".to_owned();
    if let Some(port) = open_port {
        let entry = format!(",OPEN://127.0.0.1:{port}");
        listeners.push_str(&entry);
        advertised.push_str(&entry);
        protocols.push_str(",OPEN:PLAINTEXT");
    }
    let file = |name: &str| directory.join(name).display().to_string();
    let jaas = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{}\" password=\"{}\";",
        ADMIN.0, ADMIN.1
    );
    let mut text = String::new();
    for (name, value) in [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller_port}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("listeners", listeners),
        ("advertised.listeners", advertised),
        ("listener.security.protocol.map", protocols),
        ("inter.broker.listener.name", "CLIENT".to_owned()),
        ("sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()),
        ("sasl.mechanism.inter.broker.protocol", "SCRAM-SHA-512".to_owned()),
        ("listener.name.client.scram-sha-512.sasl.jaas.config", jaas),
        ("listener.name.controller.ssl.client.auth", "required".to_owned()),
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", file("keystore.pem")),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", file("ca.pem")),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
        ("super.users", format!("User:{};User:CN=broker", ADMIN.0)),
        ("allow.everyone.if.no.acl.found", "false".to_owned()),
        ("auto.create.topics.enable", "false".to_owned()),
        ("log.dirs", file("data")),
        ("num.partitions", "1".to_owned()),
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("offsets.topic.num.partitions", "1".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
    ] {
        writeln!(text, "{name}={value}").unwrap();
    }
    for (name, value) in &configuration.properties {
        writeln!(text, "{name}={value}").unwrap();
    }
    text
}
