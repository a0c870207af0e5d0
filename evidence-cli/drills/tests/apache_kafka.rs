//! The drills against Apache Kafka: what needs no hook passes, a broker is replaced by declared programs, and the rest says exactly
//! why it was not exercised.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cadastre_drills::local_broker::Programs;
use cadastre_drills::target::Limits;
use cadastre_drills::{DrillName, DrillOutcome, Hooks, Target};
use cadastre_model::drill_target::Hook;
use support::{exercise, free_port, limits, told};

/// Starts Kafka in the background, unless it runs, and returns when its port answers.
const START: &str = "#!/bin/sh\n\
    cd \"$(dirname \"$0\")\"\n\
    (exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && exit 0\n\
    java -Xmx512m -cp \"$LIBS/*\" -Dlog4j2.configurationFile=log4j2.yaml kafka.Kafka server.properties >kafka.log 2>&1 &\n\
    echo $! >pid\n\
    for i in $(seq 1 600); do (exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && exit 0; sleep 0.1; done\n\
    exit 1\n";

/// Ends it, and returns when nothing of it accepts connections any more.
const KILL: &str = "#!/bin/sh\n\
    kill -9 \"$(cat \"$(dirname \"$0\")/pid\")\"\n\
    for i in $(seq 1 600); do (exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null || exit 0; sleep 0.1; done\n\
    exit 1\n";

const LOG: &str = "Configuration:\n  Appenders:\n    Console:\n      name: out\n      PatternLayout: {pattern: \"%d %p %m%n\"}\n  Loggers:\n    Root:\n      level: WARN\n      AppenderRef: [{ref: out}]\n";

struct Kafka {
    directory: tempfile::TempDir,
    port: u16,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.directory.path().join("pid")) {
            let _killed = Command::new("kill").args(["-9", pid.trim()]).status();
        }
    }
}

impl Kafka {
    fn start(libraries: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (port, controller) = (free_port(), free_port());
        let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        write("log4j2.yaml", LOG.to_owned());
        write(
            "server.properties",
            format!(
                "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
                 listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
                 advertised.listeners=CLIENTS://127.0.0.1:{port}\n\
                 listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
                 controller.listener.names=CONTROLLER\ninter.broker.listener.name=CLIENTS\n\
                 sasl.enabled.mechanisms=SCRAM-SHA-256\nsasl.mechanism.inter.broker.protocol=SCRAM-SHA-256\n\
                 listener.name.clients.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule \
                 required username=\"admin\" password=\"admin-secret\";\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:admin;User:ANONYMOUS\nlog.dirs={}/data\n\
                 offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
                 transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=100\n\
                 offsets.topic.num.partitions=3\ntransaction.state.log.num.partitions=3\n",
                directory.path().display()
            ),
        );
        let script =
            START.replace("PORT", &port.to_string()).replace("$LIBS", &libraries.display().to_string());
        write("start.sh", script);
        write("kill.sh", KILL.replace("PORT", &port.to_string()));
        let formatted = Command::new("java")
            .current_dir(directory.path())
            .args(["-cp", &format!("{}/*", libraries.display()), "-Dlog4j2.configurationFile=log4j2.yaml"])
            .args(["kafka.tools.StorageTool", "format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg"])
            .args(["--config", "server.properties"])
            .args(["--add-scram", "SCRAM-SHA-256=[name=admin,password=admin-secret,iterations=4096]"])
            .args(["--add-scram", "SCRAM-SHA-256=[name=stranger,password=stranger-secret,iterations=4096]"])
            .output()
            .unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let kafka = Self { directory, port };
        let started = Command::new("bash").arg(kafka.path("start.sh")).status().unwrap();
        let log = std::fs::read_to_string(kafka.path("kafka.log")).unwrap_or_default();
        assert!(started.success(), "kafka did not start: {log}");
        kafka
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn target(&self) -> Target {
        let script = |name: &str| vec!["bash".to_owned(), self.path(name).display().to_string()];
        let hooks =
            BTreeMap::from([(Hook::KillBroker, script("kill.sh")), (Hook::StartBroker, script("start.sh"))]);
        let connection = |user: &str| support::connection(&format!("127.0.0.1:{}", self.port), user);
        Target {
            cluster: "apache".to_owned(),
            is_bundled: false,
            administrator: connection("admin"),
            workload: None,
            denied: vec![support::denied(connection("stranger"))],
            prefix: "drill-".to_owned(),
            limits: Limits { recovery: Duration::from_secs(60), ..limits() },
            hooks: Hooks::new(hooks, Vec::new(), Programs::none()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_kafka_passes_what_needs_no_hook_and_names_what_it_could_not_exercise() {
    let Some(libraries) = std::env::var_os("CADASTRE_KAFKA_LIBS").map(PathBuf::from) else {
        eprintln!("skipped: CADASTRE_KAFKA_LIBS is not set; `cargo xtask test` sets it");
        return;
    };
    let kafka = Kafka::start(&libraries);
    let records = exercise(&kafka.target(), &DrillName::ALL).await;
    let mut failed = Vec::new();
    for record in &records {
        eprintln!("{}", told(record));
        let (expected, reason) = match record.drill {
            DrillName::Clients | DrillName::Denials | DrillName::BrokerReplacement | DrillName::Export => {
                (DrillOutcome::Passed, "")
            }
            DrillName::KeyRevocation => {
                (DrillOutcome::NotExercised, "declare `disable-key` and `enable-key`")
            }
            DrillName::KeyRotation => (DrillOutcome::NotExercised, "only a bundled broker on this machine"),
            DrillName::Deletion => {
                (DrillOutcome::NotExercised, "nothing shows what is left of a deleted topic")
            }
            DrillName::ScaleOut => (DrillOutcome::NotExercised, "declare `add-broker` and `remove-broker`"),
            DrillName::StoreOutage => (DrillOutcome::NotExercised, "declare `stop-store` and `start-store`"),
            DrillName::CertificateRotation => (DrillOutcome::NotExercised, "the listener has no certificate"),
            DrillName::UpgradeRollback => (DrillOutcome::NotExercised, "declare `downgrade` and `upgrade`"),
            DrillName::AuditTrail => (DrillOutcome::NotExercised, "audit log cannot be read from here"),
        };
        if record.outcome() != expected || !record.reason().unwrap_or_default().contains(reason) {
            failed.push(told(record));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
