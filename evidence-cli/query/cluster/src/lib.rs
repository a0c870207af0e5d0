//! The same queries on several machines: a client, a scheduler and executors of Ballista, with our tables.
//!
//! Every machine sees the same files under the same paths; a scan travels as its directory, its columns and the extent of
//! what was listed, and a machine that lists something else refuses it. Ballista authenticates nobody: the parts listen on
//! the loopback address unless told otherwise, and then belong into a network of their own.

mod codec;
mod executor;
mod scheduler;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use ballista_core::extension::{SessionConfigExt, SessionStateExt};
use cadastre_logs::query::{Engine, QueryRequest, SchedulerAddress, Sources};
use cadastre_query::{Query, QueryError, Read, state, write_answer};
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use codec::{LogLogicalCodec, LogPhysicalCodec};
pub use executor::{Executor, ExecutorOptions};
pub use scheduler::Scheduler;

/// Parts of which a step of a query consists, for all executors together.
const PARTS: usize = 16;

/// The largest message between parts, in bytes: a plan with a declaration and the ranges that clouds publish in it.
const LARGEST_MESSAGE: usize = 64 << 20;

/// How long a scheduler may take to say whether it is ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// The bytes of `HTTP/1.1 200`.
const STATUS_BYTES: u64 = 12;

/// An engine whose queries a cluster answers.
///
/// # Errors
/// When its scheduler cannot be reached, or has no executors.
pub async fn context(scheduler: &SchedulerAddress) -> Result<SessionContext, QueryError> {
    // Asked first: the cluster's client waits for executors without end, and tells of a stranger only that a query failed.
    ready(scheduler).await?;
    let address = scheduler.to_string();
    let config = SessionConfig::new()
        .with_target_partitions(PARTS)
        .with_ballista_logical_extension_codec(Arc::new(LogLogicalCodec::default()))
        .with_ballista_physical_extension_codec(Arc::new(LogPhysicalCodec::default()))
        .with_ballista_grpc_client_max_message_size(LARGEST_MESSAGE);
    let state = state(config)?
        .upgrade_for_ballista(format!("http://{address}"))
        .map_err(|error| QueryError::run(&error))?;
    Ok(SessionContext::new_with_state(state))
}

/// Answers a request by the engine that it names, and waits for the answer.
///
/// # Errors
/// When the query cannot be understood or answered, or its answer not written.
pub fn answer(request: &QueryRequest, out: &mut impl Write) -> Result<Read, QueryError> {
    let Engine::Ballista(address) = &request.engine else {
        return cadastre_query::answer(request, out);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| QueryError::Run(error.to_string()))?;
    runtime.block_on(async {
        let query = Query::on(context(address).await?, &request.sql, &absolute(&request.sources)?)?;
        write_answer(&query, request.format, true, out).await
    })
}

/// Whether somebody at an address is a scheduler with executors.
async fn ready(scheduler: &SchedulerAddress) -> Result<(), QueryError> {
    let address = scheduler.to_string();
    let status = match timeout(PATIENCE, status(&address)).await {
        Ok(answered) => {
            answered.map_err(|source| QueryError::Unreachable { address: address.clone(), source })?
        }
        Err(_elapsed) => {
            let source = io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
            return Err(QueryError::Unreachable { address, source });
        }
    };
    match status.as_slice() {
        b"HTTP/1.1 200" => Ok(()),
        b"HTTP/1.1 503" => Err(QueryError::NoExecutors { address }),
        _ => Err(QueryError::NoScheduler { address }),
    }
}

/// The first bytes of what somebody answers when asked whether he is ready (RFC 9112 §4): as many as tell the status.
async fn status(address: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let asked = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).await?;
    let mut status = Vec::new();
    stream.take(STATUS_BYTES).read_to_end(&mut status).await?;
    Ok(status)
}

/// The same directories by names that another machine understands.
fn absolute(sources: &Sources) -> Result<Sources, QueryError> {
    let mut absolute = sources.clone();
    for directory in absolute.directories.values_mut() {
        *directory = std::path::absolute(&*directory)
            .map_err(|source| QueryError::Directory { path: directory.display().to_string(), source })?;
    }
    Ok(absolute)
}
