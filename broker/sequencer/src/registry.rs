//! Which brokers live, who is taken for dead, and who coordinates what.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest;

use crate::ids::BrokerEpoch;

/// The brokers that may commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// Rises whenever a broker comes or goes.
    pub version: i64,
    /// The brokers, by epoch.
    pub brokers: Vec<LiveBroker>,
}

/// A broker that may commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveBroker {
    /// Its registration.
    pub epoch: BrokerEpoch,
    /// Its node id, `node.id` in Kafka's configuration.
    pub node_id: i32,
    /// Rises with each heartbeat.
    pub beat: i64,
    /// What it told others about itself: listeners, rack. Its owner knows the encoding.
    pub description: Vec<u8>,
}

impl Registry {
    /// The broker that coordinates a group (or a transactional id): the one with the highest SHA-256 of key and
    /// node id, so that brokers which come or go move only their own groups.
    #[must_use]
    pub fn coordinator(&self, key: &str) -> Option<&LiveBroker> {
        // Tools register under negative ids, to commit; they coordinate nothing.
        let brokers = self.brokers.iter().filter(|broker| broker.node_id >= 0);
        brokers.max_by_key(|broker| (weight(key, broker.node_id), broker.epoch))
    }
}

fn weight(key: &str, node_id: i32) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    // The node id first: of fixed length, so that nothing else reads as the same bytes.
    context.update(&node_id.to_be_bytes());
    context.update(key.as_bytes());
    context.finish().as_ref().to_vec()
}

/// Finds brokers whose heartbeat stands still. Uses no clock but a monotonic one that the caller reads, so that a wall
/// clock that jumps, here or there, makes nobody dead.
#[derive(Debug)]
pub struct LeaseObserver {
    lease: Duration,
    seen: BTreeMap<BrokerEpoch, (i64, Duration)>,
}

impl LeaseObserver {
    /// Takes a broker for dead when its heartbeat did not rise for `lease`.
    #[must_use]
    pub const fn new(lease: Duration) -> Self {
        Self { lease, seen: BTreeMap::new() }
    }

    /// Takes note of the registry; `now` is the time since any fixed moment on a monotonic clock. Returns who is to be
    /// fenced.
    pub fn observe(&mut self, registry: &Registry, now: Duration) -> Vec<BrokerEpoch> {
        self.seen.retain(|epoch, _| registry.brokers.iter().any(|broker| broker.epoch == *epoch));
        let mut dead = Vec::new();
        for broker in &registry.brokers {
            let (beat, since) = self.seen.entry(broker.epoch).or_insert((broker.beat, now));
            if *beat != broker.beat {
                (*beat, *since) = (broker.beat, now);
            } else if now.saturating_sub(*since) >= self.lease {
                dead.push(broker.epoch);
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(brokers: &[(i64, i64)]) -> Registry {
        let live = |&(epoch, beat): &(i64, i64)| LiveBroker {
            epoch: BrokerEpoch(epoch),
            node_id: i32::try_from(epoch).unwrap(),
            beat,
            description: Vec::new(),
        };
        Registry { version: 1, brokers: brokers.iter().map(live).collect() }
    }

    #[test]
    fn only_who_stands_still_for_the_whole_lease_is_dead() {
        let mut observer = LeaseObserver::new(Duration::from_secs(10));
        let at = Duration::from_secs;
        assert_eq!(observer.observe(&registry(&[(1, 0), (2, 0)]), at(0)), []);
        assert_eq!(observer.observe(&registry(&[(1, 1), (2, 0)]), at(9)), []);
        assert_eq!(observer.observe(&registry(&[(1, 1), (2, 0)]), at(10)), [BrokerEpoch(2)]);
        assert_eq!(observer.observe(&registry(&[(1, 1), (3, 0)]), at(18)), []);
        assert_eq!(observer.observe(&registry(&[(1, 1), (3, 1)]), at(19)), [BrokerEpoch(1)]);
    }

    #[test]
    fn a_broker_that_goes_moves_only_its_own_groups() {
        let (three, two) = (registry(&[(1, 0), (2, 0), (3, 0)]), registry(&[(1, 0), (3, 0)]));
        let mut counts = BTreeMap::new();
        for group in (0..300).map(|number| format!("group-{number}")) {
            let before = three.coordinator(&group).unwrap().node_id;
            *counts.entry(before).or_insert(0) += 1;
            if before != 2 {
                assert_eq!(two.coordinator(&group).unwrap().node_id, before, "{group}");
            }
        }
        assert!(counts.values().all(|count| *count > 60), "{counts:?}");
        assert_eq!(Registry::default().coordinator("g"), None);
    }
}
