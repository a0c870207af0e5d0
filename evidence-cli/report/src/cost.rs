//! The shape of the bill: as text for a terminal, as a section of the report, and as a plot.

use std::fmt::Write as _;

use cadastre_model::cost::{CostPoint, CostShape, Driver, money};
use serde::Serialize;

use crate::text::inert;

/// The plot's size and margins, in its own units.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 400;
const LEFT: u64 = 90;
const RIGHT: u64 = 150;
const TOP: u64 = 20;
const BOTTOM: u64 = 50;
/// How far apart labels at the ends of lines are at least.
const LABEL_HEIGHT: u64 = 15;

/// The section of a report.
#[derive(Debug, Serialize)]
pub(crate) struct Section<'a> {
    shape: &'a CostShape,
    basis: String,
    rows: Vec<Row>,
    drivers: Vec<DriverRow>,
    reference: String,
    sensitivity: Vec<SensitivityRow>,
}

#[derive(Debug, Serialize)]
struct Row {
    load: String,
    kept: String,
    designs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DriverRow {
    driver: &'static str,
    designs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SensitivityRow {
    what: String,
    changes: Vec<String>,
}

/// What the section shows.
pub(crate) fn section(shape: &CostShape) -> Section<'_> {
    let rows = shape.points.iter().map(|point| Row {
        load: rate(point.kibibytes_per_second),
        kept: days(point.retention_days),
        designs: point.designs.iter().map(|cost| money(cost.total)).collect(),
    });
    Section {
        shape,
        basis: basis(shape),
        rows: rows.collect(),
        drivers: shape.at_reference().map(drivers).unwrap_or_default(),
        reference: reference(shape),
        sensitivity: shape
            .sensitivity
            .iter()
            .map(|row| SensitivityRow {
                what: row.what.clone(),
                changes: row
                    .halved
                    .iter()
                    .zip(&row.doubled)
                    .map(|(halved, doubled)| format!("{} / {}", percent(*halved), percent(*doubled)))
                    .collect(),
            })
            .collect(),
    }
}

fn drivers(point: &CostPoint) -> Vec<DriverRow> {
    let amount = |design: usize, driver: Driver| {
        let rows = point.designs.get(design).map(|cost| cost.by_driver.as_slice()).unwrap_or_default();
        rows.iter().find(|(own, _)| *own == driver).map_or(0, |(_, amount)| *amount)
    };
    Driver::ALL
        .into_iter()
        .map(|driver| DriverRow {
            driver: driver.title(),
            designs: (0..point.designs.len()).map(|design| money(amount(design, driver))).collect(),
        })
        .collect()
}

/// What a shape rests on, in one sentence.
pub(crate) fn basis(shape: &CostShape) -> String {
    let counts = if shape.is_measured {
        "requests as this deployment's brokers counted them"
    } else {
        "requests as assumed, for none were counted on this deployment"
    };
    let prices = if shape.prices.is_example { "example prices" } else { "prices" };
    format!("{}: {counts}; {prices} as of {}", reference(shape), shape.prices.as_of)
}

fn reference(shape: &CostShape) -> String {
    let (load, kept) = shape.reference;
    format!("{} kept for {}", rate(load), days(kept))
}

fn rate(kibibytes: u64) -> String {
    if kibibytes >= 1 << 20 {
        format!("{} GiB/s", kibibytes >> 20)
    } else {
        format!("{} MiB/s", kibibytes >> 10)
    }
}

fn days(count: u64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// Thousandths as percent with a sign: `+12.5 %`.
fn percent(thousandths: i64) -> String {
    let sign = match thousandths {
        0 => "",
        1.. => "+",
        _ => "\u{2212}",
    };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{} %", size / 10, size % 10)
}

/// The shape for a terminal.
#[must_use]
pub fn table(shape: &CostShape) -> String {
    let told = section(shape);
    let head = |first: &[&str]| -> Vec<String> {
        first.iter().map(|name| (*name).to_owned()).chain(shape.designs.iter().cloned()).collect()
    };
    let mut text = format!("{}\n{} a month\n\n", told.basis, shape.currency);
    let mut rows = vec![head(&["clients write", "kept"])];
    for row in &told.rows {
        rows.push(
            [row.load.clone(), row.kept.clone()].into_iter().chain(row.designs.iter().cloned()).collect(),
        );
    }
    text.push_str(&aligned(&rows));
    let mut rows = vec![head(&[&told.reference])];
    rows.extend(
        told.drivers
            .iter()
            .map(|row| std::iter::once(row.driver.to_owned()).chain(row.designs.iter().cloned()).collect()),
    );
    text.push_str(&format!("\n{}", aligned(&rows)));
    let mut rows = vec![head(&["the total when it is half / twice as much"])];
    rows.extend(
        told.sensitivity
            .iter()
            .map(|row| std::iter::once(row.what.clone()).chain(row.changes.iter().cloned()).collect()),
    );
    text.push_str(&format!("\n{}", aligned(&rows)));
    let mut rows = vec![vec!["taken as given".to_owned(), "value".to_owned(), "from".to_owned()]];
    rows.extend(
        shape.assumptions.iter().map(|row| vec![row.name.clone(), row.value.clone(), row.from.clone()]),
    );
    text.push_str(&format!("\n{}", aligned(&rows)));
    let sources: Vec<String> = shape.prices.sources.iter().map(|source| inert(source).into_owned()).collect();
    text.push_str(&format!(
        "\nprices: {}, as of {}, after {}\n",
        inert(&shape.prices.name),
        inert(&shape.prices.as_of),
        sources.join("; ")
    ));
    text
}

fn aligned(rows: &[Vec<String>]) -> String {
    crate::comparison::aligned(rows)
}

/// The shape for a pull request or a wiki.
#[must_use]
pub fn markdown(shape: &CostShape) -> String {
    let told = section(shape);
    let escaped = |text: &str| inert(text).replace('|', "\\|").replace('<', "&lt;");
    let line = |cells: Vec<String>| {
        format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "))
    };
    let ruled = |first: &[&str], further: &[String]| {
        let names = first.iter().map(|name| (*name).to_owned()).chain(further.iter().cloned()).collect();
        format!("{}{}", line(names), line(vec!["---".to_owned(); first.len() + further.len()]))
    };
    let mut text = format!(
        "# Shape of the bill\n\n{}, in {} a month.\n\n",
        escaped(&told.basis),
        escaped(&shape.currency)
    );
    text.push_str(&ruled(&["clients write", "kept"], &shape.designs));
    for row in told.rows {
        text.push_str(&line([row.load, row.kept].into_iter().chain(row.designs).collect()));
    }
    text.push_str(&format!("\n## By driver\n\n{}", ruled(&[&told.reference], &shape.designs)));
    for row in told.drivers {
        text.push_str(&line(std::iter::once(row.driver.to_owned()).chain(row.designs).collect()));
    }
    text.push_str(&format!("\n## When it is half / twice as much\n\n{}", ruled(&["what"], &shape.designs)));
    for row in told.sensitivity {
        text.push_str(&line(std::iter::once(row.what).chain(row.changes).collect()));
    }
    text.push_str(&format!("\n## Taken as given\n\n{}", ruled(&["what", "value", "from"], &[])));
    for row in &shape.assumptions {
        text.push_str(&line(vec![row.name.clone(), row.value.clone(), row.from.clone()]));
    }
    let sources: Vec<String> = shape.prices.sources.iter().map(|source| escaped(source)).collect();
    text.push_str(&format!(
        "\nPrices: {}, as of {}, after {}.\n",
        escaped(&shape.prices.name),
        escaped(&shape.prices.as_of),
        sources.join("; ")
    ));
    text
}

/// The plot: total against throughput, both on logarithmic scales, one line for each design and retention.
#[must_use]
pub fn plot(shape: &CostShape) -> String {
    let loads: Vec<u64> = sorted(shape.points.iter().map(|point| point.kibibytes_per_second));
    let kept: Vec<u64> = sorted(shape.points.iter().map(|point| point.retention_days));
    let totals = || shape.points.iter().flat_map(|point| &point.designs).map(|cost| cost.total);
    let marks = decades(totals().min().unwrap_or(0), totals().max().unwrap_or(0));
    let (least, most) =
        (marks.first().map_or(0, |mark| log2(*mark)), marks.last().map_or(1, |mark| log2(*mark)));
    let down = |total: u64| {
        let above = log2(total).saturating_sub(least);
        let span = most.saturating_sub(least).max(1);
        TOP + (HEIGHT - TOP - BOTTOM).saturating_mul(span.saturating_sub(above)) / span
    };
    let right = |position: usize| {
        let steps = u64::try_from(loads.len().saturating_sub(1)).unwrap_or(1).max(1);
        LEFT + (WIDTH - LEFT - RIGHT) * u64::try_from(position).unwrap_or(0) / steps
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"cost-plot-title\" fill=\"none\" stroke=\"currentColor\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title id=\"cost-plot-title\">Cost a month against what clients write, for {} and {}</title>\n",
        shape.designs.first().map_or("", String::as_str),
        shape.designs.get(1).map_or("", String::as_str),
    );
    let write = |svg: &mut String, x: u64, y: u64, anchor: &str, text: &str| {
        let _infallible = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"currentColor\" stroke=\"none\">{}</text>",
            inert(text).replace('&', "&amp;").replace('<', "&lt;")
        );
    };
    for mark in &marks {
        let y = down(*mark);
        let _infallible = writeln!(svg, "<path d=\"M{LEFT} {y}H{}\" stroke-opacity=\".2\"/>", WIDTH - RIGHT);
        let label = money(*mark);
        let whole = label.split('.').next().unwrap_or_default();
        write(&mut svg, LEFT - 8, y + 4, "end", whole);
    }
    for (position, load) in loads.iter().enumerate() {
        write(&mut svg, right(position), HEIGHT - BOTTOM + 18, "middle", &rate(*load));
    }
    write(&mut svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", "what clients write");
    write(&mut svg, 4, TOP - 6, "start", &format!("{} a month", shape.currency));
    let dashes_of = |design: usize| if design == 0 { "" } else { " stroke-dasharray=\"6 4\"" };
    let mut ends = Vec::new();
    for (design, name) in shape.designs.iter().enumerate() {
        let dashes = dashes_of(design);
        for days_kept in &kept {
            let mut path = String::new();
            let mut end = TOP;
            for (position, load) in loads.iter().enumerate() {
                let point = shape
                    .points
                    .iter()
                    .find(|point| point.kibibytes_per_second == *load && point.retention_days == *days_kept);
                let Some(cost) = point.and_then(|point| point.designs.get(design)) else { continue };
                end = down(cost.total);
                let step = if path.is_empty() { 'M' } else { 'L' };
                let _infallible = write!(path, "{step}{} {end}", right(position));
            }
            let _infallible = writeln!(svg, "<path d=\"{path}\" stroke-width=\"1.5\"{dashes}/>");
            ends.push((end, design, *days_kept));
        }
        let y = TOP + 14 + 18 * u64::try_from(design).unwrap_or(0);
        let _infallible =
            writeln!(svg, "<path d=\"M{} {}h30\" stroke-width=\"1.5\"{dashes}/>", LEFT + 12, y - 4);
        write(&mut svg, LEFT + 50, y, "start", name);
    }
    ends.sort_unstable();
    let mut free = 0;
    for (end, design, days_kept) in ends {
        let y = end.max(free);
        free = y + LABEL_HEIGHT;
        let x = WIDTH - RIGHT + 8;
        let _infallible = writeln!(svg, "<path d=\"M{x} {y}h22\"{}/>", dashes_of(design));
        write(&mut svg, x + 28, y + 4, "start", &days(days_kept));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Powers of ten, in hundredths as amounts are, from the last at or below one amount to the first above or at another.
fn decades(least: u64, most: u64) -> Vec<u64> {
    let powers = || std::iter::successors(Some(100_u64), |power| power.checked_mul(10));
    let first = powers().take_while(|power| *power <= least).last().unwrap_or(100);
    let mut marks = vec![first];
    for power in powers().skip_while(|power| *power <= first) {
        marks.push(power);
        if power >= most {
            break;
        }
    }
    marks
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    values.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// A thousand times the binary logarithm, rounded down, in whole numbers: each squaring of what is above the power of two
/// tells one further binary digit.
fn log2(value: u64) -> u64 {
    let value = value.max(1);
    let power = value.ilog2();
    // 31 fraction bits.
    let mut mantissa = if power >= 31 { value >> (power - 31) } else { value << (31 - power) };
    let mut thousandths: u64 = 0;
    let mut digit: u64 = 1 << 20;
    for _ in 0..16 {
        digit >>= 1;
        mantissa = (mantissa * mantissa) >> 31;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            thousandths += digit * 1000;
        }
    }
    u64::from(power) * 1000 + (thousandths >> 20)
}

#[cfg(test)]
mod tests {
    use cadastre_model::cost::{DesignCost, PriceSource, SCHEMA, Sensitivity};

    use super::*;

    fn shape() -> CostShape {
        let cost = |total: u64| DesignCost { total, by_driver: vec![(Driver::Compute, total)] };
        let point = |kibibytes_per_second: u64, a: u64, b: u64| CostPoint {
            kibibytes_per_second,
            retention_days: 7,
            designs: vec![cost(a), cost(b)],
        };
        CostShape {
            schema: SCHEMA.to_owned(),
            currency: "USD".to_owned(),
            prices: PriceSource {
                name: "ours <b>".to_owned(),
                as_of: "2026-11-22".to_owned(),
                is_example: false,
                sources: vec!["contract | 7".to_owned()],
            },
            measured: Vec::new(),
            is_measured: false,
            observed: Vec::new(),
            assumptions: Vec::new(),
            designs: vec!["replication".to_owned(), "shared".to_owned()],
            points: vec![point(1 << 10, 100_000, 50_000), point(1 << 14, 1_600_000, 400_000)],
            reference: (1 << 14, 7),
            sensitivity: vec![Sensitivity {
                what: "price of disk".to_owned(),
                halved: vec![-250, 0],
                doubled: vec![500, 5],
            }],
        }
    }

    #[test]
    fn logarithms_are_right_to_a_thousandth() {
        for (value, expected) in
            [(1, 0), (2, 1000), (3, 1584), (1000, 9965), (1 << 40, 40_000), (u64::MAX, 63_999)]
        {
            assert!(log2(value).abs_diff(expected) <= 1, "{value}: {}", log2(value));
        }
    }

    #[test]
    fn the_axis_is_marked_at_powers_of_ten_around_all_amounts() {
        for (least, most, expected) in [
            (100_000, 1_600_000, &[100_000, 1_000_000, 10_000_000][..]),
            (99, 100_000, &[100, 1_000, 10_000, 100_000]),
            (1_000, 1_000, &[1_000, 10_000]),
            (0, 0, &[100, 1_000]),
        ] {
            assert_eq!(decades(least, most), expected, "{least} to {most}");
        }
    }

    #[test]
    fn labels_at_the_ends_of_lines_never_overlap() {
        let mut close = shape();
        for (index, point) in close.points.iter_mut().enumerate() {
            point.designs = vec![DesignCost { total: 100_000 + index as u64, by_driver: Vec::new() }; 2];
        }
        let svg = plot(&close);
        let rows: Vec<u64> = svg
            .lines()
            .filter(|line| line.ends_with(">7 days</text>"))
            .filter_map(|line| line.split("y=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert!(matches!(rows[..], [first, second] if second >= first + LABEL_HEIGHT), "{rows:?}");
    }

    #[test]
    fn the_table_shows_totals_drivers_sensitivity_and_what_it_rests_on() {
        let text = table(&shape());
        assert!(text.starts_with("16 MiB/s kept for 7 days: requests as assumed, for none were counted on this deployment; prices as of 2026-11-22\nUSD a month\n"), "{text}");
        assert!(text.contains("16 MiB/s       7 days  16,000.00    4,000.00\n"), "{text}");
        assert!(text.contains("brokers                   16,000.00    4,000.00\n"), "{text}");
        assert!(text.contains("\u{2212}25.0 % / +50.0 %  0.0 % / +0.5 %"), "{text}");
    }

    #[test]
    fn what_others_wrote_is_escaped() {
        let text = markdown(&shape());
        assert!(text.contains("ours &lt;b>") && text.contains("contract \\| 7"), "{text}");
    }

    #[test]
    fn the_plot_has_a_line_for_each_design_and_retention_and_no_number_with_a_point() {
        let svg = plot(&shape());
        assert_eq!(svg.matches("stroke-width=\"1.5\"").count(), 4, "{svg}");
        assert!(svg.lines().filter(|line| line.starts_with("<path")).all(|line| !line.contains("NaN")));
        assert_eq!(svg, plot(&shape()));
    }
}
