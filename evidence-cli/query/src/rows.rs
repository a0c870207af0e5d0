//! Rows into batches of columns.

use std::sync::Arc;

use cadastre_logs::LogsError;
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use tokio::sync::mpsc::Sender;

use crate::columns::Kind;

/// Rows of a batch.
const BATCH: usize = 8_192;

/// A column while it grows.
#[derive(Debug)]
pub(crate) enum Column {
    Text(StringBuilder),
    Number(Int64Builder),
    Truth(BooleanBuilder),
}

impl Column {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Number => Self::Number(Int64Builder::new()),
            Kind::Truth => Self::Truth(BooleanBuilder::new()),
        }
    }

    /// Adds text; nothing to a column of another kind.
    pub(crate) fn text(&mut self, value: Option<&str>) {
        match self {
            Self::Text(builder) => builder.append_option(value),
            Self::Number(builder) => builder.append_null(),
            Self::Truth(builder) => builder.append_null(),
        }
    }

    pub(crate) fn number(&mut self, value: Option<i64>) {
        match self {
            Self::Number(builder) => builder.append_option(value),
            Self::Text(builder) => builder.append_null(),
            Self::Truth(builder) => builder.append_null(),
        }
    }

    pub(crate) fn truth(&mut self, value: Option<bool>) {
        match self {
            Self::Truth(builder) => builder.append_option(value),
            Self::Text(builder) => builder.append_null(),
            Self::Number(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Truth(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Collects rows, and sends them on batch by batch: whoever receives them slows the reading down to its own speed.
#[derive(Debug)]
pub(crate) struct Rows {
    schema: SchemaRef,
    pub(crate) columns: Vec<Column>,
    rows: usize,
    to: Sender<Result<RecordBatch, DataFusionError>>,
}

impl Rows {
    pub(crate) fn new(
        schema: SchemaRef,
        kinds: impl Iterator<Item = Kind>,
        to: Sender<Result<RecordBatch, DataFusionError>>,
    ) -> Self {
        Self { schema, columns: kinds.map(Column::of).collect(), rows: 0, to }
    }

    /// Ends a row, to which every column was given a value.
    pub(crate) fn end_row(&mut self) -> Result<(), LogsError> {
        self.rows += 1;
        if self.rows < BATCH { Ok(()) } else { self.send() }
    }

    /// Sends what is left.
    pub(crate) fn send(&mut self) -> Result<(), LogsError> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(DataFusionError::from);
        // Whoever asked has gone.
        self.to.blocking_send(batch).map_err(|_gone| LogsError::Stopped)
    }
}
