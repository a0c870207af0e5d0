//! The ledger of every use of a key: hash-chained, synced before the key is given out, verifiable by others.
//!
//! The format is in `docs/formats/key-ledger.md`, the reasons in RFC 2.

mod entry;
mod error;
mod file;
mod head;
mod memory;
mod reader;
mod verify;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

pub(crate) use entry::rfc3339;
pub use entry::{KeyEvent, KeyOperation, LEDGER_VERSION, LedgerEntry};
pub use error::LedgerError;
pub use file::{LedgerFile, LedgerFileConfig};
pub use head::{LedgerHead, SignedLedgerHead};
pub use memory::MemoryLedger;
pub use verify::{LedgerReport, VerifyOptions, verify_ledger};

/// A future that a [`KeyLedger`] returns.
pub type LedgerFuture<'a> = Pin<Box<dyn Future<Output = Result<(), LedgerError>> + Send + 'a>>;

/// Where uses of keys are recorded.
pub trait KeyLedger: fmt::Debug + Send + Sync {
    /// Records one event; it is durable when this returns `Ok`.
    ///
    /// # Errors
    /// [`LedgerError`] when the event is not, or may not be, durable.
    fn append(&self, event: KeyEvent) -> LedgerFuture<'_>;
}
