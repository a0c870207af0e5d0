//! A broker in the test's own process, with one listener without encryption, for requests that the test makes itself.

use cadastre_protocol::client::{Client, ClientConfig, Security};
use cadastre_server::{Broker, BrokerConfig, FormatOptions, Properties, RunningBroker, format};
use tempfile::TempDir;

/// It ends with the test's runtime.
pub struct InProcess {
    broker: RunningBroker,
    _directory: TempDir,
}

impl InProcess {
    /// Formats and starts one, with more properties.
    pub async fn start(more: &[(&'static str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().display().to_string();
        let properties: Properties = [
            ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("log.dirs", format!("{own}/data")),
            ("cadastre.key.file", format!("{own}/keys/kek")),
        ]
        .into_iter()
        .chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .collect();
        let config = BrokerConfig::from_properties(properties).unwrap();
        format(&config, &FormatOptions::default()).await.unwrap();
        Self { broker: Broker::start(config).await.unwrap(), _directory: directory }
    }

    /// A connection to its only listener.
    pub async fn connect(&self) -> Client {
        let (_, address) = self.broker.listeners().into_iter().next().unwrap();
        let plain = ClientConfig::new("test", Security { tls: None, sasl: None });
        Client::connect(&address.to_string().parse().unwrap(), &plain).await.unwrap()
    }
}
