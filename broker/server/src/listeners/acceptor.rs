//! Binds listeners and gives each connection a task of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::connection;
use super::connection_limits::{ConnectionCounts, ConnectionLimits};
use super::listener_security::ListenerSecurity;
use crate::config::{BrokerConfig, ListenerConfig};
use crate::node::{BoundListener, Node};

/// How long connections may take to finish what they are doing when the broker stops.
const DRAIN: Duration = Duration::from_secs(5);
/// A pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds one listener.
///
/// # Errors
///
/// What the system said, such as that the port is taken.
pub(crate) async fn bind(config: &BrokerConfig, listener: &ListenerConfig) -> io::Result<TcpListener> {
    let address = resolve(&listener.host, listener.port).await?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    for (name, set) in [
        (
            "socket.send.buffer.bytes",
            TcpSocket::set_send_buffer_size as fn(&TcpSocket, u32) -> io::Result<()>,
        ),
        ("socket.receive.buffer.bytes", TcpSocket::set_recv_buffer_size),
    ] {
        // Only when given: the system tunes buffers better than Kafka's default does.
        if let Some(bytes) = config.given(name).and_then(|value| value.parse().ok()) {
            set(&socket, bytes)?;
        }
    }
    socket.bind(address)?;
    // Kafka's default of 50 drops connections when clients come back all at once.
    let backlog = config.given("socket.listen.backlog.size").and_then(|value| value.parse().ok());
    socket.listen(backlog.unwrap_or(1024))
}

async fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        return Ok(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port));
    }
    let unknown = || io::Error::new(io::ErrorKind::AddrNotAvailable, "host name has no address");
    lookup_host((host, port)).await?.next().ok_or_else(unknown)
}

/// Accepts connections until the broker stops, then gives them a moment to finish.
pub(crate) async fn accept(
    node: Arc<Node>,
    socket: TcpListener,
    listener: Arc<BoundListener>,
    security: Arc<ListenerSecurity>,
    counts: Arc<ConnectionCounts>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = node.stopped() => break,
            Some(_finished) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    admit(&mut connections, &node, stream, peer, &listener, &security, &counts);
                }
                Err(error) => {
                    tracing::warn!(%error, listener = %listener.config.name, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(socket);
    let drained = tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(listener = %listener.config.name, "connections cut off at shutdown");
    }
}

fn admit(
    connections: &mut JoinSet<()>,
    node: &Arc<Node>,
    stream: TcpStream,
    peer: SocketAddr,
    listener: &Arc<BoundListener>,
    security: &Arc<ListenerSecurity>,
    counts: &Arc<ConnectionCounts>,
) {
    let address = peer.ip().to_canonical();
    let limits = ConnectionLimits::current(&node.settings, address);
    let now_ms = node.clock.now_ms();
    match counts.admit(address, limits, now_ms) {
        Ok(slot) => {
            let held_back = Duration::from_millis(u64::from(node.quotas.connection(address, now_ms)));
            let node = Arc::clone(node);
            let listener = Arc::clone(listener);
            let security = Arc::clone(security);
            let open = listener.counts.accept();
            connections.spawn(async move {
                tokio::time::sleep(held_back).await;
                connection::serve(node, listener, security, stream, address).await;
                drop((slot, open));
            });
        }
        Err(error) => {
            listener.counts.refuse();
            tracing::debug!(%error, %address, "connection refused");
        }
    }
}
