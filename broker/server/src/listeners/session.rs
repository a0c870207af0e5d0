//! What a connection has proven, and how its frames become answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bytes::Bytes;
use cadastre_protocol::ApiKey;
use cadastre_protocol::ResponseError;
use cadastre_protocol::StrBytes;
use cadastre_protocol::api::{self, EnvelopeError, RequestHeader};
use cadastre_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use cadastre_security::Principal;
use cadastre_security::sasl::{SaslMechanism, SaslServer, SaslStep};
use cadastre_security::tls::PeerNameError;
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use super::listener_security::ListenerSecurity;
use crate::dispatch;
use crate::dispatch::context::RequestContext;
use crate::node::{BoundListener, Node};

/// What goes back for one frame.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The response, if there is one.
    pub(crate) payload: Option<Bytes>,
    /// How long nothing more is read.
    pub(crate) mute: Duration,
    /// Whether the connection ends.
    pub(crate) close: bool,
}

impl Reply {
    /// The connection ends without an answer.
    pub(crate) const CLOSE: Self = Self { payload: None, mute: Duration::ZERO, close: true };
    /// The request has no answer.
    pub(crate) const NOTHING: Self = Self { payload: None, mute: Duration::ZERO, close: false };
}

/// When what a client presented ends, in milliseconds since 1970; `None` when it does not.
type Until = Option<i64>;

/// How far a connection has come in proving who it is.
enum Exchange {
    /// No mechanism chosen.
    Idle,
    /// Tokens go back and forth; the flag says that they come without Kafka's envelope (handshake version 0).
    Running(Box<SaslServer>, bool),
}

/// A connection's identity and its place in the protocol.
pub(crate) struct Session {
    node: Arc<Node>,
    listener: Arc<BoundListener>,
    security: Arc<ListenerSecurity>,
    address: IpAddr,
    local: SocketAddr,
    principal: Option<Principal>,
    exchange: Exchange,
    /// When the client must have authenticated again, in milliseconds since the epoch (KIP-368).
    expires_ms: Option<i64>,
}

impl Session {
    /// A session for a fresh connection.
    pub(crate) fn new(
        node: Arc<Node>,
        listener: Arc<BoundListener>,
        security: Arc<ListenerSecurity>,
        address: IpAddr,
        local: SocketAddr,
    ) -> Self {
        let principal = (!listener.config.protocol.uses_sasl()).then(Principal::anonymous);
        let exchange = Exchange::Idle;
        Self { node, listener, security, address, local, principal, exchange, expires_ms: None }
    }

    /// Takes the identity from the certificate chain that the TLS handshake verified, if there is one.
    ///
    /// # Errors
    ///
    /// [`PeerNameError`] when the certificate gives no principal; the connection must be closed.
    pub(crate) fn set_peer_certificates(
        &mut self,
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Result<(), PeerNameError> {
        if !self.listener.config.protocol.uses_sasl() {
            self.principal = Some(self.security.principal(chain)?);
        }
        Ok(())
    }

    /// Where the client is.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether requests other than the handshake are answered.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.principal.is_some()
    }

    /// Answers one frame.
    pub(crate) async fn answer(&mut self, mut frame: Bytes) -> Reply {
        if let Exchange::Running(_, true) = self.exchange {
            return self.raw_token(&frame).await;
        }
        let header = match RequestHeader::decode(&mut frame) {
            Ok(header) => header,
            Err(error) => return self.refuse(&error),
        };
        let (api, started) = (header.api, Instant::now());
        let node = Arc::clone(&self.node);
        let answering = node.counters.begin();
        let reply = self.answer_api(header, frame).await;
        drop(answering);
        node.counters.answered(api, started.elapsed());
        reply
    }

    async fn answer_api(&mut self, header: RequestHeader, body: Bytes) -> Reply {
        let reply = match header.api {
            ApiKey::SaslHandshake => self.handshake(&header, body),
            ApiKey::SaslAuthenticate => self.authenticate(&header, body).await,
            ApiKey::ApiVersions => dispatch::api_versions(&self.node, &header, body),
            _ => return self.request(header, body).await,
        };
        reply.unwrap_or_else(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &EnvelopeError) -> Reply {
        tracing::debug!(address = %self.address, %error, "connection closed");
        Reply::CLOSE
    }

    async fn request(&self, header: RequestHeader, body: Bytes) -> Reply {
        let expired = self.expires_ms.is_some_and(|expires| self.node.clock.now_ms() > expires);
        let Some(principal) = self.principal.as_ref().filter(|_| !expired) else {
            tracing::debug!(address = %self.address, api = ?header.api, "request before authentication");
            return Reply::CLOSE;
        };
        let context = RequestContext {
            node: &self.node,
            listener: &self.listener,
            address: self.address,
            local: self.local,
            principal,
            header: &header,
            held_back_ms: AtomicU32::new(0),
        };
        match dispatch::answer(&context, body).await {
            Ok(reply) => reply,
            Err(error) => self.refuse(&error),
        }
    }

    fn handshake(&mut self, header: &RequestHeader, body: Bytes) -> Result<Reply, EnvelopeError> {
        if !self.node.apis.supports(header.api, header.version) {
            return Ok(Reply::CLOSE);
        }
        let request: SaslHandshakeRequest = api::decode_request(header.version, body)?;
        let mechanisms: Vec<StrBytes> =
            self.security.mechanisms().iter().map(|name| StrBytes::from_static_str(name.as_str())).collect();
        let response = SaslHandshakeResponse::default().with_mechanisms(mechanisms);
        let chosen =
            self.security.mechanisms().iter().find(|mechanism| mechanism.as_str() == &*request.mechanism);
        let (response, close) = match chosen {
            None if self.security.mechanisms().is_empty() => {
                (response.with_error_code(ResponseError::IllegalSaslState.code()), false)
            }
            None => (response.with_error_code(ResponseError::UnsupportedSaslMechanism.code()), true),
            Some(mechanism) => match self.begin(*mechanism, header.version == 0) {
                true => (response, false),
                false => return Ok(Reply::CLOSE),
            },
        };
        let payload = api::encode_response(header.api, header.version, header.correlation_id, &response)?;
        Ok(Reply { payload: Some(payload), mute: Duration::ZERO, close })
    }

    fn begin(&mut self, mechanism: SaslMechanism, raw: bool) -> bool {
        match SaslServer::begin(mechanism, self.security.credentials()) {
            Ok(server) => {
                self.exchange = Exchange::Running(Box::new(server), raw);
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot start a SASL exchange");
                false
            }
        }
    }

    async fn authenticate(&mut self, header: &RequestHeader, body: Bytes) -> Result<Reply, EnvelopeError> {
        if !self.node.apis.supports(header.api, header.version) {
            return Ok(Reply::CLOSE);
        }
        let request: SaslAuthenticateRequest = api::decode_request(header.version, body)?;
        let response = SaslAuthenticateResponse::default();
        let (response, close) = match self.step(&request.auth_bytes) {
            Ok((bytes, ended)) => {
                let lifetime = ended.map_or(0, |until_ms| self.start_lifetime(until_ms));
                (response.with_auth_bytes(bytes.into()).with_session_lifetime_ms(lifetime), false)
            }
            Err(message) => {
                self.delay_failure().await;
                let message = StrBytes::from_string(message);
                let code = ResponseError::SaslAuthenticationFailed.code();
                (response.with_error_code(code).with_error_message(Some(message)), true)
            }
        };
        let version = header.version;
        let response = if version == 0 { response.with_session_lifetime_ms(0) } else { response };
        let payload = api::encode_response(header.api, version, header.correlation_id, &response)?;
        Ok(Reply { payload: Some(payload), mute: Duration::ZERO, close })
    }

    /// A token without Kafka's envelope, as it follows a version 0 handshake.
    async fn raw_token(&mut self, token: &[u8]) -> Reply {
        match self.step(token) {
            Ok((bytes, ended)) => {
                if let Some(until_ms) = ended {
                    self.start_lifetime(until_ms);
                }
                Reply::from(Bytes::from(bytes))
            }
            Err(_message) => {
                self.delay_failure().await;
                Reply::CLOSE
            }
        }
    }

    /// Moves the exchange on: the bytes to send and, once it is over, until when it can hold at most; or what the client may know
    /// of its failure.
    fn step(&mut self, token: &[u8]) -> Result<(Vec<u8>, Option<Until>), String> {
        let Exchange::Running(server, _) = &mut self.exchange else {
            return Err("no SASL handshake came before".to_owned());
        };
        match server.step(token) {
            SaslStep::Continue(bytes) => Ok((bytes, None)),
            SaslStep::Done { principal, bytes, expires_ms } => {
                self.exchange = Exchange::Idle;
                if self.principal.as_ref().is_some_and(|current| *current != principal) {
                    self.principal = None;
                    return Err("re-authentication with a different principal is not allowed".to_owned());
                }
                self.principal = Some(principal);
                self.listener.counts.authenticated(true);
                Ok((bytes, Some(expires_ms)))
            }
            SaslStep::Failed { message, cause, claimed } => {
                self.exchange = Exchange::Idle;
                self.principal = None;
                self.record_failure(&cause.to_string(), claimed.as_deref().unwrap_or_default());
                Err(message)
            }
        }
    }

    fn record_failure(&self, cause: &str, claimed: &str) {
        self.listener.counts.authenticated(false);
        self.node.audit.record(&crate::audit::AuditEvent {
            principal: format!("User:{claimed}"),
            client_address: self.address.to_string(),
            client_id: "",
            listener: &self.listener.config.name,
            request: "SaslAuthenticate".to_owned(),
            operation: "AUTHENTICATE".to_owned(),
            resource_type: "CLUSTER".to_owned(),
            resource: cadastre_security::acl::CLUSTER_NAME.to_owned(),
            allowed: false,
            rule: cause.to_owned(),
            detail: None,
        });
    }

    async fn delay_failure(&self) {
        let milliseconds = self.node.settings.number("connection.failed.authentication.delay.ms");
        tokio::time::sleep(Duration::from_millis(milliseconds.unsigned_abs())).await;
    }

    /// How long the authentication holds, in milliseconds; 0 for ever. What was presented may end before the listener's own limit
    /// (KIP-368).
    fn start_lifetime(&mut self, until_ms: Until) -> i64 {
        let now_ms = self.node.clock.now_ms();
        let limit = self.listener.config.property("connections.max.reauth.ms");
        let limit = limit.and_then(|value| value.parse::<i64>().ok()).filter(|limit| *limit > 0);
        // A token that ends within this millisecond is not one that holds for ever.
        let left = until_ms.map(|until_ms| until_ms.saturating_sub(now_ms).max(1));
        let lifetime = left.into_iter().chain(limit).min();
        self.expires_ms = lifetime.map(|lifetime| now_ms.saturating_add(lifetime));
        lifetime.unwrap_or(0)
    }
}
