//! Reads ledger files line by line, checking the chain as it goes.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::LedgerError;
use super::entry::{LEDGER_VERSION, LedgerEntry, sha256_hex};

const PREFIX: &str = "key-ledger-";
const SUFFIX: &str = ".ndjson";
/// No entry is near this long; what is longer was not written by us.
const LONGEST_LINE: u64 = 256 << 10;

/// Hash that the first entry follows.
pub(super) const ZERO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A place in the chain: the entry with `sequence` has `hash`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: String,
}

impl Link {
    pub(super) fn start() -> Self {
        Self { sequence: 0, hash: ZERO_HASH.to_owned() }
    }
}

/// What a file holds after its last complete line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileEnd {
    /// Bytes in complete lines.
    pub(super) complete_bytes: u64,
    /// Bytes after the last line feed.
    pub(super) torn_bytes: u64,
}

/// The name of file `number`.
pub(super) fn file_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number:010}{SUFFIX}"))
}

/// The numbers of the files there are, ascending.
pub(super) fn file_numbers(directory: &Path) -> Result<Vec<u64>, LedgerError> {
    let failed = |source| LedgerError::File { action: "list", path: directory.to_owned(), source };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        numbers.extend(number.and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Gives each entry of a file to `each`, after checking that it follows the one before. `before` is the link
/// before the file's first entry; `None` takes the first entry's word for it.
pub(super) fn read_file(
    path: &Path,
    mut before: Option<Link>,
    mut each: impl FnMut(&LedgerEntry, &Link) -> Result<(), LedgerError>,
) -> Result<(Option<Link>, FileEnd), LedgerError> {
    let failed = |source| LedgerError::File { action: "read", path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut end = FileEnd { complete_bytes: 0, torn_bytes: 0 };
    let mut number = 0_u64;
    let mut line = Vec::new();
    loop {
        line.clear();
        number = number.saturating_add(1);
        let length = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(failed)? as u64;
        if length == 0 {
            return Ok((before, end));
        }
        let altered = |reason: &str| LedgerError::Altered {
            path: path.to_owned(),
            line: number,
            reason: reason.to_owned(),
        };
        let Some(content) = line.strip_suffix(b"\n") else {
            if length == LONGEST_LINE {
                return Err(altered("longer than any entry"));
            }
            end.torn_bytes = length;
            return Ok((before, end));
        };
        let entry = parse(path, number, content)?;
        if let Some(before) = &before {
            if entry.previous != before.hash {
                return Err(altered("it does not follow from the entry before"));
            }
            if Some(entry.sequence) != before.sequence.checked_add(1) {
                return Err(altered("its sequence does not follow"));
            }
        }
        let link = Link { sequence: entry.sequence, hash: sha256_hex(content) };
        each(&entry, &link)?;
        before = Some(link);
        end.complete_bytes = end.complete_bytes.saturating_add(length);
    }
}

fn parse(path: &Path, line: u64, content: &[u8]) -> Result<LedgerEntry, LedgerError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let altered = |reason: String| LedgerError::Altered { path: path.to_owned(), line, reason };
    let Versioned { version } =
        serde_json::from_slice(content).map_err(|error| altered(format!("not an entry: {error}")))?;
    if version > LEDGER_VERSION {
        let newest_known = LEDGER_VERSION;
        return Err(LedgerError::Newer { path: path.to_owned(), line, version, newest_known });
    }
    let entry: LedgerEntry =
        serde_json::from_slice(content).map_err(|error| altered(format!("not an entry: {error}")))?;
    let canonical = entry.line().map_err(|error| altered(error.to_string()))?;
    if canonical != content {
        return Err(altered("not in canonical form".to_owned()));
    }
    Ok(entry)
}

/// An I/O error of `action` on `path`.
pub(super) fn file_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl Fn(io::Error) -> LedgerError + Copy + 'a {
    move |source| LedgerError::File { action, path: path.to_owned(), source }
}
