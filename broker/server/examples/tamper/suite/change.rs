//! Named parts of a file, and what is done to them.

use std::ops::Range;

use super::Context;

/// A part of a file.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) range: Range<usize>,
}

impl Region {
    pub(crate) fn new(name: impl Into<String>, range: Range<usize>) -> Self {
        Self { name: name.into(), range }
    }

    /// Parts that follow each other from `start` on, by name and length.
    pub(crate) fn row(start: usize, parts: &[(&str, usize)]) -> Vec<Self> {
        let mut position = start;
        let mut regions = Vec::new();
        for (name, length) in parts {
            regions.push(Self::new(*name, position..position + length));
            position += length;
        }
        regions
    }
}

/// One altered file.
#[derive(Debug, Clone)]
pub(crate) struct Altered {
    /// What was altered, as the table names it.
    pub(crate) region: String,
    /// Which change it was, for whoever wants to see it again.
    pub(crate) what: String,
    /// The whole file.
    pub(crate) bytes: Vec<u8>,
}

/// Flips one bit at each of so many positions of each region: its first byte, its last, and others by chance.
pub(crate) fn flips(context: &mut Context<'_>, sound: &[u8], regions: &[Region]) -> Vec<Altered> {
    let mut altered = Vec::new();
    for Region { name, range } in regions {
        let mut positions = vec![range.start, range.end.saturating_sub(1)];
        if context.settings.positions == 1 {
            positions.clear();
        }
        while positions.len() < context.settings.positions.min(range.len()) {
            positions.push(range.start + context.random.index(range.len()));
        }
        positions.sort_unstable();
        positions.dedup();
        for position in positions {
            let bit = context.random.below(8);
            let mut bytes = sound.to_vec();
            bytes[position] ^= 1 << bit;
            altered.push(Altered {
                region: name.clone(),
                what: format!("bit {bit} of byte {position}"),
                bytes,
            });
        }
    }
    altered
}

/// The file cut at each of these lengths.
pub(crate) fn cuts(region: &str, sound: &[u8], lengths: impl IntoIterator<Item = usize>) -> Vec<Altered> {
    let cut = |length| Altered {
        region: region.to_owned(),
        what: format!("cut to {length} of {} bytes", sound.len()),
        bytes: sound[..length].to_vec(),
    };
    lengths.into_iter().map(cut).collect()
}

/// The file with other content altogether.
pub(crate) fn replaced(region: &str, what: &str, bytes: Vec<u8>) -> Altered {
    Altered { region: region.to_owned(), what: what.to_owned(), bytes }
}
