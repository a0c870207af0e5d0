//! The artefacts as an Office Open XML workbook, one sheet each.
//!
//! Every text is written as a string cell, which spreadsheets never take for a formula.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError};

use crate::error::ReportError;
use crate::input::ReportInput;
use crate::tables::{self, Cell, Table};
use crate::text::{head, inert};

/// What one cell can hold ("Excel specifications and limits": 32,767 characters), with room for the note that
/// says a text was cut.
const LONGEST_TEXT: usize = 32_000;
/// Rows of one sheet, the header among them.
const MOST_ROWS: usize = 1_048_576;

/// The workbook.
///
/// # Errors
/// [`ReportError::Workbook`] when the writer refuses.
pub fn workbook(input: &ReportInput<'_>) -> Result<Vec<u8>, ReportError> {
    let mut workbook = Workbook::new();
    workbook.set_properties(&properties(input)?);
    for table in tables::all(input) {
        fill(workbook.add_worksheet(), &table)?;
    }
    Ok(workbook.save_to_buffer()?)
}

/// Who made it and when: as of the time of the checklist, so that the same evidence gives the same bytes.
fn properties(input: &ReportInput<'_>) -> Result<DocProperties, XlsxError> {
    let checklist = input.checklist;
    let at = ExcelDateTime::from_timestamp(checklist.as_of.seconds())?;
    Ok(DocProperties::new()
        .set_title(format!("Boundary of {}", inert(&checklist.boundary)))
        .set_author(format!("cadastre {}", checklist.tool_version))
        .set_comment(format!("Evidence root {}", checklist.evidence_root))
        .set_creation_datetime(&at))
}

fn fill(sheet: &mut Worksheet, table: &Table) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold().set_align(FormatAlign::Top);
    let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    sheet.set_name(table.name)?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, title) in (0_u16..).zip(&table.header) {
        sheet.write_string_with_format(0, column, *title, &bold)?;
        sheet.set_column_width(column, width(table, usize::from(column)))?;
    }
    let last_column = u16::try_from(table.header.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let shown = table.rows.len().min(MOST_ROWS.saturating_sub(2));
    for (line, row) in (1_u32..).zip(table.rows.iter().take(shown)) {
        for (column, cell) in (0_u16..).zip(row) {
            match cell {
                #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
                Cell::Number(number) => {
                    sheet.write_number_with_format(line, column, *number as f64, &wrapped)?
                }
                Cell::Text(text) => sheet.write_string_with_format(line, column, fitting(text), &wrapped)?,
            };
        }
    }
    let last_row = u32::try_from(shown).unwrap_or(u32::MAX);
    if shown < table.rows.len() {
        let note = format!("{} more rows do not fit; they are in the JSON files", table.rows.len() - shown);
        sheet.write_string(last_row.saturating_add(1), 0, note)?;
    }
    sheet.autofilter(0, 0, last_row, last_column)?;
    Ok(())
}

/// The text, inert, and no longer than a cell holds.
fn fitting(text: &str) -> String {
    let text = inert(text);
    if text.len() <= LONGEST_TEXT {
        return text.into_owned();
    }
    format!("{} … (cut; {} bytes in all)", head(&text, LONGEST_TEXT), text.len())
}

/// Wide enough for most lines of the column, between 10 and 60 characters.
fn width(table: &Table, column: usize) -> f64 {
    let longest = |cell: &Cell| match cell {
        Cell::Number(_) => 8,
        Cell::Text(text) => text.lines().map(|line| line.chars().count()).max().unwrap_or(0),
    };
    let header = table.header.get(column).map_or(0, |title| title.len() + 4);
    let widest =
        table.rows.iter().take(500).filter_map(|row| row.get(column)).map(longest).max().unwrap_or(0);
    f64::from(u32::try_from(widest.max(header).clamp(10, 60)).unwrap_or(60))
}
