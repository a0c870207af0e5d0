//! Where a table's rows come from.

use std::path::{Path, PathBuf};

use cadastre_logs::events::{activity_files, event_files};
use cadastre_logs::flows::FlowFiles;
use cadastre_logs::query::{NamingInput, TableName};
use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::tally::Tally;

/// Where the rows of one table come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogSource {
    /// Which table.
    pub table: TableName,
    /// The directory of its logs.
    pub directory: PathBuf,
    /// What names addresses.
    pub naming: Option<NamingInput>,
}

/// The files of a source.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Each with its size in bytes, sorted by path.
    pub(crate) files: Vec<(String, u64)>,
    /// What is known before any is read.
    pub(crate) tally: Tally,
}

impl Listing {
    pub(crate) fn of(table: TableName, directory: &Path) -> Result<Self, QueryError> {
        Ok(match table {
            TableName::Flows => {
                let listed = FlowFiles::list(directory)?;
                Self { files: listed.files, tally: Tally::Flows(listed.unlisted) }
            }
            TableName::Events => {
                let (files, read) = event_files(directory)?;
                Self { files, tally: Tally::Events(read) }
            }
            TableName::Activity => {
                let (files, read) = activity_files(directory)?;
                Self { files, tally: Tally::Events(read) }
            }
        })
    }

    /// The files, dealt out so that all parts have about as many bytes. The same files are dealt the same way anywhere.
    pub(crate) fn parts(&self, wanted: usize) -> Vec<Vec<String>> {
        let mut parts: Vec<(u64, Vec<String>)> =
            vec![(0, Vec::new()); wanted.clamp(1, self.files.len().max(1))];
        let mut by_size: Vec<&(String, u64)> = self.files.iter().collect();
        by_size
            .sort_by(|(path, size), (other_path, other)| other.cmp(size).then_with(|| path.cmp(other_path)));
        for (path, size) in by_size {
            // A file of no bytes costs something too.
            if let Some((bytes, files)) = parts.iter_mut().min_by_key(|(bytes, files)| (*bytes, files.len()))
            {
                *bytes = bytes.saturating_add(*size);
                files.push(path.clone());
            }
        }
        parts
            .into_iter()
            .map(|(_, mut files)| {
                files.sort_unstable();
                files
            })
            .collect()
    }

    /// What tells whether another machine sees the same files: how many, and of how many bytes.
    pub(crate) fn extent(&self) -> (u64, u64) {
        let bytes = self.files.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        (u64::try_from(self.files.len()).unwrap_or(u64::MAX), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_dealt_once_and_the_parts_are_of_like_size() {
        let files: Vec<(String, u64)> = (0..100_u64).map(|at| (format!("{at:03}"), at * at)).collect();
        let listing =
            Listing { files: files.clone(), tally: Tally::Flows(cadastre_logs::flows::FlowTally::default()) };
        let parts = listing.parts(4);
        let mut all: Vec<String> = parts.iter().flatten().cloned().collect();
        all.sort_unstable();
        assert_eq!(all, files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
        let size =
            |part: &Vec<String>| -> u64 { part.iter().map(|path| path.parse::<u64>().unwrap().pow(2)).sum() };
        let sizes: Vec<u64> = parts.iter().map(size).collect();
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(most - least < 10_000, "{sizes:?}");
        assert_eq!(listing.parts(1_000).len(), 100);
    }
}
