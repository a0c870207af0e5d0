//! The two brokers: processes of their own, each alone in its cluster, with the same settings.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cadastre_protocol::StrBytes;
use cadastre_protocol::client::{Client, ClientConfig, Security};
use cadastre_protocol::messages::{FindCoordinatorRequest, InitProducerIdRequest, TransactionalId};
use tempfile::TempDir;

/// Somebody who may do little.
pub(crate) const USER: &str = "stranger";
/// Guards a broker on loopback for the time of a run.
pub(crate) const USER_SECRET: &str = "stranger-secret";

/// How long either may take to answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// A process, which ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    /// A listener whose clients are super users.
    pub(crate) plain: String,
    /// A listener that asks for a password.
    pub(crate) sasl: String,
}

impl Server {
    /// Apache Kafka.
    pub(crate) fn kafka(libraries: &Path) -> anyhow::Result<Self> {
        let controller = free_address()?;
        let more = format!(
            "process.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
             controller.quorum.voters=1@{controller}\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             offsets.topic.num.partitions=1\ntransaction.state.log.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n"
        );
        let java = || {
            let mut java = Command::new("java");
            // Without a configuration of its own, Log4j writes errors to the console and nothing else.
            java.args(["-Xmx512m", "-cp", &format!("{}/*", libraries.display())]);
            java
        };
        let mut format = java();
        format.args(["kafka.tools.StorageTool", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw"]);
        let mut run = java();
        run.arg("kafka.Kafka");
        Self::start(format, run, None, &format!(",CONTROLLER://{controller}"), &more)
    }

    /// The broker.
    pub(crate) fn own(program: &Path) -> anyhow::Result<Self> {
        let mut format = Command::new(program);
        format.arg("format");
        Self::start(format, Command::new(program), Some("--config"), "", "process.roles=broker\n")
    }

    fn start(
        mut format: Command,
        mut run: Command,
        flag: Option<&str>,
        listeners: &str,
        more: &str,
    ) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("cadastre-differential-")?;
        let (plain, sasl) = (free_address()?, free_address()?);
        let place = directory.path().display();
        let own = if flag.is_some() { format!("cadastre.key.file={place}/kek\n") } else { String::new() };
        let properties = format!(
            "node.id=1\nlog.dirs={place}/data\n\
             listeners=PLAINTEXT://{plain},SASL_PLAINTEXT://{sasl}{listeners}\n\
             advertised.listeners=PLAINTEXT://{plain},SASL_PLAINTEXT://{sasl}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             sasl.enabled.mechanisms=PLAIN\n\
             listener.name.sasl_plaintext.plain.sasl.jaas.config=\
             org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{USER_SECRET}\";\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS\nauto.create.topics.enable=false\ngroup.initial.rebalance.delay.ms=0\n\
             {own}{more}"
        );
        let file = directory.path().join("server.properties");
        std::fs::write(&file, properties)?;
        let formatted = format.arg("--config").arg(&file).output().context("cannot format")?;
        if !formatted.status.success() {
            bail!("formatting failed: {}", String::from_utf8_lossy(&formatted.stderr));
        }
        let log = File::create(directory.path().join("log"))?;
        let child = run
            .args(flag)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start")?;
        Ok(Self { child, directory, plain, sasl })
    }

    /// Waits until the process answers there, and says where that is.
    pub(crate) async fn ready(&self, address: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        let plain = ClientConfig::new("differential", Security { tls: None, sasl: None });
        let parsed = address.parse().with_context(|| format!("`{address}` is no address"))?;
        while Client::connect(&parsed, &plain).await.is_err() {
            if begun.elapsed() > PATIENCE {
                bail!(
                    "{address} does not answer: {}",
                    std::fs::read_to_string(self.log()).unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(address.to_owned())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Waits until a broker looks after groups and transactions: Kafka makes the topics for it when it is first asked.
pub(crate) async fn coordinated(address: &str, config: &ClientConfig) -> anyhow::Result<()> {
    let begun = Instant::now();
    let parsed = address.parse().with_context(|| format!("`{address}` is no address"))?;
    let mut client = Client::connect(&parsed, config).await?;
    for kind in [0, 1] {
        let key = StrBytes::from_static_str("first");
        let request = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![key]);
        while client.send(&request).await?.coordinators.iter().any(|found| found.error_code != 0) {
            pause(begun, address).await?;
        }
    }
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("first"))))
        .with_transaction_timeout_ms(1_000);
    while client.send(&request).await?.error_code != 0 {
        pause(begun, address).await?;
    }
    Ok(())
}

async fn pause(begun: Instant, address: &str) -> anyhow::Result<()> {
    if begun.elapsed() > PATIENCE {
        bail!("{address} has no coordinator");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no loopback port is free")?;
    Ok(listener.local_addr()?.to_string())
}
