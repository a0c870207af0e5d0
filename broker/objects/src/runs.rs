//! Which blocks are fetched with one request: follows from the index alone, so that a run can be cached and shared.

use std::ops::Range;

use crate::block::Block;

/// How blocks are put together to runs. Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSettings {
    /// A run ends when it has this size; a larger block is a run of its own.
    pub run_bytes: u64,
}

impl Default for RunSettings {
    /// 1 MiB.
    fn default() -> Self {
        Self { run_bytes: 1 << 20 }
    }
}

/// Block numbers of each run, in order: neighbours of one partition, up to the size of a run.
#[must_use]
pub(crate) fn runs(blocks: &[Block], settings: RunSettings) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    let mut length = 0u64;
    let mut partition = None;
    for (number, block) in (0u32..).zip(blocks) {
        let longer = length.saturating_add(u64::from(block.length));
        match runs.last_mut() {
            Some(run) if partition == Some(block.partition) && longer <= settings.run_bytes => {
                run.end = number.saturating_add(1);
                length = longer;
            }
            _ => {
                runs.push(number..number.saturating_add(1));
                length = u64::from(block.length);
                partition = Some(block.partition);
            }
        }
    }
    runs
}

/// Joins byte ranges, sorted by start, that lie at most `maximum_gap` apart, into requests of at most
/// `maximum_bytes`; a larger range stays alone. Gives for each request its range and how many inputs it serves.
#[must_use]
pub fn coalesce(ranges: &[Range<u64>], maximum_gap: u64, maximum_bytes: u64) -> Vec<(Range<u64>, usize)> {
    let mut requests: Vec<(Range<u64>, usize)> = Vec::new();
    for range in ranges {
        match requests.last_mut() {
            Some((request, served))
                if range.start <= request.end.saturating_add(maximum_gap)
                    && range.start >= request.start
                    && range.end.max(request.end).saturating_sub(request.start) <= maximum_bytes =>
            {
                request.end = request.end.max(range.end);
                *served = served.saturating_add(1);
            }
            _ => requests.push((range.clone(), 1)),
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::tests::block;

    #[test]
    fn runs_keep_partitions_apart_and_end_at_their_size() {
        let blocks: Vec<_> =
            [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)].map(|(topic, base)| block(topic, 0, base, 0, 0)).into();
        assert_eq!(runs(&blocks, RunSettings { run_bytes: 250 }), [0..2, 2..3, 3..5]);
        assert_eq!(runs(&blocks, RunSettings { run_bytes: 10 }), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert_eq!(runs(&blocks, RunSettings { run_bytes: 1000 }), [0..3, 3..5]);
        assert_eq!(runs(&[], RunSettings::default()), []);
    }

    proptest! {
        #[test]
        fn coalesced_requests_cover_each_range_once_and_respect_the_limits(
            lengths in prop::collection::vec((0u64..50, 1u64..50), 1..30), gap in 0u64..40, limit in 1u64..200,
        ) {
            let mut position = 0;
            let mut ranges = Vec::new();
            for (skip, length) in lengths {
                position += skip;
                ranges.push(position..position + length);
                position += length;
            }
            let requests = coalesce(&ranges, gap, limit);
            prop_assert_eq!(requests.iter().map(|(_, served)| served).sum::<usize>(), ranges.len());
            let mut rest = ranges.iter();
            for (request, served) in &requests {
                prop_assert!(*served == 1 || request.end - request.start <= limit);
                let inner: Vec<_> = rest.by_ref().take(*served).collect();
                prop_assert!(inner.iter().all(|it| request.start <= it.start && it.end <= request.end));
                prop_assert!(inner.windows(2).all(|pair| pair[1].start - pair[0].end <= gap));
            }
            // Nothing that could have been joined was left apart.
            for pair in requests.windows(2) {
                let apart = pair[1].0.start - pair[0].0.end;
                let next_end = ranges.iter().find(|it| it.start == pair[1].0.start).map(|it| it.end).unwrap();
                prop_assert!(apart > gap || next_end - pair[0].0.start > limit);
            }
        }
    }
}
