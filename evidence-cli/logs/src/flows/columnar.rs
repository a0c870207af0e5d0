//! VPC flow logs in Parquet, column by column, by name.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use super::column;
use super::format::{FIELDS, Field};
use super::line::parse_address;
use super::notice::NoticeKind;
use super::read::Reading;
use super::record::{FlowAction, FlowKey, FlowParts, FlowSums};
use super::records::{self, FlowValue, Origin};
use crate::error::LogsError;

/// Rows that are read at once.
const BATCH: usize = 8_192;

/// Bytes or packets above which a number is taken for damage: a petabyte.
const IMPLAUSIBLE: i64 = 1 << 50;

/// Reads a file.
pub(crate) fn read(path: &Path, file: &str, reading: &mut Reading) -> Result<(), LogsError> {
    let mut row = 0;
    // The reader of Parquet is not made for hostile files: what it cannot take, it may panic at.
    let result = catch_unwind(AssertUnwindSafe(|| rows(path, file, &mut row, reading)));
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(RowError::Logs(error))) => Err(error),
        Ok(Err(RowError::Parquet(problem))) => {
            reading.notice(file, row + 1, NoticeKind::BadParquet, || problem);
            Ok(())
        }
        Err(_panic) => {
            reading.notice(file, row + 1, NoticeKind::BadParquet, || "damaged".to_owned());
            Ok(())
        }
    }
}

enum RowError {
    Logs(LogsError),
    Parquet(String),
}

impl From<ParquetError> for RowError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error.to_string())
    }
}

fn rows(path: &Path, file: &str, row: &mut u64, reading: &mut Reading) -> Result<(), RowError> {
    let opened = File::open(path).map_err(|error| RowError::Parquet(error.to_string()))?;
    let parquet = SerializedFileReader::new(opened)?;
    let schema = parquet.metadata().file_metadata().schema_descr_ptr();
    let mut places: [Option<usize>; FIELDS] = [None; FIELDS];
    for (at, column) in schema.columns().iter().enumerate() {
        if let Some(slot) =
            Field::named(column.name().as_bytes()).and_then(|field| places.get_mut(field as usize))
        {
            *slot = Some(at);
        }
    }
    if place(&places, Field::Source).is_none() && place(&places, Field::Destination).is_none() {
        reading.notice(file, 0, NoticeKind::NoFlowLog, || "no column is named srcaddr or dstaddr".to_owned());
        return Ok(());
    }
    let asked: Vec<(u8, usize)> = schema
        .columns()
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Some((column::place(column.name().as_bytes())?, at)))
        .filter(|(place, _)| reading.wants(*place))
        .collect();
    for group in 0..parquet.num_row_groups() {
        let group = parquet.get_row_group(group)?;
        read_group(group.as_ref(), (&places, &asked), file, row, reading)?;
    }
    Ok(())
}

fn place(places: &[Option<usize>; FIELDS], field: Field) -> Option<usize> {
    places.get(field as usize).copied().flatten()
}

/// A value of a column.
#[derive(Debug, Clone)]
enum Cell {
    Nothing,
    Number(i64),
    Text(parquet::data_type::ByteArray),
}

impl Cell {
    /// As text logs write it; `-` is nothing.
    fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) if text.data() != b"-" => text.data(),
            _ => b"",
        }
    }
}

fn read_group(
    group: &dyn RowGroupReader,
    (places, asked): (&[Option<usize>; FIELDS], &[(u8, usize)]),
    file: &str,
    row: &mut u64,
    reading: &mut Reading,
) -> Result<(), RowError> {
    let open = |at: usize| {
        let description = group.metadata().column(at).column_descr_ptr();
        if description.max_rep_level() > 0 {
            return Err(RowError::Parquet(format!("column `{}` holds lists", description.name())));
        }
        Ok((group.get_column_reader(at)?, description.max_def_level()))
    };
    let mut columns: Vec<Option<(ColumnReader, i16)>> =
        places.iter().map(|at| at.map(open).transpose()).collect::<Result<_, _>>()?;
    let mut further: Vec<(ColumnReader, i16)> =
        asked.iter().map(|(_, at)| open(*at)).collect::<Result<_, _>>()?;
    let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    while left > 0 {
        let wanted = left.min(BATCH);
        let mut cells: Vec<Vec<Cell>> = Vec::with_capacity(FIELDS);
        for column in &mut columns {
            cells.push(match column {
                Some((reader, levels)) => batch(reader, *levels, wanted)?,
                None => Vec::new(),
            });
        }
        let mut asked_cells: Vec<Vec<Cell>> = Vec::with_capacity(asked.len());
        for (reader, levels) in &mut further {
            asked_cells.push(batch(reader, *levels, wanted)?);
        }
        let mut values: Vec<(u8, FlowValue<'_>)> = Vec::with_capacity(asked.len());
        for at in 0..wanted {
            *row += 1;
            values.clear();
            for ((place, _), cells) in asked.iter().zip(&asked_cells) {
                values.push((*place, value(*place, cells.get(at).unwrap_or(&Cell::Nothing))));
            }
            let cell = |field: Field| {
                cells.get(field as usize).and_then(|column| column.get(at)).unwrap_or(&Cell::Nothing)
            };
            let has_status = place(places, Field::Status).is_some();
            record(cell, has_status, Origin::Cells(&values), (file, *row), reading)
                .map_err(RowError::Logs)?;
        }
        left -= wanted;
    }
    Ok(())
}

fn batch(reader: &mut ColumnReader, levels: i16, wanted: usize) -> Result<Vec<Cell>, RowError> {
    match reader {
        ColumnReader::Int32ColumnReader(reader) => {
            values(reader, levels, wanted, |value: i32| Cell::Number(i64::from(value)))
        }
        ColumnReader::Int64ColumnReader(reader) => values(reader, levels, wanted, Cell::Number),
        ColumnReader::ByteArrayColumnReader(reader) => values(reader, levels, wanted, Cell::Text),
        _ => Err(RowError::Parquet("a column is neither text nor a whole number".to_owned())),
    }
}

fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: i16,
    wanted: usize,
    cell: impl Fn(T::T) -> Cell,
) -> Result<Vec<Cell>, RowError> {
    let (mut values, mut defined) = (Vec::with_capacity(wanted), Vec::with_capacity(wanted));
    let mut records = 0;
    while records < wanted {
        let (read, _, _) = reader.read_records(wanted - records, Some(&mut defined), None, &mut values)?;
        if read == 0 {
            return Err(RowError::Parquet("a column ends before the others".to_owned()));
        }
        records += read;
    }
    let mut values = values.into_iter();
    if levels == 0 {
        return Ok(values.map(cell).collect());
    }
    Ok(defined
        .into_iter()
        .map(|level| if level == levels { values.next().map_or(Cell::Nothing, &cell) } else { Cell::Nothing })
        .collect())
}

fn record<'a>(
    cell: impl Fn(Field) -> &'a Cell,
    has_status: bool,
    origin: Origin<'_>,
    (file, row): (&str, u64),
    reading: &mut Reading,
) -> Result<(), LogsError> {
    match (has_status, cell(Field::Status).text()) {
        (true, b"OK") => {}
        (true, b"NODATA") => {
            reading.gaps.nodata += 1;
            return reading.no_flow(origin, file, row);
        }
        (true, b"SKIPDATA") => {
            reading.gaps.skipdata += 1;
            return reading.no_flow(origin, file, row);
        }
        (true, _) => {
            reading.notice(file, row, NoticeKind::BadField, || "log-status is no status".to_owned());
            return Ok(());
        }
        (false, _) => {
            if cell(Field::Source).text().is_empty()
                && cell(Field::Destination).text().is_empty()
                && matches!(cell(Field::Bytes), Cell::Nothing)
            {
                reading.gaps.unsaid += 1;
                return reading.no_flow(origin, file, row);
            }
        }
    }
    let Some((parts, sums, skewed, mapped)) = flow(cell) else {
        reading.notice(file, row, NoticeKind::BadField, || "a field does not hold what it must".to_owned());
        return Ok(());
    };
    if skewed {
        reading.notice(file, row, NoticeKind::ClockSkew, || "ends before it starts".to_owned());
    }
    if mapped {
        reading.notice(file, row, NoticeKind::MappedAddress, || "used as IPv4".to_owned());
    }
    reading.flow(FlowKey::pack(&parts), sums, origin, file, row)
}

/// A cell as a query sees it; nothing where a column of numbers holds other text.
fn value(place: u8, cell: &Cell) -> FlowValue<'_> {
    match cell {
        Cell::Nothing => FlowValue::Nothing,
        Cell::Number(number) => FlowValue::Number(*number),
        Cell::Text(text) => records::of_text(place, text.data()).unwrap_or(FlowValue::Nothing),
    }
}

fn flow<'a>(cell: impl Fn(Field) -> &'a Cell) -> Option<(FlowParts, FlowSums, bool, bool)> {
    let number = |field| match cell(field) {
        Cell::Nothing => Some(None),
        Cell::Number(number) => Some(Some(*number)),
        Cell::Text(text) if text.data() == b"-" || text.data().is_empty() => Some(None),
        Cell::Text(text) => std::str::from_utf8(text.data()).ok()?.parse::<i64>().ok().map(Some),
    };
    let amount = |field| match number(field)? {
        None => Some(None),
        Some(value) if (0..=IMPLAUSIBLE).contains(&value) => u64::try_from(value).ok().map(Some),
        Some(_) => None,
    };
    let address = |field| match cell(field).text() {
        b"" => Some((None, false)),
        text => parse_address(text).map(|(address, mapped)| (Some(address), mapped)),
    };
    let action = match cell(Field::Action).text() {
        b"" => None,
        b"ACCEPT" => Some(FlowAction::Accept),
        b"REJECT" => Some(FlowAction::Reject),
        _ => return None,
    };
    let (source, source_mapped) = address(Field::Source)?;
    let (destination, destination_mapped) = address(Field::Destination)?;
    let port = number(Field::Port)?.map(u16::try_from).transpose().ok()?;
    let protocol = number(Field::Protocol)?.map(u8::try_from).transpose().ok()?;
    let (start, end) = (number(Field::Start)?, number(Field::End)?);
    let first = start.into_iter().chain(end).min();
    let last = start.into_iter().chain(end).max();
    Some((
        FlowParts { source, destination, port, protocol, action },
        FlowSums::of(amount(Field::Bytes)?, amount(Field::Packets)?, 1, first, last),
        matches!((start, end), (Some(start), Some(end)) if end < start),
        source_mapped || destination_mapped,
    ))
}
