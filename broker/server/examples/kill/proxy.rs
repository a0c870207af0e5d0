//! A TCP forwarder that can be slow, or shut: connections through it end then, and new ones are dropped.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How bytes get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    /// Each piece of what the server answers is held back for so long.
    Slow(Duration),
    Shut,
}

/// Stands in front of a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    passage: watch::Sender<Passage>,
}

impl Proxy {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (passage, watched) = watch::channel(Passage::Open);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                if *watched.borrow() != Passage::Shut {
                    tokio::spawn(forward(here, upstream, watched.clone()));
                }
            }
        });
        Self { address, passage }
    }

    pub(crate) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

async fn forward(here: TcpStream, upstream: SocketAddr, passage: watch::Receiver<Passage>) {
    let Ok(there) = TcpStream::connect(upstream).await else { return };
    let (from_here, to_here) = here.into_split();
    let (from_there, to_there) = there.into_split();
    let mut shut = passage.clone();
    tokio::select! {
        () = copy(from_here, to_there, None) => {}
        () = copy(from_there, to_here, Some(passage)) => {}
        _ = shut.wait_for(|passage| *passage == Passage::Shut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passage: Option<watch::Receiver<Passage>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut buffer).await {
        let delay = match passage.as_ref().map(|passage| *passage.borrow()) {
            Some(Passage::Slow(delay)) => delay,
            _ => Duration::ZERO,
        };
        tokio::time::sleep(delay).await;
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
