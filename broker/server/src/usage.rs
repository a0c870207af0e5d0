//! What this broker did since it started, counted: what a model of its cost needs. `docs/formats/usage.md` describes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cadastre_keys::ledger::LedgerFile;
use cadastre_storage::Storage;
use serde::Serialize;

/// The format's name and version.
const FORMAT: &str = "cadastre-usage/1";

/// Running counts.
#[derive(Debug)]
pub(crate) struct Usage {
    since_ms: i64,
    records_in: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    ledger: Arc<LedgerFile>,
}

/// The counts as they are told.
#[derive(Debug, Serialize)]
struct Told {
    format: &'static str,
    since_ms: i64,
    records_in: u64,
    bytes_in: u64,
    bytes_out: u64,
    object_writes: u64,
    object_reads: u64,
    object_deletes: u64,
    object_bytes_written: u64,
    object_bytes_read: u64,
    key_requests: u64,
}

impl Usage {
    pub(crate) fn new(since_ms: i64, ledger: Arc<LedgerFile>) -> Self {
        let zero = || AtomicU64::new(0);
        Self { since_ms, records_in: zero(), bytes_in: zero(), bytes_out: zero(), ledger }
    }

    /// Counts a batch that was acknowledged.
    pub(crate) fn appended(&self, records: i32, bytes: usize) {
        self.records_in.fetch_add(u64::try_from(records).unwrap_or_default(), Ordering::Relaxed);
        self.bytes_in.fetch_add(wide(bytes), Ordering::Relaxed);
    }

    /// Counts bytes of records that were handed out.
    pub(crate) fn fetched(&self, bytes: usize) {
        self.bytes_out.fetch_add(wide(bytes), Ordering::Relaxed);
    }

    /// Records and bytes that were acknowledged, and bytes that were handed out.
    pub(crate) fn records(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.records_in), read(&self.bytes_in), read(&self.bytes_out))
    }

    /// Events in the ledger of key uses since the start.
    pub(crate) fn key_events(&self) -> u64 {
        self.ledger.appended()
    }

    /// The counts as JSON.
    pub(crate) fn text(&self, storage: &Storage) -> Option<String> {
        let store = storage.store_counts();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let told = Told {
            format: FORMAT,
            since_ms: self.since_ms,
            records_in: read(&self.records_in),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            object_writes: store.puts,
            object_reads: store.gets.saturating_add(store.lists),
            object_deletes: store.deletes,
            object_bytes_written: store.bytes_written,
            object_bytes_read: store.bytes_read,
            key_requests: self.ledger.appended(),
        };
        serde_json::to_string(&told).ok()
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
