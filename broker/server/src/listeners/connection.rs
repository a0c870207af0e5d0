//! One connection from its first byte to its last.
//!
//! Requests are answered one at a time in the order they came, as Kafka does it: the next one is read when the answer
//! to the last one is on its way, and after the throttle time it was given (KIP-219).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cadastre_protocol::frame::{FrameError, FrameLimits, FrameReader, FrameWriter};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::listener_security::{ListenerSecurity, chain};
use super::session::{Reply, Session};
use crate::node::{BoundListener, Node};

/// Serves a connection until either side ends it.
pub(crate) async fn serve(
    node: Arc<Node>,
    listener: Arc<BoundListener>,
    security: Arc<ListenerSecurity>,
    stream: TcpStream,
    address: IpAddr,
) {
    let Ok(local) = stream.local_addr() else { return };
    // Without it, small answers wait for the peer's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "cannot disable Nagle's algorithm");
    }
    let deadline = Instant::now() + node.config.handshake_timeout;
    let mut session = Session::new(Arc::clone(&node), listener, Arc::clone(&security), address, local);
    match security.tls() {
        None => run(&node, &mut session, stream, deadline).await,
        Some(acceptor) => match timeout_at(deadline, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                if let Err(error) = session.set_peer_certificates(stream.get_ref().1.peer_certificates()) {
                    tracing::debug!(%address, error = %chain(&error), "client certificate refused");
                    return;
                }
                run(&node, &mut session, stream, deadline).await;
            }
            Ok(Err(error)) => tracing::debug!(%address, %error, "TLS handshake failed"),
            Err(_late) => tracing::debug!(%address, "TLS handshake took too long"),
        },
    }
}

async fn run<S: AsyncRead + AsyncWrite>(
    node: &Node,
    session: &mut Session,
    stream: S,
    handshake_deadline: Instant,
) {
    let (read_half, write_half) = tokio::io::split(stream);
    let mut reader = FrameReader::new(read_half, limits(node, session));
    let mut writer = FrameWriter::new(write_half);
    let idle = Duration::from_millis(node.settings.number("connections.max.idle.ms").unsigned_abs());
    loop {
        reader.set_limits(limits(node, session));
        let deadline = match session.is_authenticated() {
            true if idle.is_zero() => Instant::now() + Duration::from_secs(86_400),
            true => Instant::now() + idle,
            false => handshake_deadline,
        };
        let frame = tokio::select! {
            () = node.stopped() => break,
            frame = timeout_at(deadline, reader.read_frame()) => match frame {
                Ok(Ok(Some(frame))) => frame,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    tracing::debug!(address = %session.address(), %error, "connection closed");
                    break;
                }
                Err(_idle) => break,
            },
        };
        let reply = session.answer(frame).await;
        let patience = if idle.is_zero() { Duration::from_secs(600) } else { idle };
        if !matches!(timeout(patience, write(&mut writer, &reply)).await, Ok(Ok(()))) || reply.close {
            break;
        }
        if !reply.mute.is_zero() {
            tokio::select! {
                () = node.stopped() => break,
                () = tokio::time::sleep(reply.mute) => {}
            }
        }
    }
    // The peer may be gone already; then there is nothing left to end.
    let _closed = timeout(Duration::from_secs(1), writer.shutdown()).await;
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut FrameWriter<W>, reply: &Reply) -> Result<(), FrameError> {
    match &reply.payload {
        Some(payload) => writer.write_frame(payload).await,
        None => Ok(()),
    }
}

fn limits(node: &Node, session: &Session) -> FrameLimits {
    let name =
        if session.is_authenticated() { "socket.request.max.bytes" } else { "sasl.server.max.receive.size" };
    FrameLimits::of(u32::try_from(node.settings.number(name)).unwrap_or(0))
}

/// A payload and nothing else.
impl From<Bytes> for Reply {
    fn from(payload: Bytes) -> Self {
        Self { payload: Some(payload), mute: Duration::ZERO, close: false }
    }
}
