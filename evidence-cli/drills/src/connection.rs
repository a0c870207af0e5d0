//! How a drill's clients connect: one identity on one listener.

use std::fmt;

use rdkafka::ClientConfig;

/// A secret that never prints.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One SCRAM identity on a `SASL_SSL` listener.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The cluster's declared name; the scope of the drill's record.
    pub cluster: String,
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// PEM file of the authorities to trust.
    pub ca_file: String,
    /// `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

impl Connection {
    /// The principal that the broker sees.
    #[must_use]
    pub fn principal(&self) -> String {
        format!("User:{}", self.username)
    }

    /// The same listener with another identity.
    #[must_use]
    pub fn with_identity(&self, username: &str, password: Secret) -> Self {
        Self { username: username.to_owned(), password, ..self.clone() }
    }

    /// librdkafka's configuration for this connection. Timeouts are short: a drill runs against a
    /// deployment that answers, or records that it does not.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("security.protocol", "SASL_SSL")
            .set("ssl.ca.location", &self.ca_file)
            .set("sasl.mechanism", &self.mechanism)
            .set("sasl.username", &self.username)
            .set("sasl.password", &self.password.0)
            .set("client.id", "cadastre-drill")
            .set("socket.timeout.ms", "10000")
            .set("log_level", "2");
        config
    }
}
