//! Filling cells into the XML of a sheet, and leaving everything else as it is.

use std::collections::BTreeMap;

use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer};

use crate::error::QuestionnaireError;

/// Texts by row and column, both from 0.
pub(crate) type Cells = BTreeMap<(usize, usize), String>;

/// `B5` for row 4, column 1.
pub(crate) fn reference(row: usize, column: usize) -> String {
    format!("{}{}", letters(column), row.saturating_add(1))
}

fn letters(column: usize) -> String {
    let mut text = String::new();
    let mut rest = column.saturating_add(1);
    while rest > 0 {
        let digit = u8::try_from(rest.saturating_sub(1) % 26).unwrap_or(0);
        text.insert(0, char::from(b'A'.saturating_add(digit)));
        rest = rest.saturating_sub(1) / 26;
    }
    text
}

/// Row and column of `B5`, from 0.
fn parse(reference: &str) -> Option<(usize, usize)> {
    let split = reference.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = reference.split_at(split);
    let mut column = 0_usize;
    for letter in letters.bytes() {
        let digit = usize::from(letter.to_ascii_uppercase().checked_sub(b'A')?);
        column = column.checked_mul(26)?.checked_add(digit)?.checked_add(1)?;
    }
    Some((digits.parse::<usize>().ok()?.checked_sub(1)?, column.checked_sub(1)?))
}

/// The text of an attribute's value.
pub(crate) fn unescaped(value: &str) -> Result<String, QuestionnaireError> {
    Ok(unescape(value).map_err(quick_xml::Error::from)?.into_owned())
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, QuestionnaireError> {
    for attribute in element.attributes() {
        let attribute = attribute?;
        if attribute.key.as_ref() == name {
            return unescaped(&attribute.value).map(Some);
        }
    }
    Ok(None)
}

/// The sheet with these cells. A cell keeps its format and becomes text, which nothing takes for a formula; a cell that
/// holds a formula is left as it is.
pub(crate) fn with_cells(xml: &[u8], cells: &Cells) -> Result<Vec<u8>, QuestionnaireError> {
    let mut reader = Reader::from_reader(xml);
    let mut writer = Writer::new(Vec::with_capacity(xml.len()));
    let mut place = Place::default();
    let mut buffer = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer)?;
        match &event {
            Event::Eof => break,
            Event::Start(element) if element.local_name().as_ref() == "row" => {
                place.start_row(element)?;
                writer.write_event(event.borrow())?;
            }
            Event::Empty(element) if element.local_name().as_ref() == "row" => {
                place.start_row(element)?;
                let name = element.name().as_ref().to_owned();
                writer.write_event(Event::Start(element.borrow()))?;
                missing(&mut writer, cells, &place, usize::MAX)?;
                writer.write_event(Event::End(quick_xml::events::BytesEnd::new(name)))?;
            }
            Event::End(element) if element.local_name().as_ref() == "row" => {
                missing(&mut writer, cells, &place, usize::MAX)?;
                writer.write_event(event.borrow())?;
            }
            Event::Start(element) | Event::Empty(element) if element.local_name().as_ref() == "c" => {
                let at = place.start_cell(element)?;
                missing(&mut writer, cells, &place, at.1)?;
                place.next = at.1.saturating_add(1);
                let empty = matches!(event, Event::Empty(_));
                match cells.get(&at) {
                    None => writer.write_event(event.borrow())?,
                    Some(text) => {
                        let style = attribute(element, "s")?;
                        let inner = if empty { Vec::new() } else { inner(&mut reader)? };
                        if inner.iter().any(|event| is_formula(event)) {
                            writer.write_event(event.borrow())?;
                            for event in inner {
                                writer.write_event(event)?;
                            }
                        } else {
                            cell(&mut writer, at, style.as_deref(), text)?;
                        }
                    }
                }
            }
            _ => writer.write_event(event.borrow())?,
        }
        buffer.clear();
    }
    Ok(writer.into_inner())
}

/// Where the reader stands.
#[derive(Debug, Default)]
struct Place {
    row: usize,
    started: bool,
    /// The next column that no cell was seen for.
    next: usize,
}

impl Place {
    /// Rows and cells without a reference follow the one before (§18.3.1.73).
    fn start_row(&mut self, element: &BytesStart<'_>) -> Result<(), QuestionnaireError> {
        let named = attribute(element, "r")?.and_then(|row| row.parse::<usize>().ok());
        let following = if self.started { self.row.saturating_add(1) } else { 0 };
        self.row = named.map_or(following, |row| row.saturating_sub(1));
        self.started = true;
        self.next = 0;
        Ok(())
    }

    fn start_cell(&self, element: &BytesStart<'_>) -> Result<(usize, usize), QuestionnaireError> {
        let named = attribute(element, "r")?.as_deref().and_then(parse);
        Ok(named.unwrap_or((self.row, self.next)))
    }
}

/// Writes the cells that the row does not have yet, up to a column.
fn missing(
    writer: &mut Writer<Vec<u8>>,
    cells: &Cells,
    place: &Place,
    before: usize,
) -> Result<(), QuestionnaireError> {
    if place.next >= before {
        return Ok(());
    }
    for (at, text) in cells.range((place.row, place.next)..(place.row, before)) {
        cell(writer, *at, None, text)?;
    }
    Ok(())
}

fn cell(
    writer: &mut Writer<Vec<u8>>,
    (row, column): (usize, usize),
    style: Option<&str>,
    text: &str,
) -> Result<(), QuestionnaireError> {
    let style = style.map(|style| format!(" s=\"{}\"", escape(style))).unwrap_or_default();
    let xml = format!(
        "<c r=\"{}\"{style} t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>",
        reference(row, column),
        escape(text)
    );
    std::io::Write::write_all(writer.get_mut(), xml.as_bytes())?;
    Ok(())
}

/// Everything up to and with the end of the cell.
fn inner(reader: &mut Reader<&[u8]>) -> Result<Vec<Event<'static>>, QuestionnaireError> {
    let mut events = Vec::new();
    let mut buffer = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer)?.into_owned();
        let end = matches!(&event, Event::End(element) if element.local_name().as_ref() == "c");
        if matches!(event, Event::Eof) {
            return Err(QuestionnaireError::Parts { what: "a cell does not end".to_owned() });
        }
        events.push(event);
        if end {
            return Ok(events);
        }
        buffer.clear();
    }
}

fn is_formula(event: &Event<'_>) -> bool {
    matches!(event, Event::Start(element) | Event::Empty(element) if element.local_name().as_ref() == "f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(xml: &str, cells: &[((usize, usize), &str)], expected: &str) {
        let cells = cells.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
        assert_eq!(String::from_utf8(with_cells(xml.as_bytes(), &cells).unwrap()).unwrap(), expected);
    }

    fn inline(at: &str, text: &str) -> String {
        format!("<c r=\"{at}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
    }

    #[test]
    fn cells_are_put_where_they_belong_and_the_rest_stays() {
        check(
            "<sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"D1\"><v>9</v></c></row><row r=\"3\"/></sheetData>",
            &[((0, 1), "x"), ((0, 4), "<y>"), ((2, 0), "z")],
            &format!(
                "<sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>{}<c r=\"D1\"><v>9</v></c>{}</row><row r=\"3\">{}</row></sheetData>",
                inline("B1", "x"),
                inline("E1", "&lt;y&gt;"),
                inline("A3", "z")
            ),
        );
    }

    #[test]
    fn a_cell_keeps_its_format_and_a_formula_stays() {
        check(
            "<row r=\"1\"><c r=\"A1\" s=\"7\"/><c r=\"B1\"><f>1+1</f><v>2</v></c></row>",
            &[((0, 0), "x"), ((0, 1), "y")],
            "<row r=\"1\"><c r=\"A1\" s=\"7\" t=\"inlineStr\"><is><t xml:space=\"preserve\">x</t></is></c><c r=\"B1\"><f>1+1</f><v>2</v></c></row>",
        );
    }

    #[test]
    fn cells_and_rows_without_references_are_counted() {
        check(
            "<row><c><v>1</v></c><c><v>2</v></c></row><row><c/></row>",
            &[((0, 1), "x"), ((1, 1), "y")],
            &format!("<row><c><v>1</v></c>{}</row><row><c/>{}</row>", inline("B1", "x"), inline("B2", "y")),
        );
    }

    #[test]
    fn references_are_read_and_written() {
        for (text, at) in
            [("A1", (0, 0)), ("Z9", (8, 25)), ("AA10", (9, 26)), ("XFD1048576", (1_048_575, 16_383))]
        {
            assert_eq!(parse(text), Some(at));
            assert_eq!(reference(at.0, at.1), text);
        }
        assert_eq!(parse("1"), None);
        assert_eq!(parse("A0"), None);
    }
}
