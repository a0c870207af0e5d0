//! Counts what half-received requests hold in memory, over all connections.
//!
//! A frame's memory grows as its bytes arrive, so what strangers can make the broker hold is what they have really
//! sent. This bounds the sum: beyond it, connections whose own share is large are closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Connections that hold no more than this are left alone even when the sum is over the limit, so that ordinary
/// requests go on.
const SMALL_BYTES: usize = 1 << 20;

/// What all connections hold, and how much they may.
#[derive(Debug)]
pub(crate) struct RequestMemory {
    held: AtomicUsize,
    limit: usize,
}

/// What one connection holds; dropping it gives that back.
#[derive(Debug)]
pub(crate) struct Share {
    all: Arc<RequestMemory>,
    held: AtomicUsize,
}

impl RequestMemory {
    /// A bound of so many bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), limit })
    }

    /// What all connections hold, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The share of a new connection.
    pub(crate) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share { all: Arc::clone(self), held: AtomicUsize::new(0) })
    }
}

impl Share {
    /// Bytes received and not given back.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Gives everything back, when a request has been answered.
    pub(crate) fn release(&self) {
        let held = self.held.swap(0, Ordering::Relaxed);
        self.all.held.fetch_sub(held, Ordering::Relaxed);
    }

    /// Counts received bytes.
    fn take(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.all.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether this connection must go for the sum to come down.
    fn is_too_much(&self) -> bool {
        self.held() > SMALL_BYTES && self.all.held.load(Ordering::Relaxed) > self.all.limit
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Metered<R> {
    stream: R,
    share: Arc<Share>,
}

impl<R> Metered<R> {
    /// Counts the bytes of `stream` in `share`.
    pub(crate) fn new(stream: R, share: Arc<Share>) -> Self {
        Self { stream, share }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Metered<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.share.is_too_much() {
            let error = io::Error::new(io::ErrorKind::OutOfMemory, "over queued.max.request.bytes");
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.share.take(buffer.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn large_holders_are_refused_and_small_ones_are_not() {
        let memory = RequestMemory::new(3 << 20);
        let source = vec![0; 4 << 20];
        let (large, small) = (memory.share(), memory.share());
        let mut sink = Vec::new();
        let refused = Metered::new(source.as_slice(), Arc::clone(&large)).read_to_end(&mut sink).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        let mut little = Metered::new(source.as_slice(), Arc::clone(&small));
        little.read_exact(&mut [0; 1000]).await.unwrap();
        drop(large);
        assert_eq!(memory.held.load(Ordering::Relaxed), 1000);
        small.release();
        assert_eq!(memory.held.load(Ordering::Relaxed), 0);
    }
}
