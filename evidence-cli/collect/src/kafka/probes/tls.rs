//! Which TLS versions and suites a listener settles on, and which certificates it shows.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cadastre_protocol::client::{Address, open_tcp, suite_name};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, SupportedCipherSuite, SupportedProtocolVersion,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::legacy_hello::{Reply, WEAK_SUITES, exchange};
use super::{Context, certificates};
use crate::kafka::recorder::Trouble;

/// A handshake that needs more than this from the server is cut off, in bytes.
const MAXIMUM_HANDSHAKE_BYTES: usize = 256 * 1024;

/// A TLS version to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

/// All of them, oldest first.
pub(super) const VERSIONS: &[Version] = &[Version::Tls10, Version::Tls11, Version::Tls12, Version::Tls13];

impl Version {
    /// As Java and Kafka's configuration write it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "TLSv1",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    const fn code(self) -> u16 {
        match self {
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    fn supported(self) -> Option<&'static SupportedProtocolVersion> {
        match self {
            Self::Tls10 | Self::Tls11 => None,
            Self::Tls12 => Some(&rustls::version::TLS12),
            Self::Tls13 => Some(&rustls::version::TLS13),
        }
    }
}

/// The outcome of one version.
#[derive(Debug, Default)]
struct Findings {
    accepted: bool,
    cipher_suites: Vec<String>,
    weak_cipher_suites: Vec<&'static str>,
    alert: Option<String>,
    ended: Option<&'static str>,
    client_certificate_requested: bool,
    certificates: Vec<CertificateDer<'static>>,
}

/// Tries one version; for those that a library speaks, every suite of its own as well.
pub(super) async fn probe(
    context: &Context<'_>,
    address: &Address,
    version: Version,
) -> Result<Value, Trouble> {
    let mut findings = match version.supported() {
        Some(supported) => probe_modern(context, address, supported).await?,
        None => Findings::default(),
    };
    if version != Version::Tls13 && (findings.accepted || version.supported().is_none()) {
        probe_weak(context, address, version, &mut findings).await?;
    }
    let trust =
        certificates::check(&findings.certificates, context.authorities, address, context.recorder.seconds());
    Ok(json!({
        "accepted": findings.accepted,
        "tls_version": version.name(),
        "cipher_suites": findings.cipher_suites,
        "weak_cipher_suites": findings.weak_cipher_suites,
        "alert": findings.alert,
        "ended": findings.ended,
        "client_certificate_requested": findings.client_certificate_requested,
        "certificates": findings.certificates.iter().map(certificates::describe).collect::<Vec<_>>(),
        "trusted": trust.trusted,
        "trust_problem": trust.problem,
        "host_matches": trust.host_matches,
    }))
}

async fn probe_modern(
    context: &Context<'_>,
    address: &Address,
    version: &'static SupportedProtocolVersion,
) -> Result<Findings, Trouble> {
    let suites: Vec<SupportedCipherSuite> = aws_lc_rs::ALL_CIPHER_SUITES
        .iter()
        .copied()
        .filter(|suite| suite.version().version == version.version)
        .collect();
    let first = Handshake::run(context, address, version, &suites).await?;
    let mut findings = Findings {
        accepted: !first.certificates.is_empty(),
        client_certificate_requested: first.client_certificate_requested,
        certificates: first.certificates,
        ..Findings::default()
    };
    if !findings.accepted {
        (findings.alert, findings.ended) = first.end.explain();
        return Ok(findings);
    }
    for suite in suites {
        let alone = Handshake::run(context, address, version, &[suite]).await?;
        if !alone.certificates.is_empty() {
            findings.cipher_suites.push(suite_name(suite.suite()));
        }
    }
    findings.cipher_suites.sort();
    Ok(findings)
}

/// Offers weak suites until the server takes none of those that are left.
async fn probe_weak(
    context: &Context<'_>,
    address: &Address,
    version: Version,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let mut offered: Vec<u16> = WEAK_SUITES.iter().map(|(code, _name)| *code).collect();
    for round in 0..=WEAK_SUITES.len() {
        let mut stream = open_tcp(address, context.connect_timeout).await?;
        let hello = exchange(&mut stream, version.code(), &offered, &address.host);
        let reply = timeout(context.connect_timeout, hello)
            .await
            .map_err(|_elapsed| {
                Trouble::failed("timed-out", format!("`{address}` did not answer a TLS hello in time"))
            })?
            .map_err(|error| Trouble::failed("unreachable", error.to_string()))?;
        match reply {
            Reply::ServerHello { version: settled, suite } if settled == version.code() => {
                findings.accepted = true;
                let Some(position) = offered.iter().position(|code| *code == suite) else { break };
                offered.remove(position);
                let known = WEAK_SUITES.iter().find(|(code, _name)| *code == suite);
                findings.weak_cipher_suites.extend(known.map(|(_code, name)| *name));
            }
            refused => {
                // The first refusal of a version explains it; later ones only say that no suite is left.
                if round == 0 && !findings.accepted {
                    (findings.alert, findings.ended) = match refused {
                        Reply::Alert(name) => (Some(name), Some("alert")),
                        Reply::Closed => (None, Some("closed")),
                        Reply::NotTls | Reply::ServerHello { .. } => (None, Some("not-tls")),
                    };
                }
                break;
            }
        }
    }
    findings.weak_cipher_suites.sort_unstable();
    Ok(())
}

/// One handshake, as far as it went.
struct Handshake {
    /// Leaf first; empty unless the server settled on what was offered.
    certificates: Vec<CertificateDer<'static>>,
    client_certificate_requested: bool,
    end: End,
}

/// How a handshake ended.
enum End {
    Complete,
    Closed,
    Refused(rustls::Error),
}

impl End {
    /// Alert and `ended` as records name them.
    fn explain(self) -> (Option<String>, Option<&'static str>) {
        match self {
            Self::Complete => (None, None),
            Self::Closed => (None, Some("closed")),
            Self::Refused(rustls::Error::AlertReceived(alert)) => {
                (Some(alert_name(u8::from(alert))), Some("alert"))
            }
            // A server that settles on another version is refused by the library.
            Self::Refused(rustls::Error::PeerIncompatible(_) | rustls::Error::PeerMisbehaved(_)) => {
                (None, Some("other-version"))
            }
            Self::Refused(_) => (None, Some("not-tls")),
        }
    }
}

impl Handshake {
    async fn run(
        context: &Context<'_>,
        address: &Address,
        version: &'static SupportedProtocolVersion,
        suites: &[SupportedCipherSuite],
    ) -> Result<Self, Trouble> {
        let provider = CryptoProvider { cipher_suites: suites.to_vec(), ..aws_lc_rs::default_provider() };
        let observer = Arc::new(Observer::new(&provider));
        let tls = |error: rustls::Error| Trouble::failed("tls", error.to_string());
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .map_err(tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Observer>::clone(&observer))
            .with_client_cert_resolver(Arc::<Observer>::clone(&observer));
        let name = ServerName::try_from(address.host.clone())
            .map_err(|error| Trouble::failed("bad-address", error.to_string()))?;
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(tls)?;
        let mut stream = open_tcp(address, context.connect_timeout).await?;
        let end = timeout(context.connect_timeout, drive(&mut connection, &mut stream))
            .await
            .map_err(|_elapsed| {
                Trouble::failed("timed-out", format!("`{address}` did not answer a TLS handshake in time"))
            })?
            .map_err(|error| Trouble::failed("unreachable", error.to_string()))?;
        Ok(Self {
            certificates: observer.certificates(),
            client_certificate_requested: observer.requested.load(Ordering::Relaxed),
            end,
        })
    }
}

/// Exchanges bytes until the handshake is over.
async fn drive(connection: &mut ClientConnection, stream: &mut TcpStream) -> Result<End, io::Error> {
    let mut received = 0;
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let mut outgoing = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut outgoing)?;
        }
        if let Err(error) = stream.write_all(&outgoing).await {
            return if is_closed(&error) { Ok(End::Closed) } else { Err(error) };
        }
        if !connection.is_handshaking() {
            return Ok(End::Complete);
        }
        let count = match stream.read(&mut chunk).await {
            Ok(0) => return Ok(End::Closed),
            Ok(count) => count,
            Err(error) if is_closed(&error) => return Ok(End::Closed),
            Err(error) => return Err(error),
        };
        received += count;
        let mut incoming = chunk.get(..count).unwrap_or_default();
        while !incoming.is_empty() {
            connection.read_tls(&mut incoming)?;
            if let Err(error) = connection.process_new_packets() {
                return Ok(End::Refused(error));
            }
        }
        if received > MAXIMUM_HANDSHAKE_BYTES {
            return Err(io::Error::other("the handshake does not end"));
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
    )
}

/// Believes everything and remembers what it was shown.
#[derive(Debug)]
struct Observer {
    algorithms: rustls::crypto::WebPkiSupportedAlgorithms,
    chain: Mutex<Vec<CertificateDer<'static>>>,
    requested: AtomicBool,
}

impl Observer {
    fn new(provider: &CryptoProvider) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
            chain: Mutex::default(),
            requested: AtomicBool::new(false),
        }
    }

    fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain =
            std::iter::once(end_entity).chain(intermediates).map(|one| one.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
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

impl ResolvesClientCert for Observer {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.requested.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// An alert's name as the TLS specifications write it.
pub(super) fn alert_name(code: u8) -> String {
    let alert = AlertDescription::from(code);
    if let AlertDescription::Unknown(code) = alert {
        return format!("alert_{code}");
    }
    let mut name = String::new();
    for (position, character) in format!("{alert:?}").chars().enumerate() {
        if character.is_ascii_uppercase() && position > 0 {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_specifications_names() {
        assert_eq!(alert_name(70), "protocol_version");
        assert_eq!(alert_name(40), "handshake_failure");
        assert_eq!(alert_name(116), "certificate_required");
        assert_eq!(alert_name(200), "alert_200");
    }
}
