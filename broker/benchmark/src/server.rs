//! The brokers under measurement: processes of their own, in directories of their own.

use std::fmt;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::Places;
use crate::client;

/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(120);
/// The topic that everything is about.
pub(crate) const TOPIC: &str = "benchmark";
/// What Kafka's own start script sets.
const JAVA_OPTIONS: [&str; 7] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-Djava.awt.headless=true",
];

/// Which broker, set how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Setting {
    /// Ours as it is: encrypted, `fdatasync` for each group of commits.
    CadastreFsync,
    /// Ours with `cadastre.fsync=false`: encrypted.
    Cadastre,
    /// Apache Kafka as it is: plain, flushed by the system.
    Kafka,
    /// Apache Kafka with `log.flush.interval.messages=1`: plain, flushed before each acknowledgement.
    KafkaFsync,
}

impl Setting {
    pub(crate) const ALL: [Self; 4] = [Self::CadastreFsync, Self::Cadastre, Self::Kafka, Self::KafkaFsync];

    const fn is_kafka(self) -> bool {
        matches!(self, Self::Kafka | Self::KafkaFsync)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CadastreFsync => "cadastre, encrypted, fsync",
            Self::Cadastre => "cadastre, encrypted, no fsync",
            Self::Kafka => "Kafka, plain, no fsync",
            Self::KafkaFsync => "Kafka, plain, fsync",
        })
    }
}

/// A broker, running or not. Ends with the program.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) setting: Setting,
    directory: TempDir,
    port: u16,
    child: Option<Child>,
    program: PathBuf,
    libraries: PathBuf,
}

impl Server {
    /// Formats a fresh directory.
    pub(crate) fn prepare(places: &Places, setting: Setting) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("cadastre-benchmark-")?;
        let (port, controller) = (free_port()?, free_port()?);
        let data = directory.path().join("data");
        let mut properties = format!(
            "node.id=1\nlog.dirs={}\nnum.partitions=4\nauto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\nlog.retention.ms=-1\ngroup.initial.rebalance.delay.ms=0\n",
            data.display()
        );
        if setting.is_kafka() {
            properties.push_str(&format!(
                "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
                 controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
                 transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n",
            ));
            if setting == Setting::KafkaFsync {
                properties.push_str("log.flush.interval.messages=1\n");
            }
        } else {
            properties.push_str(&format!(
                "process.roles=broker\nlisteners=PLAINTEXT://127.0.0.1:{port}\ncadastre.key.file={}/kek\n\
                 cadastre.fsync={}\n",
                directory.path().display(),
                setting == Setting::CadastreFsync,
            ));
        }
        std::fs::write(directory.path().join("server.properties"), properties)?;
        let server = Self {
            setting,
            directory,
            port,
            child: None,
            program: places.broker.clone(),
            libraries: places.kafka_libraries.clone(),
        };
        let mut format = if setting.is_kafka() {
            let mut format = java(&server.libraries);
            format.args(["kafka.tools.StorageTool", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw"]);
            format
        } else {
            let mut format = Command::new(&server.program);
            format.arg("format");
            format
        };
        let output = format.arg("--config").arg(server.properties()).output().context("cannot format")?;
        if !output.status.success() {
            bail!("formatting failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(server)
    }

    /// Starts the process and waits until a record was acknowledged; tells how long that took.
    pub(crate) async fn start(&mut self) -> anyhow::Result<Duration> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let begun = Instant::now();
        let mut command = if self.setting.is_kafka() {
            let mut command = java(&self.libraries);
            command.args(JAVA_OPTIONS).arg("kafka.Kafka").arg(self.properties());
            command
        } else {
            let mut command = Command::new(&self.program);
            command.arg("--config").arg(self.properties());
            command
        };
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        self.child = Some(child);
        let deadline = begun + PATIENCE;
        while !client::is_acknowledged(self.port).await {
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                bail!("{} does not start: {tail:?}", self.setting);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(begun.elapsed())
    }

    /// Ends the process by SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The id of the running process.
    pub(crate) fn process(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the broker does not run")?.id())
    }

    /// Where clients connect.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Makes the system forget the contents of the broker's files, so that they are read from the disk.
    pub(crate) fn forget_files(&self) -> anyhow::Result<()> {
        for file in files_below(&self.directory.path().join("data"))? {
            // The one way from a shell to posix_fadvise(POSIX_FADV_DONTNEED), which forgets only what is written.
            let target = format!("if={}", file.display());
            Command::new("dd")
                .args([target.as_str(), "iflag=nocache", "count=0", "status=none"])
                .status()
                .context("cannot run dd")?;
        }
        Ok(())
    }

    /// Bytes in the broker's files.
    pub(crate) fn stored_bytes(&self) -> anyhow::Result<u64> {
        bytes_below(&self.directory.path().join("data"))
    }

    fn properties(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{} is left behind: {error:#}", self.setting);
        }
    }
}

/// A Java process with Kafka's classes, which keeps quiet.
pub(crate) fn java(libraries: &Path) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(format!("{}/*", libraries.display()));
    command.arg("-Dorg.apache.logging.log4j.level=WARN");
    command
}

/// Bytes in the files below a directory.
pub(crate) fn bytes_below(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0_u64;
    for file in files_below(directory)? {
        // Files come and go under a running broker.
        bytes = bytes.saturating_add(file.metadata().map_or(0, |metadata| metadata.len()));
    }
    Ok(bytes)
}

pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn files_below(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}
