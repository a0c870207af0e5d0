//! Our own broker, in this process.

use std::fs;
use std::path::PathBuf;

use cadastre_server::{Broker, BrokerConfig, FormatOptions, RunningBroker, format};
use tempfile::TempDir;

use super::{ADMIN, SCANNER, scram, write_certificates};

/// A running reference broker with a SASL_SSL listener named `CLIENT`.
pub(crate) struct ReferenceBroker {
    broker: RunningBroker,
    directory: TempDir,
}

impl ReferenceBroker {
    /// Formats a log directory and starts the broker; `properties` go last.
    pub(crate) async fn start(listeners: &str, protocols: &str, properties: &str) -> Self {
        let directory = TempDir::with_prefix("cadastre-broker-").unwrap();
        write_certificates(directory.path());
        let text = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             listeners={listeners}\n\
             listener.security.protocol.map={protocols}\n\
             inter.broker.listener.name=CLIENT\n\
             log.dirs={directory}/data\n\
             cadastre.key.file={directory}/kek\n\
             sasl.enabled.mechanisms=SCRAM-SHA-512\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={directory}/keystore.pem\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:{admin}\n\
             auto.create.topics.enable=false\n\
             {properties}\n",
            directory = directory.path().display(),
            admin = ADMIN.0,
        );
        let path = directory.path().join("server.properties");
        fs::write(&path, text).unwrap();
        let config = BrokerConfig::load(&path).unwrap();
        let options = FormatOptions { scram: vec![scram(ADMIN), scram(SCANNER)], ..FormatOptions::default() };
        format(&config, &options).await.unwrap();
        Self { broker: Broker::start(config).await.unwrap(), directory }
    }

    /// Where a listener is.
    pub(crate) fn listener(&self, name: &str) -> String {
        let listeners = self.broker.listeners();
        listeners.iter().find(|(listener, _address)| listener == name).unwrap().1.to_string()
    }

    /// PEM file of the authority that signed the broker's certificate.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Stops the broker.
    pub(crate) async fn stop(self) {
        self.broker.shutdown().await.unwrap();
    }
}
