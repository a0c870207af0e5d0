//! The broker that a suite runs against: a process of its own, on loopback ports that were free.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::Workshop;
use crate::process;

/// The user of the SASL listeners, a super user.
pub(super) const USER: &str = "compat";
/// The user's password: it guards a broker on loopback for the time of a test run.
pub(super) const PASSWORD: &str = "compat-secret";

/// How long the broker may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker that runs until it is dropped.
#[derive(Debug)]
pub(super) struct TestBroker {
    child: Child,
    /// Without encryption or authentication; whoever comes is a super user.
    pub(super) plaintext: String,
    /// TLS, no authentication.
    pub(super) ssl: String,
    /// SCRAM and PLAIN without encryption.
    pub(super) sasl_plaintext: String,
    /// SCRAM and PLAIN over TLS.
    pub(super) sasl_ssl: String,
    /// The certificate of the authority that signed the broker's.
    pub(super) authority: PathBuf,
}

impl TestBroker {
    /// Starts a broker with its files in `folder` and with more properties.
    pub(super) fn start(workshop: &Workshop, folder: &Path, more: &str) -> anyhow::Result<Self> {
        let folder = folder.join("broker");
        fs::create_dir_all(&folder)?;
        certificates(&folder)?;
        let [plaintext, ssl, sasl_plaintext, sasl_ssl] = free_addresses()?;
        let place = folder.display();
        let jaas = format!(
            "plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
        );
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             listeners=PLAINTEXT://{plaintext},SSL://{ssl},SASL_PLAINTEXT://{sasl_plaintext},SASL_SSL://{sasl_ssl}\n\
             log.dirs={place}/data\ncadastre.key.file={place}/kek\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             listener.name.sasl_plaintext.{jaas}\nlistener.name.sasl_ssl.{jaas}\n\
             ssl.keystore.type=PEM\nssl.keystore.location={place}/server.pem\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS;User:{USER}\n{more}"
        );
        let file = folder.join("server.properties");
        fs::write(&file, properties)?;
        let mut format = Command::new(&workshop.broker);
        format.args(["format", "--config"]).arg(&file);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format.args(["--add-scram", &format!("{mechanism}=[name={USER},password={PASSWORD}]")]);
        }
        process::output(&mut format)?;
        let ready = folder.join("ready");
        let log = fs::File::create(folder.join("broker.log"))?;
        let mut child = Command::new(&workshop.broker)
            .arg("--config")
            .arg(&file)
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot run the broker")?;
        let started = Instant::now();
        while fs::read_to_string(&ready).unwrap_or_default().is_empty() {
            let ended = child.try_wait()?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                let _ended = child.kill();
                let _reaped = child.wait();
                bail!("the broker did not start: {}", fs::read_to_string(folder.join("broker.log"))?);
            }
            pause();
        }
        let authority = folder.join("ca.pem");
        Ok(Self { child, plaintext, ssl, sasl_plaintext, sasl_ssl, authority })
    }

    /// Whether the broker still runs.
    ///
    /// # Errors
    /// It has ended, so that what a suite reports says nothing.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the broker ended with {status} while the suite ran"),
        }
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the other side is a process, not a task")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

fn free_addresses() -> anyhow::Result<[String; 4]> {
    // Bound at once, so that no port is given twice.
    let listener = || TcpListener::bind("127.0.0.1:0").context("no loopback port is free");
    let listeners = [listener()?, listener()?, listener()?, listener()?];
    let mut addresses = [const { String::new() }; 4];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr()?.to_string();
    }
    Ok(addresses)
}

/// An authority, and a certificate of its for `localhost` and `127.0.0.1`.
fn certificates(folder: &Path) -> anyhow::Result<()> {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(folder);
        process::output(&mut command).map(drop)
    };
    let key = "-newkey rsa:2048 -nodes";
    let usage = "-addext keyUsage=critical,keyCertSign,cRLSign";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=Compatibility {usage}"))?;
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"))?;
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")?;
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names",
    )?;
    let read = |name: &str| fs::read_to_string(folder.join(name));
    fs::write(folder.join("server.pem"), read("server.key")? + &read("server.crt")?)?;
    Ok(())
}
