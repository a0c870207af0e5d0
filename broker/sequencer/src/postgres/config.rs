//! What the owner of a cluster may choose about its database.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::Host;
use zeroize::Zeroizing;

use super::connection::chain;
use crate::error::SequencerError;

/// How to reach the database, and how long to wait for it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// A connection string as libpq takes it: `host=… port=… user=… password=… dbname=… sslmode=…`, or a URL.
    pub connection: String,
    /// The password, where the connection string has none.
    pub password: Option<Zeroizing<String>>,
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
            password: None,
            schema: "cadastre".to_owned(),
            cluster_id: cluster_id.into(),
            tls: None,
            call_timeout: Duration::from_secs(10),
            commit_deadline: Duration::from_secs(20),
            poll_interval: Duration::from_secs(2),
        }
    }
}

/// Where a database is and as whom it is used, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseLocation {
    /// `host:port` of every server, or the directory of its Unix socket.
    pub endpoints: Vec<String>,
    /// The database's name.
    pub database: String,
    /// The role.
    pub user: String,
    /// Whether the connection string holds a password.
    pub has_password: bool,
    /// Whether every server is reached by a Unix socket.
    pub is_local: bool,
}

impl PostgresConfig {
    /// Reads the connection string.
    ///
    /// # Errors
    /// [`SequencerError::Setting`] for one that cannot be read.
    pub fn location(&self) -> Result<DatabaseLocation, SequencerError> {
        let config: tokio_postgres::Config = self.connection.parse().map_err(|error| {
            SequencerError::Setting(format!("the connection string cannot be read: {}", chain(&error)))
        })?;
        let ports = config.get_ports();
        let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let endpoint = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(index)),
            Host::Unix(path) => path.display().to_string(),
        };
        let user = config.get_user().unwrap_or_default().to_owned();
        Ok(DatabaseLocation {
            endpoints: config.get_hosts().iter().enumerate().map(endpoint).collect(),
            database: config.get_dbname().map_or_else(|| user.clone(), str::to_owned),
            user,
            has_password: config.get_password().is_some(),
            is_local: config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))),
        })
    }
}

impl fmt::Debug for PostgresConfig {
    /// Without the connection string: it may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresConfig")
            .field("schema", &self.schema)
            .field("cluster_id", &self.cluster_id)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
