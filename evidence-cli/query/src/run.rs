//! From a query to bytes.

use std::collections::BTreeMap;
use std::io::Write;

use cadastre_logs::query::{AnswerFormat, QueryRequest};
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
/// When the query cannot be understood or answered, or its answer not written.
pub fn answer(request: &QueryRequest, out: &mut impl Write) -> Result<Read, QueryError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| QueryError::Run(error.to_string()))?;
    runtime.block_on(async {
        let query = Query::new(&request.sql, &request.sources)?;
        write_answer(&query, request.format, out).await
    })
}

/// Writes the answer of a query.
///
/// # Errors
/// When it cannot be answered or written.
async fn write_answer(query: &Query, format: AnswerFormat, out: &mut impl Write) -> Result<Read, QueryError> {
    let mut batches = query.answer().await?;
    let mut renderer = Renderer::begin(format, batches.schema(), out)?;
    while let Some(batch) = batches.next().await {
        renderer.batch(&batch.map_err(|error| QueryError::run(&error))?)?;
    }
    let read = query.read();
    renderer.end(&read)?;
    Ok(read)
}
