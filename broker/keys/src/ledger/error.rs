//! What can go wrong with the ledger, and what verification finds.

use std::io;
use std::path::PathBuf;

use crate::signing::SigningError;

/// Why the ledger cannot be written, or is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An entry could not be made durable; told to each caller that waited for it.
    #[error("key ledger cannot be written: {reason}")]
    Unwritable {
        /// Why.
        reason: String,
    },
    /// Another process writes this ledger.
    #[error("key ledger `{directory}` is in use by another process", directory = directory.display())]
    InUse {
        /// The ledger.
        directory: PathBuf,
    },
    /// The ledger was closed.
    #[error("key ledger is closed")]
    Closed,
    /// Entries that were acknowledged are missing at the end.
    #[error("key ledger ends at entry {found}, entry {expected} was acknowledged: entries were removed")]
    Truncated {
        /// The last entry.
        found: u64,
        /// The head's.
        expected: u64,
    },
    /// Entries are missing at the start, and no entry says that they were retired.
    #[error("key ledger starts at entry {found}, and nothing says that those before were retired")]
    StartMissing {
        /// The first entry.
        found: u64,
    },
    /// There are files, and no head.
    #[error("`{path}` is missing beside ledger files", path = path.display())]
    HeadMissing {
        /// Where it should lie.
        path: PathBuf,
    },
    /// The head cannot be read, or contradicts the entries.
    #[error("head of the key ledger is refused: {reason}")]
    Head {
        /// Why.
        reason: String,
    },
    /// The head's signature is missing, or not what was expected.
    #[error("head of the key ledger is not signed as expected")]
    HeadSignature {
        /// Why.
        source: SigningError,
    },
    /// A line is not what was written.
    #[error("`{path}` line {line} was altered: {reason}", path = path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote this.
    #[error("`{path}` line {line} has version {version}, newest known is {newest_known}", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Its version.
        version: u64,
        /// The newest that this program reads.
        newest_known: u64,
    },
}

impl LedgerError {
    /// Whether appending again may succeed without anybody repairing the ledger.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Unwritable { .. })
    }
}
