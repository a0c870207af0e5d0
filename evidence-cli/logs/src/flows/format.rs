//! The columns of a VPC flow log, by its header.
//!
//! AWS names fields with hyphens in text and with underscores in Parquet ("Flow log records", Amazon VPC user guide).
//! Records of any version are read by what their header names; fields that the flow table does not need are passed over.

use super::column;

/// A field that the flow table needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Version,
    Source,
    Destination,
    Port,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    Status,
}

/// Stands for a column that is not needed.
const NOT_NEEDED: u8 = 11;

/// How many fields there are.
pub(crate) const FIELDS: usize = NOT_NEEDED as usize;

impl Field {
    /// By its name in a header.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"version" => Self::Version,
            b"srcaddr" => Self::Source,
            b"dstaddr" => Self::Destination,
            b"dstport" => Self::Port,
            b"protocol" => Self::Protocol,
            b"packets" => Self::Packets,
            b"bytes" => Self::Bytes,
            b"start" => Self::Start,
            b"end" => Self::End,
            b"action" => Self::Action,
            b"log-status" | b"log_status" => Self::Status,
            _ => return None,
        })
    }

    /// As AWS names it in text.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Source => "srcaddr",
            Self::Destination => "dstaddr",
            Self::Port => "dstport",
            Self::Protocol => "protocol",
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::Start => "start",
            Self::End => "end",
            Self::Action => "action",
            Self::Status => "log-status",
        }
    }
}

/// Which column holds what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    /// For each column, the place of its field; [`NOT_NEEDED`] for a column that is not needed.
    columns: Vec<u8>,
    /// For each column, its place among all that there are.
    places: Vec<u8>,
    has_status: bool,
    from_header: bool,
}

/// The format of a flow log without a header: version 2's default.
const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

impl Format {
    /// Version 2's default format.
    pub(crate) fn default_format() -> Self {
        let mut format = Self::of(DEFAULT.as_bytes());
        format.from_header = false;
        format
    }

    /// The format that a line states, when the line is a header.
    pub(crate) fn header(line: &[u8]) -> Option<Self> {
        let is_header = line.split(|byte| *byte == b' ').any(|name| {
            matches!(Field::named(name), Some(Field::Source | Field::Destination | Field::Status))
        });
        is_header.then(|| Self::of(line))
    }

    fn of(line: &[u8]) -> Self {
        let columns: Vec<u8> = line
            .split(|byte| *byte == b' ')
            .map(|name| Field::named(name).map_or(NOT_NEEDED, |field| field as u8))
            .collect();
        let places = line
            .split(|byte| *byte == b' ')
            .map(|name| column::place(name).unwrap_or(column::UNKNOWN))
            .collect();
        let has_status = columns.contains(&(Field::Status as u8));
        Self { columns, places, has_status, from_header: true }
    }

    pub(crate) fn columns(&self) -> &[u8] {
        &self.columns
    }

    /// For each column its place in [`column::FLOW_COLUMNS`], or [`column::UNKNOWN`].
    pub(crate) fn places(&self) -> &[u8] {
        &self.places
    }

    /// Whether records say if they are whole.
    pub(crate) fn has_status(&self) -> bool {
        self.has_status
    }

    /// Whether a header stated it.
    pub(crate) fn is_stated(&self) -> bool {
        self.from_header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_from_a_record_and_read_by_name() {
        let format = Format::header(b"action dstaddr pkt-srcaddr srcaddr").unwrap();
        assert_eq!(format.columns(), [9, 2, 11, 1]);
        assert!(!format.has_status());
        assert_eq!(Format::header(b"2 111122223333 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 1 1 1 ACCEPT OK"), None);
        assert!(Format::default_format().has_status());
        assert_eq!(Format::default_format().columns().len(), 14);
    }

    #[test]
    fn every_field_is_found_by_its_own_name() {
        for (at, name) in "version srcaddr dstaddr dstport protocol packets bytes start end action log-status"
            .split(' ')
            .enumerate()
        {
            let field = Field::named(name.as_bytes()).unwrap();
            assert_eq!((field as usize, field.name()), (at, name));
        }
    }
}
