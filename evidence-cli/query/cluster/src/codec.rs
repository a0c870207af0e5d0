//! Our tables and scans as bytes in the plans that parts of a cluster send each other.

use std::sync::Arc;

use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use cadastre_query::{LogScan, LogSource, LogTable, TallyTable};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::{Deserialize, Serialize};

/// What tells a scan of ours from the cluster's own steps, which are protocol buffers.
const SCAN: &[u8] = b"cadastre/log-scan/v1\n";

/// A table as it is sent: where its rows come from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SentTable {
    Rows(LogSource),
    Tally { source: LogSource, columns: Vec<usize> },
}

/// Tables of a query, on their way from the client to the scheduler.
#[derive(Debug, Default)]
pub struct LogLogicalCodec {
    rest: BallistaLogicalExtensionCodec,
}

impl LogicalExtensionCodec for LogLogicalCodec {
    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], ctx: &TaskContext) -> Result<Extension> {
        self.rest.try_decode(buf, inputs, ctx)
    }

    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        self.rest.try_encode(node, buf)
    }

    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        _table_ref: &TableReference,
        _schema: SchemaRef,
        _ctx: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let sent = serde_json::from_slice(buf).map_err(external)?;
        Ok(match sent {
            SentTable::Rows(source) => Arc::new(LogTable::open(source).map_err(external)?),
            SentTable::Tally { source, columns } => {
                Arc::new(TallyTable::of(&LogTable::open(source).map_err(external)?, columns))
            }
        })
    }

    fn try_encode_table_provider(
        &self,
        table_ref: &TableReference,
        node: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        let sent = if let Some(table) = node.downcast_ref::<LogTable>() {
            SentTable::Rows(table.source().clone())
        } else if let Some(table) = node.downcast_ref::<TallyTable>() {
            SentTable::Tally { source: table.source().clone(), columns: table.columns().to_vec() }
        } else {
            return self.rest.try_encode_table_provider(table_ref, node, buf);
        };
        serde_json::to_writer(buf, &sent).map_err(external)
    }

    fn try_decode_file_format(&self, buf: &[u8], ctx: &TaskContext) -> Result<Arc<dyn FileFormatFactory>> {
        self.rest.try_decode_file_format(buf, ctx)
    }

    fn try_encode_file_format(&self, buf: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        self.rest.try_encode_file_format(buf, node)
    }
}

/// Scans of a plan, on their way from the scheduler to the executors.
#[derive(Debug, Default)]
pub struct LogPhysicalCodec {
    rest: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for LogPhysicalCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match buf.strip_prefix(SCAN) {
            Some(sent) => Ok(Arc::new(LogScan::receive(sent, inputs).map_err(external)?)),
            None => self.rest.try_decode(buf, inputs, ctx, proto_converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(scan) = node.downcast_ref::<LogScan>() else {
            return self.rest.try_encode(node, buf, proto_converter);
        };
        buf.extend_from_slice(SCAN);
        buf.extend(scan.send().map_err(external)?);
        Ok(())
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
