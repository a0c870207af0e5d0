//! The flow table as JSON, CSV and text, row by row.

use std::io::{self, Write};

use cadastre_model::Timestamp;
use cadastre_model::declaration::FlowPurpose;

use super::naming::Naming;
use super::record::FlowAction;
use super::table::{Completeness, FlowRow, FlowSummary, FlowTable};
use crate::error::LogsError;
use crate::tabular::{csv_field, printable};

/// How to write the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowTableFormat {
    /// Columns for a terminal.
    Table,
    /// One object: `rows`, and the summary.
    Json,
    /// RFC 4180, with a header; rows only.
    Csv,
}

/// How many notices a terminal gets.
const NOTICES_SHOWN: usize = 20;

impl FlowTable {
    /// Writes the table; with `naming`, what its rows mean as well.
    ///
    /// # Errors
    /// When `out` takes no more, or what went to disk cannot be read back.
    pub fn write(
        &mut self,
        format: FlowTableFormat,
        naming: Option<&Naming>,
        out: &mut dyn Write,
    ) -> Result<(), LogsError> {
        let mut out = io::BufWriter::with_capacity(64 << 10, out);
        match format {
            FlowTableFormat::Table => self.table(naming, &mut out)?,
            FlowTableFormat::Json => self.json(naming, &mut out)?,
            FlowTableFormat::Csv => self.csv(naming, &mut out)?,
        }
        out.flush().map_err(LogsError::Write)
    }

    fn json(&mut self, naming: Option<&Naming>, out: &mut dyn Write) -> Result<(), LogsError> {
        let write = |error: serde_json::Error| LogsError::Write(error.into());
        out.write_all(b"{\"rows\":[").map_err(LogsError::Write)?;
        let mut separator = "\n";
        for row in self.rows(naming)? {
            let row = row?;
            out.write_all(separator.as_bytes()).map_err(LogsError::Write)?;
            serde_json::to_writer(&mut *out, &row).map_err(write)?;
            separator = ",\n";
        }
        out.write_all(b"\n]").map_err(LogsError::Write)?;
        // The summary's members follow the rows in the same object.
        let summary = serde_json::to_string(self.summary()).map_err(write)?;
        let members = summary.strip_prefix('{').unwrap_or(&summary);
        writeln!(out, ",{members}").map_err(LogsError::Write)
    }

    fn csv(&mut self, naming: Option<&Naming>, out: &mut dyn Write) -> Result<(), LogsError> {
        let further = if naming.is_some() { ",src,dst,purpose,flow,reply" } else { "" };
        write!(out, "srcaddr,dstaddr,dstport,protocol,action,bytes,packets,flows,first,last{further}\r\n")
            .map_err(LogsError::Write)?;
        for row in self.rows(naming)? {
            let cells: Vec<String> = cells(&row?, "").iter().map(|cell| csv_field(cell)).collect();
            write!(out, "{}\r\n", cells.join(",")).map_err(LogsError::Write)?;
        }
        Ok(())
    }

    fn table(&mut self, naming: Option<&Naming>, out: &mut dyn Write) -> Result<(), LogsError> {
        let line = |out: &mut dyn Write, cells: &[String]| {
            const WIDTHS: [usize; 10] = [20, 20, 7, 8, 6, 14, 11, 9, 20, 20];
            for (at, cell) in cells.iter().enumerate() {
                match WIDTHS.get(at) {
                    Some(width) if (5..8).contains(&at) => write!(out, "{cell:>width$}  ")?,
                    Some(width) => write!(out, "{cell:<width$}  ")?,
                    None => write!(out, "{cell}  ")?,
                }
            }
            writeln!(out)
        };
        let mut header = vec![
            "source",
            "destination",
            "port",
            "protocol",
            "action",
            "bytes",
            "packets",
            "flows",
            "first",
            "last",
        ];
        if naming.is_some() {
            header.extend(["from", "to", "purpose", "declared flow", "reply"]);
        }
        let header: Vec<String> = header.into_iter().map(str::to_owned).collect();
        line(out, &header).map_err(LogsError::Write)?;
        for row in self.rows(naming)? {
            let row = row?;
            let mut cells = cells(&row, "-");
            for (at, time) in [(8, row.first), (9, row.last)] {
                if let Some(cell) = cells.get_mut(at) {
                    *cell = time
                        .and_then(Timestamp::from_seconds)
                        .map_or_else(|| "-".to_owned(), |time| time.to_string());
                }
            }
            let cells: Vec<String> = cells.iter().map(|cell| printable(cell)).collect();
            line(out, &cells).map_err(LogsError::Write)?;
        }
        write_summary(self.summary(), out).map_err(LogsError::Write)
    }
}

fn write_summary(summary: &FlowSummary, out: &mut dyn Write) -> io::Result<()> {
    let whole = match summary.completeness {
        Completeness::Complete => "complete",
        Completeness::Incomplete => "INCOMPLETE",
    };
    writeln!(
        out,
        "\n{whole}: {} files, {} lines rejected, {} NODATA, {} SKIPDATA",
        summary.files, summary.rejected_lines, summary.gaps.nodata, summary.gaps.skipdata
    )?;
    for notice in summary.notices.iter().take(NOTICES_SHOWN) {
        let place = if notice.line == 0 { String::new() } else { format!(":{}", notice.line) };
        writeln!(
            out,
            "{}{place}: {}: {}",
            printable(&notice.file),
            notice.kind.name(),
            printable(&notice.detail)
        )?;
    }
    let noticed: u64 = summary.noticed.values().sum();
    let shown = u64::try_from(summary.notices.len().min(NOTICES_SHOWN)).unwrap_or(0);
    if noticed > shown {
        writeln!(out, "and {} more", noticed - shown)?;
    }
    Ok(())
}

fn cells(row: &FlowRow, nothing: &str) -> Vec<String> {
    fn or<T: ToString>(value: Option<T>, nothing: &str) -> String {
        value.map_or_else(|| nothing.to_owned(), |value| value.to_string())
    }
    let mut cells = vec![
        or(row.srcaddr, nothing),
        or(row.dstaddr, nothing),
        or(row.dstport, nothing),
        or(row.protocol, nothing),
        match row.action {
            Some(FlowAction::Accept) => "ACCEPT".to_owned(),
            Some(FlowAction::Reject) => "REJECT".to_owned(),
            None => nothing.to_owned(),
        },
        or(row.bytes, nothing),
        or(row.packets, nothing),
        row.flows.to_string(),
        or(row.first, nothing),
        or(row.last, nothing),
    ];
    if let Some(meaning) = &row.meaning {
        cells.extend([
            or(meaning.src.as_ref().map(super::PlaceName::label), nothing),
            or(meaning.dst.as_ref().map(super::PlaceName::label), nothing),
            or(meaning.purpose.map(purpose_name), nothing),
            or(meaning.flow.clone(), nothing),
            if meaning.reply { "reply".to_owned() } else { nothing.to_owned() },
        ]);
    }
    cells
}

/// As it is written in every format.
#[must_use]
pub const fn purpose_name(purpose: FlowPurpose) -> &'static str {
    match purpose {
        FlowPurpose::Ingress => "ingress",
        FlowPurpose::Egress => "egress",
        FlowPurpose::Replication => "replication",
        FlowPurpose::Storage => "storage",
        FlowPurpose::Keys => "keys",
        FlowPurpose::Metrics => "metrics",
        FlowPurpose::Logs => "logs",
        FlowPurpose::Support => "support",
    }
}
