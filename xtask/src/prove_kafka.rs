//! One broker of Apache Kafka with its own controller: TLS, SCRAM, the standard authorizer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::process;
use crate::prove_ground::{Authority, end, free_port, write_private, write_script};

/// Its declared name.
pub(crate) const NAME: &str = "apache-kafka";

/// Starts Kafka in the background, unless it runs, and returns when its port answers.
const START: &str = "#!/bin/bash
cd \"$(dirname \"$0\")\"
(exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && exit 0
java -Xmx512m -cp 'LIBRARIES/*' -Dlog4j2.configurationFile=log4j2.yaml kafka.Kafka \"$PWD/server.properties\" >>kafka.log 2>&1 &
echo $! >pid
for i in $(seq 1 600); do (exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && exit 0; sleep 0.1; done
exit 1
";

/// Ends it, and returns when nothing of it accepts connections any more.
const KILL: &str = "#!/bin/bash
kill -9 \"$(cat \"$(dirname \"$0\")/pid\")\"
for i in $(seq 1 600); do (exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null || exit 0; sleep 0.1; done
exit 1
";

/// Lets Kafka read another key store, as its documentation has it (\"Updating Broker Configs\").
const ROTATE: &str = "#!/bin/bash
cd \"$(dirname \"$0\")\"
exec java -cp 'LIBRARIES/*' -Dlog4j2.configurationFile=log4j2.yaml kafka.admin.ConfigCommand \\
    --bootstrap-server 127.0.0.1:PORT --command-config client.properties --alter \\
    --entity-type brokers --entity-name 1 \\
    --add-config \"listener.name.clients.ssl.keystore.location=$PWD/next.pem\"
";

const LOG: &str = "Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout: {pattern: \"%d %p %m%n\"}
  Loggers:
    Root:
      level: WARN
      AppenderRef: [{ref: out}]
";

/// The broker. It ends with this.
#[derive(Debug)]
pub(crate) struct Kafka {
    directory: PathBuf,
    port: u16,
}

impl Kafka {
    /// Formats and starts it.
    pub(crate) fn start(directory: &Path, libraries: &Path) -> anyhow::Result<Self> {
        let (port, controller) = (free_port()?, free_port()?);
        let kafka = Self { directory: directory.to_owned(), port };
        let authority = Authority::new()?;
        authority.write(&kafka.path("ca.pem"))?;
        authority.issue("broker", "127.0.0.1", &kafka.path("broker.pem"))?;
        authority.issue("broker", "127.0.0.1", &kafka.path("next.pem"))?;
        write_private(&kafka.path("log4j2.yaml"), LOG)?;
        let login = |user: &str| {
            format!(
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" \
                 password=\"{user}-secret\";"
            )
        };
        write_private(
            &kafka.path("server.properties"),
            &format!(
                "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
                 listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
                 advertised.listeners=CLIENTS://127.0.0.1:{port}\n\
                 listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT\n\
                 controller.listener.names=CONTROLLER\ninter.broker.listener.name=CLIENTS\n\
                 sasl.enabled.mechanisms=SCRAM-SHA-512\nsasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
                 listener.name.clients.scram-sha-512.sasl.jaas.config={}\n\
                 ssl.keystore.type=PEM\nlistener.name.clients.ssl.keystore.location={directory}/broker.pem\n\
                 ssl.truststore.type=PEM\nssl.truststore.location={directory}/ca.pem\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:admin;User:ANONYMOUS\nauto.create.topics.enable=false\nlog.dirs={directory}/data\n\
                 offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
                 transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=100\n\
                 offsets.topic.num.partitions=3\ntransaction.state.log.num.partitions=3\n",
                login("admin"),
                directory = directory.display(),
            ),
        )?;
        write_private(
            &kafka.path("client.properties"),
            &format!(
                "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n\
                 ssl.truststore.location={}/ca.pem\nsasl.jaas.config={}\n",
                directory.display(),
                login("admin")
            ),
        )?;
        for user in ["admin", "stranger"] {
            write_private(&kafka.path(user), &format!("{user}-secret\n"))?;
        }
        let filled = |text: &str| {
            text.replace("LIBRARIES", &libraries.display().to_string()).replace("PORT", &port.to_string())
        };
        write_script(&kafka.path("start.sh"), &filled(START))?;
        write_script(&kafka.path("kill.sh"), &filled(KILL))?;
        write_script(&kafka.path("rotate.sh"), &filled(ROTATE))?;
        process::output(
            Command::new("java")
                .current_dir(directory)
                .args([
                    "-cp",
                    &format!("{}/*", libraries.display()),
                    "-Dlog4j2.configurationFile=log4j2.yaml",
                ])
                .args(["kafka.tools.StorageTool", "format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg"])
                .args(["--config", "server.properties"])
                .args(["--add-scram", "SCRAM-SHA-512=[name=admin,password=admin-secret,iterations=8192]"])
                .args([
                    "--add-scram",
                    "SCRAM-SHA-512=[name=stranger,password=stranger-secret,iterations=8192]",
                ]),
        )?;
        let started = Command::new(kafka.path("start.sh")).status().context("cannot run start.sh")?;
        let log = || fs::read_to_string(kafka.path("kafka.log")).unwrap_or_default();
        ensure!(started.success(), "Apache Kafka did not start: {}", log());
        Ok(kafka)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Its version, by the name of its jar.
    pub(crate) fn version(libraries: &Path) -> anyhow::Result<String> {
        let jars = fs::read_dir(libraries).context("no directory of Kafka's jars")?.flatten();
        let mut names = jars.filter_map(|entry| entry.file_name().into_string().ok());
        let version =
            names.find_map(|name| Some(name.strip_prefix("kafka_2.13-")?.strip_suffix(".jar")?.to_owned()));
        Ok(format!("Apache Kafka {}", version.context("no jar of Kafka's broker")?))
    }

    /// Its declaration.
    pub(crate) fn boundary(&self) -> anyhow::Result<PathBuf> {
        let login = |user: &str| {
            json!({
                "protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": user,
                "password-file": user, "ca-file": "ca.pem",
            })
        };
        let boundary = json!({
            "schema": "cadastre/boundary/v1", "name": NAME, "operating-model": "self-managed",
            "architecture": "broker-local-disks",
            "evidence": {"maximum-age": "24h", "callers": ["User:admin"]},
            "clusters": [{
                "name": NAME, "kind": "apache-kafka", "bootstrap": [format!("127.0.0.1:{}", self.port)],
                "security": login("admin"), "super-users": ["User:admin", "User:ANONYMOUS"],
                "administrators": ["User:admin"], "min-insync-replicas": 1,
                "environment": "non-production",
                "drills": {
                    "administrator": login("admin"),
                    "denied": [{"security": login("stranger"), "must-not": [
                        "read", "write", "create-topics", "delete-topics", "alter-configs", "add-partitions",
                        "wrong-password",
                    ]}],
                    "recovery-within": "60s",
                    "hooks": {
                        "kill-broker": [self.path("kill.sh")], "start-broker": [self.path("start.sh")],
                        "rotate-certificate": [self.path("rotate.sh")],
                    },
                },
            }],
        });
        let path = self.path("boundary.yaml");
        write_private(&path, &serde_json::to_string_pretty(&boundary)?)?;
        Ok(path)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        end(&self.path("pid"), &self.directory.display().to_string());
    }
}
