//! A rate over sliding samples, as Kafka's `Rate` over `SampledStat` measures it.

use std::collections::VecDeque;

/// How long to watch, in samples of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) samples: u32,
    pub(super) sample_ms: u32,
}

impl Window {
    fn whole_ms(self) -> i64 {
        i64::from(self.samples) * i64::from(self.sample_ms)
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    start_ms: i64,
    last_event_ms: i64,
    value: f64,
}

/// What was recorded lately.
#[derive(Debug, Clone, Default)]
pub(super) struct SampledRate {
    samples: VecDeque<Sample>,
}

impl SampledRate {
    /// Adds a value, possibly negative to take back an earlier one.
    pub(super) fn record(&mut self, window: Window, value: f64, now_ms: i64) {
        match self.samples.back_mut() {
            Some(current) if now_ms - current.start_ms < i64::from(window.sample_ms) => {
                current.value += value;
                current.last_event_ms = now_ms;
            }
            _ => self.samples.push_back(Sample { start_ms: now_ms, last_event_ms: now_ms, value }),
        }
        self.samples.retain(|sample| now_ms - sample.last_event_ms < window.whole_ms());
    }

    /// How long to hold back so that the rate falls to `limit`, in milliseconds: with an observed rate O over a time W,
    /// (O − limit) / limit · W. Zero within the limit.
    pub(super) fn throttle_ms(&self, window: Window, limit: f64, now_ms: i64) -> f64 {
        let elapsed_ms = self.elapsed_ms(window, now_ms);
        let total: f64 = self.samples.iter().map(|sample| sample.value).sum();
        let rate = total / (elapsed_ms / 1000.0);
        if rate > limit { (rate - limit) / limit * elapsed_ms } else { 0.0 }
    }

    /// The time that the samples stand for: at least all full samples but one, so that a rate just begun is not
    /// overstated.
    fn elapsed_ms(&self, window: Window, now_ms: i64) -> f64 {
        let oldest_ms = self.samples.front().map_or(now_ms, |sample| sample.start_ms);
        let elapsed_ms = (now_ms - oldest_ms).max(0);
        let missing = (i64::from(window.samples) - 1 - elapsed_ms / i64::from(window.sample_ms)).max(0);
        let elapsed_ms = (elapsed_ms + missing * i64::from(window.sample_ms)).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a window is far below 2^52 milliseconds")]
        let elapsed_ms = elapsed_ms as f64;
        elapsed_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 11, sample_ms: 1000 };

    #[test]
    fn a_burst_is_spread_over_the_window() {
        let mut rate = SampledRate::default();
        rate.record(WINDOW, 10_000.0, 0);
        assert_eq!(rate.throttle_ms(WINDOW, 1000.0, 0), 0.0);
        rate.record(WINDOW, 5_000.0, 0);
        // 1,500 a second over 10 seconds, half as much again as allowed.
        assert_eq!(rate.throttle_ms(WINDOW, 1000.0, 0), 5_000.0);
    }

    #[test]
    fn old_samples_are_forgotten() {
        let mut rate = SampledRate::default();
        rate.record(WINDOW, 50_000.0, 0);
        rate.record(WINDOW, 1.0, 10_999);
        assert!(rate.throttle_ms(WINDOW, 1000.0, 10_999) > 0.0);
        rate.record(WINDOW, 1.0, 11_000);
        assert_eq!(rate.throttle_ms(WINDOW, 1000.0, 11_000), 0.0);
    }

    #[test]
    fn a_steady_client_at_its_limit_is_held_back_by_one_event_at_most() {
        let mut rate = SampledRate::default();
        for tenth in 0..1000 {
            rate.record(WINDOW, 100.0, tenth * 100);
            assert!(rate.throttle_ms(WINDOW, 1000.0, tenth * 100).round() <= 100.0, "at {tenth}");
        }
        assert!(rate.samples.len() <= 12);
    }

    #[test]
    fn what_is_taken_back_does_not_count() {
        let mut rate = SampledRate::default();
        rate.record(WINDOW, 20_000.0, 0);
        rate.record(WINDOW, -20_000.0, 10);
        assert_eq!(rate.throttle_ms(WINDOW, 1.0, 10), 0.0);
    }
}
