//! The shape of a bill: what drives it, what was measured, and what two designs cost over throughput and retention.
//!
//! Money is whole hundredths of the currency a month; shares are thousandths. There is no floating point, so that the same
//! evidence gives the same bytes.

use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;

/// The format of a cost shape.
pub const SCHEMA: &str = "cadastre/cost/v1";

/// What an amount is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// Brokers that carry the load.
    Compute,
    /// The database that orders the records of a cluster.
    Sequencer,
    /// Disks of brokers.
    BlockStorage,
    /// Objects at rest.
    ObjectStorage,
    /// Requests that write objects, those of the write-ahead log among them.
    ObjectWrites,
    /// Requests that read objects.
    ObjectReads,
    /// Requests to the key service, and the keys themselves.
    Keys,
    /// Bytes that cross from one zone into another.
    CrossZone,
    /// Private endpoints, by the hour.
    Endpoints,
    /// Address translation and attachments to transit gateways, by the hour.
    Gateways,
    /// What audit records: data events of object requests.
    Audit,
    /// Brokers held ready for the loss of one.
    Recovery,
}

impl Driver {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Compute,
        Self::Sequencer,
        Self::BlockStorage,
        Self::ObjectStorage,
        Self::ObjectWrites,
        Self::ObjectReads,
        Self::Keys,
        Self::CrossZone,
        Self::Endpoints,
        Self::Gateways,
        Self::Audit,
        Self::Recovery,
    ];

    /// What it is called in tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Compute => "brokers",
            Self::Sequencer => "sequencer's database",
            Self::BlockStorage => "disks",
            Self::ObjectStorage => "objects at rest",
            Self::ObjectWrites => "object writes",
            Self::ObjectReads => "object reads",
            Self::Keys => "keys and key requests",
            Self::CrossZone => "bytes between zones",
            Self::Endpoints => "private endpoints",
            Self::Gateways => "gateways",
            Self::Audit => "audit of object requests",
            Self::Recovery => "spare broker",
        }
    }
}

/// Prices, dates and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceSource {
    /// What the price file calls itself.
    pub name: String,
    /// The day for which it holds, `2026-11-22`.
    pub as_of: String,
    /// Whether it is the file that comes with the program, to be replaced.
    pub is_example: bool,
    /// Titles of the pages that the prices come from.
    pub sources: Vec<String>,
}

/// What one cluster's brokers counted since each of them started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredUnits {
    /// The cluster's declared name.
    pub cluster: String,
    /// Brokers that told.
    pub brokers: u64,
    /// Records that clients wrote.
    pub records: u64,
    /// Bytes of the batches that clients wrote.
    pub bytes_in: u64,
    /// Bytes of the batches that clients read.
    pub bytes_out: u64,
    /// Requests that wrote an object.
    pub object_writes: u64,
    /// Requests that read an object or a list of them.
    pub object_reads: u64,
    /// Bytes written into objects.
    pub object_bytes: u64,
    /// Requests to the key service.
    pub key_requests: u64,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Something the evidence shows that is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedDriver {
    /// What it is: an id, an ARN, a cluster's name.
    pub subject: String,
    /// What is paid for, in words.
    pub what: String,
    /// What it counts as in the model; `None` where the model has nothing for it.
    pub driver: Option<Driver>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Something the model takes as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    /// What is assumed, as a name.
    pub name: String,
    /// The value with its unit.
    pub value: String,
    /// Where it comes from: measured, declared, observed, or the model's own word.
    pub from: String,
}

/// What one design costs at one point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesignCost {
    /// In hundredths of the currency a month.
    pub total: u64,
    /// The same by driver, in the order of [`Driver::ALL`], zeros left out.
    pub by_driver: Vec<(Driver, u64)>,
}

/// One point of the plot: what each design costs there, in the order of [`CostShape::designs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostPoint {
    /// What clients write, in KiB a second.
    pub kibibytes_per_second: u64,
    /// How long records are kept, in days.
    pub retention_days: u64,
    /// What it costs.
    pub designs: Vec<DesignCost>,
}

/// How the total moves when one thing is half, or twice, what was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The price or assumption.
    pub what: String,
    /// Change of each design's total in thousandths when it is half.
    pub halved: Vec<i64>,
    /// The same when it is twice as much.
    pub doubled: Vec<i64>,
}

/// The whole shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostShape {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The currency's code.
    pub currency: String,
    /// What it is priced with.
    pub prices: PriceSource,
    /// What was measured, cluster by cluster; empty where nothing was.
    pub measured: Vec<MeasuredUnits>,
    /// Whether the requests in the table were counted on this deployment, and not assumed.
    pub is_measured: bool,
    /// What the deployment has that is paid for.
    pub observed: Vec<ObservedDriver>,
    /// What is taken as given.
    pub assumptions: Vec<Assumption>,
    /// What the designs are called.
    pub designs: Vec<String>,
    /// The grid, by retention and then throughput.
    pub points: Vec<CostPoint>,
    /// The point at which sensitivity is told: KiB a second and days.
    pub reference: (u64, u64),
    /// How much the totals hang on each price and assumption, most first.
    pub sensitivity: Vec<Sensitivity>,
}

impl CostShape {
    /// What it costs at the reference point.
    #[must_use]
    pub fn at_reference(&self) -> Option<&CostPoint> {
        self.points.iter().find(|point| (point.kibibytes_per_second, point.retention_days) == self.reference)
    }
}

/// An amount of hundredths as text: `12,345.60`.
#[must_use]
pub fn money(hundredths: u64) -> String {
    let whole = (hundredths / 100).to_string();
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{:02}", hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_keeps_its_hundredths() {
        assert_eq!(money(0), "0.00");
        assert_eq!(money(99_905), "999.05");
        assert_eq!(money(123_456_789), "1,234,567.89");
    }
}
