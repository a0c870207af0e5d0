//! What can be wrong with the TLS properties of a listener.

use std::io;
use std::path::PathBuf;

/// Why a listener cannot offer TLS. Messages name properties and files, never passwords or keys.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A property that is needed is not there.
    #[error("`{0}` is not set")]
    MissingProperty(&'static str),
    /// Two properties that exclude each other.
    #[error("`{0}` and `{1}` cannot both be set")]
    Conflict(&'static str, &'static str),
    /// A value that is none of those possible.
    #[error("`{value}` is not a value of `{property}`; expected {expected}")]
    InvalidValue {
        /// The property.
        property: &'static str,
        /// The value.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// Suites that only the disabled protocol version has.
    #[error("none of the suites in `ssl.cipher.suites` belongs to a protocol in `ssl.enabled.protocols`")]
    NoUsableSuite,
    /// A file that cannot be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is larger than any key store.
    #[error("`{0}` is larger than 16 MiB")]
    TooLarge(PathBuf),
    /// A store in Java's own format.
    #[error("{0} is a JKS store")]
    JavaKeyStore(StoreName),
    /// A PKCS#12 store that cannot be opened.
    #[error("{store} cannot be opened as PKCS#12: {reason}")]
    Pkcs12 {
        /// The store.
        store: StoreName,
        /// What the decoder says.
        reason: String,
    },
    /// Text that is not PEM, or a part that cannot be decoded.
    #[error("{store} is not valid PEM: {reason}")]
    Pem {
        /// The store.
        store: StoreName,
        /// What is wrong.
        reason: &'static str,
    },
    /// A key in an encrypted PEM that needs a password, or another one.
    #[error("private key in {0} cannot be decrypted with `ssl.key.password`")]
    KeyPassword(StoreName),
    /// A store with a password of its own for the key.
    #[error("`ssl.key.password` differs from `ssl.keystore.password`, which PKCS#12 does not allow")]
    TwoPasswords,
    /// No private key.
    #[error("{0} has no private key")]
    NoPrivateKey(StoreName),
    /// More than one private key where one is expected.
    #[error("{0} has more than one private key")]
    SeveralPrivateKeys(StoreName),
    /// No certificate, or none for the key.
    #[error("{0} has no certificate for its private key")]
    NoCertificate(StoreName),
    /// A trust store without a trusted certificate.
    #[error("{0} has no trusted certificate")]
    NothingTrusted(StoreName),
    /// A certificate that cannot be read.
    #[error("certificate cannot be read: {0}")]
    Certificate(String),
    /// A certificate that is to replace another one, of somebody else.
    #[error("certificate is of `{new}`, and the one in force of `{old}`")]
    OtherSubject {
        /// Whose the certificate in force is.
        old: String,
        /// Whose the new one is.
        new: String,
    },
    /// A certificate that is to replace another one, without names that clients may know the listener by.
    #[error("certificate lacks names of the one in force: {0}")]
    FewerNames(String),
    /// A certificate that is to replace a valid one, and is not valid itself.
    #[error("certificate is valid from {from} to {until}, which is not now")]
    NotValidNow {
        /// The first moment of its validity.
        from: String,
        /// The last one.
        until: String,
    },
    /// The TLS library refuses what it was given.
    #[error("TLS configuration is refused")]
    Rustls(#[source] rustls::Error),
    /// The TLS library refuses the trusted certificates.
    #[error("trusted certificates are refused")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

/// How messages call a store: by its property when inline, by its file otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreName {
    /// The value of a property.
    Property(&'static str),
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for StoreName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Property(property) => write!(formatter, "`{property}`"),
            Self::File(path) => write!(formatter, "`{}`", path.display()),
        }
    }
}

impl TlsError {
    /// What the operator can do about it, where that is not obvious.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::JavaKeyStore(_) => Some(
                "convert it with `keytool -importkeystore -srckeystore OLD.jks -destkeystore NEW.p12 -deststoretype PKCS12` \
                 and set the store type to PKCS12",
            ),
            Self::NothingTrusted(_) => Some(
                "import the certificate authority with `keytool -importcert -storetype PKCS12`; \
                 certificates that other tools put in a PKCS#12 store are not marked as trusted",
            ),
            Self::OtherSubject { .. } => Some("`ssl.allow.dn.changes=true` lets the subject change"),
            Self::FewerNames(_) => Some("`ssl.allow.san.changes=true` lets names go"),
            Self::TwoPasswords => Some("remove `ssl.key.password`, or use PEM"),
            Self::Pem { .. } => Some("encrypted keys must be PKCS#8: `openssl pkcs8 -topk8 -v2 aes256`"),
            _ => None,
        }
    }
}
