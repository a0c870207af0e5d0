//! What was noticed while reading, by file and line, in bounded number.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How many notices are kept; all are counted.
const MAXIMUM_KEPT: usize = 1_000;

/// Something about a line, or a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Notice {
    /// Relative to the directory.
    pub file: String,
    /// Counted from 1; in JSON the record, in Parquet the row; 0 for the file as a whole.
    pub line: u64,
    /// What kind.
    pub kind: NoticeKind,
    /// In words.
    pub detail: String,
}

/// Kinds of notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A line has more or fewer columns than its header says; it is not used.
    WrongColumns,
    /// A field does not hold what it must; the line is not used.
    BadField,
    /// A line without a header that is of no version that could do without; it is not used.
    NoHeader,
    /// A line longer than any record; it is not used.
    TooLong,
    /// JSON that is not what the cloud writes; from there on the file is not used.
    BadJson,
    /// Parquet that cannot be read; from there on the file is not used.
    BadParquet,
    /// A file ends before its compression does; from there on it is not used.
    CutOff,
    /// A file cannot be read.
    Unreadable,
    /// A file is no flow log; it is not used.
    NoFlowLog,
    /// A record ends before it starts; it is used, and spans both times.
    ClockSkew,
    /// An IPv4-mapped IPv6 address; it is used as the IPv4 address.
    MappedAddress,
    /// A column that only queries read does not hold what it must; the record is used, and the column is null.
    UnreadField,
}

impl NoticeKind {
    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongColumns => "wrong-columns",
            Self::BadField => "bad-field",
            Self::NoHeader => "no-header",
            Self::TooLong => "too-long",
            Self::BadJson => "bad-json",
            Self::BadParquet => "bad-parquet",
            Self::CutOff => "cut-off",
            Self::Unreadable => "unreadable",
            Self::NoFlowLog => "no-flow-log",
            Self::ClockSkew => "clock-skew",
            Self::MappedAddress => "mapped-address",
            Self::UnreadField => "unread-field",
        }
    }

    /// Whether something was not used because of it.
    pub(crate) const fn loses(self) -> bool {
        !matches!(self, Self::ClockSkew | Self::MappedAddress)
    }

    /// Whether it counts as a rejected line.
    pub(crate) const fn rejects_a_line(self) -> bool {
        matches!(
            self,
            Self::WrongColumns
                | Self::BadField
                | Self::NoHeader
                | Self::TooLong
                | Self::BadJson
                | Self::BadParquet
        )
    }
}

/// Notices: all counted, the first in order kept. Which are kept does not depend on the order in which they came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Notices {
    kept: BTreeSet<Notice>,
    counts: BTreeMap<NoticeKind, u64>,
}

impl Notices {
    pub(crate) fn add(&mut self, file: &str, line: u64, kind: NoticeKind, detail: impl FnOnce() -> String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.kept.len() >= MAXIMUM_KEPT
            && self.kept.last().is_some_and(|last| (last.file.as_str(), last.line) < (file, line))
        {
            return;
        }
        self.keep(Notice { file: file.to_owned(), line, kind, detail: detail() });
    }

    fn keep(&mut self, notice: Notice) {
        self.kept.insert(notice);
        if self.kept.len() > MAXIMUM_KEPT {
            self.kept.pop_last();
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for notice in other.kept {
            self.keep(notice);
        }
    }

    pub(crate) fn counts(&self) -> &BTreeMap<NoticeKind, u64> {
        &self.counts
    }

    pub(crate) fn rejected_lines(&self) -> u64 {
        self.counts.iter().filter(|(kind, _)| kind.rejects_a_line()).map(|(_, count)| count).sum()
    }

    pub(crate) fn lost_something(&self) -> bool {
        self.counts.keys().any(|kind| kind.loses())
    }

    pub(crate) fn into_kept(self) -> Vec<Notice> {
        self.kept.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_does_not_depend_on_the_order() {
        let add = |lines: &mut dyn Iterator<Item = u64>| {
            let mut notices = Notices::default();
            lines.for_each(|line| notices.add("f", line, NoticeKind::BadField, || format!("{line}")));
            notices
        };
        let (forward, backward) = (add(&mut (1..3_000)), add(&mut (1..3_000).rev()));
        let (mut odd, even) = (add(&mut (1..3_000).step_by(2)), add(&mut (2..3_000).step_by(2)));
        odd.merge(even);
        assert_eq!(forward.kept, backward.kept);
        assert_eq!(forward.kept, odd.kept);
        assert_eq!(odd.rejected_lines(), 2_999);
        assert_eq!(odd.into_kept().len(), 1_000);
    }
}
