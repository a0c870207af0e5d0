//! The part of a cluster that plans queries and hands out their steps.

use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use cadastre_query::QueryError;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;

use crate::LARGEST_MESSAGE;
use crate::codec::{LogLogicalCodec, LogPhysicalCodec};

/// A scheduler that has its port and serves nobody yet.
#[derive(Debug)]
pub struct Scheduler {
    listener: TcpListener,
    address: SocketAddr,
    executors: usize,
}

impl Scheduler {
    /// Takes an address; port 0 takes any. `GET /readyz` answers 200 once so many executors are there.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(listen: SocketAddr, executors: usize) -> Result<Self, QueryError> {
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, executors })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When it cannot start, or its listener fails.
    pub async fn serve(self) -> Result<(), QueryError> {
        let largest = u32::try_from(LARGEST_MESSAGE).unwrap_or(u32::MAX);
        let config = SchedulerConfig {
            external_host: self.address.ip().to_string(),
            bind_host: self.address.ip().to_string(),
            bind_port: self.address.port(),
            // Executors ask for work, so that nobody has to reach them but those who take their results.
            scheduling_policy: TaskSchedulingPolicy::PullStaged,
            grpc_server_max_decoding_message_size: largest,
            grpc_server_max_encoding_message_size: largest,
            grpc_client_max_message_size: largest,
            min_ready_executors: self.executors,
            override_logical_codec: Some(Arc::new(LogLogicalCodec::default())),
            override_physical_codec: Some(Arc::new(LogPhysicalCodec::default())),
            ..SchedulerConfig::default()
        };
        config.validate().map_err(failed)?;
        let cluster = BallistaCluster::new_from_config(&config).await.map_err(failed)?;
        let server = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config))
            .await
            .map_err(failed)?;
        start_grpc_service_with_listener(self.listener, server).await.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Cluster { part: "scheduler", problem: error.to_string() }
}
