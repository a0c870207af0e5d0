//! From a query to bytes.

use std::collections::BTreeMap;
use std::io::Write;

use cadastre_logs::query::{AnswerFormat, Engine, QueryRequest};
use futures::StreamExt;

use crate::engine::Query;
use crate::error::QueryError;
use crate::render::Renderer;
use crate::tally::TableRead;

/// What is known of each table's logs.
pub type Read = BTreeMap<&'static str, TableRead>;

/// Answers a request in this process, and waits for the answer.
///
/// # Errors
/// When the query cannot be understood or answered, its answer not written, or somebody else is to answer it.
pub fn answer(request: &QueryRequest, out: &mut impl Write) -> Result<Read, QueryError> {
    if request.engine != Engine::Here {
        return Err(QueryError::OtherEngine(request.engine.to_string()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| QueryError::Run(error.to_string()))?;
    runtime.block_on(async {
        let query = Query::here(&request.sql, &request.sources)?;
        write_answer(&query, request.format, false, out).await
    })
}

/// Writes the answer of a query. `elsewhere` says that others read the logs.
///
/// # Errors
/// When it cannot be answered or written.
pub async fn write_answer(
    query: &Query,
    format: AnswerFormat,
    elsewhere: bool,
    out: &mut impl Write,
) -> Result<Read, QueryError> {
    let mut batches = query.answer().await?;
    let mut renderer = Renderer::begin(format, batches.schema(), out)?;
    while let Some(batch) = batches.next().await {
        renderer.batch(&batch.map_err(|error| QueryError::run(&error))?)?;
    }
    let read = if elsewhere { query.read_elsewhere().await? } else { query.read() };
    renderer.end(&read)?;
    Ok(read)
}
