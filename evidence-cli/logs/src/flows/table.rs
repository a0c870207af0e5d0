//! The flow table: rows out of the merge of all that was grouped, and what is known of their completeness.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::aggregate::{Merge, Run};
use super::naming::Naming;
use super::notice::{Notice, NoticeKind, Notices};
use super::record::{FlowAction, FlowKey, FlowSums};
use crate::error::LogsError;

/// A row: what one source sent to one port of one destination, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRow {
    /// Where it came from.
    pub srcaddr: Option<IpAddr>,
    /// Where it went.
    pub dstaddr: Option<IpAddr>,
    /// The destination's port.
    pub dstport: Option<u16>,
    /// IANA protocol number.
    pub protocol: Option<u8>,
    /// What became of it.
    pub action: Option<FlowAction>,
    /// Bytes, of Azure's flows in both directions; absent where no record says.
    pub bytes: Option<u64>,
    /// Packets, likewise.
    pub packets: Option<u64>,
    /// Records; of Azure's, flows that began or were denied.
    pub flows: u64,
    /// The earliest time that a record states, in seconds since the epoch.
    pub first: Option<i64>,
    /// The latest, likewise.
    pub last: Option<i64>,
    /// What the addresses are, and what the flow is for; with a declaration only.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub meaning: Option<super::purpose::FlowMeaning>,
}

/// Intervals of which there are no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gaps {
    /// `NODATA`: no traffic in the interval.
    pub nodata: u64,
    /// `SKIPDATA`: records were left out.
    pub skipdata: u64,
    /// No flow in the record, and the format has no `log-status` that would say why.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unsaid: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Gaps {
    pub(crate) fn add(&mut self, other: &Self) {
        self.nodata += other.nodata;
        self.skipdata += other.skipdata;
        self.unsaid += other.unsaid;
    }
}

/// Whether all that lies in the directory is in the table. Delivery of flow logs is best effort, so that even a complete
/// table proves no absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completeness {
    /// Every line of every file was used, and no record says that others were left out.
    Complete,
    /// Something was not used, or left out before it was written.
    Incomplete,
}

/// What is known of the table as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowSummary {
    /// Intervals without records.
    pub gaps: Gaps,
    /// Lines, records and rows that could not be used.
    pub rejected_lines: u64,
    /// Files that hold flow logs.
    pub files: usize,
    /// Whether everything is in the table.
    pub completeness: Completeness,
    /// How often what was noticed.
    pub noticed: BTreeMap<NoticeKind, u64>,
    /// The first thousand notices by file and line.
    pub notices: Vec<Notice>,
}

impl FlowSummary {
    pub(crate) fn of(gaps: Gaps, notices: Notices, files: usize) -> Self {
        let whole = !notices.lost_something() && gaps.skipdata == 0 && gaps.unsaid == 0;
        Self {
            gaps,
            rejected_lines: notices.rejected_lines(),
            files,
            completeness: if whole { Completeness::Complete } else { Completeness::Incomplete },
            noticed: notices.counts().clone(),
            notices: notices.into_kept(),
        }
    }
}

/// What a table comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowTableOutcome {
    /// Everything was used: exit code 0.
    Complete,
    /// Something was not: exit code 4.
    Incomplete,
}

impl FlowTableOutcome {
    /// The exit code of a command that ends with this outcome.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Incomplete => 4,
        }
    }
}

/// The table. Rows come in order of source, destination, port, protocol and action, from memory or disk.
#[derive(Debug)]
pub struct FlowTable {
    runs: Vec<Run>,
    summary: FlowSummary,
}

impl FlowTable {
    pub(crate) fn new(runs: Vec<Run>, gaps: Gaps, notices: Notices, files: usize) -> Self {
        Self { runs, summary: FlowSummary::of(gaps, notices, files) }
    }

    /// What is known of it as a whole.
    #[must_use]
    pub fn summary(&self) -> &FlowSummary {
        &self.summary
    }

    /// What it comes to.
    #[must_use]
    pub fn outcome(&self) -> FlowTableOutcome {
        match self.summary.completeness {
            Completeness::Complete => FlowTableOutcome::Complete,
            Completeness::Incomplete => FlowTableOutcome::Incomplete,
        }
    }

    /// Its rows, in order; with `naming`, what they mean. May be asked for again, one reader at a time.
    ///
    /// # Errors
    /// When what went to disk cannot be read back.
    pub fn rows<'a>(
        &'a mut self,
        naming: Option<&'a Naming>,
    ) -> Result<impl Iterator<Item = Result<FlowRow, LogsError>> + use<'a>, LogsError> {
        let merge = Merge::of(&self.runs).map_err(LogsError::Spill)?;
        Ok(merge.map(move |group| {
            let (key, sums) = group.map_err(LogsError::Spill)?;
            Ok(row(&key, &sums, naming))
        }))
    }
}

fn row(key: &FlowKey, sums: &FlowSums, naming: Option<&Naming>) -> FlowRow {
    let parts = key.unpack();
    FlowRow {
        srcaddr: parts.source,
        dstaddr: parts.destination,
        dstport: parts.port,
        protocol: parts.protocol,
        action: parts.action,
        bytes: sums.bytes(),
        packets: sums.packets(),
        flows: sums.flows(),
        first: sums.first(),
        last: sums.last(),
        meaning: naming.map(|naming| naming.meaning(parts.source, parts.destination, parts.port)),
    }
}
