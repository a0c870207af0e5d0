//! Which certificates a cluster's brokers show.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::connection::Connection;
use crate::error::{DrillError, file};

/// The longest wait for a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// The SHA-256 of the certificate of every address in the bootstrap list, in hexadecimal. Nothing is sent; whether the
/// certificate is to be trusted is for the Kafka clients to decide.
///
/// # Errors
/// When an address does not answer with a certificate.
pub(crate) async fn certificates(connection: &Connection) -> Result<Vec<String>, DrillError> {
    let mut all = Vec::new();
    for address in connection.bootstrap.split(',') {
        let shown = tokio::time::timeout(PATIENCE, certificate(address)).await.map_err(|_elapsed| {
            DrillError::TooLate {
                what: format!("a TLS handshake with {address}"),
                seconds: PATIENCE.as_secs(),
            }
        })?;
        all.push(shown.map_err(file("open TLS with", address.as_ref()))?);
    }
    Ok(all)
}

async fn certificate(address: &str) -> std::io::Result<String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Witness(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name =
        ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(std::io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let shown = shown.ok_or_else(|| std::io::Error::other("no certificate was shown"))?;
    Ok(hex::encode(Sha256::digest(shown)))
}

/// Looks at a certificate without judging it.
#[derive(Debug)]
struct Witness(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
