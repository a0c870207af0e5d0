//! How a drill's clients connect: one identity on one listener.

use std::fmt;
use std::path::{Path, PathBuf};

use cadastre_model::declaration::{ClientSecurity, SaslMechanism, SecurityProtocol};
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

/// One SCRAM or PLAIN identity.
#[derive(Debug, Clone)]
pub struct Login {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

/// How to reach a cluster, and as whom.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `host:port`, comma-separated.
    pub bootstrap: String,
    /// Kafka's `security.protocol`.
    pub protocol: SecurityProtocol,
    /// PEM file of the authorities to trust; the system's where absent.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client's certificate and of its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The identity on a SASL listener.
    pub login: Option<Login>,
}

/// A declared identity that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Its password cannot be read.
    #[error("cannot read the password of `{username}` from `{path}`")]
    PasswordFile {
        /// The user.
        username: String,
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Its password is in a variable that is not set.
    #[error("`{variable}` is not set; it holds the password of `{username}`")]
    PasswordVariable {
        /// The user.
        username: String,
        /// The variable.
        variable: String,
    },
    /// A SASL listener, and half an identity.
    #[error("`{missing}` is not declared for a SASL listener")]
    Incomplete {
        /// The member that is missing.
        missing: &'static str,
    },
}

impl Connection {
    /// The connection that a declaration describes. Files are read relative to `beside`.
    ///
    /// # Errors
    /// When the password cannot be read, or the identity is not whole.
    pub fn declared(
        bootstrap: &[String],
        security: &ClientSecurity,
        beside: &Path,
    ) -> Result<Self, ConnectionError> {
        let file = |name: &String| beside.join(name);
        let login = match security.protocol {
            SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl => Some(login(security, beside)?),
            SecurityProtocol::Plaintext | SecurityProtocol::Ssl => None,
        };
        Ok(Self {
            bootstrap: bootstrap.join(","),
            protocol: security.protocol,
            ca_file: security.ca_file.as_ref().map(file),
            certificate: security
                .certificate_file
                .as_ref()
                .zip(security.key_file.as_ref())
                .map(|(certificate, key)| (file(certificate), file(key))),
            login,
        })
    }

    /// The principal, as far as the client side knows it: what a certificate is mapped to is the broker's affair.
    #[must_use]
    pub fn principal(&self) -> String {
        match (&self.login, &self.certificate) {
            (Some(login), _) => format!("User:{}", login.username),
            (None, Some((certificate, _))) => format!("the certificate {}", certificate.display()),
            (None, None) => "User:ANONYMOUS".to_owned(),
        }
    }

    /// The same listener and user with another password; `None` where nobody logs in.
    #[must_use]
    pub fn with_password(&self, password: Secret) -> Option<Self> {
        let login = self.login.clone()?;
        Some(Self { login: Some(Login { password, ..login }), ..self.clone() })
    }

    /// The same identity through other brokers.
    #[must_use]
    pub fn through(&self, bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), ..self.clone() }
    }

    /// librdkafka's configuration for this connection. It reconnects quickly, so that what is measured is the
    /// deployment and not the client's patience.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("security.protocol", protocol_name(self.protocol))
            .set("client.id", "cadastre-drill")
            .set("socket.timeout.ms", "10000")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "250")
            .set("retry.backoff.ms", "50")
            .set("log_level", "0");
        if let Some(file) = &self.ca_file {
            config.set("ssl.ca.location", file.display().to_string());
        }
        if let Some((certificate, key)) = &self.certificate {
            config
                .set("ssl.certificate.location", certificate.display().to_string())
                .set("ssl.key.location", key.display().to_string());
        }
        if let Some(login) = &self.login {
            config
                .set("sasl.mechanism", &login.mechanism)
                .set("sasl.username", &login.username)
                .set("sasl.password", &login.password.0);
        }
        config
    }
}

fn login(security: &ClientSecurity, beside: &Path) -> Result<Login, ConnectionError> {
    let missing = |missing| ConnectionError::Incomplete { missing };
    let username = security.username.clone().ok_or(missing("username"))?;
    let mechanism = match security.mechanism.ok_or(missing("mechanism"))? {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    let password = match (&security.password_file, &security.password_env) {
        (Some(file), _) => {
            let path = beside.join(file);
            let text = std::fs::read_to_string(&path).map_err(|source| ConnectionError::PasswordFile {
                username: username.clone(),
                path: path.display().to_string(),
                source,
            })?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        (None, Some(variable)) => std::env::var(variable).map_err(|_absent| {
            ConnectionError::PasswordVariable { username: username.clone(), variable: variable.clone() }
        })?,
        (None, None) => return Err(missing("password-file")),
    };
    Ok(Login { mechanism: mechanism.to_owned(), username, password: Secret::new(password) })
}

const fn protocol_name(protocol: SecurityProtocol) -> &'static str {
    match protocol {
        SecurityProtocol::Plaintext => "PLAINTEXT",
        SecurityProtocol::Ssl => "SSL",
        SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
        SecurityProtocol::SaslSsl => "SASL_SSL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_prints() {
        let login = Login {
            mechanism: "PLAIN".to_owned(),
            username: "alice".to_owned(),
            password: Secret::new("hunter2".to_owned()),
        };
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
