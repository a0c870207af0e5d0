//! What brokers counted: the setting `cadastre.usage` that the bundled broker serves (`docs/formats/usage.md`).

use cadastre_model::asset::kafka::{Broker, KafkaCluster};
use cadastre_model::cost::MeasuredUnits;
use cadastre_model::inventory::Inventory;
use serde::Deserialize;

/// The format's name and version.
const FORMAT: &str = "cadastre-usage/1";

/// The setting's name.
const SETTING: &str = "cadastre.usage";

/// One broker's counts since it started.
#[derive(Debug, Clone, Deserialize)]
struct Usage {
    format: String,
    records_in: u64,
    bytes_in: u64,
    bytes_out: u64,
    object_writes: u64,
    object_reads: u64,
    object_bytes_written: u64,
    key_requests: u64,
}

/// What is assumed where nothing was counted: records of 1 KiB, each read once; a request that writes an object and one that
/// reads one for each MiB, each byte written twice, and a use of the key for each ten MiB. It is told as assumed, and proves nothing.
pub(crate) fn assumed() -> MeasuredUnits {
    MeasuredUnits {
        cluster: String::new(),
        brokers: 1,
        records: 1 << 20,
        bytes_in: 1 << 30,
        bytes_out: 1 << 30,
        object_writes: 1 << 10,
        object_reads: 1 << 10,
        object_bytes: 1 << 31,
        key_requests: 102,
        evidence: Default::default(),
    }
}

/// The counts of every cluster whose brokers all tell theirs.
pub(crate) fn measured(inventory: &Inventory) -> Vec<MeasuredUnits> {
    inventory.clusters.iter().filter_map(of_cluster).collect()
}

fn of_cluster(cluster: &KafkaCluster) -> Option<MeasuredUnits> {
    let brokers = cluster.brokers.observed()?;
    let mut units = MeasuredUnits {
        cluster: cluster.name.clone(),
        brokers: 0,
        records: 0,
        bytes_in: 0,
        bytes_out: 0,
        object_writes: 0,
        object_reads: 0,
        object_bytes: 0,
        key_requests: 0,
        evidence: cluster.evidence.clone(),
    };
    for broker in brokers {
        let usage = of_broker(broker)?;
        units.brokers = units.brokers.checked_add(1)?;
        units.records = units.records.checked_add(usage.records_in)?;
        units.bytes_in = units.bytes_in.checked_add(usage.bytes_in)?;
        units.bytes_out = units.bytes_out.checked_add(usage.bytes_out)?;
        units.object_writes = units.object_writes.checked_add(usage.object_writes)?;
        units.object_reads = units.object_reads.checked_add(usage.object_reads)?;
        units.object_bytes = units.object_bytes.checked_add(usage.object_bytes_written)?;
        units.key_requests = units.key_requests.checked_add(usage.key_requests)?;
        units.evidence.extend(broker.evidence.iter().cloned());
    }
    (units.brokers > 0).then_some(units)
}

fn of_broker(broker: &Broker) -> Option<Usage> {
    let value = broker.configs.observed()?.get(SETTING)?.value.as_deref()?;
    let usage: Usage = serde_json::from_str(value).ok()?;
    (usage.format == FORMAT).then_some(usage)
}
