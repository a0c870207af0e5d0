//! Quotas at work: what each budget has used lately, and how long its clients must be held back.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::bucket::TokenBucket;
use super::limits::{EffectiveQuota, QuotaKind, QuotaLimits, QuotaScope};
use super::rate::{SampledRate, Window};

/// How many budgets are metered at most. Client ids are the client's own choice, so their number is not.
const MAXIMUM_METERS: usize = 100_000;

/// A budget unused for this long is forgotten, in milliseconds; Kafka's one hour.
const IDLE_MS: i64 = 3_600_000;

/// The windows over which rates are measured; Kafka's property names and defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaSettings {
    /// `quota.window.num`, at least 1.
    pub samples: u32,
    /// `quota.window.size.seconds`, at least 1.
    pub sample_seconds: u32,
    /// `controller.quota.window.num`, at least 1.
    pub controller_samples: u32,
    /// `controller.quota.window.size.seconds`, at least 1.
    pub controller_sample_seconds: u32,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self { samples: 11, sample_seconds: 1, controller_samples: 11, controller_sample_seconds: 1 }
    }
}

#[derive(Debug, Clone)]
enum Gauge {
    Rate(SampledRate),
    Bucket(TokenBucket),
}

#[derive(Debug, Clone)]
struct Meter {
    gauge: Gauge,
    used_ms: i64,
}

/// The quotas of a broker with what has been used of them.
#[derive(Debug, Clone, Default)]
pub struct ClientQuotas {
    settings: QuotaSettings,
    limits: QuotaLimits,
    meters: BTreeMap<(QuotaKind, QuotaScope), Meter>,
}

impl ClientQuotas {
    /// Quotas over the given windows.
    pub fn new(settings: QuotaSettings, limits: QuotaLimits) -> Self {
        Self { settings, limits, meters: BTreeMap::new() }
    }

    /// The configured quotas.
    pub fn limits(&self) -> &QuotaLimits {
        &self.limits
    }

    /// The configured quotas, to change them; a change applies to what was used already.
    pub fn limits_mut(&mut self) -> &mut QuotaLimits {
        &mut self.limits
    }

    /// Records use by a client and returns for how many milliseconds it must be held back, usually zero.
    ///
    /// `value` is in the unit of the kind: bytes, percent (see [`percentage_of`]) or partitions. Request time never
    /// holds back for longer than one sample, as in Kafka.
    pub fn record(&mut self, kind: QuotaKind, user: &str, client_id: &str, value: f64, now_ms: i64) -> u64 {
        match self.limits.effective(kind, user, client_id) {
            Some(quota) => self.record_in(kind, quota, value, now_ms),
            None => 0,
        }
    }

    /// Takes back what was recorded: for a fetch whose records are then withheld.
    pub fn take_back(&mut self, kind: QuotaKind, user: &str, client_id: &str, value: f64, now_ms: i64) {
        self.record(kind, user, client_id, -value, now_ms);
    }

    /// Records a change of the cluster unless the budget is overdrawn already: then nothing is recorded, and the error
    /// says for how many milliseconds the client must wait (`THROTTLING_QUOTA_EXCEEDED`).
    ///
    /// # Errors
    /// The waiting time in milliseconds.
    pub fn record_strictly(
        &mut self,
        user: &str,
        client_id: &str,
        partitions: f64,
        now_ms: i64,
    ) -> Result<(), u64> {
        let kind = QuotaKind::ControllerMutationRate;
        let Some(quota) = self.limits.effective(kind, user, client_id) else { return Ok(()) };
        let throttle_ms = self.record_in(kind, quota.clone(), 0.0, now_ms);
        if throttle_ms > 0 {
            return Err(throttle_ms);
        }
        self.record_in(kind, quota, partitions, now_ms);
        Ok(())
    }

    /// Records a new connection and returns for how many milliseconds it must be held back.
    pub fn record_connection(&mut self, address: IpAddr, now_ms: i64) -> u64 {
        match self.limits.effective_for_address(address) {
            Some(quota) => self.record_in(QuotaKind::ConnectionCreationRate, quota, 1.0, now_ms),
            None => 0,
        }
    }

    /// The most that a client could use at once without being held back for certain, in the unit of the kind: how many
    /// bytes a fetch should ask for at most. `None` without a quota.
    pub fn maximum_at_once(&self, kind: QuotaKind, user: &str, client_id: &str) -> Option<f64> {
        let quota = self.limits.effective(kind, user, client_id)?;
        let QuotaSettings { samples, sample_seconds, .. } = self.settings;
        Some(quota.limit * f64::from(samples.saturating_sub(1)) * f64::from(sample_seconds))
    }

    fn record_in(&mut self, kind: QuotaKind, quota: EffectiveQuota, value: f64, now_ms: i64) -> u64 {
        self.make_room(now_ms);
        let window = self.window(kind);
        let meter = self.meters.entry((kind, quota.scope)).or_insert_with(|| Meter::new(kind, now_ms));
        meter.used_ms = now_ms;
        let throttle_ms = match &mut meter.gauge {
            Gauge::Rate(rate) => {
                rate.record(window, value, now_ms);
                rate.throttle_ms(window, quota.limit, now_ms)
            }
            Gauge::Bucket(bucket) => {
                bucket.take(window, quota.limit, value, now_ms);
                bucket.throttle_ms(window, quota.limit, now_ms)
            }
        };
        let throttle_ms = match kind {
            QuotaKind::RequestPercentage | QuotaKind::ConnectionCreationRate => {
                throttle_ms.min(f64::from(window.sample_ms))
            }
            _ => throttle_ms,
        };
        whole_milliseconds(throttle_ms)
    }

    fn window(&self, kind: QuotaKind) -> Window {
        let (samples, seconds) = match kind {
            QuotaKind::ControllerMutationRate => {
                (self.settings.controller_samples, self.settings.controller_sample_seconds)
            }
            _ => (self.settings.samples, self.settings.sample_seconds),
        };
        Window { samples: samples.max(1), sample_ms: seconds.max(1).saturating_mul(1000) }
    }

    /// Forgets idle budgets when there are very many, and the older half when that is not enough.
    fn make_room(&mut self, now_ms: i64) {
        if self.meters.len() < MAXIMUM_METERS {
            return;
        }
        self.meters.retain(|_, meter| now_ms - meter.used_ms < IDLE_MS);
        if self.meters.len() < MAXIMUM_METERS {
            return;
        }
        let mut used: Vec<i64> = self.meters.values().map(|meter| meter.used_ms).collect();
        used.sort_unstable();
        let median_ms = used.get(used.len() / 2).copied().unwrap_or(now_ms);
        self.meters.retain(|_, meter| meter.used_ms > median_ms);
    }
}

impl Meter {
    fn new(kind: QuotaKind, now_ms: i64) -> Self {
        let gauge = match kind {
            QuotaKind::ControllerMutationRate => Gauge::Bucket(TokenBucket::default()),
            _ => Gauge::Rate(SampledRate::default()),
        };
        Self { gauge, used_ms: now_ms }
    }
}

/// Time spent on a request as a share of one thread: the value to record for [`QuotaKind::RequestPercentage`].
pub fn percentage_of(busy: std::time::Duration) -> f64 {
    busy.as_secs_f64() * 100.0
}

/// Rounds as Kafka does, half up; what does not fit a 32-bit throttle time is cut off there.
fn whole_milliseconds(milliseconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of a throttle time on the wire"
    )]
    let whole = (milliseconds + 0.5).floor().clamp(0.0, f64::from(i32::MAX)) as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{QuotaEntity, QuotaName};

    fn quotas(kind: QuotaKind, limit: f64) -> ClientQuotas {
        let mut quotas = ClientQuotas::default();
        let entity = match kind {
            QuotaKind::ConnectionCreationRate => QuotaEntity::Ip(QuotaName::Default),
            _ => QuotaEntity::User(QuotaName::Named("alice".to_owned())),
        };
        quotas.limits_mut().set(&entity, kind, Some(limit)).unwrap();
        quotas
    }

    #[test]
    fn without_a_quota_nothing_is_held_back_or_remembered() {
        let mut quotas = ClientQuotas::default();
        assert_eq!(quotas.record(QuotaKind::ProducerByteRate, "alice", "app", 1e12, 0), 0);
        assert!(quotas.meters.is_empty());
    }

    #[test]
    fn all_clients_of_a_user_share_the_users_budget() {
        let kind = QuotaKind::ProducerByteRate;
        let mut quotas = quotas(kind, 1000.0);
        assert_eq!(quotas.record(kind, "alice", "one", 10_000.0, 0), 0);
        assert_eq!(quotas.record(kind, "alice", "two", 5_000.0, 0), 5_000);
        assert_eq!(quotas.record(kind, "bob", "two", 5_000.0, 0), 0);
        assert_eq!(quotas.maximum_at_once(kind, "alice", "one"), Some(10_000.0));
    }

    #[test]
    fn a_withheld_fetch_costs_nothing() {
        let kind = QuotaKind::ConsumerByteRate;
        let mut quotas = quotas(kind, 1000.0);
        assert_eq!(quotas.record(kind, "alice", "app", 30_000.0, 0), 20_000);
        quotas.take_back(kind, "alice", "app", 30_000.0, 0);
        assert_eq!(quotas.record(kind, "alice", "app", 10_000.0, 1), 0);
    }

    #[test]
    fn request_time_holds_back_for_one_sample_at_most() {
        let kind = QuotaKind::RequestPercentage;
        let mut quotas = quotas(kind, 1.0);
        let busy = percentage_of(std::time::Duration::from_secs(60));
        assert_eq!(quotas.record(kind, "alice", "app", busy, 0), 1000);
    }

    #[test]
    fn a_mutation_beyond_the_budget_passes_and_the_next_one_waits() {
        let mut quotas = quotas(QuotaKind::ControllerMutationRate, 10.0);
        assert_eq!(quotas.record_strictly("alice", "app", 130.0, 0), Ok(()));
        assert_eq!(quotas.record_strictly("alice", "app", 1.0, 0), Err(2_000));
        assert_eq!(quotas.record_strictly("alice", "app", 1.0, 2_000), Ok(()));
    }

    #[test]
    fn connections_are_counted_by_address() {
        let mut quotas = quotas(QuotaKind::ConnectionCreationRate, 1.0);
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert!((0..10).all(|_| quotas.record_connection(one, 0) == 0));
        assert_eq!(quotas.record_connection(one, 0), 1000);
        assert_eq!(quotas.record_connection(two, 0), 0);
    }

    #[test]
    fn inventing_client_ids_does_not_fill_the_memory() {
        let mut quotas = ClientQuotas::default();
        let kind = QuotaKind::ProducerByteRate;
        quotas.limits_mut().set(&QuotaEntity::Client(QuotaName::Default), kind, Some(1.0)).unwrap();
        for number in 0..150_000_i64 {
            quotas.record(kind, "alice", &number.to_string(), 1.0, number);
        }
        assert!(quotas.meters.len() <= MAXIMUM_METERS);
    }
}
