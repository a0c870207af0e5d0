//! The step of a plan that reads files.

use std::fmt;
use std::sync::{Arc, PoisonError};

use cadastre_logs::LogsError;
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, Partitioning, PlanProperties,
};
use futures::executor::block_on_stream;
use serde::{Deserialize, Serialize};

use crate::columns::Kind;
use crate::error::QueryError;
use crate::reading;
use crate::rows::Rows;
use crate::source::LogSource;
use crate::table::{Inner, LogTable};

/// Batches that wait between the reader of a part and whoever takes them.
const WAITING: usize = 2;

/// What is asked of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Asked {
    /// These columns of each record.
    Columns(Vec<usize>),
    /// What they come to when these columns are read, as JSON.
    Tally(Vec<usize>),
}

impl Asked {
    pub(crate) fn tally_schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("tally", DataType::Utf8, false)]))
    }
}

/// Reads the files of a table, a part at a time. Which files are of a part, the step below says: a cluster knows how to give
/// each of its tasks some parts of rows in memory, and knows nothing of ours.
#[derive(Debug)]
pub struct LogScan {
    table: Arc<Inner>,
    number: u64,
    asked: Asked,
    files: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

/// A scan as it is sent to other machines, which list the files anew and must find the same.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    source: LogSource,
    asked: Asked,
    extent: (u64, u64),
}

impl LogScan {
    pub(crate) fn new(table: Arc<Inner>, number: u64, parts: Vec<Vec<String>>, asked: Asked) -> Result<Self> {
        let schema = Arc::new(Schema::new(vec![Field::new("file", DataType::Utf8, false)]));
        let parts = parts
            .into_iter()
            .map(|names| {
                let names = Arc::new(StringArray::from(names));
                Ok(vec![RecordBatch::try_new(Arc::clone(&schema), vec![names])?])
            })
            .collect::<Result<Vec<_>>>()?;
        let files = MemorySourceConfig::try_new_exec(&parts, schema, None)?;
        Self::over(table, number, asked, files)
    }

    /// The scan of those files that a step below names.
    fn over(table: Arc<Inner>, number: u64, asked: Asked, files: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = match &asked {
            Asked::Columns(columns) => Arc::new(table.schema.project(columns)?),
            Asked::Tally(_) => Asked::tally_schema(),
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(files.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { table, number, asked, files, schema, properties })
    }

    /// As bytes for another machine, without the step below.
    ///
    /// # Errors
    /// When the declaration does not serialise.
    pub fn send(&self) -> std::result::Result<Vec<u8>, QueryError> {
        let sent = Sent {
            source: self.table.source.clone(),
            asked: self.asked.clone(),
            extent: self.table.listing.extent(),
        };
        serde_json::to_vec(&sent).map_err(QueryError::Transfer)
    }

    /// Out of bytes of another machine, and the steps below.
    ///
    /// # Errors
    /// When they are none, or this machine does not see the same files.
    pub fn receive(bytes: &[u8], below: &[Arc<dyn ExecutionPlan>]) -> std::result::Result<Self, QueryError> {
        let sent: Sent = serde_json::from_slice(bytes).map_err(QueryError::Transfer)?;
        let directory = sent.source.directory.display().to_string();
        let table = LogTable::open(sent.source)?;
        let scan = table.scan_of(1, sent.asked).map_err(|error| QueryError::run(&error))?;
        if scan.table.listing.extent() != sent.extent {
            return Err(QueryError::Run(format!(
                "machines of the cluster do not see the same files in `{directory}`"
            )));
        }
        scan.with(below).map_err(|error| QueryError::run(&error))
    }

    fn with(&self, below: &[Arc<dyn ExecutionPlan>]) -> Result<Self> {
        let [files] = below else {
            return Err(DataFusionError::Internal("reading files takes their names alone".to_owned()));
        };
        Self::over(Arc::clone(&self.table), self.number, self.asked.clone(), Arc::clone(files))
    }
}

/// The files that the step below names: none that the table has not.
fn named(table: &Inner, batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for batch in batches {
        let batch = batch?;
        let names = batch.columns().first().and_then(|names| names.as_any().downcast_ref::<StringArray>());
        let names = names.ok_or_else(|| DataFusionError::Internal("a file has no name".to_owned()))?;
        for name in names.iter().flatten() {
            let known = table.listing.files.binary_search_by(|(path, _)| path.as_str().cmp(name));
            if known.is_err() {
                return Err(DataFusionError::Execution(format!(
                    "machines of the cluster do not see the same files: `{name}`"
                )));
            }
            files.push(name.to_owned());
        }
    }
    Ok(files)
}

impl DisplayAs for LogScan {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(
            f,
            "LogScan: table={}, files={}, parts={}, columns=[{}]",
            self.table.source.table.name(),
            self.table.listing.files.len(),
            self.properties.output_partitioning().partition_count(),
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
        vec![&self.files]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Which files are read together is settled.
        vec![false]
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
        Ok(Arc::new(self.with(&children)?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(self.with(&children)?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let given = self.files.execute(partition, context)?;
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), WAITING);
        let to = stream.tx();
        let (table, asked) = (Arc::clone(&self.table), self.asked.clone());
        let (number, schema) = (self.number, Arc::clone(&self.schema));
        stream.spawn_blocking(move || {
            let files = named(&table, block_on_stream(given))?;
            let (Asked::Columns(wanted) | Asked::Tally(wanted)) = &asked;
            let kinds = wanted.iter().map(|at| table.columns.get(*at).map_or(Kind::Text, |(_, kind)| *kind));
            let rows = match &asked {
                Asked::Columns(_) => Some(Rows::new(Arc::clone(&schema), kinds, to.clone())),
                Asked::Tally(_) => None,
            };
            let naming = table.naming.clone();
            match reading::read(table.source.table, &table.source.directory, &files, wanted, naming, rows) {
                Ok(tally) => {
                    if matches!(asked, Asked::Tally(_)) {
                        let text = serde_json::to_string(&tally)
                            .map_err(|error| DataFusionError::External(Box::new(error)))?;
                        let batch =
                            RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(vec![text]))])?;
                        // Whoever asked has gone.
                        let _gone = to.blocking_send(Ok(batch));
                    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cadastre_logs::query::TableName;
    use datafusion::physical_plan::collect;

    use super::*;

    const LOG: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n2 1 eni-1 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n";

    fn scan(directory: &Path) -> LogScan {
        let source = LogSource { table: TableName::Flows, directory: directory.to_owned(), naming: None };
        LogTable::open(source).unwrap().scan_of(2, Asked::Columns(vec![3])).unwrap()
    }

    fn rows(scan: LogScan) -> Result<usize> {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let batches = runtime.block_on(collect(Arc::new(scan), Arc::new(TaskContext::default())))?;
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[test]
    fn a_scan_that_was_sent_reads_the_parts_that_the_step_below_has_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.log", "b.log"] {
            std::fs::write(root.path().join(name), LOG).unwrap();
        }
        let here = scan(root.path());
        let sent = here.send().unwrap();
        let all = LogScan::receive(&sent, &[Arc::clone(&here.files)]).unwrap();
        assert_eq!(rows(all).unwrap(), 2);
        let schema = here.files.schema();
        let some = |name: &str| {
            let names = Arc::new(StringArray::from(vec![name]));
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![names]).unwrap();
            let files = MemorySourceConfig::try_new_exec(&[vec![batch]], Arc::clone(&schema), None).unwrap();
            rows(LogScan::receive(&sent, &[files]).unwrap())
        };
        assert_eq!(some("b.log").unwrap(), 1);
        let error = some("../a.log").unwrap_err().to_string();
        assert!(error.contains("do not see the same files: `../a.log`"), "{error}");
    }

    #[test]
    fn a_machine_that_sees_other_files_refuses_a_scan() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a.log"), LOG).unwrap();
        let here = scan(root.path());
        let sent = here.send().unwrap();
        std::fs::write(root.path().join("b.log"), LOG).unwrap();
        let error = LogScan::receive(&sent, &[Arc::clone(&here.files)]).unwrap_err().to_string();
        assert!(error.contains("machines of the cluster do not see the same files in"), "{error}");
        assert!(LogScan::receive(b"{}", &[Arc::clone(&here.files)]).is_err());
        assert!(LogScan::receive(&sent, &[]).is_err());
    }
}
