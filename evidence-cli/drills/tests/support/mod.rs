//! Brokers to exercise, as processes of their own: this test program, started again.

#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test ends where it cannot go on"
)]

#[path = "../../../cli/src/commands/broker_tools.rs"]
pub(crate) mod broker_tools;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use cadastre_drills::connection::{Connection, Login, Secret};
use cadastre_drills::hooks::Hooks;
use cadastre_drills::local_broker::{LocalBroker, Programs};
use cadastre_drills::target::{Denied, Limits, Target};
use cadastre_drills::{DrillError, DrillName, DrillRecord, Exercise};
use cadastre_model::SystemClock;
use cadastre_model::declaration::SecurityProtocol;
use cadastre_model::drill_target::Attempt;
use cadastre_model::progress::Silent;
use cadastre_server::{BrokerConfig, FormatOptions};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::broker_tools::Bundled;

const CONFIG: &str = "CADASTRE_TEST_BROKER_CONFIG";
const READY: &str = "CADASTRE_TEST_BROKER_READY";
const USERS: [&str; 2] = ["admin", "stranger"];

/// Serves until told to stop, when this program was started as a broker.
pub(crate) fn serve() {
    let (Some(config), Some(ready)) = (std::env::var_os(CONFIG), std::env::var_os(READY)) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let config = BrokerConfig::load(Path::new(&config)).unwrap();
        let broker = cadastre_server::Broker::start(config).await.unwrap_or_else(|error| {
            // The last line of the log, which tells why it did not start.
            eprintln!("error: {}", cadastre_server::chain(&error));
            std::process::exit(1)
        });
        std::fs::write(ready, b"").unwrap();
        terminate.recv().await;
        broker.shutdown().await.unwrap();
    });
    std::process::exit(0);
}

/// Brokers of one cluster. They end with the test.
pub(crate) struct Rig {
    pub(crate) directory: TempDir,
    pub(crate) brokers: Vec<LocalBroker>,
    pub(crate) programs: Programs,
}

impl Drop for Rig {
    fn drop(&mut self) {
        for broker in &self.brokers {
            if let Some(pid) = broker.process() {
                let _killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
    }
}

impl Rig {
    /// One embedded broker, started, with further properties.
    pub(crate) async fn embedded(more: &str) -> Self {
        let own = format!("log.segment.bytes=4194304\ncadastre.objects.pack.interval.ms=200\n{more}");
        Self::with(1, |_node, _directory| own.clone()).await
    }

    /// Brokers, formatted and started. `more` has what is not the same for all clusters.
    pub(crate) async fn with(count: usize, more: impl Fn(usize, &Path) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("broker.sh");
        let program = std::env::current_exe().unwrap();
        // `--config FILE --ready-file FILE` come after it; the file is named again, so that the process can be told by it.
        let text = format!(
            "#!/bin/sh\n{CONFIG}=\"$2\" {READY}=\"$4\" exec {} --exact broker_process \"$2\" --ignored --nocapture\n",
            program.display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
        // The same program twice: what is tried is the way back, not another version.
        let previous = (count > 1).then(|| script.clone());
        let programs = Programs { current: vec![script.display().to_string()], previous };
        let mut brokers = Vec::new();
        for node in 1..=count {
            let own = directory.path().join(format!("broker-{node}"));
            std::fs::create_dir(&own).unwrap();
            let properties = format!(
                "node.id={node}\nlisteners=SASL_PLAINTEXT://127.0.0.1:{}\nlog.dirs={}/data\n\
                 cadastre.key.file={}/kek\nsasl.enabled.mechanisms=SCRAM-SHA-256\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:admin\ngroup.initial.rebalance.delay.ms=100\n\
                 cadastre.key.cache.ttl.ms=2000\nlog.retention.check.interval.ms=1000\n{}",
                free_port(),
                own.display(),
                directory.path().display(),
                more(node, directory.path()),
            );
            std::fs::write(own.join("server.properties"), properties).unwrap();
            brokers.push(LocalBroker::read(&own).unwrap());
        }
        let scram = USERS
            .iter()
            .map(|user| format!("SCRAM-SHA-256=[name={user},password={user}-secret,iterations=4096]"))
            .collect();
        let config = BrokerConfig::load(&brokers[0].config_file()).unwrap();
        let options = FormatOptions { scram, ..FormatOptions::default() };
        cadastre_server::format(&config, &options).await.unwrap();
        for broker in &brokers {
            broker.start(&programs).await.unwrap();
        }
        Self { directory, brokers, programs }
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.brokers.iter().map(|broker| broker.address().unwrap()).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn connection(&self, user: &str) -> Connection {
        connection(&self.bootstrap(), user)
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            cluster: "tested".to_owned(),
            is_bundled: true,
            administrator: self.connection("admin"),
            workload: None,
            denied: vec![denied(self.connection("stranger"))],
            prefix: "drill-".to_owned(),
            limits: limits(),
            hooks: Hooks::new(BTreeMap::new(), self.brokers.clone(), self.programs.clone()),
        }
    }
}

pub(crate) fn connection(bootstrap: &str, user: &str) -> Connection {
    Connection {
        bootstrap: bootstrap.to_owned(),
        protocol: SecurityProtocol::SaslPlaintext,
        ca_file: None,
        certificate: None,
        login: Some(Login {
            mechanism: "SCRAM-SHA-256".to_owned(),
            username: user.to_owned(),
            password: Secret::new(format!("{user}-secret")),
        }),
    }
}

/// Somebody who must be refused everything that can be tried.
pub(crate) fn denied(connection: Connection) -> Denied {
    Denied {
        connection,
        must_not: vec![
            Attempt::Read,
            Attempt::Write,
            Attempt::CreateTopics,
            Attempt::DeleteTopics,
            Attempt::AlterConfigs,
            Attempt::AddPartitions,
            Attempt::WrongPassword,
        ],
        must_not_read: Vec::new(),
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        recovery: Duration::from_secs(20),
        revocation: Duration::from_secs(6),
        deletion: Duration::from_secs(40),
    }
}

/// Runs drills to their end.
pub(crate) async fn exercise(target: &Target, drills: &[DrillName]) -> Vec<DrillRecord> {
    exercise_until(target, drills, CancellationToken::new()).await
}

/// Runs drills until they are interrupted.
pub(crate) async fn exercise_until(
    target: &Target,
    drills: &[DrillName],
    stop: CancellationToken,
) -> Vec<DrillRecord> {
    let exercise = Exercise {
        target,
        tools: target.is_bundled.then_some(&Bundled),
        clock: &SystemClock,
        progress: &Silent,
        run: format!("t{}", free_port()),
        stop,
    };
    let mut records = Vec::new();
    exercise
        .run::<DrillError>(drills, |record| {
            records.push(record);
            Ok(())
        })
        .await
        .unwrap();
    records
}

/// Everything about a record that tells why a test failed.
pub(crate) fn told(record: &DrillRecord) -> String {
    let mut text = format!(
        "{}: {:?} {:?} in {} ms\n",
        record.drill,
        record.outcome(),
        record.reason(),
        record.milliseconds
    );
    for check in &record.checks {
        text.push_str(&format!(
            "  {:?} {}: {} ({} ms)\n",
            check.kept, check.promise, check.seen, check.milliseconds
        ));
    }
    for step in &record.clean_up {
        text.push_str(&format!("  undone {} {}: {}\n", step.done, step.what, step.seen));
    }
    text.push_str(&format!("  {:?}\n  {:?}\n", record.measurements, record.details));
    text
}

/// Below the ports that the system gives to clients, one of which might get it while a broker is down.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 12_000).unwrap();
    let mut candidates =
        (0..12_000).map(|_| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates.find(is_free).unwrap()
}

pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
