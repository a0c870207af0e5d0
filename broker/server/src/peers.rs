//! The brokers that clients are told about: this one, or those of the cluster that live.

use std::collections::BTreeMap;

use cadastre_protocol::types::TopicPartition;
use cadastre_storage::{LiveBroker, Registry, Storage};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::config::ListenerConfig;

/// What a broker of a cluster tells the others about itself. New fields must have defaults: brokers of two releases may
/// be one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BrokerDescription {
    #[serde(default)]
    rack: Option<String>,
    /// Where clients of each listener connect to, by the listener's name.
    listeners: BTreeMap<String, Endpoint>,
}

/// An address for clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A broker as clients of one listener see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) node_id: i32,
    pub(crate) endpoint: Endpoint,
    pub(crate) rack: Option<String>,
}

impl BrokerDescription {
    /// Describes a broker by its listeners and the ports they got; the name of a listener that has no host to tell,
    /// where there is one.
    pub(crate) fn of(
        rack: Option<String>,
        bound: impl IntoIterator<Item = (ListenerConfig, u16)>,
    ) -> Result<Self, String> {
        let mut listeners = BTreeMap::new();
        for (listener, bound) in bound {
            let Some(host) = listener.advertised.host else { return Err(listener.name) };
            let port = if listener.advertised.port == 0 { bound } else { listener.advertised.port };
            listeners.insert(listener.name, Endpoint { host, port });
        }
        Ok(Self { rack, listeners })
    }

    /// As it is registered.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Follows which brokers live.
#[derive(Debug)]
pub(crate) struct Peers {
    registry: Option<watch::Receiver<Registry>>,
}

impl Peers {
    pub(crate) fn new(storage: &Storage) -> Self {
        Self { registry: storage.registry() }
    }

    /// The brokers as clients of `listener` see them at this moment; nothing in embedded mode.
    pub(crate) fn seen_through(&self, listener: &str) -> Option<SeenPeers> {
        let registry = self.registry.as_ref()?.borrow().clone();
        let mut peers = BTreeMap::new();
        let mut eligible = Registry { version: registry.version, brokers: Vec::new() };
        for LiveBroker { epoch, node_id, beat, description } in registry.brokers {
            let Some(description) = BrokerDescription::decode(&description) else { continue };
            let BrokerDescription { rack, mut listeners } = description;
            let Some(endpoint) = listeners.remove(listener) else { continue };
            peers.insert(node_id, Peer { node_id, endpoint, rack });
            eligible.brokers.push(LiveBroker { epoch, node_id, beat, description: Vec::new() });
        }
        Some(SeenPeers { peers, eligible })
    }
}

/// The live brokers that have one listener.
#[derive(Debug)]
pub(crate) struct SeenPeers {
    peers: BTreeMap<i32, Peer>,
    eligible: Registry,
}

impl SeenPeers {
    /// All of them, by node id.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    /// The broker to which clients send a partition's records. Every broker would take them; one is named, so that the
    /// records of a partition share objects and caches. Brokers that come or go move only their own partitions.
    pub(crate) fn leader(&self, partition: TopicPartition) -> Option<i32> {
        self.eligible.coordinator(&partition.to_string()).map(|broker| broker.node_id)
    }

    /// One of them.
    pub(crate) fn get(&self, node_id: i32) -> Option<&Peer> {
        self.peers.get(&node_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_protocol::types::TopicId;
    use cadastre_storage::Registry;

    fn peers(brokers: &[(i32, &str)]) -> Peers {
        let live = |&(node_id, listener): &(i32, &str)| {
            let endpoint = Endpoint { host: format!("host-{node_id}"), port: 9092 };
            let listeners = BTreeMap::from([(listener.to_owned(), endpoint)]);
            LiveBroker {
                node_id,
                description: BrokerDescription { rack: None, listeners }.encode(),
                ..LiveBroker::default()
            }
        };
        let registry = Registry { version: 1, brokers: brokers.iter().map(live).collect() };
        Peers { registry: Some(watch::Sender::new(registry).subscribe()) }
    }

    #[test]
    fn clients_see_the_brokers_that_have_their_listener() {
        let peers = peers(&[(3, "A"), (1, "A"), (2, "B")]);
        let seen = peers.seen_through("A").unwrap();
        let hosts: Vec<&str> = seen.all().map(|peer| peer.endpoint.host.as_str()).collect();
        assert_eq!(hosts, ["host-1", "host-3"]);
        for partition in 0..50 {
            let leader = seen.leader(TopicPartition { topic: TopicId([1; 16]), partition }).unwrap();
            assert!(seen.get(leader).is_some(), "{leader}");
        }
        assert!(
            peers
                .seen_through("C")
                .unwrap()
                .leader(TopicPartition { topic: TopicId([1; 16]), partition: 0 })
                .is_none()
        );
    }
}
