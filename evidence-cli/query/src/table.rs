//! A directory of logs as a table of the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cadastre_logs::flows::Naming;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::columns::{self, Kind};
use crate::error::QueryError;
use crate::scan::{Asked, LogScan};
use crate::source::{Listing, LogSource};
use crate::tally::{TableRead, Tally};

/// A table: its files, how to read them, and what was seen when they were.
#[derive(Debug)]
pub struct LogTable {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) source: LogSource,
    pub(crate) columns: Vec<(&'static str, Kind)>,
    pub(crate) schema: SchemaRef,
    pub(crate) naming: Option<Arc<Naming>>,
    pub(crate) listing: Listing,
    pub(crate) seen: Mutex<Seen>,
}

/// What was seen of the files, by scan and part. A query that names a table twice reads it twice.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    scans: BTreeMap<u64, Vec<Option<Tally>>>,
}

impl Seen {
    fn begin(&mut self, parts: usize) -> u64 {
        let number = u64::try_from(self.scans.len()).unwrap_or(u64::MAX);
        self.scans.insert(number, vec![None; parts]);
        number
    }

    pub(crate) fn finish(&mut self, scan: u64, part: usize, tally: Tally) {
        if let Some(slot) = self.scans.get_mut(&scan).and_then(|parts| parts.get_mut(part)) {
            *slot = Some(tally);
        }
    }

    /// What those scans saw that read every part to its end.
    fn whole(&self) -> Vec<Vec<Tally>> {
        self.scans.values().filter_map(|parts| parts.iter().cloned().collect()).collect()
    }
}

impl LogTable {
    /// Lists the files of a source.
    ///
    /// # Errors
    /// When the directory cannot be listed, or holds none.
    pub fn open(source: LogSource) -> std::result::Result<Self, QueryError> {
        let listing = Listing::of(source.table, &source.directory)?;
        let naming = source.naming.as_ref().map(|naming| Arc::new(naming.naming()));
        let columns = columns::columns(source.table, naming.is_some());
        let schema = columns::schema(&columns);
        let inner = Inner { source, columns, schema, naming, listing, seen: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Another handle to the same table.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }

    /// Where its rows come from.
    #[must_use]
    pub fn source(&self) -> &LogSource {
        &self.inner.source
    }

    /// What is known of its logs after a query. A query may read a table more than once, and other columns each time: the
    /// reading that could not use most is told.
    #[must_use]
    pub fn read(&self) -> TableRead {
        let seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner).whole();
        self.inner.told(seen)
    }

    /// The same, when others read the logs and sent what they saw: for each reading one tally a part, as JSON.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn read_elsewhere(&self, readings: &[Vec<String>]) -> std::result::Result<TableRead, QueryError> {
        let readings: Vec<Vec<Tally>> = readings
            .iter()
            .map(|parts| parts.iter().map(|tally| serde_json::from_str(tally)).collect())
            .collect::<std::result::Result<_, _>>()
            .map_err(QueryError::Transfer)?;
        Ok(self.inner.told(readings))
    }

    pub(crate) fn scan_of(&self, parts: usize, asked: Asked) -> Result<LogScan> {
        let parts = self.inner.listing.parts(parts);
        let number = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner).begin(parts.len());
        LogScan::new(Arc::clone(&self.inner), number, parts, asked)
    }
}

impl Inner {
    fn told(&self, readings: Vec<Vec<Tally>>) -> TableRead {
        let mut told = TableRead::of(None);
        for parts in readings {
            let read = TableRead::of(Some(self.sum(parts)));
            let more = match &told {
                TableRead::NotWhole(_) => true,
                TableRead::Flows(_) | TableRead::Events(_) => read.complaints().1 > told.complaints().1,
            };
            if more {
                told = read;
            }
        }
        told
    }

    fn sum(&self, parts: Vec<Tally>) -> Tally {
        let mut sum = self.listing.tally.clone();
        for part in parts {
            sum.add(part);
        }
        sum
    }
}

#[async_trait]
impl TableProvider for LogTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.inner.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        // A limit without an order would make the answer depend on which part is faster.
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.inner.columns.len()).collect();
        let columns = projection.cloned().unwrap_or_else(all);
        let parts = state.config().target_partitions();
        Ok(Arc::new(self.scan_of(parts, Asked::Columns(columns))?))
    }
}

/// What a table's files come to, one row a part: for those who cannot ask the table afterwards, as it was read elsewhere.
#[derive(Debug)]
pub struct TallyTable {
    table: LogTable,
    columns: Vec<usize>,
}

impl TallyTable {
    /// Of a table, when these of its columns are read.
    #[must_use]
    pub fn of(table: &LogTable, columns: Vec<usize>) -> Self {
        Self { table: table.share(), columns }
    }

    /// Where the rows of the table come from.
    #[must_use]
    pub fn source(&self) -> &LogSource {
        self.table.source()
    }

    /// The columns that are read.
    #[must_use]
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }
}

#[async_trait]
impl TableProvider for TallyTable {
    fn schema(&self) -> SchemaRef {
        Asked::tally_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if projection.is_some_and(|columns| columns.as_slice() != [0]) {
            return Err(DataFusionError::Plan("a tally is asked for as a whole".to_owned()));
        }
        let parts = state.config().target_partitions();
        Ok(Arc::new(self.table.scan_of(parts, Asked::Tally(self.columns.clone()))?))
    }
}
