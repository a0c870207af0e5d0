//! Where a packet is read from: a file, or bytes in memory. Reads name their place, so that threads share one source.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes of known length that can be read from any place.
pub trait PacketSource: Send + Sync {
    /// The length in bytes.
    ///
    /// # Errors
    /// When the operating system does not say.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// When the source ends before the buffer is full, or cannot be read.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl PacketSource for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = start
            .checked_add(buffer.len())
            .and_then(|end| self.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl<S: PacketSource + ?Sized> PacketSource for &S {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }
}

impl PacketSource for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        self.as_slice().length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buffer, offset)
    }
}

/// A packet in a file.
#[derive(Debug)]
pub struct FileSource(File);

impl FileSource {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }
}

impl PacketSource for FileSource {
    fn length(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    #[cfg(unix)]
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = buffer.get_mut(read..).unwrap_or_default();
            offset += read as u64;
        }
        Ok(())
    }
}

/// A stretch of a source, read from front to back.
pub(crate) struct Stretch<'a> {
    source: &'a dyn PacketSource,
    offset: u64,
    end: u64,
}

/// How much is asked of the operating system at once.
const BUFFER: usize = 1 << 18;

impl<'a> Stretch<'a> {
    /// The `size` bytes from `offset` on, buffered.
    pub(crate) fn buffered(source: &'a dyn PacketSource, offset: u64, size: u64) -> BufReader<Self> {
        BufReader::with_capacity(BUFFER, Self::unbuffered(source, offset, size))
    }

    /// The `size` bytes from `offset` on, for readers that ask for much at once.
    pub(crate) const fn unbuffered(source: &'a dyn PacketSource, offset: u64, size: u64) -> Self {
        Self { source, offset, end: offset.saturating_add(size) }
    }
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.source.read_exact_at(part, self.offset)?;
        self.offset += length as u64;
        Ok(length)
    }
}
