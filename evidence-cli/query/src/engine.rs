//! The engine: tables registered, a query understood, its answer as batches.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cadastre_logs::query::{Sources, TableName};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};

use crate::error::QueryError;
use crate::order;
use crate::source::LogSource;
use crate::table::LogTable;
use crate::tally::TableRead;

/// Memory of sorting, grouping and joining, in bytes; what does not fit goes to temporary files.
const MEMORY: usize = 320 << 20;

/// The state of an engine in this process.
///
/// # Errors
/// When there is no place for temporary files.
fn state(config: SessionConfig) -> Result<SessionState, QueryError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY)))
        .with_disk_manager_builder(DiskManagerBuilder::default())
        .build_arc()
        .map_err(|error| QueryError::run(&error))?;
    Ok(SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .build())
}

/// A query that is understood, with the tables that it names.
pub(crate) struct Query {
    context: SessionContext,
    sql: String,
    tables: BTreeMap<TableName, LogTable>,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("sql", &self.sql).field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl Query {
    /// Understands a query.
    ///
    /// # Errors
    /// When the text is no query, names tables that there are not, or a directory cannot be listed.
    pub(crate) fn new(sql: &str, sources: &Sources) -> Result<Self, QueryError> {
        let context = SessionContext::new_with_state(state(SessionConfig::new())?);
        let mut tables = BTreeMap::new();
        for table in named(&context, sql)? {
            let Some(directory) = sources.directories.get(&table) else {
                return Err(QueryError::NoDirectory { name: table.name() });
            };
            let source = LogSource {
                table,
                directory: directory.clone(),
                naming: sources.naming.clone().filter(|_| table == TableName::Flows),
            };
            let opened = LogTable::open(source)?;
            context
                .register_table(table.name(), Arc::new(opened.share()))
                .map_err(|error| QueryError::plan(&error))?;
            tables.insert(table, opened);
        }
        Ok(Self { context, sql: sql.to_owned(), tables })
    }

    /// Its answer, batch by batch, in one order.
    ///
    /// # Errors
    /// When it cannot be planned, or is no query but a command.
    pub(crate) async fn answer(&self) -> Result<SendableRecordBatchStream, QueryError> {
        let state = self.context.state();
        let plan = state.create_logical_plan(&self.sql).await.map_err(|error| QueryError::plan(&error))?;
        let only_queries =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        only_queries.verify_plan(&plan).map_err(|error| QueryError::NoQuery(error.strip_backtrace()))?;
        let plan = order::complete(plan).map_err(|error| QueryError::plan(&error))?;
        let frame =
            self.context.execute_logical_plan(plan).await.map_err(|error| QueryError::plan(&error))?;
        frame.execute_stream().await.map_err(|error| QueryError::run(&error))
    }

    /// What is known of each table's logs, once the answer was taken to its end.
    #[must_use]
    pub(crate) fn read(&self) -> BTreeMap<&'static str, TableRead> {
        self.tables.iter().map(|(name, table)| (name.name(), table.read())).collect()
    }
}

/// The tables that a query names.
fn named(context: &SessionContext, sql: &str) -> Result<Vec<TableName>, QueryError> {
    let state = context.state();
    let statement = state
        .sql_to_statement(sql, &state.config().options().sql_parser.dialect)
        .map_err(|error| QueryError::plan(&error))?;
    let references = state.resolve_table_references(&statement).map_err(|error| QueryError::plan(&error))?;
    let mut tables = Vec::new();
    for reference in references {
        let known = TableName::ALL.into_iter().find(|table| table.name() == reference.table());
        match known {
            Some(table) if reference.schema().is_none() => tables.push(table),
            _ => {
                let known: Vec<String> =
                    TableName::ALL.iter().map(|table| format!("`{}`", table.name())).collect();
                return Err(QueryError::UnknownTable {
                    name: reference.to_string(),
                    known: known.join(", "),
                });
            }
        }
    }
    tables.sort_unstable();
    tables.dedup();
    Ok(tables)
}
