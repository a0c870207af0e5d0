//! Questionnaires as comma-separated values.

use crate::Filled;
use crate::answers::{Answers, Entry, Outcome};
use crate::columns::Columns;
use crate::error::QuestionnaireError;

/// The most rows that are read.
pub(crate) const MAXIMUM_ROWS: usize = 100_000;

pub(crate) fn fill(
    bytes: &[u8],
    columns: &Columns,
    answers: &Answers<'_>,
) -> Result<Filled, QuestionnaireError> {
    let text = std::str::from_utf8(bytes)?;
    let (mark, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record?;
        if rows.len() == MAXIMUM_ROWS {
            return Err(QuestionnaireError::TooManyRows { allowed: MAXIMUM_ROWS });
        }
        lines.push(record.position().map_or(0, csv::Position::line));
        rows.push(record.iter().map(str::to_owned).collect());
    }
    let place = || QuestionnaireError::NoIds { place: "the file".to_owned() };
    let layout = columns.find(&rows)?.ok_or_else(place)?;
    let mut entries = Vec::new();
    for (index, (row, line)) in rows.iter_mut().zip(lines).enumerate() {
        if index == layout.header {
            for (column, title) in &layout.added {
                set(row, *column, (*title).to_owned());
            }
        }
        if index <= layout.header {
            continue;
        }
        let question = row.get(layout.id).map(|id| id.trim().to_owned()).unwrap_or_default();
        if question.is_empty() {
            continue;
        }
        let [answer, ..] = layout.filled;
        let outcome = answers.to(&question, row.get(answer).map(String::as_str).unwrap_or_default());
        if let Some(texts) = outcome.texts() {
            for (column, text) in layout.filled.into_iter().zip(texts) {
                set(row, column, guarded(text));
            }
        }
        entries.push(Entry { place: format!("line {line}"), question, outcome });
    }
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .terminator(csv::Terminator::CRLF)
        .from_writer(mark.as_bytes().to_vec());
    for row in &rows {
        writer.write_record(row)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(Filled { bytes, entries })
}

fn set(row: &mut Vec<String>, column: usize, text: String) {
    if row.len() <= column {
        row.resize(column.saturating_add(1), String::new());
    }
    if let Some(cell) = row.get_mut(column) {
        *cell = text;
    }
}

/// What is filled in is never taken for a formula ("CSV Injection", OWASP).
fn guarded(text: String) -> String {
    if text.trim_start().starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

/// Every question with what was said or why not, as comma-separated values.
///
/// # Errors
/// When the writer fails, which it does not in memory.
pub fn reasons_csv(entries: &[Entry]) -> Result<String, QuestionnaireError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["place", "question", "answer", "controls", "reason or wording"])?;
    for entry in entries {
        let (answer, controls, words) = match &entry.outcome {
            Outcome::Answered { answer, controls, wording, .. } => {
                (answer.clone(), controls.join(" "), wording.clone())
            }
            Outcome::Blank { reason } => (String::new(), String::new(), reason.clone()),
        };
        let cells = [entry.place.clone(), entry.question.clone(), answer, controls, words];
        writer.write_record(cells.map(guarded))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    // Every cell was a `String`, so nothing is replaced.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
