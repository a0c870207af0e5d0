//! Frames: a 4-byte big-endian length, then that many bytes (Kafka protocol guide, "Common request and response
//! structure").
//!
//! The length comes from a peer that may not even have authenticated, so it is compared with a limit before it is
//! used, and the buffer grows only as bytes really arrive.

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How much is asked of the allocator at a time while a frame arrives.
const READ_CHUNK_BYTES: usize = 64 * 1024;
/// The length prefix.
const PREFIX_BYTES: usize = 4;

/// How large a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// The largest frame that is read, in bytes, without its length prefix.
    pub maximum_bytes: u32,
}

impl FrameLimits {
    /// For peers that have not proven who they are: Kafka's default for `sasl.server.max.receive.size`, 512 KiB.
    pub const BEFORE_AUTHENTICATION: Self = Self { maximum_bytes: 512 * 1024 };
    /// Kafka's default for `socket.request.max.bytes`, 100 MiB.
    pub const DEFAULT: Self = Self { maximum_bytes: 100 * 1024 * 1024 };

    /// A limit of so many bytes.
    #[must_use]
    pub const fn of(maximum_bytes: u32) -> Self {
        Self { maximum_bytes }
    }
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why no frame could be read or written. Every kind means that the connection cannot be used any further.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length prefix is negative: the peer does not speak Kafka, or the stream is out of step.
    #[error("frame length {length} is negative")]
    Negative {
        /// The length as read.
        length: i32,
    },
    /// The frame is larger than this connection accepts.
    #[error("frame of {length} bytes is over the limit of {limit}")]
    TooLarge {
        /// The announced or actual length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u32,
    },
    /// The peer closed the connection in the middle of a frame.
    #[error("connection closed after {received} bytes of an unfinished frame")]
    Torn {
        /// Bytes received of the unfinished frame, prefix included.
        received: usize,
    },
    /// The transport failed.
    #[error("connection failed")]
    Io(#[from] std::io::Error),
}

/// Reads frames from a stream.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    limits: FrameLimits,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader that refuses frames over `limits`.
    pub fn new(stream: R, limits: FrameLimits) -> Self {
        Self { stream, limits, buffer: BytesMut::new() }
    }

    /// Changes the limits for the frames that follow, as after authentication.
    pub fn set_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// The next frame without its prefix, or `None` when the peer closed the connection between two frames.
    ///
    /// Cancel safe: bytes that arrived before a cancellation are kept for the next call.
    ///
    /// # Errors
    ///
    /// See [`FrameError`]; the connection cannot be used after any of them.
    pub async fn read_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            let missing = match self.announced_bytes()? {
                Some(length) if self.buffer.len() >= PREFIX_BYTES + length => {
                    self.buffer.advance(PREFIX_BYTES);
                    let frame = self.buffer.split_to(length).freeze();
                    return Ok(Some(frame));
                }
                Some(length) => PREFIX_BYTES + length - self.buffer.len(),
                None => READ_CHUNK_BYTES.min(4096),
            };
            self.buffer.reserve(missing.min(READ_CHUNK_BYTES));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.len() {
                    0 => Ok(None),
                    received => Err(FrameError::Torn { received }),
                };
            }
        }
    }

    /// Bytes held for frames not yet handed out: what this connection costs in memory.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// The stream and whatever was read beyond the last frame.
    pub fn into_parts(self) -> (R, Bytes) {
        (self.stream, self.buffer.freeze())
    }

    fn announced_bytes(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = i32::from_be_bytes(*prefix);
        let Ok(unsigned) = u32::try_from(length) else { return Err(FrameError::Negative { length }) };
        let limit = self.limits.maximum_bytes;
        if unsigned > limit {
            return Err(FrameError::TooLarge { length: u64::from(unsigned), limit });
        }
        usize::try_from(unsigned)
            .map(Some)
            .map_err(|_wide| FrameError::TooLarge { length: u64::from(unsigned), limit })
    }
}

/// Writes frames to a stream.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// A writer over `stream`.
    pub fn new(stream: W) -> Self {
        Self { stream }
    }

    /// Writes one frame and flushes it.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLarge`] when the payload does not fit the 31-bit length, before anything is written;
    /// [`FrameError::Io`] when the transport fails.
    pub async fn write_frame(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        self.write_parts(&[payload]).await
    }

    /// Writes one frame made of several pieces, without joining them in memory first, and flushes it.
    ///
    /// # Errors
    ///
    /// As [`FrameWriter::write_frame`].
    pub async fn write_parts(&mut self, parts: &[&[u8]]) -> Result<(), FrameError> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let length = i32::try_from(total)
            .map_err(|_wide| FrameError::TooLarge { length: total as u64, limit: i32::MAX.unsigned_abs() })?;
        match parts {
            // Small single frames leave in one write, so that TLS makes one record of them.
            [payload] if payload.len() <= READ_CHUNK_BYTES => {
                let mut joined = Vec::with_capacity(PREFIX_BYTES + payload.len());
                joined.extend_from_slice(&length.to_be_bytes());
                joined.extend_from_slice(payload);
                self.stream.write_all(&joined).await?;
            }
            _ => {
                self.stream.write_all(&length.to_be_bytes()).await?;
                for part in parts {
                    self.stream.write_all(part).await?;
                }
            }
        }
        self.stream.flush().await?;
        Ok(())
    }

    /// Ends the stream in this direction.
    ///
    /// # Errors
    ///
    /// [`FrameError::Io`] when the transport fails.
    pub async fn shutdown(&mut self) -> Result<(), FrameError> {
        Ok(self.stream.shutdown().await?)
    }

    /// The stream.
    pub fn into_inner(self) -> W {
        self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8], limit: u32) -> FrameReader<&[u8]> {
        FrameReader::new(bytes, FrameLimits::of(limit))
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in() {
        let mut wire = Vec::new();
        let mut writer = FrameWriter::new(&mut wire);
        writer.write_frame(b"first").await.unwrap();
        writer.write_parts(&[b"sec", b"", b"ond"]).await.unwrap();
        writer.write_frame(b"").await.unwrap();

        let mut reader = reader(&wire, 16);
        assert_eq!(reader.read_frame().await.unwrap().unwrap(), "first");
        assert_eq!(reader.read_frame().await.unwrap().unwrap(), "second");
        assert_eq!(reader.read_frame().await.unwrap().unwrap(), "");
        assert!(reader.read_frame().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn eight_bytes_asking_for_gigabytes_allocate_nothing() {
        let mut reader = reader(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1024);
        let error = reader.read_frame().await.unwrap_err();
        assert!(matches!(error, FrameError::TooLarge { length: 0x7fff_ffff, limit: 1024 }), "{error}");
        assert!(reader.buffered_bytes() <= 8192, "{}", reader.buffered_bytes());
    }

    #[tokio::test]
    async fn a_negative_length_is_refused() {
        let error = reader(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1024).read_frame().await.unwrap_err();
        assert!(matches!(error, FrameError::Negative { length: -1 }), "{error}");
    }

    #[tokio::test]
    async fn a_large_announcement_costs_only_what_arrives() {
        let mut wire = (100u32 * 1024 * 1024).to_be_bytes().to_vec();
        wire.extend_from_slice(&[0; 100]);
        let mut reader = FrameReader::new(wire.as_slice(), FrameLimits::DEFAULT);
        let error = reader.read_frame().await.unwrap_err();
        assert!(matches!(error, FrameError::Torn { received: 104 }), "{error}");
        assert!(reader.buffered_bytes() <= 2 * READ_CHUNK_BYTES, "{}", reader.buffered_bytes());
    }

    #[tokio::test]
    async fn limits_change_between_frames() {
        let mut wire = Vec::new();
        let mut writer = FrameWriter::new(&mut wire);
        writer.write_frame(b"tiny").await.unwrap();
        writer.write_frame(&[7; 100]).await.unwrap();

        let mut reader = reader(&wire, 8);
        assert_eq!(reader.read_frame().await.unwrap().unwrap(), "tiny");
        reader.set_limits(FrameLimits::of(100));
        assert_eq!(reader.read_frame().await.unwrap().unwrap().len(), 100);
    }

    #[tokio::test]
    async fn a_cancelled_read_loses_no_bytes() {
        let (mut peer, local) = tokio::io::duplex(64);
        let mut reader = FrameReader::new(local, FrameLimits::DEFAULT);
        peer.write_all(&[0, 0, 0, 3, b'a']).await.unwrap();
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), reader.read_frame()).await;
        assert!(waited.is_err(), "the frame is not complete yet");
        peer.write_all(b"bc").await.unwrap();
        assert_eq!(reader.read_frame().await.unwrap().unwrap(), "abc");
    }
}
