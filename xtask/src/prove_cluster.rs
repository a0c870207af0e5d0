//! Two bundled brokers over PostgreSQL and a bucket, as production has them: TLS, SCRAM, default-deny ACLs, one key.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::json;

use crate::process;
use crate::prove::Programs;
use crate::prove_ground::{
    Authority, Database, ObjectStore, end, free_port, until, write_private, write_script,
};

/// Its declared name.
pub(crate) const NAME: &str = "two-brokers";
/// How many brokers there are.
const BROKERS: usize = 2;
/// Who administers the drills, who must be refused everything, and who scans.
const USERS: [&str; 3] = ["admin", "stranger", "cadastre-scanner"];
/// Gives each broker a certificate that was issued beforehand, and tells it.
const ROTATE: &str = "#!/bin/sh
set -e
for broker in \"$(dirname \"$0\")\"/broker-*; do
    cp \"$broker/next.pem\" \"$broker/broker.pem.new\"
    mv \"$broker/broker.pem.new\" \"$broker/broker.pem\"
    kill -HUP \"$(cat \"$broker/broker.pid\")\"
done
";

/// The cluster. Its brokers end with it.
#[derive(Debug)]
pub(crate) struct Cluster {
    directory: PathBuf,
    ports: Vec<u16>,
    // Dropped after the brokers.
    store: ObjectStore,
    _database: Database,
}

impl Cluster {
    /// Formats and starts it.
    pub(crate) fn start(directory: &Path, python: &Path, programs: &Programs) -> anyhow::Result<Self> {
        let postgres = directory.join("pg");
        fs::create_dir_all(&postgres)?;
        let database = Database::start(&postgres)?;
        let store = ObjectStore::start(python)?;
        let authority = Authority::new()?;
        authority.write(&directory.join("ca.pem"))?;
        let ports = (0..BROKERS).map(|_| free_port()).collect::<anyhow::Result<Vec<_>>>()?;
        let cluster = Self { directory: directory.to_owned(), ports, store, _database: database };
        for (index, port) in cluster.ports.iter().enumerate() {
            let own = cluster.broker(index);
            fs::create_dir_all(&own)?;
            authority.issue("broker", &own.join("broker.pem"))?;
            authority.issue("broker", &own.join("next.pem"))?;
            let properties = cluster.properties(index, *port, &own)?;
            write_private(&own.join("server.properties"), &properties)?;
        }
        for user in USERS {
            write_private(&directory.join(user), &format!("{user}-secret\n"))?;
        }
        write_script(&directory.join("rotate.sh"), ROTATE)?;
        cluster.format(programs)?;
        for index in 0..BROKERS {
            cluster.launch(index, programs)?;
        }
        Ok(cluster)
    }

    fn broker(&self, index: usize) -> PathBuf {
        self.directory.join(format!("broker-{}", index + 1))
    }

    /// What its brokers keep their objects in.
    pub(crate) const fn store(&self) -> &ObjectStore {
        &self.store
    }

    /// The first broker's configuration.
    fn config(&self) -> PathBuf {
        self.broker(0).join("server.properties")
    }

    fn properties(&self, index: usize, port: u16, own: &Path) -> anyhow::Result<String> {
        let mut text = self.store.properties(own)?;
        let database = &self._database;
        write!(
            text,
            "node.id={node}\nlisteners=CLIENTS://127.0.0.1:{port}\nadvertised.listeners=CLIENTS://127.0.0.1:{port}\n\
             listener.security.protocol.map=CLIENTS:SASL_SSL\ninter.broker.listener.name=CLIENTS\n\
             sasl.enabled.mechanisms=SCRAM-SHA-512\nsasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
             ssl.keystore.type=PEM\nssl.keystore.location={own}/broker.pem\nssl.enabled.protocols=TLSv1.2,TLSv1.3\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:admin\nallow.everyone.if.no.acl.found=false\nauto.create.topics.enable=false\n\
             unclean.leader.election.enable=false\nlog.dirs={own}/data\nlog.retention.ms=604800000\n\
             log.retention.check.interval.ms=5000\ncadastre.key.file={shared}/kek\ncadastre.key.cache.ttl.ms=10000\n\
             cadastre.storage.mode=cluster\ncadastre.cluster.id=proof-of-two-brokers\n\
             cadastre.metadata.url={url}\ncadastre.metadata.schema=proof\n\
             cadastre.objects.deletion.grace.ms=10000\n",
            node = index + 1,
            own = own.display(),
            shared = self.directory.display(),
            url = database.url(),
        )?;
        Ok(text)
    }

    fn format(&self, programs: &Programs) -> anyhow::Result<()> {
        let mut format = Command::new(&programs.broker);
        format.arg("format").arg("--config").arg(self.config());
        for user in USERS {
            let credential = format!("SCRAM-SHA-512=[name={user},password={user}-secret,iterations=8192]");
            format.args(["--add-scram", &credential]);
        }
        process::output(&mut format).map(drop)
    }

    fn launch(&self, index: usize, programs: &Programs) -> anyhow::Result<()> {
        let own = self.broker(index);
        let (ready, log) = (own.join("ready"), fs::File::create(own.join("broker.log"))?);
        let mut child = Command::new(&programs.cadastre)
            .arg("run-broker")
            .arg("--config")
            .arg(fs::canonicalize(own.join("server.properties"))?)
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start a broker")?;
        write_private(&own.join("broker.pid"), &format!("{}\n", child.id()))?;
        until("a broker starts", || {
            let ended = child.try_wait()?;
            let log = || fs::read_to_string(own.join("broker.log")).unwrap_or_default();
            anyhow::ensure!(ended.is_none(), "a broker ended: {}", log());
            Ok(ready.exists())
        })?;
        // A drill ends it; somebody has to ask how.
        std::thread::spawn(move || child.wait());
        Ok(())
    }

    /// Its declaration.
    pub(crate) fn boundary(&self, python: &Path, previous: &Path) -> anyhow::Result<PathBuf> {
        let bootstrap: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let login = |user: &str| {
            json!({
                "protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": user,
                "password-file": user, "ca-file": "ca.pem",
            })
        };
        let [stop, start] = self.store.outage();
        let rotate = self.directory.join("rotate.sh");
        let drills = json!({
            "administrator": login("admin"),
            "denied": [{"security": login("stranger"), "must-not": [
                "read", "write", "create-topics", "delete-topics", "alter-configs", "add-partitions", "wrong-password",
            ]}],
            "recovery-within": "30s", "revocation-within": "30s", "deletion-within": "90s",
            "local-brokers": (1..=BROKERS).map(|broker| format!("broker-{broker}")).collect::<Vec<_>>(),
            "hooks": {
                "stop-store": stop, "start-store": start, "rotate-certificate": [rotate],
                "list-object-versions": self.store.list_versions(python, &self.directory)?,
            },
            "previous-program": previous,
        });
        let listeners: Vec<_> = self
            .ports
            .iter()
            .take(1)
            .map(
                |port| json!({"name": "CLIENTS", "protocol": "SASL_SSL", "purpose": "clients", "port": port}),
            )
            .collect();
        let boundary = json!({
            "schema": "cadastre/boundary/v1", "name": NAME, "operating-model": "self-managed",
            "architecture": "shared-storage",
            "evidence": {"maximum-age": "24h", "callers": ["User:admin"]},
            "clusters": [{
                "name": NAME, "kind": "cadastre", "bootstrap": bootstrap, "security": login("admin"),
                "listeners": listeners, "super-users": ["User:admin"], "administrators": ["User:admin"],
                "tls": {
                    "versions": ["TLSv1.2", "TLSv1.3"], "issuers": [format!("CN={}", Authority::NAME)],
                    "expiry-notice": "30d",
                },
                "min-insync-replicas": 1, "scram-iterations": 8192,
                "topics": [{"pattern": "*", "class": "local", "retention": "7d"}],
                "environment": "non-production", "drills": drills,
            }],
        });
        // JSON is YAML.
        let path = self.directory.join("boundary.yaml");
        write_private(&path, &serde_json::to_string_pretty(&boundary)?)?;
        Ok(path)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for index in 0..BROKERS {
            let own = self.broker(index);
            end(&own.join("broker.pid"), &own.display().to_string());
        }
    }
}
