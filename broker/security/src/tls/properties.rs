//! The `ssl.*` properties of a listener, checked but for the files that they name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::error::{StoreName, TlsError};
use super::store::{self, Identity};

/// `ssl.client.auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuthentication {
    /// Clients are not asked.
    #[default]
    None,
    /// Clients are asked; one without a certificate is `User:ANONYMOUS`, one with a bad certificate is refused.
    Requested,
    /// Clients without a certificate are refused.
    Required,
}

/// A protocol version that may be enabled. Older ones are never offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `TLSv1.2`
    Tls12,
    /// `TLSv1.3`
    Tls13,
}

impl TlsVersion {
    /// Java's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    pub(super) fn as_rustls(self) -> &'static rustls::SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

type Secret = Zeroizing<String>;

/// Where the listener's own key and certificates come from.
enum KeyStore {
    Pkcs12 { path: PathBuf, password: Secret },
    PemFile { path: PathBuf, key_password: Option<Secret> },
    PemValues { key: Secret, chain: String, key_password: Option<Secret> },
}

/// Where the certificates that vouch for clients come from.
enum TrustStore {
    Pkcs12 { path: PathBuf, password: Secret },
    PemFile(PathBuf),
    PemValue(String),
}

/// The TLS properties of one listener.
#[derive(Debug)]
pub struct TlsProperties {
    key_store: KeyStore,
    trust_store: Option<TrustStore>,
    pub(super) client_authentication: ClientAuthentication,
    pub(super) versions: Vec<TlsVersion>,
    pub(super) cipher_suites: Vec<String>,
}

impl TlsProperties {
    /// Reads the properties, by their names without a listener prefix; others than the TLS ones are ignored.
    ///
    /// # Errors
    /// Missing, contradictory or unknown values. No file is read yet.
    pub fn parse(properties: &BTreeMap<String, String>) -> Result<Self, TlsError> {
        let properties = Properties(properties);
        let client_authentication = properties.client_authentication()?;
        let trust_store = properties.trust_store()?;
        if client_authentication != ClientAuthentication::None && trust_store.is_none() {
            return Err(TlsError::MissingProperty("ssl.truststore.location"));
        }
        Ok(Self {
            key_store: properties.key_store()?,
            trust_store,
            client_authentication,
            versions: properties.versions()?,
            cipher_suites: properties.list("ssl.cipher.suites"),
        })
    }

    /// The files that the stores lie in.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        let own = match &self.key_store {
            KeyStore::Pkcs12 { path, .. } | KeyStore::PemFile { path, .. } => Some(path),
            KeyStore::PemValues { .. } => None,
        };
        let trusted = match &self.trust_store {
            Some(TrustStore::Pkcs12 { path, .. } | TrustStore::PemFile(path)) => Some(path),
            Some(TrustStore::PemValue(_)) | None => None,
        };
        own.into_iter().chain(trusted).map(PathBuf::as_path).collect()
    }

    pub(super) fn load_identity(&self) -> Result<Identity, TlsError> {
        match &self.key_store {
            KeyStore::Pkcs12 { path, password } => Identity::from_pkcs12(path, password),
            KeyStore::PemFile { path, key_password } => {
                let text = store::read_text(path)?;
                let name = StoreName::File(path.clone());
                Identity::from_pem(
                    (&text, &name),
                    (&text, &name),
                    key_password.as_ref().map(|password| password.as_str()),
                )
            }
            KeyStore::PemValues { key, chain, key_password } => Identity::from_pem(
                (key, &StoreName::Property("ssl.keystore.key")),
                (chain, &StoreName::Property("ssl.keystore.certificate.chain")),
                key_password.as_ref().map(|password| password.as_str()),
            ),
        }
    }

    pub(super) fn load_trusted(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match &self.trust_store {
            None => Err(TlsError::MissingProperty("ssl.truststore.location")),
            Some(TrustStore::Pkcs12 { path, password }) => store::trusted_from_pkcs12(path, password),
            Some(TrustStore::PemFile(path)) => {
                store::trusted_from_pem(&store::read_text(path)?, &StoreName::File(path.clone()))
            }
            Some(TrustStore::PemValue(text)) => {
                store::trusted_from_pem(text, &StoreName::Property("ssl.truststore.certificates"))
            }
        }
    }
}

/// The type of a store, where `JKS`, Kafka's default, also opens PKCS#12 files, as it does in Java.
#[derive(PartialEq)]
enum StoreType {
    Pem,
    Pkcs12,
}

struct Properties<'a>(&'a BTreeMap<String, String>);

impl Properties<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.0.get(name).filter(|value| !value.is_empty()).map(|value| Zeroizing::new(value.clone()))
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.get(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn store_type(&self, property: &'static str) -> Result<StoreType, TlsError> {
        let value = self.get(property).unwrap_or("JKS");
        match value.to_ascii_uppercase().as_str() {
            "PEM" => Ok(StoreType::Pem),
            "PKCS12" | "JKS" => Ok(StoreType::Pkcs12),
            _ => Err(TlsError::InvalidValue { property, value: value.to_owned(), expected: "PEM or PKCS12" }),
        }
    }

    fn forbid(&self, name: &'static str, because_of: &'static str) -> Result<(), TlsError> {
        if self.get(name).is_some() { Err(TlsError::Conflict(name, because_of)) } else { Ok(()) }
    }

    fn key_store(&self) -> Result<KeyStore, TlsError> {
        let location = self.get("ssl.keystore.location").map(Path::new);
        let key_password = self.secret("ssl.key.password");
        match self.store_type("ssl.keystore.type")? {
            StoreType::Pem => {
                // Kafka refuses this too: PEM has no password for the store, only one for the key.
                self.forbid("ssl.keystore.password", "ssl.keystore.type=PEM")?;
                if let Some(path) = location {
                    self.forbid("ssl.keystore.key", "ssl.keystore.location")?;
                    self.forbid("ssl.keystore.certificate.chain", "ssl.keystore.location")?;
                    return Ok(KeyStore::PemFile { path: path.to_owned(), key_password });
                }
                let key = self
                    .secret("ssl.keystore.key")
                    .ok_or(TlsError::MissingProperty("ssl.keystore.location"))?;
                let chain = self
                    .get("ssl.keystore.certificate.chain")
                    .ok_or(TlsError::MissingProperty("ssl.keystore.certificate.chain"))?;
                Ok(KeyStore::PemValues { key, chain: chain.to_owned(), key_password })
            }
            StoreType::Pkcs12 => {
                self.forbid("ssl.keystore.key", "ssl.keystore.type=PKCS12")?;
                self.forbid("ssl.keystore.certificate.chain", "ssl.keystore.type=PKCS12")?;
                let path = location.ok_or(TlsError::MissingProperty("ssl.keystore.location"))?;
                let password = self
                    .secret("ssl.keystore.password")
                    .ok_or(TlsError::MissingProperty("ssl.keystore.password"))?;
                if key_password.is_some_and(|key_password| key_password != password) {
                    return Err(TlsError::TwoPasswords);
                }
                Ok(KeyStore::Pkcs12 { path: path.to_owned(), password })
            }
        }
    }

    fn trust_store(&self) -> Result<Option<TrustStore>, TlsError> {
        let location = self.get("ssl.truststore.location").map(Path::new);
        let value = self.get("ssl.truststore.certificates");
        match (self.store_type("ssl.truststore.type")?, location, value) {
            (_, Some(_), Some(_)) => {
                Err(TlsError::Conflict("ssl.truststore.certificates", "ssl.truststore.location"))
            }
            (_, None, None) => Ok(None),
            (StoreType::Pem, location, value) => {
                self.forbid("ssl.truststore.password", "ssl.truststore.type=PEM")?;
                let store = location.map(|path| TrustStore::PemFile(path.to_owned()));
                Ok(store.or_else(|| value.map(|text| TrustStore::PemValue(text.to_owned()))))
            }
            (StoreType::Pkcs12, Some(path), _) => {
                // Java opens a trust store without a password too; PKCS#12 then has nothing to decrypt.
                let password = self.secret("ssl.truststore.password").unwrap_or_default();
                Ok(Some(TrustStore::Pkcs12 { path: path.to_owned(), password }))
            }
            (StoreType::Pkcs12, None, Some(_)) => {
                Err(TlsError::Conflict("ssl.truststore.certificates", "ssl.truststore.type=PKCS12"))
            }
        }
    }

    fn client_authentication(&self) -> Result<ClientAuthentication, TlsError> {
        let property = "ssl.client.auth";
        let value = self.get(property).unwrap_or("none");
        match value.to_ascii_lowercase().as_str() {
            "none" => Ok(ClientAuthentication::None),
            "requested" => Ok(ClientAuthentication::Requested),
            "required" => Ok(ClientAuthentication::Required),
            _ => Err(TlsError::InvalidValue {
                property,
                value: value.to_owned(),
                expected: "none, requested or required",
            }),
        }
    }

    fn versions(&self) -> Result<Vec<TlsVersion>, TlsError> {
        let property = "ssl.enabled.protocols";
        let names = self.list(property);
        if names.is_empty() {
            return Ok(vec![TlsVersion::Tls12, TlsVersion::Tls13]);
        }
        let mut versions = Vec::new();
        for name in names {
            let version = match name.as_str() {
                "TLSv1.2" => TlsVersion::Tls12,
                "TLSv1.3" => TlsVersion::Tls13,
                _ => {
                    return Err(TlsError::InvalidValue {
                        property,
                        value: name,
                        expected: "TLSv1.2 or TLSv1.3",
                    });
                }
            };
            versions.push(version);
        }
        versions.sort_unstable();
        versions.dedup();
        Ok(versions)
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pkcs12 { path, .. } => write!(formatter, "Pkcs12({})", path.display()),
            Self::PemFile { path, .. } => write!(formatter, "PemFile({})", path.display()),
            Self::PemValues { .. } => formatter.write_str("PemValues(redacted)"),
        }
    }
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pkcs12 { path, .. } => write!(formatter, "Pkcs12({})", path.display()),
            Self::PemFile(path) => write!(formatter, "PemFile({})", path.display()),
            Self::PemValue(_) => formatter.write_str("PemValue"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<TlsProperties, TlsError> {
        TlsProperties::parse(
            &pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        )
    }

    const PEM: (&str, &str) = ("ssl.keystore.type", "PEM");
    const PEM_FILE: [(&str, &str); 2] = [PEM, ("ssl.keystore.location", "k.pem")];

    #[track_caller]
    fn check_refused(pairs: &[(&str, &str)], message: &str) {
        assert_eq!(parse(pairs).unwrap_err().to_string(), message);
    }

    #[test]
    fn defaults_are_kafkas() {
        let properties = parse(&PEM_FILE).unwrap();
        assert_eq!(properties.client_authentication, ClientAuthentication::None);
        assert_eq!(properties.versions, [TlsVersion::Tls12, TlsVersion::Tls13]);
        assert!(properties.cipher_suites.is_empty());
    }

    #[test]
    fn contradictions_and_gaps_are_refused() {
        check_refused(&[], "`ssl.keystore.location` is not set");
        check_refused(&[("ssl.keystore.location", "k.p12")], "`ssl.keystore.password` is not set");
        check_refused(&[PEM], "`ssl.keystore.location` is not set");
        check_refused(&[PEM, ("ssl.keystore.key", "x")], "`ssl.keystore.certificate.chain` is not set");
        check_refused(
            &[PEM, ("ssl.keystore.location", "k"), ("ssl.keystore.key", "x")],
            "`ssl.keystore.key` and `ssl.keystore.location` cannot both be set",
        );
        check_refused(
            &[PEM, ("ssl.keystore.location", "k"), ("ssl.keystore.password", "x")],
            "`ssl.keystore.password` and `ssl.keystore.type=PEM` cannot both be set",
        );
        check_refused(
            &[("ssl.keystore.location", "k"), ("ssl.keystore.password", "x"), ("ssl.key.password", "y")],
            "`ssl.key.password` differs from `ssl.keystore.password`, which PKCS#12 does not allow",
        );
        check_refused(
            &[("ssl.keystore.type", "BKS")],
            "`BKS` is not a value of `ssl.keystore.type`; expected PEM or PKCS12",
        );
        for value in ["required", "requested"] {
            check_refused(
                &[PEM, ("ssl.keystore.location", "k"), ("ssl.client.auth", value)],
                "`ssl.truststore.location` is not set",
            );
        }
        check_refused(
            &[PEM, ("ssl.keystore.location", "k"), ("ssl.enabled.protocols", "TLSv1.1,TLSv1.3")],
            "`TLSv1.1` is not a value of `ssl.enabled.protocols`; expected TLSv1.2 or TLSv1.3",
        );
        check_refused(
            &[PEM, ("ssl.keystore.location", "k"), ("ssl.client.auth", "maybe")],
            "`maybe` is not a value of `ssl.client.auth`; expected none, requested or required",
        );
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let properties = parse(&[
            PEM,
            ("ssl.keystore.key", "KEYTEXT"),
            ("ssl.keystore.certificate.chain", "c"),
            ("ssl.key.password", "PW"),
        ]);
        let printed = format!("{properties:?}");
        assert!(!printed.contains("KEYTEXT") && !printed.contains("PW"));
    }
}
