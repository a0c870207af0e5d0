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
    /// A program that answers here is asked to ask others.
    #[error("this program answers on one machine: `cadastre-query-cluster` is the one that asks `{0}`")]
    OtherEngine(String),
    /// A directory has no absolute path.
    #[error("cannot find `{path}`")]
    Directory {
        /// As it was given.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No scheduler answers.
    #[error("cannot reach the scheduler at `{address}`")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A scheduler has not the executors that it waits for.
    #[error("the scheduler at `{address}` has no executors yet")]
    NoExecutors {
        /// Where it is.
        address: String,
    },
    /// Somebody else answers.
    #[error("what listens at `{address}` is no scheduler")]
    NoScheduler {
        /// Where it should be.
        address: String,
    },
    /// A part of a cluster cannot start, or had to stop.
    #[error("cannot run the {part}: {problem}")]
    Cluster {
        /// `scheduler` or `executor`.
        part: &'static str,
        /// Why.
        problem: String,
    },
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[source] std::io::Error),
    /// What a part of a cluster sent is not what it must be.
    #[error("cannot read what another part of the cluster sent: {0}")]
    Transfer(#[source] serde_json::Error),
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
