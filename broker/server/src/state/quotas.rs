//! Client quotas, and what clients have used of them.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use cadastre_security::quota::{
    ClientQuotas, QuotaEntity, QuotaKind, QuotaLimits, QuotaSettings, QuotaValueError, percentage_of,
};
use cadastre_storage::{MetadataChange, MetadataKind, Storage};

use super::StateError;
use crate::config::BrokerConfig;
use crate::dispatch::context::RequestContext;
use crate::sync::lock;

/// One change of one quota: `None` removes it.
pub(crate) type QuotaChange = (QuotaEntity, QuotaKind, Option<f64>);

/// The cluster's quotas.
#[derive(Debug)]
pub(crate) struct Quotas {
    storage: Storage,
    quotas: Mutex<ClientQuotas>,
    changes: tokio::sync::Mutex<()>,
}

impl Quotas {
    /// Reads the quotas that the storage holds.
    pub(crate) fn load(storage: &Storage, config: &BrokerConfig) -> Result<Self, StateError> {
        let limits = read_limits(storage)?;
        let number = |name| u32::try_from(config.number(name)).unwrap_or(1);
        let settings = QuotaSettings {
            samples: number("quota.window.num"),
            sample_seconds: number("quota.window.size.seconds"),
            controller_samples: number("controller.quota.window.num"),
            controller_sample_seconds: number("controller.quota.window.size.seconds"),
        };
        let quotas = Mutex::new(ClientQuotas::new(settings, limits));
        Ok(Self { storage: storage.clone(), quotas, changes: tokio::sync::Mutex::new(()) })
    }

    /// Takes over what other brokers changed.
    pub(crate) async fn reload(&self) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        *lock(&self.quotas).limits_mut() = read_limits(&self.storage)?;
        Ok(())
    }

    /// The quotas as they are set.
    pub(crate) fn limits(&self) -> QuotaLimits {
        lock(&self.quotas).limits().clone()
    }

    /// Changes quotas; all of them were checked before.
    pub(crate) async fn change(&self, changes: Vec<QuotaChange>) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        let stored = changes.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        self.storage.metadata().commit(stored).await?;
        let mut quotas = lock(&self.quotas);
        for (entity, kind, value) in &changes {
            let set: Result<(), QuotaValueError> = quotas.limits_mut().set(entity, *kind, *value);
            set.map_err(|error| StateError::unreadable("quota", &entity.to_string(), error))?;
        }
        Ok(())
    }

    /// Counts produced bytes; the time to hold the client back, in milliseconds.
    pub(crate) fn produced(&self, context: &RequestContext<'_>, bytes: usize) -> u32 {
        self.record(context, QuotaKind::ProducerByteRate, count(bytes))
    }

    /// Counts fetched bytes; the time to hold the client back, in milliseconds.
    pub(crate) fn fetched(&self, context: &RequestContext<'_>, bytes: usize) -> u32 {
        self.record(context, QuotaKind::ConsumerByteRate, count(bytes))
    }

    /// Counts the time spent on a request; the time to hold the client back, in milliseconds.
    pub(crate) fn request(&self, context: &RequestContext<'_>, busy: Duration) -> u32 {
        self.record(context, QuotaKind::RequestPercentage, percentage_of(busy))
    }

    /// Counts a new connection from an address (KIP-612); the time to hold it back, in milliseconds.
    pub(crate) fn connection(&self, address: IpAddr, now_ms: i64) -> u32 {
        milliseconds(lock(&self.quotas).record_connection(address, now_ms))
    }

    /// Counts partitions that are about to be created or deleted (KIP-599).
    ///
    /// # Errors
    ///
    /// How long the client must wait, in milliseconds, when it has used up its quota.
    pub(crate) fn mutation(&self, context: &RequestContext<'_>, partitions: i32) -> Result<(), u32> {
        let now_ms = context.node.clock.now_ms();
        let mut quotas = lock(&self.quotas);
        let (user, client_id) = (context.principal.name(), context.client_id());
        quotas.record_strictly(user, client_id, f64::from(partitions), now_ms).map_err(milliseconds)
    }

    fn record(&self, context: &RequestContext<'_>, kind: QuotaKind, value: f64) -> u32 {
        let now_ms = context.node.clock.now_ms();
        let mut quotas = lock(&self.quotas);
        milliseconds(quotas.record(kind, context.principal.name(), context.client_id(), value, now_ms))
    }
}

fn read_limits(storage: &Storage) -> Result<QuotaLimits, StateError> {
    let mut limits = QuotaLimits::default();
    for (key, value) in storage.metadata().entries(MetadataKind::Quota) {
        let unreadable = |reason: &dyn std::fmt::Display| StateError::unreadable("quota", &key, reason);
        let (entity, kind): (QuotaEntity, QuotaKind) =
            serde_json::from_str(&key).map_err(|error| unreadable(&error))?;
        let value: f64 = serde_json::from_slice(&value).map_err(|error| unreadable(&error))?;
        limits.set(&entity, kind, Some(value)).map_err(|error| unreadable(&error))?;
    }
    Ok(limits)
}

fn milliseconds(throttle: u64) -> u32 {
    u32::try_from(throttle).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a frame has far fewer than 2^52 bytes")]
fn count(bytes: usize) -> f64 {
    bytes as f64
}

fn stored((entity, kind, value): &QuotaChange) -> Result<MetadataChange, StateError> {
    let unwritable = |error: serde_json::Error| StateError::unreadable("quota", &entity.to_string(), error);
    let key = serde_json::to_string(&(entity, kind)).map_err(unwritable)?;
    let value = value.map(|value| serde_json::to_vec(&value)).transpose().map_err(unwritable)?;
    Ok(MetadataChange { kind: MetadataKind::Quota, key, value })
}
