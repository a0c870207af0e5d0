//! Which cluster is read, and with which login.

use std::path::Path;

use cadastre_model::declaration::{ClientSecurity, Cluster, Listener, SaslMechanism, SecurityProtocol};
use cadastre_protocol::client::{
    Identity, Mechanism, Password, Sasl, Security, Tls, Trust, read_authorities,
};
use rustls::RootCertStore;

use super::probes::certificates::distinguished_name;
use super::recorder::Trouble;

/// No PEM or password file is larger than this, in bytes.
const MAXIMUM_FILE_BYTES: u64 = 1024 * 1024;

/// A cluster to read.
#[derive(Debug, Clone)]
pub struct KafkaTarget {
    /// The declared name; becomes the records' scope.
    pub name: String,
    /// `host:port` of brokers to ask first.
    pub bootstrap: Vec<String>,
    /// The scanner's login.
    pub security: ClientSecurity,
    /// The password, where the caller has it already; it goes before the sources named in `security`.
    pub password: Option<Password>,
    /// Further endpoints to probe.
    pub additional_listeners: Vec<AdditionalListener>,
}

/// A declared listener: probed on every broker's host, or on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdditionalListener {
    /// Its name.
    pub name: String,
    /// Its declared security protocol, in Kafka's words.
    pub protocol: SecurityProtocol,
    /// The host; `None` for every broker's.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
}

impl From<&Listener> for AdditionalListener {
    fn from(listener: &Listener) -> Self {
        Self { name: listener.name.clone(), protocol: listener.protocol, host: None, port: listener.port }
    }
}

impl From<&Cluster> for KafkaTarget {
    fn from(cluster: &Cluster) -> Self {
        Self {
            name: cluster.name.clone(),
            bootstrap: cluster.bootstrap.clone(),
            security: cluster.security.clone(),
            password: None,
            additional_listeners: cluster.listeners.iter().map(AdditionalListener::from).collect(),
        }
    }
}

/// A target with its files read.
pub(super) struct ResolvedTarget {
    pub(super) security: Security,
    /// Who the scanner is, as brokers name it.
    pub(super) principal: String,
    /// The authorities against which probes check certificates.
    pub(super) authorities: Option<RootCertStore>,
}

impl KafkaTarget {
    pub(super) fn uses_sasl(&self) -> bool {
        matches!(self.security.protocol, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }

    fn uses_tls(&self) -> bool {
        matches!(self.security.protocol, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// Reads the password, authorities and client certificate that the declaration names.
    pub(super) fn resolve(&self) -> Result<ResolvedTarget, Trouble> {
        let security = &self.security;
        let authorities_pem = security.ca_file.as_deref().map(read_file).transpose()?;
        let authorities = authorities_pem.as_deref().map(read_authorities).transpose()?;
        let identity = match (&security.certificate_file, &security.key_file) {
            (Some(certificate), Some(key)) => {
                Some(Identity::from_pem(&read_file(certificate)?, &read_file(key)?)?)
            }
            (None, None) => None,
            _ => {
                let hint = "a client certificate needs both `certificate-file` and `key-file`";
                return Err(Trouble::failed("tls-material", hint));
            }
        };
        let mut principal = "User:ANONYMOUS".to_owned();
        let tls = if self.uses_tls() {
            if let Some(leaf) = identity.as_ref().and_then(|identity| identity.certificates.first())
                && let Some(name) = distinguished_name(leaf)
            {
                principal = format!("User:{name}");
            }
            let trust = authorities_pem.map_or(Trust::System, Trust::Authorities);
            Some(Tls::new(&trust, identity)?)
        } else {
            None
        };
        let sasl = if self.uses_sasl() {
            let sasl = self.login()?;
            principal = format!("User:{}", sasl.username);
            Some(sasl)
        } else {
            None
        };
        Ok(ResolvedTarget { security: Security { tls, sasl }, principal, authorities })
    }

    fn login(&self) -> Result<Sasl, Trouble> {
        let missing = |what: &str| {
            let protocol = if self.uses_tls() { "SASL_SSL" } else { "SASL_PLAINTEXT" };
            Trouble::failed("no-credentials", format!("{protocol} needs {what}"))
        };
        let mechanism = match self.security.mechanism.ok_or_else(|| missing("a `mechanism`"))? {
            SaslMechanism::Plain => Mechanism::Plain,
            SaslMechanism::ScramSha256 => Mechanism::ScramSha256,
            SaslMechanism::ScramSha512 => Mechanism::ScramSha512,
        };
        let username = self.security.username.clone().ok_or_else(|| missing("a `username`"))?;
        let password = match (&self.password, &self.security.password_env, &self.security.password_file) {
            (Some(password), _, _) => password.clone(),
            (None, Some(variable), _) => std::env::var(variable).map(Password::new).map_err(|_unset| {
                Trouble::failed(
                    "no-credentials",
                    format!("environment variable `{variable}` holds no password"),
                )
            })?,
            (None, None, Some(path)) => first_line(path)?,
            (None, None, None) => return Err(missing("`password-env` or `password-file`")),
        };
        Ok(Sasl { mechanism, username, password })
    }
}

fn first_line(path: &str) -> Result<Password, Trouble> {
    let bytes = zeroize::Zeroizing::new(read_file(path)?);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_bytes| Trouble::failed("no-credentials", format!("`{path}` is not UTF-8")))?;
    Ok(Password::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn read_file(path: &str) -> Result<Vec<u8>, Trouble> {
    let failed = |what: String| Trouble::failed("unreadable-file", format!("cannot read `{path}`: {what}"));
    let size = std::fs::metadata(Path::new(path)).map_err(|error| failed(error.to_string()))?.len();
    if size > MAXIMUM_FILE_BYTES {
        return Err(failed(format!("{size} bytes are too many")));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(security: ClientSecurity) -> KafkaTarget {
        KafkaTarget {
            name: "payments".to_owned(),
            bootstrap: vec!["localhost:9092".to_owned()],
            security,
            password: None,
            additional_listeners: Vec::new(),
        }
    }

    fn security(protocol: SecurityProtocol) -> ClientSecurity {
        ClientSecurity {
            protocol,
            mechanism: None,
            username: None,
            password_env: None,
            password_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
        }
    }

    #[test]
    fn without_a_login_the_scanner_is_anonymous() {
        let resolved =
            target(security(SecurityProtocol::Plaintext)).resolve().map(|resolved| resolved.principal);
        assert_eq!(resolved.unwrap(), "User:ANONYMOUS");
    }

    #[test]
    fn what_is_missing_is_named() {
        #[track_caller]
        fn check(security: ClientSecurity, code: &str, message: &str) {
            let trouble = target(security).resolve().map(|_resolved| ()).unwrap_err();
            assert_eq!((trouble.code.as_str(), trouble.message.as_str()), (code, message));
        }
        let sasl = security(SecurityProtocol::SaslSsl);
        let plain = ClientSecurity {
            mechanism: Some(SaslMechanism::Plain),
            ..security(SecurityProtocol::SaslPlaintext)
        };
        let named = ClientSecurity { username: Some("scanner".to_owned()), ..plain.clone() };
        check(sasl, "no-credentials", "SASL_SSL needs a `mechanism`");
        check(plain, "no-credentials", "SASL_PLAINTEXT needs a `username`");
        check(named.clone(), "no-credentials", "SASL_PLAINTEXT needs `password-env` or `password-file`");
        check(
            ClientSecurity { password_env: Some("CADASTRE_TEST_UNSET".to_owned()), ..named },
            "no-credentials",
            "environment variable `CADASTRE_TEST_UNSET` holds no password",
        );
        check(
            ClientSecurity { key_file: Some("k".to_owned()), ..security(SecurityProtocol::Ssl) },
            "tls-material",
            "a client certificate needs both `certificate-file` and `key-file`",
        );
    }
}
