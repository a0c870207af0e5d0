//! Why a query has no answer.

use cadastre_logs::LogsError;
use datafusion::error::DataFusionError;

/// The query, the logs or the output cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A table's logs cannot be read at all.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The text is no query.
    #[error("cannot understand the query: {0}")]
    Sql(String),
    /// More than a query was asked for.
    #[error("only queries are answered: {0}")]
    NoQuery(String),
    /// A table that there is not.
    #[error("there is no table `{name}`; there are {known}")]
    UnknownTable {
        /// As the query has it.
        name: String,
        /// The tables that there are.
        known: String,
    },
    /// A table for which no directory was given.
    #[error("nothing says where the logs of table `{name}` are")]
    NoDirectory {
        /// The table.
        name: &'static str,
    },
    /// It was understood and could not be answered.
    #[error("cannot answer the query: {0}")]
    Run(String),
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[source] std::io::Error),
    /// What is known of the logs has no form in JSON.
    #[error("cannot tell what was read: {0}")]
    Told(#[source] serde_json::Error),
}

impl QueryError {
    /// The engine did not understand it.
    #[must_use]
    pub fn plan(error: &DataFusionError) -> Self {
        Self::Sql(words(error))
    }

    /// The engine could not do it.
    #[must_use]
    pub fn run(error: &DataFusionError) -> Self {
        Self::Run(words(error))
    }
}

/// The engine's own words, on one line.
fn words(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
