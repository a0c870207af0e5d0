//! Grouping in bounded memory: a hash table that goes to disk as a sorted run when it is full, and a merge of all runs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use foldhash::fast::RandomState;

use super::record::{FlowKey, FlowSums};
use crate::error::LogsError;

/// Groups that all workers together keep in memory. A group takes 81 bytes of its table and 80 in the run that it is
/// sorted into, so that this is about 300 MiB when all workers write their runs at once.
const GROUPS_IN_MEMORY: usize = 1_835_008;

/// Bytes of a group in a run: ten words.
const GROUP_SIZE: usize = 80;

type Group = (FlowKey, FlowSums);

/// What one worker groups.
#[derive(Debug)]
pub(crate) struct Aggregator {
    table: HashMap<FlowKey, FlowSums, RandomState>,
    maximum: usize,
    runs: Vec<Run>,
}

impl Aggregator {
    /// One of so many workers.
    pub(crate) fn one_of(workers: usize) -> Self {
        Self::with_maximum(GROUPS_IN_MEMORY / workers.max(1))
    }

    /// Keeps at most `maximum` groups in memory.
    pub(crate) fn with_maximum(maximum: usize) -> Self {
        Self { table: HashMap::default(), maximum: maximum.max(1), runs: Vec::new() }
    }

    /// Adds a record.
    pub(crate) fn add(&mut self, key: FlowKey, sums: FlowSums) -> Result<(), LogsError> {
        if let Some(group) = self.table.get_mut(&key) {
            group.add(&sums);
            return Ok(());
        }
        if self.table.len() >= self.maximum {
            let run = Run::spill(self.sorted()).map_err(LogsError::Spill)?;
            self.runs.push(run);
        }
        self.table.insert(key, sums);
        Ok(())
    }

    fn sorted(&mut self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.table.drain().collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        groups
    }

    /// All that it grouped, as sorted runs.
    pub(crate) fn into_runs(mut self) -> Vec<Run> {
        let last = Run::Memory(self.sorted());
        let mut runs = self.runs;
        runs.push(last);
        runs
    }
}

/// Groups in order.
#[derive(Debug)]
pub(crate) enum Run {
    /// In memory.
    Memory(Vec<Group>),
    /// In a file without a name, which the operating system removes when it is closed.
    Disk(File),
}

impl Run {
    fn spill(groups: Vec<Group>) -> io::Result<Self> {
        let mut writer = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        for (key, sums) in groups {
            for word in key.words().into_iter().chain(sums.words()) {
                writer.write_all(&word.to_le_bytes())?;
            }
        }
        Ok(Self::Disk(writer.into_inner().map_err(io::IntoInnerError::into_error)?))
    }

    fn cursor(&self) -> io::Result<Cursor<'_>> {
        Ok(match self {
            Self::Memory(groups) => Cursor::Memory(groups.iter()),
            Self::Disk(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Cursor::Disk(Box::new(BufReader::with_capacity(128 << 10, file)))
            }
        })
    }
}

#[derive(Debug)]
enum Cursor<'a> {
    Memory(std::slice::Iter<'a, Group>),
    Disk(Box<BufReader<File>>),
}

impl Cursor<'_> {
    fn next(&mut self) -> io::Result<Option<Group>> {
        match self {
            Self::Memory(groups) => Ok(groups.next().copied()),
            Self::Disk(reader) => {
                let mut bytes = [0; GROUP_SIZE];
                match reader.read_exact(&mut bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    Err(error) => return Err(error),
                }
                let mut words = [0; 10];
                for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *word = u64::from_le_bytes(*bytes);
                }
                let [a, b, c, d, e, f, g, h, i, j] = words;
                Ok(Some((FlowKey::from_words([a, b, c, d, e]), FlowSums::from_words([f, g, h, i, j]))))
            }
        }
    }
}

/// All groups of several runs, in order, each once.
#[derive(Debug)]
pub(crate) struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    heads: BinaryHeap<Reverse<(FlowKey, usize)>>,
    sums: Vec<Option<FlowSums>>,
}

impl<'a> Merge<'a> {
    pub(crate) fn of(runs: &'a [Run]) -> io::Result<Self> {
        let mut merge = Self {
            cursors: runs.iter().map(Run::cursor).collect::<io::Result<_>>()?,
            heads: BinaryHeap::with_capacity(runs.len()),
            sums: vec![None; runs.len()],
        };
        for at in 0..runs.len() {
            merge.advance(at)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, at: usize) -> io::Result<()> {
        if let (Some(cursor), Some(slot)) = (self.cursors.get_mut(at), self.sums.get_mut(at))
            && let Some((key, sums)) = cursor.next()?
        {
            *slot = Some(sums);
            self.heads.push(Reverse((key, at)));
        }
        Ok(())
    }

    fn take(&mut self) -> io::Result<Option<Group>> {
        let mut group: Option<Group> = None;
        while let Some(Reverse((key, at))) = self.heads.peek().copied() {
            if group.as_ref().is_some_and(|(of, _)| *of != key) {
                break;
            }
            self.heads.pop();
            if let Some(sums) = self.sums.get_mut(at).and_then(Option::take) {
                match &mut group {
                    Some((_, total)) => total.add(&sums),
                    None => group = Some((key, sums)),
                }
            }
            self.advance(at)?;
        }
        Ok(group)
    }
}

impl Iterator for Merge<'_> {
    type Item = io::Result<Group>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_are_the_same_however_small_the_memory(
            records in prop::collection::vec((0_u64..40, 0_u64..1_000), 0..400),
            maximum in 1_usize..50,
            workers in 1_usize..4,
        ) {
            let mut expected: BTreeMap<FlowKey, FlowSums> = BTreeMap::new();
            let mut aggregators: Vec<Aggregator> =
                (0..workers).map(|_| Aggregator::with_maximum(maximum)).collect();
            for (at, (key, bytes)) in records.into_iter().enumerate() {
                let key = FlowKey::from_words([0, 0, key % 3, 0, key]);
                let sums = FlowSums::of(Some(bytes), None, 1, Some(bytes.cast_signed()), None);
                aggregators[at % workers].add(key, sums).unwrap();
                expected.entry(key).and_modify(|total| total.add(&sums)).or_insert(sums);
            }
            let runs: Vec<Run> = aggregators.into_iter().flat_map(Aggregator::into_runs).collect();
            for _again in 0..2 {
                let merged: Vec<Group> = Merge::of(&runs).unwrap().collect::<io::Result<_>>().unwrap();
                prop_assert_eq!(&merged, &expected.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }
}
