//! Time for leases and for the ledger, so that tests and the simulation can turn it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The two times that keys need.
pub trait KeyClock: fmt::Debug + Send + Sync {
    /// Time since some fixed moment: never goes back, and goes on while the machine sleeps.
    fn elapsed(&self) -> Duration;

    /// Milliseconds since the epoch, for records; may jump.
    fn wall_ms(&self) -> i64;
}

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemKeyClock;

impl KeyClock for SystemKeyClock {
    // The monotonic clock of the standard library stands still while Linux is suspended, and would let a key
    // live on for as long.
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        )
    }

    #[expect(clippy::disallowed_methods, reason = "this type is the clock")]
    fn wall_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A clock that moves only when told to; for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualKeyClock {
    elapsed_ms: AtomicU64,
}

impl ManualKeyClock {
    /// A clock at its start: elapsed 0, wall clock 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves both times on.
    pub fn advance(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.elapsed_ms.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl KeyClock for ManualKeyClock {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }

    fn wall_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.elapsed_ms.load(Ordering::SeqCst)).unwrap_or(i64::MAX);
        1_767_225_600_000_i64.saturating_add(elapsed)
    }
}
