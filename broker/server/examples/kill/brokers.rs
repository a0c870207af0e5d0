//! The brokers of a run: real processes, killed and started again.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cadastre_protocol::client::Address;

use crate::faults::{self, Fault, Ground};
use crate::postgres;
use crate::random::Random;

/// How long a broker may take to start, and anything else to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One broker, running or not. Ends with the harness.
#[derive(Debug)]
pub(crate) struct Broker {
    directory: PathBuf,
    pub(crate) address: Address,
    child: Option<Child>,
}

/// Where brokers keep what they keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// One broker over one directory.
    Embedded,
    /// Brokers over one PostgreSQL and one directory of objects.
    Cluster,
}

/// Prepares brokers in a directory, on ground that a fault can shake; none is started.
pub(crate) async fn prepare(mode: Mode, fault: Fault, count: usize, root: &Path) -> (Vec<Broker>, Ground) {
    let (mut ground, of_fault) = Ground::prepare(fault, root).await;
    // Two runs of one seed at a time must not want the same ports.
    let mut random = Random::new(u64::from(std::process::id()));
    let shared = match mode {
        Mode::Embedded => "log.segment.bytes=1048576\ncadastre.objects.pack.interval.ms=200\n\
                           cadastre.objects.size.bytes=1048576\ncadastre.log.cache.bytes=262144\n\
                           log.cleaner.backoff.ms=200\n"
            .to_owned(),
        Mode::Cluster => {
            let server = postgres::Server::start(true).expect("PostgreSQL is not installed");
            let schema = postgres::fresh_schema();
            std::fs::create_dir(root.join("store")).unwrap();
            let connection = server.config(&schema).connection;
            ground.database = Some(server);
            let store = format!("cadastre.objects.location=file://{}/store\n", root.display());
            let store = if of_fault.contains("objects.location") { String::new() } else { store };
            format!(
                "cadastre.storage.mode=cluster\n{store}\
                 cadastre.metadata.url={url}\ncadastre.metadata.schema={schema}\ncadastre.cluster.linger.ms=5\n\
                 cadastre.cluster.id=kill\ncadastre.cluster.heartbeat.interval.ms=300\n\
                 cadastre.cluster.lease.ms=1500\n",
                url = connection,
            )
        }
    };
    let key = format!("cadastre.key.file={}/kek\n", root.display());
    let key = if of_fault.contains("key.provider") { String::new() } else { key };
    let brokers: Vec<Broker> = (1..=count)
        .map(|node_id| {
            let directory = root.join(format!("broker-{node_id}"));
            std::fs::create_dir_all(&directory).unwrap();
            let port = free_port(&mut random);
            let properties = format!(
                "process.roles=broker\nnode.id={node_id}\nlisteners=PLAINTEXT://127.0.0.1:{port}\n\
                 log.dirs={own}/data\n{key}log.cleaner.backoff.ms=200\n\
                 cadastre.objects.cache.bytes=262144\n{shared}{of_fault}",
                own = directory.display(),
            );
            std::fs::write(directory.join("server.properties"), properties).unwrap();
            Broker { directory, address: Address { host: "127.0.0.1".to_owned(), port }, child: None }
        })
        .collect();
    let first = brokers.first().expect("at least one broker");
    let formatted = program().arg("format").arg("--config").arg(first.properties()).output().unwrap();
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
    (brokers, ground)
}

impl Broker {
    /// Starts the process and does not wait for it.
    pub(crate) fn spawn(&mut self) {
        let _absent = std::fs::remove_file(self.directory.join("ready"));
        let log = self.directory.join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = program()
            .arg("--config")
            .arg(self.properties())
            .arg("--ready-file")
            .arg(self.directory.join("ready"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until connections are accepted; an error says why they are not.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let child = self.child.as_mut().expect("the broker was started");
        while !self.directory.join("ready").exists() {
            if child.try_wait().unwrap().is_some() || Instant::now() > deadline {
                let last = self.last_words();
                return Err(format!("broker `{}` does not start: {last}", self.directory.display()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// The last line of the broker's log.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// Sends the process a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.as_ref().expect("the broker runs").id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), process]).status().unwrap().success());
    }

    /// Whether the process is there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Ends the process by SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn properties(&self) -> PathBuf {
        self.directory.join("server.properties")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The broker that was built beside this program.
fn program() -> Command {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().and_then(Path::parent).expect("examples lie in a directory of their own");
    let mut command = Command::new(built.join("cadastre-broker"));
    command.env("AWS_ACCESS_KEY_ID", faults::ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", faults::SECRET_KEY);
    command
}

/// A port that is free, and below those from which the system takes ports of clients: otherwise a client that knocks at
/// the port of a dead broker may come to be connected to itself, and keep the port.
fn free_port(random: &mut Random) -> u16 {
    for _ in 0..1000 {
        let port = u16::try_from(20_000 + random.below(12_000)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
