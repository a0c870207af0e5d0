//! What one month costs by driver, for each of the two designs, at one throughput and retention.

use cadastre_model::cost::{DesignCost, Driver, MeasuredUnits};

use crate::amount::Amount;
use crate::prices::PriceList;

/// Hours of a month: 365.25 days of 24 hours by twelve, rounded.
const HOURS: u128 = 730;

/// Seconds of that month.
const SECONDS: u128 = HOURS * 3600;

const DAY: u128 = 86_400;
const GIBIBYTE: u128 = 1 << 30;

/// What the model takes as given, beside prices and counts. Shares are percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    /// Bytes of batches that clients read for each byte that they write, in percent.
    pub(crate) read_percent: u128,
    /// Copies of each record on brokers' disks.
    pub(crate) replicas: u128,
    /// Zones that brokers and clients stand in.
    pub(crate) zones: u128,
    /// Disk that is bought for each byte that is kept, in percent.
    pub(crate) disk_percent: u128,
    /// Days for which the bucket keeps what was deleted.
    pub(crate) version_days: u128,
    /// Bytes at rest in objects for each byte that clients write, in percent.
    pub(crate) object_percent: u128,
    /// Bytes a second that one broker takes in and gives out.
    pub(crate) broker_bytes: u128,
    /// A broker's disk where records rest elsewhere, in GiB.
    pub(crate) local_disk: u128,
    /// Private interface endpoints of each zone.
    pub(crate) endpoints: u128,
    /// Address translation and attachments to transit gateways, in each zone.
    pub(crate) gateways: u128,
    /// Keys.
    pub(crate) keys: u128,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Design {
    /// Brokers keep records on their own disks and copy them to each other.
    Replicated,
    /// Records rest as objects; brokers copy nothing.
    Shared,
}

impl Design {
    pub(crate) const ALL: [Self; 2] = [Self::Replicated, Self::Shared];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Replicated => "replication between brokers",
            Self::Shared => "shared storage",
        }
    }
}

/// Where it is priced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) kibibytes_per_second: u64,
    pub(crate) retention_days: u64,
}

/// `None` where a number does not fit, or nothing was counted to divide by.
pub(crate) fn cost(
    design: Design,
    load: Load,
    given: &Given,
    units: &MeasuredUnits,
    prices: &PriceList,
) -> Option<DesignCost> {
    let per_second = u128::from(load.kibibytes_per_second).checked_mul(1024)?;
    let month = per_second.checked_mul(SECONDS)?;
    let kept = |days: u128| per_second.checked_mul(DAY)?.checked_mul(days);
    let days = u128::from(load.retention_days);
    let copies = match design {
        Design::Replicated => given.replicas,
        Design::Shared => 1,
    };
    // Each copy is written by one broker and read by another; clients write once and read their share.
    let served = per_second
        .checked_mul(copies.checked_mul(200)?.checked_sub(100)?.checked_add(given.read_percent)?)?;
    let brokers = served.div_ceil(given.broker_bytes.checked_mul(100)?).max(given.zones);
    // Of evenly spread clients, one part of as many as there are zones finds its partition's broker in its own.
    let foreign = |percent: u128| -> Option<u128> {
        month
            .checked_mul(percent)?
            .checked_mul(given.zones.checked_sub(1)?)?
            .checked_div(given.zones.checked_mul(100)?)
    };
    let clients = foreign(given.read_percent.checked_add(100)?)?;
    let copied = month.checked_mul(copies.checked_sub(1)?)?;
    // Requests for so many bytes, as they were counted.
    let requests = |count: u64| -> Option<u128> {
        month.checked_mul(u128::from(count))?.checked_div(u128::from(units.bytes_in))
    };
    let is_shared = design == Design::Shared;
    let only_shared = |amount: Option<u128>| if is_shared { amount } else { Some(0) };
    let mut by_driver = Vec::new();
    let mut total: u64 = 0;
    for driver in Driver::ALL {
        let billionths = match driver {
            Driver::Compute => hours(prices.broker_hour, brokers),
            Driver::Recovery => hours(prices.broker_hour, 1),
            Driver::Sequencer => only_shared(hours(prices.sequencer_hour, 1)),
            Driver::BlockStorage => {
                let own = brokers.checked_mul(given.local_disk)?.checked_mul(GIBIBYTE)?;
                let bytes = match design {
                    Design::Replicated => {
                        kept(days)?.checked_mul(copies)?.checked_mul(given.disk_percent)?.checked_div(100)?
                    }
                    Design::Shared => own,
                };
                per(bytes, GIBIBYTE, prices.disk_gibibyte_month)
            }
            Driver::ObjectStorage => only_shared(per(
                kept(days.checked_add(given.version_days)?)?
                    .checked_mul(given.object_percent)?
                    .checked_div(100)?,
                GIBIBYTE,
                prices.object_gibibyte_month,
            )),
            Driver::ObjectWrites => {
                only_shared(per(requests(units.object_writes)?, 1000, prices.object_write_thousand))
            }
            Driver::ObjectReads => {
                only_shared(per(requests(units.object_reads)?, 1000, prices.object_read_thousand))
            }
            Driver::Keys => {
                let asked = if is_shared { requests(units.key_requests)? } else { 0 };
                per(given.keys, 1, prices.key_month)?.checked_add(per(
                    asked,
                    10_000,
                    prices.key_request_ten_thousand,
                )?)
            }
            Driver::CrossZone => per(clients.checked_add(copied)?, GIBIBYTE, prices.cross_zone_gibibyte),
            Driver::Endpoints => hours(prices.endpoint_hour, given.endpoints.checked_mul(given.zones)?),
            Driver::Gateways => hours(prices.gateway_hour, given.gateways.checked_mul(given.zones)?),
            Driver::Audit => {
                let events = requests(units.object_writes)?.checked_add(requests(units.object_reads)?)?;
                only_shared(per(events, 100_000, prices.audit_hundred_thousand_events))
            }
        }?;
        // Billionths to hundredths, rounded half up.
        let hundredths = u64::try_from(billionths.checked_add(5_000_000)?.checked_div(10_000_000)?).ok()?;
        if hundredths > 0 {
            total = total.checked_add(hundredths)?;
            by_driver.push((driver, hundredths));
        }
    }
    Some(DesignCost { total, by_driver })
}

fn hours(price: Amount, count: u128) -> Option<u128> {
    u128::from(price.0).checked_mul(count)?.checked_mul(HOURS)
}

/// So many units, of which `of` together have the price.
fn per(count: u128, of: u128, price: Amount) -> Option<u128> {
    count.checked_mul(u128::from(price.0))?.checked_div(of)
}
