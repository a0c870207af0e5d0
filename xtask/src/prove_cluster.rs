//! Bundled brokers over PostgreSQL and a bucket, as production has them: TLS, SCRAM, default-deny ACLs, one key.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::{Value, json};

use crate::process;
use crate::prove::Programs;
use crate::prove_ground::{
    Authority, Database, ObjectStore, end, free_port, until, write_private, write_script,
};

/// Its declared name.
pub(crate) const NAME: &str = "two-brokers";
/// Who administers the drills, who must be refused everything, who scans, who writes and who reads.
const USERS: [&str; 5] = ["admin", "stranger", "cadastre-scanner", "payments-producer", "ledger"];
/// How a user of the cluster logs in. Files are named relative to its directory.
pub(crate) fn login(user: &str) -> Value {
    json!({
        "protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": user,
        "password-file": user, "ca-file": "ca.pem",
    })
}

/// Gives each broker a certificate that was issued beforehand, and tells it.
const ROTATE: &str = "#!/bin/sh
set -e
for broker in \"$(dirname \"$0\")\"/broker-*; do
    cp \"$broker/next.pem\" \"$broker/broker.pem.new\"
    mv \"$broker/broker.pem.new\" \"$broker/broker.pem\"
    kill -HUP \"$(cat \"$broker/broker.pid\")\"
done
";

/// Where a broker listens.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// An address of this machine.
    pub(crate) host: String,
    /// The port for clients.
    pub(crate) clients: u16,
    /// The port for other brokers, where that is another.
    pub(crate) brokers: Option<u16>,
}

impl Seat {
    /// Its listeners as `listeners` names them.
    fn listeners(&self) -> String {
        let Self { host, clients, .. } = self;
        let between = self.brokers.map(|port| format!(",REPLICATION://{host}:{port}"));
        format!("CLIENTS://{host}:{clients}{}", between.unwrap_or_default())
    }

    /// How brokers meet each other, where they do so elsewhere than clients: by certificates, on both sides.
    fn between(&self, directory: &Path) -> String {
        if self.brokers.is_none() {
            return "listener.security.protocol.map=CLIENTS:SASL_SSL\ninter.broker.listener.name=CLIENTS"
                .to_owned();
        }
        format!(
            "listener.security.protocol.map=CLIENTS:SASL_SSL,REPLICATION:SSL\n\
             inter.broker.listener.name=REPLICATION\nlistener.name.replication.ssl.client.auth=required\n\
             ssl.truststore.type=PEM\nssl.truststore.location={}/ca.pem",
            directory.display()
        )
    }
}

/// The cluster. Its brokers end with it.
#[derive(Debug)]
pub(crate) struct Cluster {
    directory: PathBuf,
    seats: Vec<Seat>,
    // Dropped after the brokers.
    store: ObjectStore,
    _database: Database,
}

impl Cluster {
    /// Two brokers at ports that are free.
    pub(crate) fn start(directory: &Path, python: &Path, programs: &Programs) -> anyhow::Result<Self> {
        let seat = |clients| Seat { host: "127.0.0.1".to_owned(), clients, brokers: None };
        Self::start_at(directory, python, programs, vec![seat(free_port()?), seat(free_port()?)])
    }

    /// Formats and starts it with a broker on each seat.
    pub(crate) fn start_at(
        directory: &Path,
        python: &Path,
        programs: &Programs,
        seats: Vec<Seat>,
    ) -> anyhow::Result<Self> {
        let postgres = directory.join("pg");
        fs::create_dir_all(&postgres)?;
        let database = Database::start(&postgres)?;
        let store = ObjectStore::start(python)?;
        let authority = Authority::new()?;
        authority.write(&directory.join("ca.pem"))?;
        let cluster = Self { directory: directory.to_owned(), seats, store, _database: database };
        for (index, seat) in cluster.seats.iter().enumerate() {
            let own = cluster.broker(index);
            fs::create_dir_all(&own)?;
            authority.issue("broker", &seat.host, &own.join("broker.pem"))?;
            authority.issue("broker", &seat.host, &own.join("next.pem"))?;
            let properties = cluster.properties(index, seat, &own)?;
            write_private(&own.join("server.properties"), &properties)?;
        }
        for user in USERS {
            write_private(&directory.join(user), &format!("{user}-secret\n"))?;
        }
        write_script(&directory.join("rotate.sh"), ROTATE)?;
        cluster.format(programs)?;
        for index in 0..cluster.seats.len() {
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

    fn properties(&self, index: usize, seat: &Seat, own: &Path) -> anyhow::Result<String> {
        let mut text = self.store.properties(own)?;
        let database = &self._database;
        write!(
            text,
            "node.id={node}\nlisteners={listeners}\nadvertised.listeners={listeners}\n\
             {between}\n\
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
            listeners = seat.listeners(),
            between = seat.between(&self.directory),
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

    /// What is declared of it, as one of a boundary's clusters.
    pub(crate) fn declared(&self, python: &Path, previous: &Path) -> anyhow::Result<Value> {
        let bootstrap: Vec<String> =
            self.seats.iter().map(|seat| format!("{}:{}", seat.host, seat.clients)).collect();
        let [stop, start] = self.store.outage();
        let rotate = self.directory.join("rotate.sh");
        let drills = json!({
            "administrator": login("admin"),
            "denied": [{"security": login("stranger"), "must-not": [
                "read", "write", "create-topics", "delete-topics", "alter-configs", "add-partitions", "wrong-password",
            ]}],
            "recovery-within": "30s", "revocation-within": "30s", "deletion-within": "90s",
            "local-brokers": (1..=self.seats.len()).map(|broker| format!("broker-{broker}")).collect::<Vec<_>>(),
            "hooks": {
                "stop-store": stop, "start-store": start, "rotate-certificate": [rotate],
                "list-object-versions": self.store.list_versions(python, &self.directory)?,
            },
            "previous-program": previous,
        });
        let listeners: Vec<_> = self
            .seats
            .iter()
            .take(1)
            .map(|seat| {
                json!({"name": "CLIENTS", "protocol": "SASL_SSL", "purpose": "clients", "port": seat.clients})
            })
            .collect();
        Ok(json!({
            "name": NAME, "kind": "cadastre", "bootstrap": bootstrap, "security": login("admin"),
            "listeners": listeners, "super-users": ["User:admin"], "administrators": ["User:admin"],
            "tls": {
                "versions": ["TLSv1.2", "TLSv1.3"], "issuers": [format!("CN={}", Authority::NAME)],
                "expiry-notice": "30d",
            },
            "min-insync-replicas": 1, "scram-iterations": 8192,
            "topics": [{"pattern": "*", "class": "local", "retention": "7d"}],
            "environment": "non-production", "drills": drills,
        }))
    }

    /// Where its first broker takes clients.
    pub(crate) fn bootstrap(&self) -> String {
        self.seats.first().map(|seat| format!("{}:{}", seat.host, seat.clients)).unwrap_or_default()
    }

    /// A declaration of it alone.
    pub(crate) fn boundary(&self, python: &Path, previous: &Path) -> anyhow::Result<PathBuf> {
        let boundary = json!({
            "schema": "cadastre/boundary/v1", "name": NAME, "operating-model": "self-managed",
            "architecture": "shared-storage",
            "evidence": {"maximum-age": "24h", "callers": ["User:admin"]},
            "clusters": [self.declared(python, previous)?],
        });
        // JSON is YAML.
        let path = self.directory.join("boundary.yaml");
        write_private(&path, &serde_json::to_string_pretty(&boundary)?)?;
        Ok(path)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for index in 0..self.seats.len() {
            let own = self.broker(index);
            end(&own.join("broker.pid"), &own.display().to_string());
        }
    }
}
