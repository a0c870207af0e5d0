//! What the owner of a cluster may choose about its database.

use std::sync::Arc;
use std::time::Duration;

/// How to reach the database, and how long to wait for it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// A connection string as libpq takes it: `host=… port=… user=… password=… dbname=… sslmode=…`, or a URL.
    pub connection: String,
    /// The schema that holds the cluster's tables; made when absent.
    pub schema: String,
    /// The cluster; a database of another one is refused.
    pub cluster_id: String,
    /// TLS towards the database. Without it the connection string must say `sslmode=disable`, or name a Unix socket.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// How long one call may take before its connection is given up.
    pub call_timeout: Duration,
    /// How long a commit is tried again before the answer is that its outcome is unknown.
    pub commit_deadline: Duration,
    /// How often the copies of metadata and bounds are compared with the database when no notification comes.
    pub poll_interval: Duration,
}

impl PostgresConfig {
    /// Calls of up to 10 s, commits tried for 20 s, polling every 2 s, in the schema `cadastre`.
    #[must_use]
    pub fn new(connection: impl Into<String>, cluster_id: impl Into<String>) -> Self {
        Self {
            connection: connection.into(),
            schema: "cadastre".to_owned(),
            cluster_id: cluster_id.into(),
            tls: None,
            call_timeout: Duration::from_secs(10),
            commit_deadline: Duration::from_secs(20),
            poll_interval: Duration::from_secs(2),
        }
    }
}

impl std::fmt::Debug for PostgresConfig {
    /// Without the connection string: it may hold a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PostgresConfig")
            .field("schema", &self.schema)
            .field("cluster_id", &self.cluster_id)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
