//! Where this room gets the time from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in milliseconds since the epoch: the machine's, or one that a test sets.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `now_ms` until [`Clock::set`]; clones share the hand.
    #[must_use]
    pub fn fixed(now_ms: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Moves a fixed clock; does nothing to the machine's.
    pub fn set(&self, now_ms: i64) {
        if let Some(hand) = &self.0 {
            hand.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Some(hand) => hand.load(Ordering::Relaxed),
            None => system_now_ms(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock type that everything else asks")]
fn system_now_ms() -> i64 {
    // A clock set before 1970 reads as the epoch; nothing here needs times before it.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(hand) => write!(formatter, "Clock::fixed({})", hand.load(Ordering::Relaxed)),
            None => formatter.write_str("Clock::system()"),
        }
    }
}
