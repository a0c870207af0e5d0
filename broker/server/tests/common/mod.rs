//! A broker as a process of its own, with everything a test needs around it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where it cannot go on"
)]
#![allow(missing_debug_implementations, reason = "tests print nothing of this")]

pub mod in_process;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const ADMIN: &str = "admin";
pub const ADMIN_PASSWORD: &str = "admin-secret";
pub const ALICE: &str = "alice";
pub const ALICE_PASSWORD: &str = "alice-secret";
pub const BOB: &str = "bob";
pub const BOB_PASSWORD: &str = "bob-secret";

/// How long anything in a test may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the broker that a directory configures, adds what it says to `log` there, and waits for its ready file.
pub fn start_program(directory: &Path, log: &str) -> Child {
    let ready = directory.join("ready");
    let _absent = std::fs::remove_file(&ready);
    let log = directory.join(log);
    let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cadastre-broker"))
        .args(["--config", directory.join("server.properties").to_str().unwrap()])
        .args(["--ready-file", ready.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !ready.exists() {
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "broker did not start: {}",
            std::fs::read_to_string(&log).unwrap_or_default()
        );
        pause();
    }
    child
}

/// A broker under test. It ends with the test.
pub struct TestBroker {
    pub directory: TempDir,
    child: Option<Child>,
    port: u16,
    plain_port: u16,
}

impl TestBroker {
    /// A secured broker: SASL_SSL with SCRAM, default deny, super user `admin`; users `alice` and `bob` can do nothing
    /// yet. A second listener, PLAINTEXT, has anonymous clients, who can do nothing either.
    pub fn secure() -> Self {
        Self::with("")
    }

    /// The secured broker with more properties.
    pub fn with(more: &str) -> Self {
        Self::configured(more).formatted()
    }

    /// The configured broker with its users, started.
    pub fn formatted(mut self) -> Self {
        let mut format = vec!["format", "--config"];
        let path = self.path("server.properties");
        format.push(path.to_str().unwrap());
        let users = [(ADMIN, ADMIN_PASSWORD), (ALICE, ALICE_PASSWORD), (BOB, BOB_PASSWORD)];
        let credentials: Vec<String> = users
            .iter()
            .flat_map(|(user, password)| {
                ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                    .map(|mechanism| format!("{mechanism}=[name={user},password={password}]"))
            })
            .collect();
        for credential in &credentials {
            format.extend(["--add-scram", credential]);
        }
        let formatted = run(&format);
        assert!(formatted.status.success(), "{}", text(&formatted));
        self.start();
        self
    }

    /// A directory with configuration and certificates, nothing started.
    pub fn configured(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_certificates(directory.path());
        let (port, plain_port) = (free_port(), free_port());
        let mut properties = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             listeners=SASL_SSL://127.0.0.1:{port},PLAINTEXT://127.0.0.1:{plain_port}\n\
             log.dirs={dir}/data\ncadastre.key.file={dir}/kek\n\
             sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256\n\
             ssl.keystore.type=PEM\nssl.keystore.location={dir}/server.pem\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:admin\ngroup.initial.rebalance.delay.ms=100\n",
            dir = directory.path().display()
        );
        properties.push_str(more);
        std::fs::write(directory.path().join("server.properties"), properties).unwrap();
        Self { directory, child: None, port, plain_port }
    }

    /// Starts the broker and waits for its ready file.
    pub fn start(&mut self) {
        self.child = Some(start_program(self.directory.path(), "broker.log"));
    }

    /// Ends the broker as `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks the broker to stop and waits for it.
    pub fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "broker ended with {status}: {}", self.log());
                return;
            }
            assert!(Instant::now() < deadline, "broker did not stop: {}", self.log());
            pause();
        }
    }

    /// A path in the broker's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the broker has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("broker.log")).unwrap_or_default()
    }

    /// The lines of the audit log.
    pub fn audit(&self) -> String {
        std::fs::read_to_string(self.path("data/audit/audit-00000000.ndjson")).unwrap_or_default()
    }

    /// The secured listener.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The listener without encryption or authentication.
    pub fn plain_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.plain_port))
    }

    /// The broker's process.
    pub fn process_id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Memory that the broker holds, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let id = self.process_id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Runs a Python script against the secured listener and returns what it printed; `None` when there is no Python.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Option<String> {
        let mut command = self.python_command(script, arguments)?;
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(
            output.status.success(),
            "{script} {arguments:?} failed: {}\nbroker: {}",
            text(&output),
            self.log()
        );
        Some(String::from_utf8(output.stdout).unwrap())
    }

    /// Starts the producer that goes on until its standard input is closed.
    pub fn python_steady(&self) -> Option<Child> {
        let mut command = self.python_command("steady_producer.py", &[])?;
        Some(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Starts a script that goes on while the test does something to the broker, and waits until it says that it is ready.
    pub fn python_alongside(&self, script: &str, arguments: &[&str], patience: Duration) -> Option<Child> {
        let mut command = self.python_command_for(script, arguments, patience)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Some(until_ready(command.spawn().unwrap()))
    }

    fn python_command(&self, script: &str, arguments: &[&str]) -> Option<Command> {
        self.python_command_for(script, arguments, PATIENCE)
    }

    fn python_command_for(&self, script: &str, arguments: &[&str], patience: Duration) -> Option<Command> {
        let python = python()?;
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
        let mut command = Command::new("timeout");
        command
            .arg(patience.as_secs().to_string())
            .arg(python)
            .arg("-B")
            .arg(scripts.join(script))
            .args(arguments)
            .env("BOOTSTRAP", self.address().to_string())
            .env("PLAIN_BOOTSTRAP", self.plain_address().to_string())
            .env("CA_FILE", self.path("ca.pem"));
        Some(command)
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// The Python with `kafka-python` and `confluent-kafka`; says so when there is none.
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os("CADASTRE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: CADASTRE_PYTHON does not name a Python with kafka-python and confluent-kafka");
    }
    python
}

/// The directory with Kafka's jars; says so when there is none.
pub fn kafka_libraries() -> Option<PathBuf> {
    let libraries = std::env::var_os("CADASTRE_KAFKA_LIBS").map(PathBuf::from);
    if libraries.is_none() {
        eprintln!("skipped: CADASTRE_KAFKA_LIBS does not name a directory with Kafka's jars");
    }
    libraries
}

/// Runs the broker's program to its end.
pub fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("30").arg(env!("CARGO_BIN_EXE_cadastre-broker")).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

/// Everything that a program printed.
pub fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    write!(text, "{}", String::from_utf8_lossy(&output.stderr)).unwrap();
    text
}

/// A short wait inside a bounded loop.
#[expect(clippy::disallowed_methods, reason = "the other side is a process, not a task")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A longer wait, for things that must not happen.
#[expect(clippy::disallowed_methods, reason = "the other side is a process, not a task")]
pub fn wait(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn write_certificates(directory: &Path) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    std::fs::write(directory.join("ca.pem"), authority_certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let files = [
        ("server.pem", "broker"),
        ("client.pem", "client"),
        ("renewed.pem", "broker"),
        ("altered.pem", "broker"),
        ("other.pem", "other"),
    ];
    for (file, name) in files {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        std::fs::write(directory.join(file), format!("{}{}", key.serialize_pem(), certificate.pem()))
            .unwrap();
    }
}

/// Waits until a script says `ready`.
pub fn until_ready(mut child: Child) -> Child {
    use std::io::BufRead as _;
    let mut said = std::io::BufReader::with_capacity(1, child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    child.stdout = Some(said.into_inner());
    child
}

/// A partition and an offset.
pub type Place = (u32, u64);

/// Reads lines of partition, offset and value.
pub fn records(text: &str) -> BTreeMap<Place, u64> {
    let record = |line: &str| {
        let mut words = line.split(' ');
        let partition = words.next()?.parse().ok()?;
        let offset = words.next()?.parse().ok()?;
        Some(((partition, offset), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(record).collect()
}

/// Ends the steady producer; what it was told is in the log.
pub fn acknowledged(mut producer: Child) -> BTreeMap<Place, u64> {
    drop(producer.stdin.take());
    let mut text = String::new();
    producer.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(producer.wait().unwrap().success());
    let acknowledged = records(&text);
    assert!(acknowledged.len() > 500, "only {} records were acknowledged", acknowledged.len());
    acknowledged
}

/// Every acknowledged record is where it was said to be, and none is there twice.
pub fn check_nothing_lost(acknowledged: &BTreeMap<Place, u64>, stored: &BTreeMap<Place, u64>) {
    let lost: Vec<_> =
        acknowledged.iter().filter(|(place, value)| stored.get(place) != Some(value)).take(20).collect();
    assert!(lost.is_empty(), "of {} acknowledged records are lost: {lost:?}", acknowledged.len());
    let values: BTreeSet<u64> = stored.values().copied().collect();
    assert_eq!(values.len(), stored.len(), "an idempotent producer's records are there twice");
}
