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
use super::metered::{Metered, Share};
use super::session::{Reply, Session};
use crate::node::{BoundListener, Node};

/// How often a connection that is waited for is looked at.
const SLICE: Duration = Duration::from_secs(10);
/// What a peer in the middle of a frame must send in a slice not to count as stalled.
const SLOWEST_SLICE_BYTES: usize = 16 * 1024;
/// So many slices in a row may be stalled.
const MAXIMUM_STALLS: u32 = 3;

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
    match security.acceptor() {
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
    let share = node.request_memory.share();
    let mut reader = FrameReader::new(Metered::new(read_half, Arc::clone(&share)), limits(node, session));
    let mut writer = FrameWriter::new(write_half);
    let idle = Duration::from_millis(node.settings.number("connections.max.idle.ms").unsigned_abs());
    loop {
        reader.set_limits(limits(node, session));
        let deadline = match session.is_authenticated() {
            true if idle.is_zero() => None,
            true => Some(Instant::now() + idle),
            false => Some(handshake_deadline),
        };
        let frame = tokio::select! {
            () = node.stopped() => break,
            frame = next_frame(&mut reader, &share, deadline) => match frame {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(address = %session.address(), %error, "connection closed");
                    break;
                }
            },
        };
        let reply = session.answer(frame).await;
        share.release();
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

/// The next frame; `None` when the peer has ended the connection, said nothing until the deadline, or stopped in the
/// middle of a frame.
async fn next_frame<R: AsyncRead + Unpin>(
    reader: &mut FrameReader<R>,
    share: &Share,
    deadline: Option<Instant>,
) -> Result<Option<Bytes>, FrameError> {
    let mut stalls = 0;
    loop {
        let held = share.held();
        let slice = Instant::now() + SLICE;
        let until = deadline.map_or(slice, |deadline| deadline.min(slice));
        match timeout_at(until, reader.read_frame()).await {
            Ok(frame) => return frame,
            Err(_elapsed) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Ok(None),
            Err(_elapsed) => {}
        }
        let is_stalled = share.held() > 0 && share.held() < held.saturating_add(SLOWEST_SLICE_BYTES);
        stalls = if is_stalled { stalls + 1 } else { 0 };
        if stalls >= MAXIMUM_STALLS {
            return Ok(None);
        }
    }
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
