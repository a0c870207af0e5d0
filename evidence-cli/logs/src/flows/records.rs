//! Flow logs record by record, for those who ask more than the flow table answers.
//!
//! The same readers as the flow table's, so that what is refused there is refused here, and told alike.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::column::{self, FLOW_COLUMNS, FlowColumnKind, UNKNOWN};
use super::format::Format;
use super::line::parse_address;
use super::notice::{NoticeKind, Notices};
use super::read::{self, Reading};
use super::record::{FlowKey, FlowSums};
use super::table::{FlowSummary, Gaps};
use super::text::Lines;
use crate::error::LogsError;
use crate::files;
use crate::trail::is_trail_file;

/// One value of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowValue<'a> {
    /// The log has no such column, or nothing in it.
    Nothing,
    /// A whole number.
    Number(i64),
    /// Text.
    Text(&'a str),
    /// An address that is written otherwise than in the log: IPv4-mapped ones as IPv4, others in RFC 5952's form.
    Address(IpAddr),
}

/// A record, with what was asked for.
#[derive(Debug)]
pub struct FlowRecord<'a> {
    /// The columns that were asked for, in that order.
    pub values: &'a [FlowValue<'a>],
    /// The source, where the record has one.
    pub source: Option<IpAddr>,
    /// The destination.
    pub destination: Option<IpAddr>,
    /// The destination's port.
    pub port: Option<u16>,
}

/// Takes records one by one.
pub trait FlowSink: Send + fmt::Debug {
    /// Takes one.
    ///
    /// # Errors
    /// [`LogsError::Stopped`] when no more are wanted.
    fn take(&mut self, record: &FlowRecord<'_>) -> Result<(), LogsError>;
}

/// The flow logs below a directory, by path.
#[derive(Debug, Clone)]
pub struct FlowFiles {
    /// Paths relative to the directory, sorted, each with its size in bytes.
    pub files: Vec<(String, u64)>,
    /// What could not be listed.
    pub unlisted: FlowTally,
}

impl FlowFiles {
    /// Lists what may be flow logs: every file that is not a trail's.
    ///
    /// # Errors
    /// When the directory cannot be listed, or there is none.
    pub fn list(directory: &Path) -> Result<Self, LogsError> {
        let listing = files::list(directory)?;
        let mut unlisted = FlowTally::default();
        for (path, problem) in &listing.unreadable {
            unlisted.notices.add(path, 0, NoticeKind::Unreadable, || problem.clone());
        }
        let files: Vec<(String, u64)> = listing
            .files
            .into_iter()
            .filter(|path| !is_trail_file(path))
            .map(|path| {
                let size = std::fs::metadata(files::absolute(directory, &path)).map_or(0, |data| data.len());
                (path, size)
            })
            .collect();
        if files.is_empty() {
            return Err(LogsError::Nothing { path: directory.display().to_string(), expected: "flow logs" });
        }
        Ok(Self { files, unlisted })
    }
}

/// What is known of files as a whole, put together from those who read some of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FlowTally {
    pub(crate) gaps: Gaps,
    pub(crate) notices: Notices,
    pub(crate) files: usize,
}

impl FlowTally {
    /// Adds what another saw.
    pub fn add(&mut self, other: Self) {
        self.gaps.add(&other.gaps);
        self.notices.merge(other.notices);
        self.files += other.files;
    }

    /// As the flow table tells it.
    #[must_use]
    pub fn summary(self) -> FlowSummary {
        FlowSummary::of(self.gaps, self.notices, self.files)
    }
}

/// Reads files, and hands over every record that the flow table would use, and those that say that there are none:
/// `log_status` tells them apart. Columns are places in [`FLOW_COLUMNS`].
///
/// # Errors
/// What the sink says. What is wrong with a log is part of the result.
pub fn read_flow_records(
    directory: &Path,
    files: &[String],
    columns: &[usize],
    sink: Box<dyn FlowSink>,
) -> Result<FlowTally, LogsError> {
    let mut reading = Reading::records(Rows::new(columns, sink));
    let mut lines = Lines::new();
    for file in files {
        read::read_file(directory, file, &mut lines, &mut reading)?;
    }
    Ok(reading.into_tally())
}

/// Where a record's values come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A line and its format.
    Line(&'a [u8], &'a Format),
    /// Columns of Parquet: for each of [`FLOW_COLUMNS`] that the file has and somebody wants, its value.
    Cells(&'a [(u8, FlowValue<'a>)]),
    /// A tuple of Azure's.
    Tuple(AzureTuple<'a>),
}

/// A tuple with what stands around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AzureTuple<'a> {
    pub(crate) text: &'a str,
    /// Whether it is of VNet flow logs, and not of an NSG's.
    pub(crate) vnet: bool,
    pub(crate) rule: Option<&'a str>,
    pub(crate) interface: Option<&'a str>,
}

/// Puts records together for a sink.
#[derive(Debug)]
pub(crate) struct Rows {
    /// For each of [`FLOW_COLUMNS`], its place among those that are wanted.
    slots: [u8; FLOW_COLUMNS.len()],
    wanted: usize,
    sink: Box<dyn FlowSink>,
}

impl Rows {
    pub(crate) fn new(columns: &[usize], sink: Box<dyn FlowSink>) -> Self {
        let mut slots = [UNKNOWN; FLOW_COLUMNS.len()];
        for (at, column) in columns.iter().enumerate() {
            if let (Some(slot), Ok(at)) = (slots.get_mut(*column), u8::try_from(at)) {
                *slot = at;
            }
        }
        Self { slots, wanted: columns.len(), sink }
    }

    /// Whether a column is wanted.
    pub(crate) fn wants(&self, column: u8) -> bool {
        self.slots.get(usize::from(column)).is_some_and(|slot| *slot != UNKNOWN)
    }

    /// Hands a record over; says which column of numbers holds none.
    pub(crate) fn take(
        &mut self,
        flow: Option<(&FlowKey, &FlowSums)>,
        origin: Origin<'_>,
        file: &str,
        line: u64,
    ) -> Result<Option<&'static str>, LogsError> {
        let mut values = [FlowValue::Nothing; FLOW_COLUMNS.len()];
        let mut unread = None;
        let slots = &self.slots;
        let slot = |column: u8| {
            slots.get(usize::from(column)).filter(|slot| **slot != UNKNOWN).map(|slot| usize::from(*slot))
        };
        match origin {
            Origin::Line(text, format) => {
                for (place, field) in format.places().iter().zip(Split::of(text)) {
                    let Some(value) = slot(*place).and_then(|slot| values.get_mut(slot)) else { continue };
                    match of_text(*place, field) {
                        Some(read) => *value = read,
                        None => unread = FLOW_COLUMNS.get(usize::from(*place)).map(|column| column.name),
                    }
                }
            }
            Origin::Cells(cells) => {
                for (place, cell) in cells {
                    if let Some(value) = slot(*place).and_then(|slot| values.get_mut(slot)) {
                        *value = *cell;
                    }
                }
            }
            Origin::Tuple(tuple) => of_tuple(tuple, flow, |column, cell| {
                if let Some(value) = slot(column).and_then(|slot| values.get_mut(slot)) {
                    *value = cell;
                }
            }),
        }
        let own = [
            (const { column::of("file") }, FlowValue::Text(file)),
            (const { column::of("line") }, number(line)),
            (const { column::of("flows") }, number(flow.map_or(0, |(_, sums)| sums.flows()))),
        ];
        for (column, cell) in own {
            if let Some(value) = slot(column).and_then(|slot| values.get_mut(slot)) {
                *value = cell;
            }
        }
        let parts = flow.map(|(key, _)| key.unpack());
        self.sink.take(&FlowRecord {
            values: values.get(..self.wanted).unwrap_or(&values),
            source: parts.and_then(|parts| parts.source),
            destination: parts.and_then(|parts| parts.destination),
            port: parts.and_then(|parts| parts.port),
        })?;
        Ok(unread)
    }
}

/// Columns of addresses.
const ADDRESSES: [u8; 4] =
    [column::of("srcaddr"), column::of("dstaddr"), column::of("pkt_srcaddr"), column::of("pkt_dstaddr")];

/// The fields of a line.
struct Split<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Split<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match memchr::memchr(b' ', rest).and_then(|at| rest.split_at_checked(at)) {
            Some((field, after)) => {
                self.rest = after.get(1..);
                Some(field)
            }
            None => self.rest.take(),
        }
    }
}

/// Nothing where a number cannot be read.
pub(crate) fn of_text(place: u8, field: &[u8]) -> Option<FlowValue<'_>> {
    if matches!(field, b"-" | b"") {
        return Some(FlowValue::Nothing);
    }
    match FLOW_COLUMNS.get(usize::from(place)).map(|column| column.kind) {
        Some(FlowColumnKind::Number) => digits(field).map(FlowValue::Number),
        Some(FlowColumnKind::Text) => {
            let text = std::str::from_utf8(field).ok()?;
            Some(if ADDRESSES.contains(&place) && field.contains(&b':') {
                parse_address(field).map_or(FlowValue::Text(text), |(address, _)| FlowValue::Address(address))
            } else {
                FlowValue::Text(text)
            })
        }
        None => None,
    }
}

fn digits(field: &[u8]) -> Option<i64> {
    if field.len() > 18 {
        return None;
    }
    field
        .iter()
        .try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

fn number(value: u64) -> FlowValue<'static> {
    i64::try_from(value).map_or(FlowValue::Nothing, FlowValue::Number)
}

/// A tuple was read before, so that its fields hold what they must.
fn of_tuple<'a>(
    tuple: AzureTuple<'a>,
    flow: Option<(&FlowKey, &FlowSums)>,
    mut put: impl FnMut(u8, FlowValue<'a>),
) {
    let mut fields = [""; 9];
    for (field, part) in fields.iter_mut().zip(tuple.text.split(',')) {
        *field = part;
    }
    let [_, source, destination, source_port, _, _, direction, decision, last] = fields;
    let (state, encryption) = if tuple.vnet { (decision, last) } else { (last, "") };
    for (column, field) in [
        (const { column::of("srcaddr") }, source),
        (const { column::of("dstaddr") }, destination),
        (const { column::of("srcport") }, source_port),
        (const { column::of("state") }, state),
        (const { column::of("encryption_status") }, encryption),
    ] {
        put(column, of_text(column, field.as_bytes()).unwrap_or(FlowValue::Nothing));
    }
    let direction = match direction {
        "I" => FlowValue::Text("ingress"),
        "O" => FlowValue::Text("egress"),
        _ => FlowValue::Nothing,
    };
    put(const { column::of("flow_direction") }, direction);
    let or_nothing = |text: Option<&'a str>| text.map_or(FlowValue::Nothing, FlowValue::Text);
    put(const { column::of("rule") }, or_nothing(tuple.rule));
    put(const { column::of("interface_id") }, or_nothing(tuple.interface));
    let Some((key, sums)) = flow else { return };
    let parts = key.unpack();
    let counted = |value: Option<u64>| value.map_or(FlowValue::Nothing, number);
    put(const { column::of("dstport") }, counted(parts.port.map(u64::from)));
    put(const { column::of("protocol") }, counted(parts.protocol.map(u64::from)));
    put(const { column::of("packets") }, counted(sums.packets()));
    put(const { column::of("bytes") }, counted(sums.bytes()));
    put(const { column::of("start") }, sums.first().map_or(FlowValue::Nothing, FlowValue::Number));
    put(const { column::of("end") }, sums.last().map_or(FlowValue::Nothing, FlowValue::Number));
    let action = match parts.action {
        Some(super::FlowAction::Accept) => FlowValue::Text("ACCEPT"),
        Some(super::FlowAction::Reject) => FlowValue::Text("REJECT"),
        None => FlowValue::Nothing,
    };
    put(const { column::of("action") }, action);
}
