//! Size, CRC-32 and SHA-256 of a stream, taken in one pass.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// What a packet keeps about some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) size: u64,
    pub(crate) checksum: u32,
    pub(crate) sha256: Digest,
}

impl Measured {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, checksum: crc32fast::hash(bytes), sha256: Digest::of(bytes) }
    }

    /// Reads a stream to its end.
    pub(crate) fn read(content: &mut dyn Read) -> io::Result<Self> {
        let mut measuring = Measuring::new(content);
        let mut buffer = vec![0; 1 << 18];
        while measuring.read(&mut buffer)? > 0 {}
        Ok(measuring.finish())
    }
}

/// Passes bytes on and measures them on the way.
pub(crate) struct Measuring<R> {
    inner: R,
    size: u64,
    checksum: crc32fast::Hasher,
    sha256: Sha256,
}

impl<R: Read> Measuring<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, size: 0, checksum: crc32fast::Hasher::new(), sha256: Sha256::new() }
    }

    pub(crate) fn finish(self) -> Measured {
        Measured {
            size: self.size,
            checksum: self.checksum.finalize(),
            sha256: Digest(self.sha256.finalize().into()),
        }
    }
}

impl<R: Read> Read for Measuring<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        self.size += read as u64;
        self.checksum.update(bytes);
        self.sha256.update(bytes);
        Ok(read)
    }
}
