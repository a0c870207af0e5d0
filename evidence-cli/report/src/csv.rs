//! Comma-separated values (RFC 4180), for spreadsheets and scripts.
//!
//! Spreadsheets run what looks like a formula; such cells start with an apostrophe here, as OWASP's page "CSV
//! Injection" advises.

use cadastre_model::checklist::Checklist;

use crate::error::ReportError;
use crate::input::ReportInput;
use crate::tables::{self, Cell, Table};
use crate::text::inert;

/// Every finding, a line each, those that pass too.
///
/// # Errors
/// [`ReportError::Csv`] when the writer fails.
pub fn findings(checklist: &Checklist) -> Result<String, ReportError> {
    values(&tables::findings(checklist))
}

/// Every artefact: a name for its file, `permitted-flows.csv`, and its content.
///
/// # Errors
/// [`ReportError::Csv`] when the writer fails.
pub fn files(input: &ReportInput<'_>) -> Result<Vec<(String, String)>, ReportError> {
    let tables = tables::all(input);
    tables.iter().map(|table| Ok((format!("{}.csv", table.name.replace(' ', "-")), values(table)?))).collect()
}

fn values(table: &Table) -> Result<String, ReportError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(&table.header)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(|cell| match cell {
            Cell::Text(text) => guarded(text),
            Cell::Number(number) => number.to_string(),
        }))?;
    }
    let bytes = writer.into_inner().map_err(|error| ReportError::Csv(error.into_error().into()))?;
    // Every cell was a `String`, so nothing is replaced.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Text as a cell that no spreadsheet takes for a formula.
fn guarded(text: &str) -> String {
    let text = inert(text);
    if text.trim_start().starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(guarded(text), expected);
    }

    #[test]
    fn nothing_starts_like_a_formula() {
        check("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")");
        check("  @SUM(A1)", "'  @SUM(A1)");
        check("\t=1", "'\t=1");
        check("-1", "'-1");
        check("+1", "'+1");
        check("arn:aws:s3:::b", "arn:aws:s3:::b");
        check("", "");
    }
}
