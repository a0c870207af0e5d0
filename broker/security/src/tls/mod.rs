//! TLS of a listener, from Kafka's `ssl.*` properties to a [`rustls::ServerConfig`], and the peer's name.

mod distinguished_name;
mod error;
mod pem;
mod properties;
mod replacement;
mod store;
mod suites;

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::CertificateDer;

pub use distinguished_name::distinguished_name;
pub use error::TlsError;
pub use properties::{ClientAuthentication, TlsProperties, TlsVersion};
pub use replacement::ReplacementRules;
pub use suites::{cipher_suite_name, supported_cipher_suites};

use crate::principal::Principal;
use crate::principal_mapping::{PrincipalMapping, PrincipalMappingError};

/// The TLS side of a listener, ready to accept connections.
#[derive(Debug, Clone)]
pub struct TlsServerConfig {
    server_config: Arc<ServerConfig>,
    client_authentication: ClientAuthentication,
    versions: Vec<TlsVersion>,
    cipher_suites: Vec<SupportedCipherSuite>,
    certificate_chain: Vec<CertificateDer<'static>>,
}

/// Why a peer's certificate gives no principal; the connection must be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerNameError {
    /// The certificate cannot be read.
    #[error("certificate of the peer cannot be read: {0}")]
    Certificate(String),
    /// No rule of `ssl.principal.mapping.rules` applies.
    #[error(transparent)]
    Mapping(#[from] PrincipalMappingError),
}

impl TlsServerConfig {
    /// Reads the stores that the properties name and builds the configuration.
    ///
    /// # Errors
    /// Unreadable or unsupported stores, a key that does not fit its certificate, protocols or suites that are unknown
    /// or do not go together, client authentication without a trust store.
    pub fn new(properties: &TlsProperties) -> Result<Self, TlsError> {
        let identity = properties.load_identity()?;
        let cipher_suites = suites::select(&properties.cipher_suites, &properties.versions)?;
        let provider = Arc::new(rustls::crypto::CryptoProvider {
            cipher_suites: cipher_suites.clone(),
            ..rustls::crypto::aws_lc_rs::default_provider()
        });
        let versions: Vec<_> = properties.versions.iter().map(|version| version.as_rustls()).collect();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(TlsError::Rustls)?;
        let builder = match properties.client_authentication {
            ClientAuthentication::None => builder.with_no_client_auth(),
            wanted => {
                let mut roots = RootCertStore::empty();
                for certificate in properties.load_trusted()? {
                    roots.add(certificate).map_err(TlsError::Rustls)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match wanted {
                    ClientAuthentication::Requested => verifier.allow_unauthenticated(),
                    _ => verifier,
                };
                builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Verifier)?)
            }
        };
        let certificate_chain = identity.chain.clone();
        let server_config =
            builder.with_single_cert(identity.chain, identity.key).map_err(TlsError::Rustls)?;
        Ok(Self {
            server_config: Arc::new(server_config),
            client_authentication: properties.client_authentication,
            versions: properties.versions.clone(),
            cipher_suites,
            certificate_chain,
        })
    }

    /// What `tokio_rustls::TlsAcceptor` takes.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server_config)
    }

    /// Whether clients present certificates.
    pub fn client_authentication(&self) -> ClientAuthentication {
        self.client_authentication
    }

    /// The protocol versions on offer.
    pub fn versions(&self) -> &[TlsVersion] {
        &self.versions
    }

    /// The names of the suites on offer, strongest first, as IANA and Java call them.
    pub fn cipher_suite_names(&self) -> impl Iterator<Item = String> {
        self.cipher_suites.iter().map(|suite| cipher_suite_name(*suite))
    }

    /// The chain that the listener presents, its own certificate first.
    pub fn certificate_chain(&self) -> &[CertificateDer<'static>] {
        &self.certificate_chain
    }
}

/// The principal of a TLS peer: its certificate's name through the mapping rules, `User:ANONYMOUS` without one.
///
/// The chain must be the one that the handshake has verified.
///
/// # Errors
/// An unreadable certificate, or a name that no rule applies to.
pub fn peer_principal(
    verified_chain: Option<&[CertificateDer<'_>]>,
    mapping: &PrincipalMapping,
) -> Result<Principal, PeerNameError> {
    let Some(certificate) = verified_chain.and_then(<[_]>::first) else { return Ok(Principal::anonymous()) };
    let name =
        distinguished_name(certificate).map_err(|error| PeerNameError::Certificate(error.to_string()))?;
    Ok(Principal::user(mapping.apply(&name)?))
}
