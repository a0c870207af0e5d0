//! One segment file: the read side that everybody shares, and the write side that the committer owns.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cadastre_keys::KeyError;

use crate::config::StorageConfig;
use crate::descriptor::{Descriptor, Witness};
use crate::error::StorageError;
use crate::file_system::LogFile;
use crate::frame::{FrameDefect, FrameScope, OpenedFrame, open_frame, seal_frame};
use crate::log_keys::{FreshKey, Opener, Sealer};
use crate::segment_header::{FORMAT_VERSION, HEADER_LENGTH, SegmentHeader};

/// Digits of a segment's file name, as many as the largest id has.
const NAME_DIGITS: usize = 20;

/// Where segment `id` lies.
pub(crate) fn segment_path(directory: &Path, id: u64) -> PathBuf {
    directory.join(format!("{id:0NAME_DIGITS$}.wal"))
}

/// The id in a segment's file name; `None` for any other file.
pub(crate) fn segment_id(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".wal")?;
    let sound = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if sound { digits.parse().ok() } else { None }
}

/// A segment that can be read.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    /// The format it was written in.
    pub(crate) version: u32,
    pub(crate) path: PathBuf,
    pub(crate) key_id: String,
    pub(crate) created_at_ms: i64,
    file: Box<dyn LogFile>,
    key: Opener,
    scope: FrameScope,
    length: AtomicU64,
    live_bytes: AtomicU64,
}

/// Why a frame could not be read back.
#[derive(Debug)]
pub(crate) enum FrameReadError {
    File(io::Error),
    /// The lease of the segment's key is over: it says nothing about the frame.
    Expired,
    Defect(FrameDefect),
}

impl Segment {
    pub(crate) fn new(
        header: &SegmentHeader,
        path: PathBuf,
        file: Box<dyn LogFile>,
        key: Opener,
        length: u64,
    ) -> Self {
        Self {
            id: header.segment_id,
            path,
            version: header.version,
            key_id: header.wrapped_key.key_id.clone(),
            created_at_ms: header.created_at_ms,
            file,
            key,
            scope: FrameScope::new(&header.cluster_id, header.segment_id, header.version),
            length: AtomicU64::new(length),
            live_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn file(&self) -> &dyn LogFile {
        self.file.as_ref()
    }

    pub(crate) fn key(&self) -> &Opener {
        &self.key
    }

    pub(crate) fn scope(&self) -> &FrameScope {
        &self.scope
    }

    /// Bytes in the file that are durable.
    pub(crate) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    pub(crate) fn set_length(&self, length: u64) {
        self.length.store(length, Ordering::Relaxed);
    }

    /// Bytes of frames that hold records somebody may still read.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn read_frame(&self, position: u64, length: u32) -> Result<OpenedFrame, FrameReadError> {
        let length =
            usize::try_from(length).map_err(|_length| FrameReadError::Defect(FrameDefect::Header))?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, position).map_err(FrameReadError::File)?;
        let key = self.key.hold().map_err(|_expired| FrameReadError::Expired)?;
        open_frame(&self.scope, &key, &bytes).map_err(FrameReadError::Defect)
    }
}

/// Where a live frame of records lies. As long as it exists, its bytes count as live in the segment.
#[derive(Debug)]
pub(crate) struct FrameLocation {
    segment: Arc<Segment>,
    position: u64,
    length: u32,
}

impl FrameLocation {
    pub(crate) fn new(segment: Arc<Segment>, position: u64, length: u32) -> Self {
        segment.live_bytes.fetch_add(u64::from(length), Ordering::Relaxed);
        Self { segment, position, length }
    }

    pub(crate) const fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    pub(crate) const fn length(&self) -> u32 {
        self.length
    }
}

impl Drop for FrameLocation {
    fn drop(&mut self) {
        self.segment.live_bytes.fetch_sub(u64::from(self.length), Ordering::Relaxed);
    }
}

/// The segment that is being written. There is one writer, and it never opens a file that exists.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    segment: Arc<Segment>,
    key: Sealer,
    /// Where the first byte of `buffer` will lie.
    position: u64,
    buffer: Vec<u8>,
    previous: Option<Witness>,
}

impl SegmentWriter {
    /// Makes the file with its header, durably.
    pub(crate) fn create(config: &StorageConfig, id: u64, key: FreshKey) -> Result<Self, StorageError> {
        let path = segment_path(&config.directory, id);
        let failed = |action, source| StorageError::File { action, path: path.clone(), source };
        let FreshKey { sealer, opener, wrapped } = key;
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            segment_id: id,
            created_at_ms: config.clock.now_ms(),
            cluster_id: config.cluster_id.clone(),
            wrapped_key: wrapped,
        };
        let encoded = header.encode().map_err(|error| failed("create", io::Error::other(error)))?;
        let file_system = config.file_system.as_ref();
        let file = file_system.create(&path).map_err(|error| failed("create", error))?;
        file.append(&encoded).map_err(|error| failed("write", error))?;
        if config.fsync {
            file.sync().map_err(|error| failed("sync", error))?;
            file_system.sync_directory(&config.directory).map_err(|error| failed("sync", error))?;
        }
        let segment = Arc::new(Segment::new(&header, path.clone(), file, opener, HEADER_LENGTH));
        Ok(Self { segment, key: sealer, position: HEADER_LENGTH, buffer: Vec::new(), previous: None })
    }

    pub(crate) const fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// The key that frames are sealed under.
    pub(crate) const fn key(&mut self) -> &mut Sealer {
        &mut self.key
    }

    /// Length of the file once everything is flushed.
    pub(crate) fn end_position(&self) -> u64 {
        self.position.saturating_add(self.buffer.len() as u64)
    }

    /// What the next frame has to say about the one before it.
    pub(crate) const fn previous(&self) -> Option<Witness> {
        self.previous
    }

    /// Seals a frame into the buffer and tells its position and length.
    pub(crate) fn push(&mut self, descriptor: &Descriptor, body: &[u8]) -> Result<(u64, u32), KeyError> {
        let position = self.end_position();
        let scope = &self.segment.scope;
        let header = seal_frame(scope, self.key.key()?, descriptor, body, &mut self.buffer)?;
        self.previous = descriptor
            .batch
            .map(|batch| Witness { partition: batch.partition, end_offset: batch.end_offset() });
        let length = u32::try_from(header.frame_length())
            .map_err(|_length| KeyError::Cryptography { operation: "seal a frame over 4 GiB" })?;
        Ok((position, length))
    }

    /// Writes the buffer at once and makes it durable. After an error the segment must not be written again.
    ///
    /// # Errors
    /// [`StorageError::is_no_space`] when the disk was full and the file ends, durably, where it ended before. Any other
    /// error says that what is in the file is unknown until it is read again.
    pub(crate) fn flush(&mut self, fsync: bool) -> Result<(), StorageError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.write_out(fsync) {
            return Err(self.take_back(fsync).err().unwrap_or(error));
        }
        self.position = self.end_position();
        self.segment.set_length(self.position);
        self.buffer.clear();
        // One large group must not hold its memory for ever.
        self.buffer.shrink_to(1 << 20);
        Ok(())
    }

    fn write_out(&self, fsync: bool) -> Result<(), StorageError> {
        let failed = |action, source| StorageError::File { action, path: self.segment.path.clone(), source };
        self.segment.file.append(&self.buffer).map_err(|error| failed("write", error))?;
        if fsync {
            self.segment.file.sync().map_err(|error| failed("sync", error))?;
        }
        Ok(())
    }

    /// Cuts off what could not be written or synced. Nobody was told of it, and it must not be found by the next opening:
    /// after a failed sync the system shows bytes as written that a later sync no longer writes.
    fn take_back(&self, fsync: bool) -> Result<(), StorageError> {
        let failed = |action, source| {
            tracing::error!(segment = self.segment.id, error = %source, "what could not be written cannot be cut off either");
            StorageError::File { action, path: self.segment.path.clone(), source: io::Error::other(source) }
        };
        self.segment.file.truncate(self.position).map_err(|error| failed("truncate", error))?;
        if fsync {
            self.segment.file.sync().map_err(|error| failed("sync", error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_segment_ids() {
        let path = segment_path(Path::new("/log"), 42);
        assert_eq!(path, Path::new("/log/00000000000000000042.wal"));
        assert_eq!(segment_id(&path), Some(42));
        assert_eq!(segment_id(&segment_path(Path::new("/log"), u64::MAX)), Some(u64::MAX));
        for other in ["lock", "42.wal", "0000000000000000004x.wal", "00000000000000000042.wal.old"] {
            assert_eq!(segment_id(Path::new(other)), None, "{other}");
        }
    }
}
