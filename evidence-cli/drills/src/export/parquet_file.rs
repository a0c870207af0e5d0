//! Apache Parquet: a row a record; headers as JSON text, since their number differs.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::parser::parse_message_type;

use super::Exported;
use crate::error::{DrillError, file};

const SCHEMA: &str = "message record {
    required int32 partition;
    required int64 offset;
    required int64 timestamp_ms;
    optional binary key;
    optional binary value;
    required binary headers_json;
}";

pub(super) fn write(path: &Path, records: &[Exported]) -> Result<(), DrillError> {
    try_write(path, records).map_err(|error| file("write", path)(std::io::Error::other(error)))
}

fn try_write(path: &Path, records: &[Exported]) -> Result<(), ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path)?, schema, properties)?;
    let mut group = writer.next_row_group()?;
    let mut headers = Vec::with_capacity(records.len());
    for record in records {
        let text =
            serde_json::to_vec(&record.headers).map_err(|error| ParquetError::External(Box::new(error)))?;
        headers.push(ByteArray::from(text));
    }
    let mut number = 0;
    while let Some(mut column) = group.next_column()? {
        match (number, column.untyped()) {
            (0, ColumnWriter::Int32ColumnWriter(column)) => {
                let values: Vec<i32> = records.iter().map(|record| record.partition).collect();
                column.write_batch(&values, None, None)?;
            }
            (1 | 2, ColumnWriter::Int64ColumnWriter(column)) => {
                let of = |record: &Exported| if number == 1 { record.offset } else { record.timestamp_ms };
                let values: Vec<i64> = records.iter().map(of).collect();
                column.write_batch(&values, None, None)?;
            }
            (3 | 4, ColumnWriter::ByteArrayColumnWriter(column)) => {
                let of =
                    |record: &Exported| if number == 3 { record.key.clone() } else { record.value.clone() };
                let cells: Vec<Option<Vec<u8>>> = records.iter().map(of).collect();
                let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
                let values: Vec<ByteArray> = cells.into_iter().flatten().map(ByteArray::from).collect();
                column.write_batch(&values, Some(&levels), None)?;
            }
            (_, ColumnWriter::ByteArrayColumnWriter(column)) => {
                column.write_batch(&headers, None, None)?;
            }
            _ => return Err(ParquetError::General("a column is not of the schema's type".to_owned())),
        }
        column.close()?;
        number += 1;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Vec<Exported>, DrillError> {
    try_read(path).map_err(|error| file("read", path)(std::io::Error::other(error)))
}

fn try_read(path: &Path) -> Result<Vec<Exported>, ParquetError> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut records = Vec::new();
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let mut record = Exported {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        for (name, field) in row.get_column_iter() {
            match (name.as_str(), field) {
                ("partition", Field::Int(value)) => record.partition = *value,
                ("offset", Field::Long(value)) => record.offset = *value,
                ("timestamp_ms", Field::Long(value)) => record.timestamp_ms = *value,
                ("key", Field::Bytes(value)) => record.key = Some(value.data().to_vec()),
                ("value", Field::Bytes(value)) => record.value = Some(value.data().to_vec()),
                ("key" | "value", Field::Null) => {}
                ("headers_json", Field::Bytes(value)) => {
                    record.headers = serde_json::from_slice(value.data())
                        .map_err(|error| ParquetError::External(Box::new(error)))?;
                }
                _ => {
                    return Err(ParquetError::General(format!(
                        "column `{name}` is not of the schema's type"
                    )));
                }
            }
        }
        records.push(record);
    }
    Ok(records)
}
