//! A small admin client for reading any Kafka cluster: ours, Apache Kafka, and whatever else speaks the protocol.
//!
//! One connection, one request at a time. Everything the peer sends is bounded in size and time, and every error says
//! what the caller can do about it.

mod address;
mod error;
mod scram;
mod security;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use address::{Address, AddressError};
pub use error::{ClientError, code_name, is_authorization};
pub use scram::ScramError;
pub use security::{Identity, Mechanism, Password, Sasl, Security, Tls, Trust, read_authorities};

use crate::api::{self, ApiRange, EnvelopeError, RequestHeader, SupportedApis};
use crate::frame::{FrameLimits, FrameReader, FrameWriter};
use crate::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest,
};
use crate::{ApiKey, Request, ResponseError, StrBytes};
use scram::ScramClient;

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// What the client calls itself in every request.
    pub client_id: String,
    /// Transport and login.
    pub security: Security,
    /// For the TCP connection and the TLS handshake, each.
    pub connect_timeout: Duration,
    /// For each request.
    pub request_timeout: Duration,
    /// For each response.
    pub limits: FrameLimits,
}

impl ClientConfig {
    /// Ten seconds for everything, responses up to 16 MiB.
    #[must_use]
    pub fn new(client_id: impl Into<String>, security: Security) -> Self {
        Self {
            client_id: client_id.into(),
            security,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            limits: FrameLimits::of(16 * 1024 * 1024),
        }
    }
}

/// What was agreed on in the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The IANA name of the cipher suite.
    pub cipher_suite: String,
    /// The server's certificates, leaf first.
    pub certificates: Vec<CertificateDer<'static>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// A connection to one broker.
pub struct Client {
    address: Address,
    client_id: StrBytes,
    request_timeout: Duration,
    reader: FrameReader<ReadHalf<Box<dyn Stream>>>,
    writer: FrameWriter<WriteHalf<Box<dyn Stream>>>,
    tls: Option<TlsSession>,
    api_versions: ApiVersionsResponse,
    supported: SupportedApis,
    next_correlation_id: i32,
    usable: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("address", &self.address)
            .field("usable", &self.usable)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects, agrees on versions and logs in.
    ///
    /// # Errors
    ///
    /// Any [`ClientError`] but `Authorization` and `Refused`.
    pub async fn connect(address: &Address, config: &ClientConfig) -> Result<Self, ClientError> {
        let mut client = Self::connect_without_login(address, config).await?;
        if let Some(sasl) = &config.security.sasl {
            client.login(sasl).await?;
        }
        Ok(client)
    }

    /// Connects and agrees on versions, but does not log in even where the configuration could. What a listener does
    /// with such a client is what probes look at.
    ///
    /// # Errors
    ///
    /// Any [`ClientError`] but `Authentication`, `ServerAuthentication`, `Authorization` and `Refused`.
    pub async fn connect_without_login(
        address: &Address,
        config: &ClientConfig,
    ) -> Result<Self, ClientError> {
        let (stream, tls) = open(address, config).await?;
        let (reader, writer) = tokio::io::split(stream);
        let mut client = Self {
            address: address.clone(),
            client_id: StrBytes::from_string(config.client_id.clone()),
            request_timeout: config.request_timeout,
            reader: FrameReader::new(reader, config.limits),
            writer: FrameWriter::new(writer),
            tls,
            api_versions: ApiVersionsResponse::default(),
            supported: SupportedApis::default(),
            next_correlation_id: 0,
            usable: true,
        };
        client.negotiate().await?;
        Ok(client)
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The TLS session, if there is one.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsSession> {
        self.tls.as_ref()
    }

    /// The broker's answer to `ApiVersions`, features included.
    #[must_use]
    pub const fn api_versions(&self) -> &ApiVersionsResponse {
        &self.api_versions
    }

    /// The version in which a request would be sent.
    ///
    /// # Errors
    ///
    /// [`ClientError::UnsupportedApi`].
    pub fn version_of<R: Request>(&self) -> Result<i16, ClientError> {
        let api = api_of::<R>()?;
        let own = ApiRange { api, minimum: R::VERSIONS.min, maximum: R::VERSIONS.max };
        self.supported
            .negotiate(own)
            .ok_or_else(|| ClientError::UnsupportedApi { address: self.address.clone(), api })
    }

    /// Sends a request in the highest version both sides speak and waits for its response. Error codes inside the
    /// response are the caller's to look at: see [`ClientError::check_code`].
    ///
    /// # Errors
    ///
    /// Any [`ClientError`] but those about logging in. Unless [`ClientError::was_answered`], the connection is of no
    /// further use and every later call fails with [`ClientError::Closed`].
    pub async fn send<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        let version = self.version_of::<R>()?;
        self.send_version(version, request).await
    }

    /// As [`Client::send`], in a version of the caller's choice.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn send_version<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        let api = api_of::<R>()?;
        let frame = self.exchange(api, version, request).await?;
        let decoded = api::decode_response::<R>(version, frame);
        self.accept(decoded)
    }

    /// The SASL mechanisms the listener offers, `None` where it takes no SASL. Asks for a mechanism that does not
    /// exist, to which brokers answer with the list.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    pub async fn sasl_mechanisms(&mut self) -> Result<Option<Vec<String>>, ClientError> {
        let request =
            SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("CADASTRE-PROBE"));
        let response = self.send(&request).await?;
        Ok(match ResponseError::try_from_code(response.error_code) {
            Some(ResponseError::UnsupportedSaslMechanism) | None => {
                Some(response.mechanisms.iter().map(ToString::to_string).collect())
            }
            Some(_) => None,
        })
    }

    /// Ends the connection.
    pub async fn close(mut self) {
        // The peer may be gone already; there is nothing left to lose either way.
        drop(timeout(Duration::from_secs(1), self.writer.shutdown()).await);
    }

    async fn negotiate(&mut self) -> Result<(), ClientError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("cadastre"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let version = <ApiVersionsRequest as crate::Message>::VERSIONS.max;
        let frame = self.exchange(ApiKey::ApiVersions, version, &request).await?;
        // A broker that does not know the version answers with version 0, whatever was asked (KIP-511).
        let code =
            frame.get(4..6).and_then(|code| code.first_chunk::<2>()).map(|code| i16::from_be_bytes(*code));
        let response = if code == Some(ResponseError::UnsupportedVersion.code()) {
            let offered = self.accept(api::decode_response::<ApiVersionsRequest>(0, frame))?;
            let version = SupportedApis::from_response(&offered)
                .negotiate(ApiRange { api: ApiKey::ApiVersions, minimum: 0, maximum: version })
                .unwrap_or(0);
            let request = if version >= 3 { request } else { ApiVersionsRequest::default() };
            self.send_version(version, &request).await?
        } else {
            self.accept(api::decode_response::<ApiVersionsRequest>(version, frame))?
        };
        ClientError::check_code(response.error_code, None)?;
        self.supported = SupportedApis::from_response(&response);
        self.api_versions = response;
        Ok(())
    }

    async fn login(&mut self, sasl: &Sasl) -> Result<(), ClientError> {
        let handshake =
            SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(sasl.mechanism.name()));
        // Version 1 means that tokens travel in SaslAuthenticate requests, not bare (KIP-152).
        if !self.supported.supports(ApiKey::SaslHandshake, 1) {
            return Err(ClientError::UnsupportedApi {
                address: self.address.clone(),
                api: ApiKey::SaslHandshake,
            });
        }
        let offered = self.send_version(1, &handshake).await?;
        if let Some(code) = ResponseError::try_from_code(offered.error_code) {
            let message = if offered.mechanisms.is_empty() {
                format!("{} is not possible on this listener", sasl.mechanism.name())
            } else {
                let names: Vec<&str> = offered.mechanisms.iter().map(|name| &**name).collect();
                format!("{} is not among its mechanisms {}", sasl.mechanism.name(), names.join(", "))
            };
            return Err(ClientError::Authentication { address: self.address.clone(), code, message });
        }
        match ScramClient::new(sasl.mechanism, &sasl.username) {
            None => {
                // RFC 4616: authorization identity (none), user name and password between zero bytes.
                let token =
                    zeroize::Zeroizing::new(format!("\0{}\0{}", sasl.username, sasl.password.expose()));
                self.sasl_token(Bytes::copy_from_slice(token.as_bytes())).await?;
            }
            Some(client) => self.login_scram(client, sasl).await?,
        }
        Ok(())
    }

    async fn login_scram(
        &mut self,
        client: Result<ScramClient, ScramError>,
        sasl: &Sasl,
    ) -> Result<(), ClientError> {
        let address = self.address.clone();
        let untrusted = |error: ScramError| ClientError::ServerAuthentication {
            address: address.clone(),
            message: error.to_string(),
        };
        let not_text = || untrusted(ScramError::Malformed("not UTF-8"));
        let client = client.map_err(untrusted)?;
        let server_first = self.sasl_token(Bytes::from(client.first_message())).await?;
        let server_first = String::from_utf8(server_first.to_vec()).map_err(|_bytes| not_text())?;
        let password = sasl.password.clone();
        // Thousands of hash rounds do not belong on a thread that serves other connections.
        let derived =
            tokio::task::spawn_blocking(move || client.final_message(&server_first, &password)).await;
        let (message, expected) = match derived {
            Ok(result) => result.map_err(untrusted)?,
            Err(_cancelled) => return Err(ClientError::Closed { address }),
        };
        let server_final = self.sasl_token(Bytes::from(message)).await?;
        let server_final = std::str::from_utf8(&server_final).map_err(|_bytes| not_text())?;
        expected.check(server_final).map_err(untrusted)
    }

    async fn sasl_token(&mut self, token: Bytes) -> Result<Bytes, ClientError> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(token);
        let response: SaslAuthenticateResponse = self.send(&request).await?;
        match ResponseError::try_from_code(response.error_code) {
            None => Ok(response.auth_bytes),
            Some(code) => {
                let message = response.error_message.as_deref().filter(|text| !text.is_empty());
                Err(ClientError::Authentication {
                    address: self.address.clone(),
                    code,
                    message: message.map_or_else(|| code_name(code), str::to_owned),
                })
            }
        }
    }

    /// Sends one request and returns the response frame. Marks the connection unusable unless one came back.
    async fn exchange<R: Request>(
        &mut self,
        api: ApiKey,
        version: i16,
        request: &R,
    ) -> Result<Bytes, ClientError> {
        if !self.usable {
            return Err(ClientError::Closed { address: self.address.clone() });
        }
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        let header = RequestHeader { api, version, correlation_id, client_id: Some(self.client_id.clone()) };
        let payload = api::encode_request(&header, request).map_err(ClientError::Unwritable)?;

        self.usable = false;
        let (reader, writer) = (&mut self.reader, &mut self.writer);
        let trip = async {
            writer.write_frame(&payload).await?;
            reader.read_frame().await
        };
        let frame = match timeout(self.request_timeout, trip).await {
            Err(_elapsed) => {
                return Err(ClientError::TimedOut { address: self.address.clone(), what: "a request" });
            }
            Ok(Err(error)) => return Err(ClientError::from_frame(&self.address, error)),
            Ok(Ok(None)) => return Err(ClientError::Closed { address: self.address.clone() }),
            Ok(Ok(Some(frame))) => frame,
        };
        match frame.first_chunk::<4>().map(|id| i32::from_be_bytes(*id)) {
            Some(id) if id == correlation_id => {
                self.usable = true;
                Ok(frame)
            }
            Some(id) => Err(ClientError::Malformed {
                address: self.address.clone(),
                detail: format!("response {id} to request {correlation_id}"),
            }),
            None => Err(ClientError::Malformed {
                address: self.address.clone(),
                detail: format!("response of {} bytes", frame.len()),
            }),
        }
    }

    fn accept<T>(&mut self, decoded: Result<(i32, T), EnvelopeError>) -> Result<T, ClientError> {
        match decoded {
            Ok((_correlation_id, response)) => Ok(response),
            Err(error) => {
                self.usable = false;
                Err(ClientError::Malformed { address: self.address.clone(), detail: error.to_string() })
            }
        }
    }
}

/// Opens the TCP connection.
///
/// # Errors
///
/// [`ClientError::Unreachable`], [`ClientError::TimedOut`].
pub async fn open_tcp(address: &Address, limit: Duration) -> Result<TcpStream, ClientError> {
    let unreachable = |source| ClientError::Unreachable { address: address.clone(), source };
    let connect = TcpStream::connect((address.host.as_str(), address.port));
    let tcp = timeout(limit, connect)
        .await
        .map_err(|_elapsed| ClientError::TimedOut { address: address.clone(), what: "a connection attempt" })?
        .map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    Ok(tcp)
}

async fn open(
    address: &Address,
    config: &ClientConfig,
) -> Result<(Box<dyn Stream>, Option<TlsSession>), ClientError> {
    let tcp = open_tcp(address, config.connect_timeout).await?;
    let Some(tls) = &config.security.tls else { return Ok((Box::new(tcp), None)) };
    let name = ServerName::try_from(address.host.clone()).map_err(|error| ClientError::Tls {
        address: address.clone(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls.config()));
    let stream = timeout(config.connect_timeout, connector.connect(name, tcp))
        .await
        .map_err(|_elapsed| ClientError::TimedOut { address: address.clone(), what: "a TLS handshake" })?
        .map_err(|source| ClientError::Tls { address: address.clone(), source })?;
    let (_tcp, connection) = stream.get_ref();
    let session = TlsSession {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher_suite: connection
            .negotiated_cipher_suite()
            .map(|suite| suite_name(suite.suite()))
            .unwrap_or_default(),
        certificates: connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect(),
    };
    Ok((Box::new(stream), Some(session)))
}

/// The IANA name of a cipher suite. rustls writes `TLS13_` where the registry has `TLS_`.
#[must_use]
pub fn suite_name(suite: rustls::CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

fn api_of<R: Request>() -> Result<ApiKey, ClientError> {
    ApiKey::try_from(R::KEY).map_err(|()| ClientError::Unwritable(EnvelopeError::UnknownApi { key: R::KEY }))
}
