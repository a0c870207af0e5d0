//! The engine: tables registered, a query understood, its answer as batches.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use cadastre_logs::query::{Sources, TableName};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{SetExpr, Statement as SqlStatement};

use crate::error::QueryError;
use crate::order;
use crate::source::LogSource;
use crate::table::{LogTable, TallyTable};
use crate::tally::TableRead;

/// Memory of sorting, grouping and joining, in bytes; what does not fit goes to temporary files.
const MEMORY: usize = 320 << 20;

/// The state of an engine in this process.
///
/// # Errors
/// When there is no place for temporary files.
pub fn state(config: SessionConfig) -> Result<SessionState, QueryError> {
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
pub struct Query {
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
    /// Understands a query in this process.
    ///
    /// # Errors
    /// When the text is no query, names tables that there are not, or a directory cannot be listed.
    pub fn here(sql: &str, sources: &Sources) -> Result<Self, QueryError> {
        Self::on(SessionContext::new_with_state(state(SessionConfig::new())?), sql, sources)
    }

    /// Understands a query for some engine.
    ///
    /// # Errors
    /// As [`Self::here`].
    pub fn on(context: SessionContext, sql: &str, sources: &Sources) -> Result<Self, QueryError> {
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
    pub async fn answer(&self) -> Result<SendableRecordBatchStream, QueryError> {
        let plan = self.plan().await?;
        let here;
        let context = if matches!(plan, LogicalPlan::DescribeTable(_)) {
            // What a table's columns are is known here, and cannot be sent.
            here = SessionContext::new_with_state(state(SessionConfig::new())?);
            &here
        } else {
            &self.context
        };
        let frame = context.execute_logical_plan(plan).await.map_err(|error| QueryError::plan(&error))?;
        frame.execute_stream().await.map_err(|error| QueryError::run(&error))
    }

    async fn plan(&self) -> Result<LogicalPlan, QueryError> {
        let state = self.context.state();
        let plan = state.create_logical_plan(&self.sql).await.map_err(|error| QueryError::plan(&error))?;
        let only_queries =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        only_queries.verify_plan(&plan).map_err(|error| QueryError::NoQuery(error.strip_backtrace()))?;
        order::complete(plan).map_err(|error| QueryError::plan(&error))
    }

    /// What is known of each table's logs, once the answer was taken to its end.
    #[must_use]
    pub fn read(&self) -> BTreeMap<&'static str, TableRead> {
        self.tables.iter().map(|(name, table)| (name.name(), table.read())).collect()
    }

    /// The same, of logs that others read: they are read once more, to count.
    ///
    /// # Errors
    /// When that does not succeed.
    pub async fn read_elsewhere(&self) -> Result<BTreeMap<&'static str, TableRead>, QueryError> {
        let readings = self.readings().await?;
        let mut read = BTreeMap::new();
        for (name, table) in &self.tables {
            let mut tallies = Vec::new();
            for columns in readings.get(name.name()).into_iter().flatten() {
                let tally = format!("{}_tally_{}", name.name(), tallies.len());
                self.context
                    .register_table(tally.as_str(), Arc::new(TallyTable::of(table, columns.clone())))
                    .map_err(|error| QueryError::run(&error))?;
                let frame = self
                    .context
                    .sql(&format!("SELECT tally FROM {tally}"))
                    .await
                    .map_err(|error| QueryError::run(&error))?;
                let batches = frame.collect().await.map_err(|error| QueryError::run(&error))?;
                tallies.push(crate::render::texts(&batches)?);
            }
            read.insert(name.name(), table.read_elsewhere(&tallies)?);
        }
        Ok(read)
    }

    /// The columns of each table that the query reads, for each time that it reads the table.
    async fn readings(&self) -> Result<BTreeMap<String, BTreeSet<Vec<usize>>>, QueryError> {
        let plan = self.plan().await?;
        let plan = self.context.state().optimize(&plan).map_err(|error| QueryError::plan(&error))?;
        let mut readings: BTreeMap<String, BTreeSet<Vec<usize>>> = BTreeMap::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let all = || (0..scan.source.schema().fields().len()).collect();
                let columns = scan.projection.clone().unwrap_or_else(all);
                readings.entry(scan.table_name.table().to_owned()).or_default().insert(columns);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map_err(|error| QueryError::plan(&error))?;
        Ok(readings)
    }
}

/// The tables that a query names.
fn named(context: &SessionContext, sql: &str) -> Result<Vec<TableName>, QueryError> {
    let state = context.state();
    let statement = state
        .sql_to_statement(sql, &state.config().options().sql_parser.dialect)
        .map_err(|error| QueryError::plan(&error))?;
    if !is_query(&statement) {
        let text = statement.to_string();
        let verb = text.split_whitespace().next().unwrap_or_default();
        return Err(QueryError::NoQuery(format!("`{verb}` is none")));
    }
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

/// Whether a statement asks and does nothing else. The plan tells too, but only once every name in it is known.
fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => is_sql_query(statement),
        Statement::Explain(explained) => is_query(&explained.statement),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

fn is_sql_query(statement: &SqlStatement) -> bool {
    match statement {
        SqlStatement::Query(query) => !matches!(
            *query.body,
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)
        ),
        SqlStatement::Explain { statement, .. } => is_sql_query(statement),
        SqlStatement::ExplainTable { .. } => true,
        _ => false,
    }
}
