//! The step of a plan that reads files.

use std::fmt;
use std::sync::{Arc, PoisonError};

use cadastre_logs::LogsError;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use crate::columns::Kind;
use crate::reading;
use crate::rows::Rows;
use crate::table::Inner;

/// Batches that wait between the reader of a part and whoever takes them.
const WAITING: usize = 2;

/// Reads the files of a table, a part at a time.
#[derive(Debug)]
pub(crate) struct LogScan {
    table: Arc<Inner>,
    number: u64,
    parts: Arc<Vec<Vec<String>>>,
    columns: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl LogScan {
    pub(crate) fn new(
        table: Arc<Inner>,
        number: u64,
        parts: Vec<Vec<String>>,
        columns: Vec<usize>,
    ) -> Result<Self> {
        let schema = Arc::new(table.schema.project(&columns)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(parts.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { table, number, parts: Arc::new(parts), columns, schema, properties })
    }
}

impl DisplayAs for LogScan {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(
            f,
            "LogScan: table={}, files={}, parts={}, columns=[{}]",
            self.table.source.table.name(),
            self.table.listing.files.len(),
            self.parts.len(),
            columns.join(", ")
        )
    }
}

impl ExecutionPlan for LogScan {
    fn name(&self) -> &'static str {
        "LogScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            return Ok(self);
        }
        Err(DataFusionError::Internal("reading files takes nothing from other steps".to_owned()))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            return Ok(self);
        }
        Err(DataFusionError::Internal("reading files takes nothing from other steps".to_owned()))
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), WAITING);
        let to = stream.tx();
        let (table, parts, wanted) = (Arc::clone(&self.table), Arc::clone(&self.parts), self.columns.clone());
        let (number, schema) = (self.number, Arc::clone(&self.schema));
        stream.spawn_blocking(move || {
            let none = Vec::new();
            let files = parts.get(partition).unwrap_or(&none);
            let kinds = wanted.iter().map(|at| table.columns.get(*at).map_or(Kind::Text, |(_, kind)| *kind));
            let rows = Rows::new(schema, kinds, to);
            let naming = table.naming.clone();
            match reading::read(table.source.table, &table.source.directory, files, &wanted, naming, rows) {
                Ok(tally) => {
                    let mut seen = table.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.finish(number, partition, tally);
                    Ok(())
                }
                Err(LogsError::Stopped) => Ok(()),
                Err(error) => Err(DataFusionError::External(Box::new(error))),
            }
        });
        Ok(stream.build())
    }
}
