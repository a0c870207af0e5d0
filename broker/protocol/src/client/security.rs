//! How the client proves who it is and whom it trusts.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use zeroize::Zeroizing;

use crate::client::error::ClientError;

/// A password. Shown nowhere, wiped from memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(redacted)")
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A SASL mechanism that this client can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: the password itself is sent.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802 with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A SASL login.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// How.
    pub mechanism: Mechanism,
    /// Who.
    pub username: String,
    /// The proof.
    pub password: Password,
}

/// Transport and login; Kafka's `security.protocol` is the combination of the two.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// TLS, if any.
    pub tls: Option<Tls>,
    /// SASL, if any.
    pub sasl: Option<Sasl>,
}

/// Ready-made TLS settings. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    pub(crate) config: Arc<rustls::ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The authorities in this PEM text, and the host name must match.
    Authorities(Vec<u8>),
    /// The authorities the operating system trusts, and the host name must match.
    System,
    /// Anyone. For probes, which look at a certificate and send nothing worth protecting.
    Anyone,
}

/// A client certificate for mutual TLS.
pub struct Identity {
    /// The chain, leaf first.
    pub certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { certificates: self.certificates.clone(), key: self.key.clone_key() }
    }
}

impl Identity {
    /// Reads a certificate chain and an unencrypted private key in PEM.
    ///
    /// # Errors
    ///
    /// [`ClientError::TlsMaterial`] when either is missing or malformed.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, ClientError> {
        let certificates = read_certificates(certificates, "client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| ClientError::TlsMaterial(format!("client key: {error}")))?;
        Ok(Self { certificates, key })
    }
}

impl Tls {
    /// TLS 1.2 and 1.3 with the given trust and, for mutual TLS, identity.
    ///
    /// # Errors
    ///
    /// [`ClientError::TlsMaterial`] when an authority, certificate or key cannot be used.
    pub fn new(trust: &Trust, identity: Option<Identity>) -> Result<Self, ClientError> {
        let unusable = |error: rustls::Error| ClientError::TlsMaterial(error.to_string());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match trust {
            Trust::Authorities(pem) => builder.with_root_certificates(read_authorities(pem)?),
            Trust::System => builder.with_root_certificates(system_authorities()?),
            Trust::Anyone => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAnyone::new(&provider)))
            }
        };
        let config = match identity {
            Some(identity) => {
                builder.with_client_auth_cert(identity.certificates, identity.key).map_err(unusable)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config) })
    }

    /// The settings in rustls' terms.
    #[must_use]
    pub fn config(&self) -> &Arc<rustls::ClientConfig> {
        &self.config
    }
}

/// Reads PEM certificates into a store of authorities.
///
/// # Errors
///
/// [`ClientError::TlsMaterial`] when there is none or one is malformed.
pub fn read_authorities(pem: &[u8]) -> Result<RootCertStore, ClientError> {
    let mut store = RootCertStore::empty();
    for certificate in read_certificates(pem, "authorities")? {
        store.add(certificate).map_err(|error| ClientError::TlsMaterial(format!("authorities: {error}")))?;
    }
    Ok(store)
}

fn system_authorities() -> Result<RootCertStore, ClientError> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err(ClientError::TlsMaterial("the operating system trusts no authorities".to_owned()));
    }
    Ok(store)
}

fn read_certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ClientError::TlsMaterial(format!("{what}: {error}")))?;
    if certificates.is_empty() {
        return Err(ClientError::TlsMaterial(format!("{what}: no PEM certificate found")));
    }
    Ok(certificates)
}

/// Believes any certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AcceptAnyone {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AcceptAnyone {
    fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for AcceptAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let sasl = Sasl {
            mechanism: Mechanism::ScramSha512,
            username: "scanner".to_owned(),
            password: Password::new("hunter2".to_owned()),
        };
        let shown = format!("{sasl:?}");
        assert!(shown.contains("scanner") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn unusable_material_is_named() {
        let error = Tls::new(&Trust::Authorities(b"nothing".to_vec()), None).unwrap_err();
        assert_eq!(error.to_string(), "unusable TLS material: authorities: no PEM certificate found");
        assert!(Identity::from_pem(b"", b"").is_err());
    }
}
