//! Questionnaires as Excel workbooks.
//!
//! Cells are read with `calamine`. They are written by changing the XML of the one sheet (ECMA-376 Part 1, §18.3.1) and
//! copying every other part of the container as it is, so that formats, drawings, validations and names stay.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use calamine::{Data, Reader, Xlsx};
use quick_xml::events::Event;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::Filled;
use crate::answers::{Answers, Entry};
use crate::columns::{Columns, Layout};
use crate::error::QuestionnaireError;
use crate::sheet::{self, Cells};
use crate::table::MAXIMUM_ROWS;

/// The most bytes that a workbook unpacks to, and its most parts.
const MAXIMUM_UNPACKED: u64 = 64 << 20;
const MAXIMUM_PARTS: usize = 4_096;

/// The most columns that are read.
const MAXIMUM_COLUMNS: usize = 512;

pub(crate) fn fill(
    bytes: &[u8],
    columns: &Columns,
    answers: &Answers<'_>,
) -> Result<Filled, QuestionnaireError> {
    measure(bytes)?;
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes))?;
    let names = workbook.sheet_names();
    let wanted: Vec<String> = match &columns.sheet {
        Some(name) if names.contains(name) => vec![name.clone()],
        Some(name) => return Err(QuestionnaireError::NoSheet { name: name.clone() }),
        None => names,
    };
    let mut found: Option<(String, Rows, Layout)> = None;
    for name in &wanted {
        let rows = rows(&mut workbook, name)?;
        if let Some(layout) = columns.find(&rows.texts)? {
            found = Some((name.clone(), rows, layout));
            break;
        }
    }
    let (name, rows, layout) = found.ok_or_else(|| QuestionnaireError::NoIds { place: wanted.join(", ") })?;
    let mut cells = Cells::new();
    let mut entries = Vec::new();
    for (column, title) in &layout.added {
        let at = (rows.first_row.saturating_add(layout.header), rows.first_column.saturating_add(*column));
        cells.insert(at, (*title).to_owned());
    }
    for (index, row) in rows.texts.iter().enumerate().skip(layout.header.saturating_add(1)) {
        let question = row.get(layout.id).map(|id| id.trim()).unwrap_or_default();
        if question.is_empty() {
            continue;
        }
        let [answer, ..] = layout.filled;
        let outcome = answers.to(question, row.get(answer).map(String::as_str).unwrap_or_default());
        let line = rows.first_row.saturating_add(index);
        if let Some(texts) = outcome.texts() {
            for (column, text) in layout.filled.into_iter().zip(texts) {
                cells.insert((line, rows.first_column.saturating_add(column)), text);
            }
        }
        let id = sheet::reference(line, rows.first_column.saturating_add(layout.id));
        entries.push(Entry { place: format!("{name}!{id}"), question: question.to_owned(), outcome });
    }
    let bytes = write(bytes, &name, &cells)?;
    Ok(Filled { bytes, entries })
}

/// The texts of a sheet, from its first used cell.
struct Rows {
    first_row: usize,
    first_column: usize,
    texts: Vec<Vec<String>>,
}

fn rows(workbook: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<Rows, QuestionnaireError> {
    let range = workbook.worksheet_range(name)?;
    if range.height() > MAXIMUM_ROWS {
        return Err(QuestionnaireError::TooManyRows { allowed: MAXIMUM_ROWS });
    }
    let (first_row, first_column) = range.start().unwrap_or_default();
    let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let texts = range
        .rows()
        .map(|row| {
            let text = |cell: &Data| match cell {
                Data::Empty => String::new(),
                cell => cell.to_string(),
            };
            row.iter().take(MAXIMUM_COLUMNS).map(text).collect()
        })
        .collect();
    Ok(Rows { first_row: index(first_row), first_column: index(first_column), texts })
}

/// Refuses a container that unpacks to more than is read, by unpacking it.
fn measure(bytes: &[u8]) -> Result<(), QuestionnaireError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > MAXIMUM_PARTS {
        return Err(QuestionnaireError::Bomb { allowed: MAXIMUM_UNPACKED });
    }
    let mut left = MAXIMUM_UNPACKED;
    for index in 0..archive.len() {
        let part = archive.by_index(index)?;
        let read = std::io::copy(&mut part.take(left.saturating_add(1)), &mut std::io::sink())?;
        left = left.checked_sub(read).ok_or(QuestionnaireError::Bomb { allowed: MAXIMUM_UNPACKED })?;
    }
    Ok(())
}

fn part(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, QuestionnaireError> {
    let mut content = Vec::new();
    archive.by_name(name)?.take(MAXIMUM_UNPACKED).read_to_end(&mut content)?;
    Ok(content)
}

/// The part that holds a sheet (ECMA-376 Part 1, §18.2.19, and Part 2, §9.3).
fn sheet_part(archive: &mut ZipArchive<Cursor<&[u8]>>, sheet: &str) -> Result<String, QuestionnaireError> {
    let workbook = part(archive, "xl/workbook.xml")?;
    let sheets = elements(&workbook, "sheet")?;
    let relation = sheets
        .iter()
        .find(|attributes| attributes.get("name").map(String::as_str) == Some(sheet))
        .and_then(|attributes| {
            attributes.iter().find(|(name, _)| name.ends_with(":id")).map(|(_, id)| id.clone())
        })
        .ok_or_else(|| QuestionnaireError::NoSheet { name: sheet.to_owned() })?;
    let relations = part(archive, "xl/_rels/workbook.xml.rels")?;
    let target = elements(&relations, "Relationship")?
        .into_iter()
        .find(|attributes| attributes.get("Id") == Some(&relation))
        .and_then(|mut attributes| attributes.remove("Target"))
        .ok_or_else(|| QuestionnaireError::Parts { what: format!("no relationship `{relation}`") })?;
    Ok(match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    })
}

/// The attributes of every element with this name.
fn elements(xml: &[u8], name: &str) -> Result<Vec<BTreeMap<String, String>>, QuestionnaireError> {
    let mut reader = quick_xml::Reader::from_reader(xml);
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer)? {
            Event::Eof => return Ok(found),
            Event::Start(element) | Event::Empty(element) if element.local_name().as_ref() == name => {
                let mut attributes = BTreeMap::new();
                for attribute in element.attributes() {
                    let attribute = attribute?;
                    let key = attribute.key.as_ref().to_owned();
                    attributes.insert(key, sheet::unescaped(&attribute.value)?);
                }
                found.push(attributes);
            }
            _ => {}
        }
        buffer.clear();
    }
}

fn write(bytes: &[u8], sheet: &str, cells: &Cells) -> Result<Vec<u8>, QuestionnaireError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let target = sheet_part(&mut archive, sheet)?;
    let changed = sheet::with_cells(&part(&mut archive, &target)?, cells)?;
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let part = archive.by_index(index)?;
        if part.name()? == target {
            // Later ones with the same name would hide this one.
            drop(part);
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            writer.start_file(target.as_str(), options)?;
            writer.write_all(&changed)?;
        } else {
            writer.raw_copy_file(part)?;
        }
    }
    Ok(writer.finish()?.into_inner())
}
