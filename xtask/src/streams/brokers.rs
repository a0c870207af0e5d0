//! The brokers of the run: processes that are killed and started again over what they left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use super::Mode;
use crate::parts::Parts;
use crate::process;
use crate::prove_ground::{Database, ObjectStore, free_port, until};

/// What every broker has. Objects are small, so that records move into them while the run lasts.
const COMMON: &str = "group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\nlog.cleaner.backoff.ms=500\n\
                      cadastre.objects.size.bytes=1048576\n";

/// The brokers. They end with it.
#[derive(Debug)]
pub(super) struct Brokers {
    program: PathBuf,
    brokers: Vec<Broker>,
    // Dropped after the brokers.
    _ground: Option<(ObjectStore, Database)>,
}

#[derive(Debug)]
struct Broker {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Brokers {
    /// Builds the program, formats what the brokers share, and starts them.
    pub(super) fn start(mode: Mode, folder: &Path) -> anyhow::Result<Self> {
        let package = ["--package", "cadastre-server", "--bin", "cadastre-broker"];
        process::run(process::cargo().args(["build", "--quiet"]).args(package))?;
        let program = process::target_directory().join("debug/cadastre-broker");
        let count = if mode == Mode::Cluster { 2 } else { 1 };
        let ground = match mode {
            Mode::Embedded => None,
            Mode::Cluster => Some(ground(folder)?),
        };
        let shared = match &ground {
            None => "log.segment.bytes=1048576\ncadastre.objects.pack.interval.ms=500\n".to_owned(),
            Some((store, database)) => format!(
                "cadastre.storage.mode=cluster\ncadastre.cluster.id=exactly-once\ncadastre.metadata.url={}\n\
                 cadastre.metadata.schema=streams\ncadastre.cluster.heartbeat.interval.ms=300\n\
                 cadastre.cluster.lease.ms=2000\n{}",
                database.url(),
                store.properties(folder)?
            ),
        };
        let mut brokers = Vec::new();
        for node in 1..=count {
            let own = folder.join(format!("broker-{node}"));
            fs::create_dir_all(&own)?;
            let port = free_port()?;
            let properties = format!(
                "process.roles=broker\nnode.id={node}\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={}/data\n\
                 cadastre.key.file={}/kek\n{COMMON}{shared}",
                own.display(),
                folder.display(),
            );
            fs::write(own.join("server.properties"), properties)?;
            brokers.push(Broker { folder: own, port, child: None });
        }
        let mut brokers = Self { program, brokers, _ground: ground };
        let first = brokers.brokers.first().context("there is no broker")?;
        process::output(
            Command::new(&brokers.program)
                .args(["format", "--config"])
                .arg(first.folder.join("server.properties")),
        )?;
        for index in 0..brokers.count() {
            brokers.launch(index)?;
        }
        Ok(brokers)
    }

    pub(super) fn count(&self) -> usize {
        self.brokers.len()
    }

    /// Every address.
    pub(super) fn bootstrap(&self) -> String {
        let addresses: Vec<String> =
            self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port)).collect();
        addresses.join(",")
    }

    /// Ends one by SIGKILL.
    pub(super) fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.brokers.get_mut(index).and_then(|broker| broker.child.take()) {
            let _killed = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Starts one and waits until it accepts connections.
    pub(super) fn launch(&mut self, index: usize) -> anyhow::Result<()> {
        let broker = self.brokers.get_mut(index).context("there is no such broker")?;
        let (ready, log) = (broker.folder.join("ready"), broker.folder.join("log"));
        if ready.exists() {
            fs::remove_file(&ready)?;
        }
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(broker.folder.join("server.properties"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::OpenOptions::new().create(true).append(true).open(&log)?)
            .spawn()
            .context("cannot run the broker")?;
        let child = broker.child.insert(child);
        until("a broker starts", || {
            let ended = child.try_wait()?;
            let last = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(ended.is_none(), "a broker ended: {}", last().lines().last().unwrap_or_default());
            Ok(ready.exists())
        })
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        for index in 0..self.count() {
            self.kill(index);
        }
    }
}

/// The bucket and the database of a cluster.
fn ground(folder: &Path) -> anyhow::Result<(ObjectStore, Database)> {
    let parts = Parts::prepare()?;
    let store = ObjectStore::start(&parts.python.context("moto is missing")?)?;
    let directory = folder.join("postgres");
    fs::create_dir_all(&directory)?;
    Ok((store, Database::start(&directory)?))
}
