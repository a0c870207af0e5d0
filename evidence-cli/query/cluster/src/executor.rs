//! The part of a cluster that reads files and does the steps of queries.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_core::utils::create_grpc_server;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::flight_service::BallistaFlightService;
use cadastre_logs::query::SchedulerAddress;
use cadastre_query::QueryError;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::TcpListenerStream;

use crate::LARGEST_MESSAGE;
use crate::codec::{LogLogicalCodec, LogPhysicalCodec};

/// How long after one attempt to reach the scheduler the next one is made.
const PAUSE: Duration = Duration::from_millis(250);

/// What an executor is told.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// Where its scheduler is.
    pub scheduler: SchedulerAddress,
    /// Where it hands out results; port 0 takes any.
    pub listen: SocketAddr,
    /// The directory of its intermediate results.
    pub work: PathBuf,
    /// Steps that it does at once.
    pub slots: usize,
    /// How long its scheduler is looked for, so that both may start at once.
    pub patience: Duration,
    /// Memory of sorting, grouping and joining, for all slots together, in bytes.
    pub memory: u64,
}

/// An executor that has its port and does nothing yet.
#[derive(Debug)]
pub struct Executor {
    listener: TcpListener,
    address: SocketAddr,
    options: ExecutorOptions,
}

impl Executor {
    /// Takes its address.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(options: ExecutorOptions) -> Result<Self, QueryError> {
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, options })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Works until it is told to end (SIGTERM, or Ctrl+C).
    ///
    /// # Errors
    /// When its scheduler cannot be found, or its listener fails.
    pub async fn serve(self) -> Result<(), QueryError> {
        let Self { listener, address, options } = self;
        reach(&options.scheduler, options.patience).await?;
        let largest = u32::try_from(LARGEST_MESSAGE).unwrap_or(u32::MAX);
        let listener = Mutex::new(Some(listener));
        let config = ExecutorProcessConfig {
            bind_host: address.ip().to_string(),
            // An address that means every interface is none that others can call.
            external_host: (!address.ip().is_unspecified()).then(|| address.ip().to_string()),
            port: address.port(),
            scheduler_host: options.scheduler.host,
            scheduler_port: options.scheduler.port,
            // Once: in Ballista 55 more attempts have no end.
            scheduler_connect_timeout_seconds: 0,
            vcores: options.slots,
            task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
            work_dir: Some(options.work.display().to_string()),
            grpc_max_decoding_message_size: largest,
            grpc_max_encoding_message_size: largest,
            memory_pool_size: Some(options.memory),
            override_logical_codec: Some(Arc::new(LogLogicalCodec::default())),
            override_physical_codec: Some(Arc::new(LogPhysicalCodec::default())),
            // The port is taken already, so that no other process has it when it is made known.
            override_arrow_flight_service: Some(Arc::new(move |work, _address, mut shutdown, config| {
                let listener = listener.lock().unwrap_or_else(PoisonError::into_inner).take();
                tokio::spawn(async move {
                    let listener = listener.ok_or_else(|| {
                        BallistaError::General("the results are handed out twice".to_owned())
                    })?;
                    let service = FlightServiceServer::new(BallistaFlightService::new(work))
                        .max_decoding_message_size(LARGEST_MESSAGE)
                        .max_encoding_message_size(LARGEST_MESSAGE);
                    create_grpc_server(&config)
                        .add_service(service)
                        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown.recv())
                        .await
                        .map_err(BallistaError::from)
                })
            })),
            ..ExecutorProcessConfig::default()
        };
        start_executor_process(Arc::new(config)).await.map_err(failed)
    }
}

/// Waits until somebody listens at the scheduler's address.
async fn reach(scheduler: &SchedulerAddress, patience: Duration) -> Result<(), QueryError> {
    let address = scheduler.to_string();
    let mut last = io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    let attempts = async {
        while let Err(error) = TcpStream::connect(&address).await {
            last = error;
            sleep(PAUSE).await;
        }
    };
    match timeout(patience, attempts).await {
        Ok(()) => Ok(()),
        Err(_elapsed) => Err(QueryError::Unreachable { address, source: last }),
    }
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Cluster { part: "executor", problem: error.to_string() }
}
