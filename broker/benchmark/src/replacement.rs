//! A broker of a cluster goes and another one takes its place: the time until that one acknowledges and serves, as more and
//! more is stored.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::Places;
use crate::client;
use crate::figures::summary;
use crate::postgres;
use crate::recovery::fill;
use crate::server::{bytes_below, free_port};

/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints a line for each size: the broker is ended by SIGKILL under load, and one with another node id and an empty
/// directory is started over the same database and the same store.
pub(crate) async fn measure(places: &Places, mebibytes: &[u64], times: usize) -> anyhow::Result<()> {
    let database = postgres::Server::start(true).context("PostgreSQL is not installed")?;
    let cluster = Cluster::prepare(places, &database.config("replacement").connection)?;
    println!(
        "| sent at least, MiB | in the store, MiB | first acknowledgement of the new broker, ms | first record from before, ms | written to its own directory, KiB |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: |");
    let mut node = 1;
    let mut broker = cluster.start(node)?;
    broker.acknowledged().await?;
    let mut sent = 0;
    for size in mebibytes {
        let bytes = (size << 20).saturating_sub(sent);
        sent = sent.saturating_add(fill(broker.port, bytes).await?);
        let (mut acknowledged, mut served, mut own) = (Vec::new(), Vec::new(), 0);
        for _ in 0..times {
            let port = broker.port;
            let under_way = tokio::spawn(async move { fill(port, u64::MAX).await });
            tokio::time::sleep(Duration::from_millis(1500)).await;
            drop(broker);
            under_way.abort();
            node += 1;
            broker = cluster.start(node)?;
            acknowledged.push(milliseconds(broker.acknowledged().await?));
            served.push(milliseconds(broker.served().await?));
            own = own.max(bytes_below(&broker.directory.join("data"))?);
        }
        let stored = bytes_below(&cluster.directory.path().join("store"))? >> 20;
        println!("| {size} | {stored} | {} | {} | {} |", summary(acknowledged), summary(served), own >> 10);
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// What brokers share.
#[derive(Debug)]
struct Cluster {
    directory: TempDir,
    program: PathBuf,
    shared: String,
}

/// A running broker; ends by SIGKILL.
#[derive(Debug)]
struct Broker {
    child: Child,
    port: u16,
    directory: PathBuf,
    begun: Instant,
}

impl Cluster {
    fn prepare(places: &Places, database: &str) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("cadastre-replacement-")?;
        std::fs::create_dir(directory.path().join("store"))?;
        let shared = format!(
            "process.roles=broker\nnum.partitions=4\nauto.create.topics.enable=false\nlog.retention.ms=-1\n\
             cadastre.storage.mode=cluster\ncadastre.cluster.id=replacement\ncadastre.key.file={root}/kek\n\
             cadastre.objects.location=file://{root}/store\n\
             cadastre.metadata.url={database}\ncadastre.metadata.schema=replacement\n",
            root = directory.path().display(),
        );
        let cluster = Self { directory, program: places.broker.clone(), shared };
        let properties = cluster.properties(1, free_port()?)?;
        let output = Command::new(&cluster.program).arg("format").arg("--config").arg(properties).output()?;
        if !output.status.success() {
            bail!("formatting failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(cluster)
    }

    fn own(&self, node: u32) -> PathBuf {
        self.directory.path().join(format!("broker-{node}"))
    }

    fn properties(&self, node: u32, port: u16) -> anyhow::Result<PathBuf> {
        let own = self.own(node);
        std::fs::create_dir_all(&own)?;
        let path = own.join("server.properties");
        let text = format!(
            "node.id={node}\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={}/data\n{}",
            own.display(),
            self.shared
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }

    fn start(&self, node: u32) -> anyhow::Result<Broker> {
        let port = free_port()?;
        let properties = self.properties(node, port)?;
        let log = File::create(self.own(node).join("log"))?;
        let begun = Instant::now();
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(properties)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Broker { child, port, directory: self.own(node), begun })
    }
}

impl Broker {
    /// How long it took from the start of the process to the acknowledgement of a record.
    async fn acknowledged(&mut self) -> anyhow::Result<Duration> {
        while !client::is_acknowledged(self.port).await {
            self.goes_on()?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(self.begun.elapsed())
    }

    /// The same to the first records of a partition, which another broker wrote.
    async fn served(&mut self) -> anyhow::Result<Duration> {
        while !client::serves_the_first_record(self.port).await? {
            self.goes_on()?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(self.begun.elapsed())
    }

    fn goes_on(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_none() && self.begun.elapsed() < PATIENCE {
            return Ok(());
        }
        bail!("the broker does not start: {}", last_line(&self.directory.join("log")))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("a broker is left behind: {error}");
        }
    }
}

fn last_line(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default().lines().last().unwrap_or_default().to_owned()
}
