//! A histogram that many threads add to without waiting for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds, in microseconds. The last bucket is without one.
const BOUNDS_US: [u64; 14] = [
    250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];
const BUCKETS: usize = BOUNDS_US.len() + 1;

/// Durations, counted by how long they are.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    /// All durations together, in microseconds.
    pub(crate) sum_us: u64,
    pub(crate) count: u64,
    /// Upper bounds in microseconds, infinite for the last, with how many durations lie in each bucket alone.
    pub(crate) buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn observe(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| microseconds <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// What was counted so far. The count is that of the buckets, so that it fits them whoever adds meanwhile.
    pub(crate) fn snapshot(&self) -> Snapshot {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
        let bounds = BOUNDS_US.iter().map(|bound| *bound as f64).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Snapshot { sum_us: self.sum_us.load(Ordering::Relaxed), count, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for microseconds in [0, 250, 251, 30_000_000, 30_000_001, 60_000_000] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let Snapshot { sum_us, count, buckets } = histogram.snapshot();
        assert_eq!((sum_us, count), (120_000_502, 6));
        let filled: Vec<_> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(250.0, 2), (500.0, 1), (30_000_000.0, 1), (f64::INFINITY, 2)]);
    }
}
