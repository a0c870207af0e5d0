//! Figures of several rounds, and the table of their medians.

use std::collections::BTreeMap;

use crate::server::Setting;

/// What was measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    ProduceLargeMebibytes,
    ProduceLargeRecords,
    ProduceSmallMebibytes,
    ProduceSmallRecords,
    FetchHotMebibytes,
    FetchColdMebibytes,
    LatencyMedian,
    Latency99,
    Latency999,
    ProcessorLarge,
    ProcessorSmall,
    ProcessorFetch,
    MemoryAtRest,
    MemoryAtMost,
    Start,
}

impl Figure {
    const ALL: [Self; 15] = [
        Self::ProduceLargeMebibytes,
        Self::ProduceLargeRecords,
        Self::ProduceSmallMebibytes,
        Self::ProduceSmallRecords,
        Self::FetchHotMebibytes,
        Self::FetchColdMebibytes,
        Self::LatencyMedian,
        Self::Latency99,
        Self::Latency999,
        Self::ProcessorLarge,
        Self::ProcessorSmall,
        Self::ProcessorFetch,
        Self::MemoryAtRest,
        Self::MemoryAtMost,
        Self::Start,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::ProduceLargeMebibytes => "produce, records of 1 KiB, MiB/s",
            Self::ProduceLargeRecords => "produce, records of 1 KiB, records/s",
            Self::ProduceSmallMebibytes => "produce, records of 100 B, MiB/s",
            Self::ProduceSmallRecords => "produce, records of 100 B, records/s",
            Self::FetchHotMebibytes => "fetch what was just written, MiB/s",
            Self::FetchColdMebibytes => "fetch after a restart, files out of memory, MiB/s",
            Self::LatencyMedian => "latency at 20,000 records/s of 1 KiB, p50, ms",
            Self::Latency99 => "the same, p99, ms",
            Self::Latency999 => "the same, p99.9, ms",
            Self::ProcessorLarge => "broker's processor time for a produced record of 1 KiB, µs",
            Self::ProcessorSmall => "the same, 100 B, µs",
            Self::ProcessorFetch => "broker's processor time for a fetched record of 1 KiB, µs",
            Self::MemoryAtRest => "resident memory 1 s after the load, MiB",
            Self::MemoryAtMost => "resident memory at most, MiB",
            Self::Start => "start of a small broker to the first acknowledgement, ms",
        }
    }
}

/// All rounds.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    values: BTreeMap<(Figure, Setting), Vec<f64>>,
}

impl Figures {
    pub(crate) fn note(&mut self, figure: Figure, setting: Setting, value: f64) {
        eprintln!("  {setting}: {}: {value:.2}", figure.words());
        self.values.entry((figure, setting)).or_default().push(value);
    }

    /// Medians, with the smallest and largest value of all rounds.
    pub(crate) fn table(&self, settings: &[Setting]) -> String {
        let names: String = settings.iter().map(|setting| format!(" {setting} |")).collect();
        let mut table = format!("| |{names}\n| --- |{}", " ---: |".repeat(settings.len()));
        for figure in Figure::ALL {
            table.push_str(&format!("\n| {} |", figure.words()));
            for setting in settings {
                let values = self.values.get(&(figure, *setting)).cloned().unwrap_or_default();
                table.push_str(&format!(" {} |", summary(values)));
            }
        }
        table
    }
}

/// `median (least to most)`.
pub(crate) fn summary(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most), Some(median)) =
        (values.first(), values.last(), values.get(values.len() / 2))
    else {
        return String::new();
    };
    let shown = |value: &f64| {
        if *value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
    };
    format!("{} ({} to {})", shown(median), shown(least), shown(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_median_with_its_bounds() {
        assert_eq!(summary(vec![3.0, 250.4, 1.0]), "3.0 (1.0 to 250)");
        assert_eq!(summary(Vec::new()), "");
    }
}
