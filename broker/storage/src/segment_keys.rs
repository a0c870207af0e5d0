//! The wrapped data keys in the headers of a log's segments, for moving them under another key-encryption key.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use cadastre_keys::{HeldKey, KeyError, Replacement, StoreFuture, WrappedKey, WrappedKeyStore};

use crate::segment::{segment_id, segment_path};
use crate::segment_header::{COPY_LENGTH, HEADER_LENGTH, HeaderReading, SegmentHeader};

/// What comes before a segment's id in the name of its holder. Ids have a fixed number of digits, so that names sort as
/// they do.
const HOLDER: &str = "segment/";

/// The headers of the segments in a log's directory. Works beside an open log: headers change in nothing but the wrapped
/// key, which an open log has read already.
#[derive(Debug, Clone)]
pub struct SegmentKeyStore {
    directory: PathBuf,
}

impl SegmentKeyStore {
    /// The segments in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<HeldKey>, KeyError> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list segments", &error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| failed("list segments", &error))?.path();
            ids.extend(segment_id(&path));
        }
        ids.sort_unstable();
        let mut held = Vec::new();
        for id in ids {
            let holder = holder(id);
            if after.is_some_and(|after| holder.as_str() <= after) {
                continue;
            }
            if held.len() >= limit {
                break;
            }
            // Gone meanwhile, or of no use to anybody: the log says so when it is opened.
            let Some(header) = read(&segment_path(&self.directory, id))? else { continue };
            let context = SegmentHeader::encryption_context(&header.cluster_id, id, header.version);
            held.push(HeldKey { holder, wrapped: header.wrapped_key, context });
        }
        Ok(held)
    }

    fn exchange(
        &self,
        holder: &str,
        expected: &WrappedKey,
        new: &WrappedKey,
    ) -> Result<Replacement, KeyError> {
        let action = "replace the key of a segment";
        let Some(id) = holder.strip_prefix(HOLDER).and_then(|id| id.parse::<u64>().ok()) else {
            return Ok(Replacement::Gone);
        };
        let path = segment_path(&self.directory, id);
        let Some(mut header) = read(&path)? else { return Ok(Replacement::Gone) };
        if header.wrapped_key != *expected {
            return Ok(Replacement::Changed);
        }
        header.wrapped_key = new.clone();
        let encoded = header.encode().map_err(|error| failed(action, &io::Error::other(error)))?;
        let file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Replacement::Gone),
            Err(error) => return Err(failed(action, &error)),
        };
        write_copies(&file, &encoded).map_err(|error| failed(action, &error))?;
        Ok(Replacement::Done)
    }
}

/// The second copy first, and each durable before the next: whenever this ends, one copy is whole, and two whole ones wrap
/// the same data key.
fn write_copies(file: &File, encoded: &[u8]) -> io::Result<()> {
    let (first, second) = encoded.split_at(COPY_LENGTH);
    file.write_all_at(second, COPY_LENGTH as u64)?;
    file.sync_data()?;
    file.write_all_at(first, 0)?;
    file.sync_data()
}

fn holder(id: u64) -> String {
    format!("{HOLDER}{id:020}")
}

fn failed(action: &'static str, error: &io::Error) -> KeyError {
    KeyError::Store { action, reason: error.to_string(), retriable: false }
}

/// The header of a segment; nothing when there is no file, or no header that can be believed.
fn read(path: &Path) -> Result<Option<SegmentHeader>, KeyError> {
    let mut block = vec![0; usize::try_from(HEADER_LENGTH).unwrap_or_default()];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut block, 0));
    match read {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
            return Ok(None);
        }
        Err(error) => return Err(failed("read the header of a segment", &error)),
    }
    Ok(match SegmentHeader::read(&block) {
        HeaderReading::Sound(header) | HeaderReading::Repaired(header) => Some(header),
        HeaderReading::Newer(_) | HeaderReading::Damaged => None,
    })
}

impl WrappedKeyStore for SegmentKeyStore {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        Box::pin(std::future::ready(self.list(after, limit)))
    }

    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, Replacement> {
        Box::pin(std::future::ready(self.exchange(holder, expected, new)))
    }
}
