//! The grid of both designs, and how much it hangs on what.

use cadastre_model::cost::{
    Assumption, CostPoint, CostShape, Driver, MeasuredUnits, ObservedDriver, SCHEMA, Sensitivity,
};
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;

use crate::amount::Amount;
use crate::designs::{Design, Given, Load, cost};
use crate::observed::observed;
use crate::prices::{PriceList, Prices};
use crate::units::{assumed, measured};

/// What clients write, in KiB a second.
const THROUGHPUTS: [u64; 6] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20];

/// How long records are kept, in days.
const RETENTIONS: [u64; 3] = [1, 7, 30];

/// Where sensitivity is told: 16 MiB a second kept for a week.
const REFERENCE: Load = Load { kibibytes_per_second: 1 << 14, retention_days: 7 };

/// A load so small that a count says nothing.
const FEWEST_RECORDS: u64 = 10_000;

/// Nothing that could be priced.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// A price or count is beyond all measure.
    #[error("prices and counts are too large to be multiplied")]
    TooLarge,
}

/// What both designs cost, with the counts of the cluster that wrote most; assumed ones where none were counted.
///
/// # Errors
/// [`CostError::TooLarge`].
pub fn shape(
    inventory: &Inventory,
    declaration: &Declaration,
    prices: &Prices,
) -> Result<CostShape, CostError> {
    let all = measured(inventory);
    let own = all.iter().filter(|units| units.records >= FEWEST_RECORDS && units.bytes_in > 0);
    let own = own.max_by_key(|units| (units.records, std::cmp::Reverse(units.cluster.clone()))).cloned();
    let is_measured = own.is_some();
    let units = own.unwrap_or_else(assumed);
    let found = observed(inventory, declaration);
    let (given, told) = given(&units, is_measured, inventory, declaration, &found);
    let mut points = Vec::new();
    for retention_days in RETENTIONS {
        for kibibytes_per_second in THROUGHPUTS {
            let load = Load { kibibytes_per_second, retention_days };
            let designs = Design::ALL
                .into_iter()
                .map(|design| cost(design, load, &given, &units, &prices.prices))
                .collect::<Option<_>>()
                .ok_or(CostError::TooLarge)?;
            points.push(CostPoint { kibibytes_per_second, retention_days, designs });
        }
    }
    Ok(CostShape {
        schema: SCHEMA.to_owned(),
        currency: prices.currency.clone(),
        prices: prices.source(),
        is_measured,
        measured: all,
        observed: found,
        assumptions: told,
        designs: Design::ALL.iter().map(|design| design.title().to_owned()).collect(),
        points,
        reference: (REFERENCE.kibibytes_per_second, REFERENCE.retention_days),
        sensitivity: sensitivity(&given, &units, &prices.prices).ok_or(CostError::TooLarge)?,
    })
}

/// What is taken as given, and where each of it comes from.
fn given(
    units: &MeasuredUnits,
    is_measured: bool,
    inventory: &Inventory,
    declaration: &Declaration,
    found: &[ObservedDriver],
) -> (Given, Vec<Assumption>) {
    let counted = if is_measured { "counted by the brokers" } else { "assumed" };
    let percent = |part: u64| {
        u128::from(part).saturating_mul(100).checked_div(u128::from(units.bytes_in)).unwrap_or_default()
    };
    let zones = inventory
        .subnets
        .iter()
        .map(|subnet| subnet.zone.as_str())
        .collect::<std::collections::BTreeSet<_>>();
    let seen = |count: usize| u128::try_from(count).unwrap_or(u128::MAX);
    let (zones, from_zones) = if zones.len() > 1 { (seen(zones.len()), "observed") } else { (3, "assumed") };
    let endpoints = inventory.endpoints.iter().filter(|endpoint| !endpoint.subnets.is_empty()).count();
    let (endpoints, from_endpoints) =
        if endpoints > 0 { (seen(endpoints), "observed") } else { (5, "assumed") };
    let (keys, from_keys) =
        if declaration.keys.is_empty() { (1, "assumed") } else { (seen(declaration.keys.len()), "declared") };
    let gateways = found.iter().filter(|found| found.driver == Some(Driver::Gateways)).count();
    let gateways = seen(gateways).div_ceil(zones);
    let given = Given {
        read_percent: percent(units.bytes_out),
        replicas: 3,
        zones,
        disk_percent: 140,
        version_days: 7,
        object_percent: 100,
        broker_bytes: 50 << 20,
        local_disk: 100,
        endpoints,
        gateways,
        keys,
    };
    let row = |name: &str, value: String, from: &str| Assumption {
        name: name.to_owned(),
        value,
        from: from.to_owned(),
    };
    let per_million = |count: u64| {
        let count = u128::from(count).saturating_mul(1_000_000);
        count.checked_div(u128::from(units.records)).unwrap_or_default().to_string()
    };
    let told = vec![
        row("object writes for a million records", per_million(units.object_writes), counted),
        row("object reads for a million records", per_million(units.object_reads), counted),
        row("key requests for a million records", per_million(units.key_requests), counted),
        row("bytes that clients write for a million records", per_million(units.bytes_in), counted),
        row("bytes written into objects for a million records", per_million(units.object_bytes), counted),
        row("bytes read for each byte written", format!("{} %", given.read_percent), counted),
        row("zones", given.zones.to_string(), from_zones),
        row("interface endpoints in each zone", given.endpoints.to_string(), from_endpoints),
        row("gateways in each zone", given.gateways.to_string(), "observed"),
        row("keys", given.keys.to_string(), from_keys),
        row("copies of a record between brokers", given.replicas.to_string(), "assumed"),
        row("disk bought for what is kept on disks", format!("{} %", given.disk_percent), "assumed"),
        row(
            "bytes at rest in objects for each byte written",
            format!("{} %", given.object_percent),
            "assumed",
        ),
        row("days for which deleted objects are kept", given.version_days.to_string(), "assumed"),
        row("bytes a second through one broker", format!("{} MiB", given.broker_bytes >> 20), "assumed"),
        row("a broker's disk where records rest in objects", format!("{} GiB", given.local_disk), "assumed"),
        row(
            "clients in the zone of their partition's broker",
            "one part in as many as there are zones".to_owned(),
            "assumed",
        ),
        row("a month", "730 hours".to_owned(), "assumed"),
        row("object requests on the trail", "all of them, as AUD-01 asks".to_owned(), "assumed"),
        row(
            "traffic between clients and brokers within a zone, taxes, discounts, support and people",
            "left out".to_owned(),
            "assumed",
        ),
    ];
    (given, told)
}

/// Changes one thing by a factor; `None` when that is beyond all measure.
type Knob = (&'static str, fn(&mut Given, &mut MeasuredUnits, &mut PriceList, u128, u128) -> Option<()>);

const KNOBS: [Knob; 13] = [
    ("price of a broker's hour", |_, _, prices, by, of| scale(&mut prices.broker_hour, by, of)),
    ("price of a sequencer's hour", |_, _, prices, by, of| scale(&mut prices.sequencer_hour, by, of)),
    ("price of disk", |_, _, prices, by, of| scale(&mut prices.disk_gibibyte_month, by, of)),
    ("price of objects at rest", |_, _, prices, by, of| scale(&mut prices.object_gibibyte_month, by, of)),
    ("price of object writes", |_, _, prices, by, of| scale(&mut prices.object_write_thousand, by, of)),
    ("price of bytes between zones", |_, _, prices, by, of| scale(&mut prices.cross_zone_gibibyte, by, of)),
    ("price of audit events", |_, _, prices, by, of| {
        scale(&mut prices.audit_hundred_thousand_events, by, of)
    }),
    ("price of endpoints", |_, _, prices, by, of| scale(&mut prices.endpoint_hour, by, of)),
    ("object requests for a million records", |_, units, _, by, of| {
        part(&mut units.object_writes, by, of)?;
        part(&mut units.object_reads, by, of)
    }),
    ("key requests for a million records", |_, units, _, by, of| part(&mut units.key_requests, by, of)),
    ("bytes read for each byte written", |given, _, _, by, of| share(&mut given.read_percent, by, of)),
    ("bytes a second through one broker", |given, _, _, by, of| share(&mut given.broker_bytes, by, of)),
    ("bytes at rest in objects for each byte written", |given, _, _, by, of| {
        share(&mut given.object_percent, by, of)
    }),
];

fn scale(amount: &mut Amount, by: u128, of: u128) -> Option<()> {
    part(&mut amount.0, by, of)
}

fn part(value: &mut u64, by: u128, of: u128) -> Option<()> {
    let mut wide = u128::from(*value);
    share(&mut wide, by, of)?;
    *value = u64::try_from(wide).ok()?;
    Some(())
}

fn share(value: &mut u128, by: u128, of: u128) -> Option<()> {
    *value = value.checked_mul(by)?.checked_div(of)?;
    Some(())
}

fn sensitivity(given: &Given, units: &MeasuredUnits, prices: &PriceList) -> Option<Vec<Sensitivity>> {
    let totals = |given: &Given, units: &MeasuredUnits, prices: &PriceList| -> Option<Vec<u64>> {
        Design::ALL
            .into_iter()
            .map(|design| cost(design, REFERENCE, given, units, prices).map(|cost| cost.total))
            .collect()
    };
    let base = totals(given, units, prices)?;
    let mut rows = Vec::new();
    for (what, turn) in KNOBS {
        let moved = |by: u128, of: u128| -> Option<Vec<i64>> {
            let (mut given, mut units, mut prices) = (*given, units.clone(), *prices);
            turn(&mut given, &mut units, &mut prices, by, of)?;
            let totals = totals(&given, &units, &prices)?;
            base.iter().zip(totals).map(|(was, is)| thousandths(*was, is)).collect()
        };
        rows.push(Sensitivity { what: what.to_owned(), halved: moved(1, 2)?, doubled: moved(2, 1)? });
    }
    rows.sort_by_key(|row| {
        std::cmp::Reverse(row.doubled.iter().chain(&row.halved).map(|change| change.abs()).max())
    });
    Some(rows)
}

/// How much more `is` than `was`, in thousandths of it. What costs nothing costs nothing twice over.
fn thousandths(was: u64, is: u64) -> Option<i64> {
    if was == 0 {
        return (is == 0).then_some(0);
    }
    let change = i128::from(is).checked_sub(i128::from(was))?.checked_mul(1000)?;
    i64::try_from(change.checked_div(i128::from(was))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDARY: &str = "schema: cadastre/boundary/v1\nname: p\noperating-model: self-managed\narchitecture: shared-storage\n";

    fn of_nothing() -> CostShape {
        let declaration = Declaration::parse(BOUNDARY, "boundary.yaml").unwrap();
        shape(&Inventory::default(), &declaration, &Prices::example().unwrap()).unwrap()
    }

    fn amount(shape: &CostShape, load: (u64, u64), design: usize, driver: Driver) -> u64 {
        let point =
            shape.points.iter().find(|point| (point.kibibytes_per_second, point.retention_days) == load);
        let rows = &point.unwrap().designs[design].by_driver;
        rows.iter().find(|(own, _)| *own == driver).map_or(0, |(_, amount)| *amount)
    }

    #[test]
    fn what_was_counted_nowhere_is_never_called_measured() {
        let shape = of_nothing();
        assert!(!shape.is_measured && shape.measured.is_empty());
        assert!(shape.assumptions.iter().all(|row| row.from != "counted by the brokers"));
        assert!(shape.prices.is_example);
    }

    #[test]
    fn amounts_are_those_of_a_calculation_by_hand() {
        let shape = of_nothing();
        let load = (1 << 14, 7);
        // 16 MiB/s for a week, three copies, 140 %: 16·86400·7·3·1.4/1024 GiB at 0.08.
        assert_eq!(amount(&shape, load, 0, Driver::BlockStorage), 317_520);
        // 16 MiB/s of 730 h copied twice, and (100 + 100) % of it by two thirds of clients, at 0.02 a GiB.
        let month = 16 * 730 * 3600 * 100 / 1024;
        let expected = (month * 2 + month * 2 * 2 / 3) * 2 / 100;
        assert!(amount(&shape, load, 0, Driver::CrossZone).abs_diff(expected) <= 2);
        // A week and seven days of versions, once, at 0.023.
        assert_eq!(amount(&shape, load, 1, Driver::ObjectStorage), 16 * 86_400 * 14 * 23 / 1024 / 10);
        assert_eq!(amount(&shape, load, 1, Driver::Recovery), 5957);
    }

    #[test]
    fn more_load_and_longer_retention_never_cost_less() {
        let shape = of_nothing();
        for one in &shape.points {
            for other in &shape.points {
                let is_more = other.kibibytes_per_second >= one.kibibytes_per_second
                    && other.retention_days >= one.retention_days;
                for (less, more) in one.designs.iter().zip(&other.designs) {
                    assert!(!is_more || more.total >= less.total, "{one:?} {other:?}");
                }
            }
        }
        for point in &shape.points {
            for cost in &point.designs {
                assert_eq!(cost.total, cost.by_driver.iter().map(|(_, amount)| amount).sum::<u64>());
            }
        }
    }

    #[test]
    fn a_price_that_one_design_does_not_pay_moves_only_the_other() {
        let shape = of_nothing();
        let row = shape.sensitivity.iter().find(|row| row.what == "price of objects at rest").unwrap();
        assert_eq!(row.doubled[0], 0);
        assert!(row.doubled[1] > 0 && row.halved[1] < 0);
    }

    #[test]
    fn prices_beyond_all_measure_are_an_error_and_no_wrong_number() {
        let mut prices = Prices::example().unwrap();
        prices.prices.cross_zone_gibibyte = Amount(u64::MAX);
        let declaration = Declaration::parse(BOUNDARY, "boundary.yaml").unwrap();
        let outcome = shape(&Inventory::default(), &declaration, &prices);
        assert!(matches!(outcome, Err(CostError::TooLarge)), "{outcome:?}");
    }
}
