//! Queries over flow logs and CloudTrail, written for Amazon Athena, where logs should stay in their bucket.
//!
//! Queries are in DataFusion's SQL; Athena reads Trino's for queries and Hive's for tables. Each table becomes an external table over the
//! bucket and a view with our columns, so that a query keeps its words. What means the same in both passes, what is only
//! spelt otherwise is rewritten, and everything else is refused: a query that runs there and means something else would be
//! worse than none. Sources: Amazon Athena user guide, "DDL statements", "Query Amazon VPC flow logs", "Query AWS
//! CloudTrail logs"; Trino documentation, "Functions and operators".

mod rewrite;
mod tables;

pub use rewrite::AthenaError;
pub use tables::{EVENT_COLUMNS, FLOW_COLUMNS, Places};

/// A query for Athena: statements that make what it reads, and the query itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AthenaSql {
    /// Statements that make tables and views, in order. Athena takes one statement at a time.
    pub tables: Vec<String>,
    /// The query.
    pub query: String,
}

impl AthenaSql {
    /// Writes a query for Athena.
    ///
    /// # Errors
    /// When the text is no query, names a table that does not lie in S3, or holds what Athena has not or may take
    /// otherwise.
    pub fn of(sql: &str, places: &Places) -> Result<Self, AthenaError> {
        let (query, tables) = rewrite::query(sql)?;
        let mut statements = Vec::new();
        for table in tables {
            statements.extend(table.statements(places)?);
        }
        Ok(Self { tables: statements, query })
    }

    /// All statements, each ended by a semicolon.
    #[must_use]
    pub fn text(&self) -> String {
        let statements: Vec<String> =
            self.tables.iter().chain([&self.query]).map(|statement| format!("{statement};\n")).collect();
        statements.join("\n")
    }
}
