//! The HTTP listener: `/metrics`, `/health/live`, `/health/ready`.
//!
//! It is off unless `cadastre.monitoring.listener` names an address. There is neither TLS nor a login, so that address should be one
//! that only the operator's tools reach; what is answered tells numbers and nothing that clients sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::exposition;
use super::health::{Health, HealthCheck};

/// Connections at a time; further ones wait.
const CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(2);
/// How long a connection may last. Each answers one request, so that nobody holds a place for long.
const LIFETIME: Duration = Duration::from_secs(30);
/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 8 * 1024;
/// A pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is asked, once there is something to ask.
pub(crate) type Subject = Arc<OnceLock<HealthCheck>>;

/// The listener while it runs. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Monitoring {
    address: SocketAddr,
    subject: Subject,
    task: JoinSet<()>,
}

impl Monitoring {
    /// Binds the address and answers from now on that the broker is starting.
    ///
    /// # Errors
    ///
    /// What the system said, such as that the port is taken.
    pub(crate) async fn start(address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let subject = Subject::default();
        let mut task = JoinSet::new();
        task.spawn(accept(socket, Arc::clone(&subject)));
        Ok(Self { address, subject, task })
    }

    /// The address it got.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers no more, and gives the address back.
    pub(crate) async fn stop(mut self) {
        self.task.shutdown().await;
    }

    /// From now on the broker itself is asked.
    pub(crate) fn watch(&self, check: HealthCheck) {
        // Set once, by the one start of a broker.
        let _fresh = self.subject.set(check);
    }
}

async fn accept(socket: TcpListener, subject: Subject) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Never closed.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match socket.accept().await {
            Ok((stream, _peer)) => {
                let subject = Arc::clone(&subject);
                connections.spawn(async move {
                    serve(stream, subject).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the monitoring listener cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, subject: Subject) {
    let service = service_fn(move |request| {
        let subject = Arc::clone(&subject);
        async move { Ok::<_, Infallible>(answer(&request, &subject).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES).keep_alive(false);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    // Whoever asked is gone, or asked for nonsense and was told so.
    let _ended = tokio::time::timeout(LIFETIME, connection).await;
}

async fn answer(request: &Request<Incoming>, subject: &Subject) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD are answered\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => match subject.get().map(exposition::text) {
            Some(Ok(text)) => respond(StatusCode::OK, OPEN_METRICS, text),
            Some(Err(_unwritable)) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "not written\n"),
            None => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "starting\n"),
        },
        "/health/live" => match subject.get().is_some_and(HealthCheck::has_failed) {
            false => respond(StatusCode::OK, TEXT, "alive\n"),
            true => respond(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                "the storage takes no writes until a new start\n",
            ),
        },
        "/health/ready" => {
            let health = match subject.get() {
                Some(check) => check.health().await,
                None => Health::STARTING,
            };
            let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            respond(status, JSON, serde_json::to_string(&health).unwrap_or_default())
        }
        _ => respond(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /health/live and /health/ready\n"),
    }
}

fn respond(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
