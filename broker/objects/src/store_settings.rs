//! How much the object store may cost: time, attempts, requests at once, bytes.

use std::time::Duration;

/// Bounds of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Time for one attempt.
    pub request_timeout: Duration,
    /// How often a request is tried, the first time included.
    pub attempts: u32,
    /// Wait after the first failure; doubles with each further one.
    pub first_backoff: Duration,
    /// The longest wait between attempts.
    pub longest_backoff: Duration,
    /// Requests under way at once; further ones wait.
    pub concurrency: usize,
    /// The most bytes that one request reads or writes.
    pub maximum_request_bytes: u64,
}

impl Default for StoreSettings {
    /// 30 s, 4 attempts, 50 ms to 2 s between them, 64 requests at once, 256 MiB.
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            attempts: 4,
            first_backoff: Duration::from_millis(50),
            longest_backoff: Duration::from_secs(2),
            concurrency: 64,
            maximum_request_bytes: 256 << 20,
        }
    }
}

impl StoreSettings {
    /// The wait before attempt `attempt` (1 is the second). Up to half of it is taken off by `salt`, so that
    /// those who failed together do not come back together.
    pub(crate) fn backoff(&self, attempt: u32, salt: u32) -> Duration {
        let doubled = self.first_backoff.saturating_mul(1u32 << attempt.saturating_sub(1).min(16));
        let wait = doubled.min(self.longest_backoff);
        wait.saturating_sub(wait.mul_f64(f64::from(salt % 1000) / 2000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ_by_salt() {
        let settings = StoreSettings::default();
        let waits: Vec<_> = (1..9).map(|attempt| settings.backoff(attempt, 0).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(settings.backoff(40, 999).as_millis(), 1001);
    }
}
