//! The wrapped data keys in the headers of a log's segments, for moving them under another key-encryption key.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use cadastre_keys::{HeldKey, KeyError, Replacement, StoreFuture, UntoldKey, WrappedKey, WrappedKeyStore};

use crate::segment::{segment_id, segment_path};
use crate::segment_header::{COPY_LENGTH, FORMAT_VERSION, HEADER_LENGTH, HeaderReading, SegmentHeader};

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

    /// The ids of all segments, in order.
    fn ids(&self) -> Result<Vec<u64>, KeyError> {
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
        Ok(ids)
    }

    fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<HeldKey>, KeyError> {
        let mut held = Vec::new();
        for id in self.ids()? {
            let holder = holder(id);
            if after.is_some_and(|after| holder.as_str() <= after) {
                continue;
            }
            if held.len() >= limit {
                break;
            }
            // What is left out here is told by `untold`, unless it is gone or there is nothing in it.
            let Header::Sound(header) = read(&segment_path(&self.directory, id))? else { continue };
            let context = SegmentHeader::encryption_context(&header.cluster_id, id, header.version);
            held.push(HeldKey { holder, wrapped: header.wrapped_key, context });
        }
        Ok(held)
    }

    fn list_untold(&self) -> Result<Vec<UntoldKey>, KeyError> {
        let mut untold = Vec::new();
        for id in self.ids()? {
            if let Header::Untold(reason) = read(&segment_path(&self.directory, id))? {
                untold.push(UntoldKey { holder: holder(id), reason });
            }
        }
        Ok(untold)
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
        let Header::Sound(mut header) = read(&path)? else { return Ok(Replacement::Gone) };
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

/// What the header of a segment says of the segment's key.
enum Header {
    Sound(SegmentHeader),
    /// There is no file any more, or nothing behind a header that was never finished: no record is under its key.
    Nothing,
    /// There are records, and no header that could be believed.
    Untold(String),
}

fn read(path: &Path) -> Result<Header, KeyError> {
    match read_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Header::Nothing),
        other => other.map_err(|error| failed("read the header of a segment", &error)),
    }
}

fn read_file(path: &Path) -> io::Result<Header> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut block = vec![0; usize::try_from(length.min(HEADER_LENGTH)).unwrap_or_default()];
    file.read_exact_at(&mut block, 0)?;
    Ok(match SegmentHeader::read(&block) {
        HeaderReading::Sound(header) | HeaderReading::Repaired(header) => {
            // The key is bound to the id, so that under another name it unwraps nowhere.
            if segment_id(path) == Some(header.segment_id) {
                Header::Sound(header)
            } else {
                Header::Untold(format!("its header is that of segment {}", header.segment_id))
            }
        }
        HeaderReading::Newer(version) => Header::Untold(format!(
            "it has format version {version}, this release knows up to {FORMAT_VERSION}"
        )),
        HeaderReading::Damaged if length <= HEADER_LENGTH => Header::Nothing,
        HeaderReading::Damaged => Header::Untold("both copies of its header are damaged".to_owned()),
    })
}

impl WrappedKeyStore for SegmentKeyStore {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        Box::pin(std::future::ready(self.list(after, limit)))
    }

    fn untold(&self) -> StoreFuture<'_, Vec<UntoldKey>> {
        Box::pin(std::future::ready(self.list_untold()))
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
