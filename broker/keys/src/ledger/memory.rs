//! A ledger in memory, for tests and simulations; can be told to fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{KeyEvent, KeyLedger, LedgerError, LedgerFuture};

/// Keeps events in order and forgets them with the process. Not for production: nothing is durable.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    events: Mutex<Vec<KeyEvent>>,
    failing: AtomicBool,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded so far.
    #[must_use]
    pub fn events(&self) -> Vec<KeyEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes every append fail, or succeed again.
    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }
}

impl KeyLedger for MemoryLedger {
    fn append(&self, event: KeyEvent) -> LedgerFuture<'_> {
        Box::pin(async move {
            if self.failing.load(Ordering::SeqCst) {
                return Err(LedgerError::Unwritable { reason: "told to fail".to_owned() });
            }
            self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            Ok(())
        })
    }
}
