//! How many connections there may be, in all and from one address, and how fast new ones may come.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::state::settings::Settings;
use crate::sync::lock;

/// Counts connections.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounts {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: i64,
    by_address: BTreeMap<IpAddr, i64>,
    window_start_ms: i64,
    accepted_in_window: i64,
}

/// One counted connection; dropping it ends the count.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    counts: Arc<ConnectionCounts>,
    address: IpAddr,
}

/// A connection over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    /// `max.connections`.
    #[error("over max.connections")]
    Total,
    /// `max.connections.per.ip`, or an override of it.
    #[error("over max.connections.per.ip")]
    Address,
    /// `max.connection.creation.rate`.
    #[error("over max.connection.creation.rate")]
    Rate,
}

/// The limits as they stand when a connection arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    total: i64,
    per_address: i64,
    per_second: i64,
}

impl ConnectionLimits {
    /// The limits for connections from `address`.
    pub(crate) fn current(settings: &Settings, address: IpAddr) -> Self {
        let overrides = settings.text("max.connections.per.ip.overrides").unwrap_or_default();
        let per_address = override_for(&overrides, address);
        Self {
            total: settings.number("max.connections"),
            per_address: per_address.unwrap_or_else(|| settings.number("max.connections.per.ip")),
            per_second: settings.number("max.connection.creation.rate"),
        }
    }
}

fn override_for(overrides: &str, address: IpAddr) -> Option<i64> {
    overrides
        .split(',')
        .filter_map(|pair| pair.trim().rsplit_once(':'))
        .find(|(host, _)| host.trim().parse() == Ok(address))
        .and_then(|(_, limit)| limit.trim().parse().ok())
}

impl ConnectionCounts {
    /// Counts a connection from `address`, unless that would pass a limit.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        limits: ConnectionLimits,
        now_ms: i64,
    ) -> Result<ConnectionSlot, LimitError> {
        let mut counts = lock(&self.counts);
        if now_ms - counts.window_start_ms >= 1000 {
            counts.window_start_ms = now_ms;
            counts.accepted_in_window = 0;
        }
        if counts.total >= limits.total {
            return Err(LimitError::Total);
        }
        if counts.accepted_in_window >= limits.per_second {
            return Err(LimitError::Rate);
        }
        let from_address = counts.by_address.get(&address).copied().unwrap_or_default();
        if from_address >= limits.per_address {
            return Err(LimitError::Address);
        }
        counts.total += 1;
        counts.accepted_in_window += 1;
        counts.by_address.insert(address, from_address + 1);
        Ok(ConnectionSlot { counts: Arc::clone(self), address })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts.counts);
        counts.total -= 1;
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_over_a_limit_are_refused_until_others_end() {
        let counts = Arc::new(ConnectionCounts::default());
        let limits = ConnectionLimits { total: 3, per_address: 2, per_second: 100 };
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let admit = |last| counts.admit(address(last), limits, 0);
        let first = admit(1).unwrap();
        let _second = admit(1).unwrap();
        assert_eq!(admit(1).unwrap_err(), LimitError::Address);
        let _third = admit(2).unwrap();
        assert_eq!(admit(3).unwrap_err(), LimitError::Total);
        drop(first);
        assert!(admit(1).is_ok());
    }

    #[test]
    fn the_rate_counts_for_each_second() {
        let counts = Arc::new(ConnectionCounts::default());
        let limits = ConnectionLimits { total: 100, per_address: 100, per_second: 1 };
        let admit = |now| counts.admit(IpAddr::from([10, 0, 0, 1]), limits, now);
        let _first = admit(5_000).unwrap();
        assert_eq!(admit(5_500).unwrap_err(), LimitError::Rate);
        assert!(admit(6_000).is_ok());
    }

    #[test]
    fn an_override_names_an_address() {
        let overrides = "10.0.0.1:5, ::1:7";
        assert_eq!(override_for(overrides, IpAddr::from([10, 0, 0, 1])), Some(5));
        assert_eq!(override_for(overrides, "::1".parse().unwrap()), Some(7));
        assert_eq!(override_for(overrides, IpAddr::from([10, 0, 0, 2])), None);
    }
}
