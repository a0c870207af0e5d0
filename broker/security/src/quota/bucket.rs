//! The token bucket that limits changes of the cluster (KIP-599), where one large request must not block for as long
//! as a sampled rate would.

use super::rate::Window;

/// A bucket that fills at the rate of the quota up to one window's worth, and may go below zero.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenBucket {
    state: Option<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    tokens: f64,
    updated_ms: i64,
}

impl TokenBucket {
    /// Takes tokens out, whether or not they are there.
    pub(super) fn take(&mut self, window: Window, limit: f64, tokens: f64, now_ms: i64) {
        let held = self.held(window, limit, now_ms);
        self.state = Some(State { tokens: burst(window, limit).min(held - tokens), updated_ms: now_ms });
    }

    /// How long until the bucket is back at zero, in milliseconds; zero when it is.
    pub(super) fn throttle_ms(&self, window: Window, limit: f64, now_ms: i64) -> f64 {
        (-self.held(window, limit, now_ms) / limit * 1000.0).max(0.0)
    }

    fn held(&self, window: Window, limit: f64, now_ms: i64) -> f64 {
        let burst = burst(window, limit);
        let Some(State { tokens, updated_ms }) = self.state else { return burst };
        #[expect(clippy::cast_precision_loss, reason = "no process runs for 2^52 milliseconds")]
        let elapsed_seconds = (now_ms - updated_ms).max(0) as f64 / 1000.0;
        burst.min(tokens + limit * elapsed_seconds)
    }
}

fn burst(window: Window, limit: f64) -> f64 {
    f64::from(window.samples) * f64::from(window.sample_ms) / 1000.0 * limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_beyond_the_bucket_waits_for_the_shortfall_only() {
        let window = Window { samples: 100, sample_ms: 1000 };
        let mut bucket = TokenBucket::default();
        bucket.take(window, 5.0, 560.0, 0);
        assert_eq!(bucket.throttle_ms(window, 5.0, 0), 12_000.0);
        assert_eq!(bucket.throttle_ms(window, 5.0, 4_000), 8_000.0);
        assert_eq!(bucket.throttle_ms(window, 5.0, 60_000), 0.0);
    }
}
