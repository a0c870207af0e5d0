//! Answers for people, programs and spreadsheets.

use std::collections::BTreeMap;
use std::io::Write;

use cadastre_logs::query::AnswerFormat;
use cadastre_logs::tabular::{csv_field, printable};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Number, Value};

use crate::error::QueryError;
use crate::tally::TableRead;

/// Rows of a table for people; more are counted.
const ROWS_SHOWN: usize = 10_000;

/// Writes an answer, batch by batch.
#[derive(Debug)]
pub struct Renderer<'a, W: Write> {
    format: AnswerFormat,
    schema: SchemaRef,
    out: &'a mut W,
    /// Rows that were written, or kept for the table.
    rows: u64,
    table: Vec<Vec<String>>,
}

impl<'a, W: Write> Renderer<'a, W> {
    /// Begins.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(format: AnswerFormat, schema: SchemaRef, out: &'a mut W) -> Result<Self, QueryError> {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let written = match format {
            AnswerFormat::Table => Ok(()),
            AnswerFormat::Csv => {
                let header: Vec<String> = names().map(csv_field).collect();
                write!(out, "{}\r\n", header.join(","))
            }
            AnswerFormat::Json => {
                let columns: Vec<Value> = schema
                    .fields()
                    .iter()
                    .map(|field| serde_json::json!({"name": field.name(), "type": field.data_type().to_string()}))
                    .collect();
                write!(out, "{{\"columns\":{},\n\"rows\":[", Value::Array(columns))
            }
        };
        written.map_err(QueryError::Write)?;
        Ok(Self { format, schema, out, rows: 0, table: Vec::new() })
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// When it cannot be written, or a value has no text.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let options = FormatOptions::new();
        let columns: Vec<Cells<'_>> =
            batch.columns().iter().map(|column| Cells::of(column, &options)).collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            match self.format {
                AnswerFormat::Table => {
                    if self.table.len() < ROWS_SHOWN {
                        let cells = columns.iter().map(|cells| {
                            cells.text(row).map_or_else(|| "-".to_owned(), |text| printable(&text))
                        });
                        self.table.push(cells.collect());
                    }
                }
                AnswerFormat::Csv => {
                    let cells: Vec<String> = columns.iter().map(|cells| cells.csv(row)).collect();
                    write!(self.out, "{}\r\n", cells.join(",")).map_err(QueryError::Write)?;
                }
                AnswerFormat::Json => {
                    let object: Map<String, Value> = self
                        .schema
                        .fields()
                        .iter()
                        .zip(&columns)
                        .map(|(field, cells)| (field.name().clone(), cells.json(row)))
                        .collect();
                    let between = if self.rows == 0 { "\n" } else { ",\n" };
                    write!(self.out, "{between}{}", Value::Object(object)).map_err(QueryError::Write)?;
                }
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Ends; says how many rows there are.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self, read: &BTreeMap<&'static str, TableRead>) -> Result<u64, QueryError> {
        match self.format {
            AnswerFormat::Csv => {}
            AnswerFormat::Json => {
                let read = serde_json::to_string(read).map_err(QueryError::Transfer)?;
                writeln!(self.out, "\n],\n\"read\":{read}}}").map_err(QueryError::Write)?;
            }
            AnswerFormat::Table => {
                let header: Vec<String> =
                    self.schema.fields().iter().map(|field| printable(field.name())).collect();
                table(&header, &self.table, self.out).map_err(QueryError::Write)?;
                let left = self.rows - u64::try_from(self.table.len()).unwrap_or(self.rows);
                if left > 0 {
                    writeln!(self.out, "and {left} more rows").map_err(QueryError::Write)?;
                }
            }
        }
        self.out.flush().map_err(QueryError::Write)?;
        Ok(self.rows)
    }
}

fn table(header: &[String], rows: &[Vec<String>], out: &mut impl Write) -> std::io::Result<()> {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(header).chain(rows.iter().map(Vec::as_slice)) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A column of a batch.
struct Cells<'a> {
    array: &'a dyn Array,
    formatter: ArrayFormatter<'a>,
}

impl<'a> Cells<'a> {
    fn of(array: &'a dyn Array, options: &FormatOptions<'a>) -> Result<Self, QueryError> {
        let formatter =
            ArrayFormatter::try_new(array, options).map_err(|error| QueryError::run(&error.into()))?;
        Ok(Self { array, formatter })
    }

    /// A column of nothing but null has no record of it.
    fn is_null(&self, row: usize) -> bool {
        self.array.data_type() == &DataType::Null || self.array.is_null(row)
    }

    fn text(&self, row: usize) -> Option<String> {
        (!self.is_null(row)).then(|| self.formatter.value(row).to_string())
    }

    /// Numbers are no formulas, text may be one.
    fn csv(&self, row: usize) -> String {
        let text = self.text(row).unwrap_or_default();
        if self.array.data_type().is_numeric() { text } else { csv_field(&text) }
    }

    fn json(&self, row: usize) -> Value {
        if self.is_null(row) {
            return Value::Null;
        }
        match self.array.data_type() {
            DataType::Boolean => Value::Bool(self.array.as_boolean().value(row)),
            DataType::Int64 => Value::from(self.array.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => Number::from_f64(self.array.as_primitive::<Float64Type>().value(row))
                .map_or(Value::Null, Value::Number),
            kind if kind.is_integer() => {
                let text = self.formatter.value(row).to_string();
                text.parse::<Number>().map_or(Value::String(text), Value::Number)
            }
            _ => Value::String(self.formatter.value(row).to_string()),
        }
    }
}

/// The texts of the first column.
pub(crate) fn texts(batches: &[RecordBatch]) -> Result<Vec<String>, QueryError> {
    let mut texts = Vec::new();
    for column in batches.iter().filter_map(|batch| batch.columns().first()) {
        let column = cast(column, &DataType::Utf8).map_err(|error| QueryError::run(&error.into()))?;
        texts.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(texts)
}
