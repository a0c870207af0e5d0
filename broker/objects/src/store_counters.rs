//! What was asked of the object store, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Running counts, shared by all clones of a store.
#[derive(Debug, Default)]
pub(crate) struct StoreCounters {
    puts: AtomicU64,
    gets: AtomicU64,
    deletes: AtomicU64,
    lists: AtomicU64,
    retries: AtomicU64,
    timeouts: AtomicU64,
    failures: AtomicU64,
    bytes_written: AtomicU64,
    bytes_read: AtomicU64,
}

/// Counts since the store was opened. Attempts count once each; bytes are those of successful requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Attempts to write an object.
    pub puts: u64,
    /// Attempts to read a range or suffix.
    pub gets: u64,
    /// Attempts to delete an object.
    pub deletes: u64,
    /// Listings begun.
    pub lists: u64,
    /// Attempts after a failed one.
    pub retries: u64,
    /// Attempts that took too long.
    pub timeouts: u64,
    /// Requests that failed for good, missing and existing objects apart.
    pub failures: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Bytes read.
    pub bytes_read: u64,
}

/// One count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    Put,
    Get,
    Delete,
    List,
    Retry,
    Timeout,
    Failure,
    BytesWritten,
    BytesRead,
}

impl StoreCounters {
    pub(crate) fn add(&self, count: Count, amount: u64) {
        let counter = match count {
            Count::Put => &self.puts,
            Count::Get => &self.gets,
            Count::Delete => &self.deletes,
            Count::List => &self.lists,
            Count::Retry => &self.retries,
            Count::Timeout => &self.timeouts,
            Count::Failure => &self.failures,
            Count::BytesWritten => &self.bytes_written,
            Count::BytesRead => &self.bytes_read,
        };
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> StoreCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreCounts {
            puts: load(&self.puts),
            gets: load(&self.gets),
            deletes: load(&self.deletes),
            lists: load(&self.lists),
            retries: load(&self.retries),
            timeouts: load(&self.timeouts),
            failures: load(&self.failures),
            bytes_written: load(&self.bytes_written),
            bytes_read: load(&self.bytes_read),
        }
    }
}
