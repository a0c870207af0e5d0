//! What the owner of a broker may choose in cluster mode.

use std::time::Duration;

use cadastre_objects::ReaderSettings;

use crate::Clock;
use crate::execution::Execution;

/// Settings of one broker of a cluster. All sizes in bytes.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The cluster; objects and database must be of the same.
    pub cluster_id: String,
    /// The broker's node id. A broker that opens with the same one ends this one.
    pub node_id: i32,
    /// What other brokers are told about this one.
    pub description: Vec<u8>,
    /// How long a batch waits for others to share its object.
    pub linger: Duration,
    /// An object is uploaded when it has reached this size, however short the wait was.
    pub object_bytes: usize,
    /// How many objects may be on their way at once.
    pub objects_in_flight: usize,
    /// Appends that wait for durability may hold this much memory; further ones wait for their turn.
    pub maximum_unflushed_bytes: usize,
    /// The largest record batch, and the largest list of metadata changes.
    pub maximum_frame_bytes: usize,
    /// How often the broker says that it lives.
    pub heartbeat_interval: Duration,
    /// A broker that said nothing for this long is fenced by the others.
    pub lease: Duration,
    /// Objects that nothing refers to are kept for this long, for readers in flight.
    pub deletion_grace: Duration,
    /// Caches and requests of readers.
    pub reader: ReaderSettings,
    /// The clock for append times.
    pub clock: Clock,
    /// Threads, or tasks for simulation.
    pub execution: Execution,
}

impl ClusterConfig {
    /// Objects of up to 8 MiB or 20 ms, four on their way, 64 MiB waiting, leases of 10 s.
    #[must_use]
    pub fn new(cluster_id: impl Into<String>, node_id: i32) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            node_id,
            description: Vec::new(),
            linger: Duration::from_millis(20),
            object_bytes: 8 << 20,
            objects_in_flight: 4,
            maximum_unflushed_bytes: 64 << 20,
            maximum_frame_bytes: 64 << 20,
            heartbeat_interval: Duration::from_secs(2),
            lease: Duration::from_secs(10),
            deletion_grace: Duration::from_secs(300),
            reader: ReaderSettings::default(),
            clock: Clock::system(),
            execution: Execution::Threads,
        }
    }
}
