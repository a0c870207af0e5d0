//! The broker as a library: start it, ask where it listens, stop it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, RwLock};

use cadastre_protocol::api::SupportedApis;
use cadastre_security::authorizer::SuperUsers;
use cadastre_security::sasl::DecoySecret;
use cadastre_storage::{Clock, Storage};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::AuditLog;
use crate::background;
use crate::cluster_identity::{ClusterIdentity, IdentityError};
use crate::config::{BrokerConfig, ListenerConfig};
use crate::dispatch::operations::implemented;
use crate::format::{self, FormatError};
use crate::listeners::acceptor;
use crate::listeners::certificates::Certificates;
use crate::listeners::connection_limits::ConnectionCounts;
use crate::listeners::listener_security::{ListenerSecurity, ListenerSecurityError};
use crate::listeners::metered::RequestMemory;
use crate::monitoring::counters::Counters;
use crate::monitoring::health::HealthCheck;
use crate::monitoring::listener::Monitoring;
use crate::node::{BoundListener, Node};
use crate::open_storage::{BrokerKeys, OpenedStorage, Role, open_storage, storage_directory};
use crate::peers::{BrokerDescription, Peers};
use crate::shredding::Shredding;
use crate::state::StateError;
use crate::state::acls::Acls;
use crate::state::groups::Groups;
use crate::state::quotas::Quotas;
use crate::state::scram::ScramUsers;
use crate::state::settings::Settings;
use crate::state::topics::Topics;
use crate::state::transactions::Transactions;
use crate::usage::Usage;

/// What half-received requests may hold together when `queued.max.request.bytes` does not say.
const DEFAULT_REQUEST_MEMORY_BYTES: usize = 512 << 20;

/// Starts brokers.
#[derive(Debug, Clone, Copy)]
pub struct Broker;

/// A broker that accepts connections. Dropping it stops it without waiting; [`RunningBroker::shutdown`] waits.
#[derive(Debug)]
pub struct RunningBroker {
    node: Arc<Node>,
    keys: BrokerKeys,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// Answers until everything is closed, so that it can say that the broker is about to stop.
    monitoring: Option<Monitoring>,
}

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be used.
    #[error("listener {listener}: cannot listen on `{address}`")]
    Listen {
        /// The listener's name.
        listener: String,
        /// Host and port.
        address: String,
        /// What the system said, such as that the port is taken.
        source: std::io::Error,
    },
    /// The log directory was never prepared, and may not be prepared now.
    #[error("log directory `{0}` is not formatted; hint: run `cadastre-broker format`")]
    NotFormatted(PathBuf),
    /// The log directory belongs to another broker.
    #[error("log directory `{path}` belongs to node {found}, but node.id is {expected}")]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: i32,
        /// Whose it should be.
        expected: i32,
    },
    /// The log directory, its key or its log failed.
    #[error(transparent)]
    Format(Box<FormatError>),
    /// The identity of the log directory failed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A listener's key store or JAAS configuration cannot be used.
    #[error(transparent)]
    Security(#[from] ListenerSecurityError),
    /// What the log holds cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The audit log cannot be opened.
    #[error("cannot open the audit log in `{path}`")]
    Audit {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data-path manifest cannot be written.
    #[error("cannot write the data-path manifest `{path}`")]
    DataPath {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key that signs receipts cannot be had.
    #[error("receipts of deleted topics cannot be signed")]
    ReceiptKey(#[source] cadastre_keys::signing::SigningError),
    /// A value that only shows to be wrong when it is used.
    #[error("property `{name}`: {reason}")]
    Property {
        /// The property.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<FormatError> for StartError {
    fn from(error: FormatError) -> Self {
        Self::Format(Box::new(error))
    }
}

impl Broker {
    /// Starts a broker and returns once it accepts connections.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what stands in the way.
    pub async fn start(config: BrokerConfig) -> Result<RunningBroker, StartError> {
        for notice in &config.notices {
            match notice.strip_prefix("warning: ") {
                Some(warning) => tracing::warn!("{warning}"),
                None => tracing::info!("{notice}"),
            }
        }
        // Bound first: a port that is taken is found out before anything is written.
        let sockets = bind_all(&config).await?;
        let monitoring = monitoring(&config).await?;
        let identity = identity(&config)?;
        let OpenedStorage { storage, keys, .. } =
            open_storage(&config, &identity.cluster_id, Role::Broker(describe(&config, &sockets)?)).await?;
        report_recovery(&storage);
        let (stop, stopping) = watch::channel(false);
        let node = Arc::new(assemble(config, identity, storage, &keys, stopping)?);
        if !node.config.storage.is_cluster() {
            node.topics.remove_nameless().await?;
        }
        let mut tasks = JoinSet::new();
        let counts = Arc::new(ConnectionCounts::default());
        let mut bound = Vec::with_capacity(sockets.len());
        let mut with_certificates = Vec::new();
        for (listener, socket) in sockets {
            let address = socket.local_addr().map_err(|source| listen_error(&listener, source))?;
            let security = security(&node, &listener)?;
            with_certificates.extend(security.tls());
            if let Some(issuer) = security.token_issuer() {
                let node = Arc::clone(&node);
                tasks.spawn(async move {
                    tokio::select! {
                        () = node.stopped() => {}
                        () = issuer.keep_keys_fresh() => {}
                    }
                });
            }
            let listener = BoundListener { config: listener, address, counts: Arc::default() };
            bound.push(listener.clone());
            let task = acceptor::accept(
                Arc::clone(&node),
                socket,
                Arc::new(listener),
                Arc::new(security),
                Arc::clone(&counts),
            );
            tasks.spawn(task);
        }
        // Set once, here: a second value cannot arrive.
        let _fresh = node.bound.set(bound);
        let _fresh = node.certificates.set(Certificates::new(with_certificates));
        background::write_data_path(&node, keys.provider.as_ref())?;
        background::spawn(&mut tasks, &node, &keys);
        if let Some(monitoring) = &monitoring {
            monitoring.watch(HealthCheck::new(Arc::clone(&node), Arc::clone(&keys.watched)));
        }
        tracing::info!(cluster_id = %node.cluster_id, node_id = node.config.node_id, "broker started");
        Ok(RunningBroker { node, keys, stop, tasks, monitoring })
    }
}

impl RunningBroker {
    /// The listeners with the addresses they got.
    #[must_use]
    pub fn listeners(&self) -> Vec<(String, SocketAddr)> {
        let bound = self.node.bound.get().map(Vec::as_slice).unwrap_or_default();
        bound.iter().map(|listener| (listener.config.name.clone(), listener.address)).collect()
    }

    /// The address of `/metrics` and `/health`, if there is one.
    #[must_use]
    pub fn monitoring(&self) -> Option<SocketAddr> {
        self.monitoring.as_ref().map(Monitoring::address)
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.node.cluster_id
    }

    /// Why nothing can be written any more, if that is so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.node.storage.failure()
    }

    /// Reads every listener's key store and trust store anew. New connections get the new certificate; those that are there stay.
    ///
    /// # Errors
    ///
    /// [`ListenerSecurityError`] for each that cannot be used; what its listener had stays in force. The log tells the same.
    pub async fn reload_certificates(&self) -> Vec<ListenerSecurityError> {
        let node = Arc::clone(&self.node);
        let reload = move || node.certificates.get().map(Certificates::reload).unwrap_or_default();
        // Ends otherwise only with the runtime.
        tokio::task::spawn_blocking(reload).await.unwrap_or_default()
    }

    /// Stops accepting, lets connections finish what they are doing, and closes the log.
    ///
    /// # Errors
    ///
    /// [`StartError::State`] when the log could not be closed; acknowledged records are safe even then.
    pub async fn shutdown(mut self) -> Result<(), StartError> {
        // Fails only when nobody listens any more.
        let _nobody = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
        let closed = self.node.storage.close().await.map_err(StateError::from);
        self.keys.ledger.close();
        if let Some(monitoring) = self.monitoring.take() {
            monitoring.stop().await;
        }
        closed?;
        tracing::info!("broker stopped");
        Ok(())
    }
}

async fn bind_all(config: &BrokerConfig) -> Result<Vec<(ListenerConfig, TcpListener)>, StartError> {
    let mut sockets = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        let socket =
            acceptor::bind(config, listener).await.map_err(|source| listen_error(listener, source))?;
        sockets.push((listener.clone(), socket));
    }
    Ok(sockets)
}

async fn monitoring(config: &BrokerConfig) -> Result<Option<Monitoring>, StartError> {
    let Some(address) = config.monitoring else { return Ok(None) };
    let failed = |source| StartError::Listen {
        listener: "monitoring".to_owned(),
        address: address.to_string(),
        source,
    };
    Monitoring::start(address).await.map(Some).map_err(failed)
}

fn listen_error(listener: &ListenerConfig, source: std::io::Error) -> StartError {
    let address = format!("{}:{}", listener.host, listener.port);
    StartError::Listen { listener: listener.name.clone(), address, source }
}

/// What other brokers of a cluster are told about this one.
fn describe(config: &BrokerConfig, sockets: &[(ListenerConfig, TcpListener)]) -> Result<Vec<u8>, StartError> {
    if !config.storage.is_cluster() {
        return Ok(Vec::new());
    }
    let mut bound = Vec::with_capacity(sockets.len());
    for (listener, socket) in sockets {
        let address = socket.local_addr().map_err(|source| listen_error(listener, source))?;
        bound.push((listener.clone(), address.port()));
    }
    let described = BrokerDescription::of(config.rack.clone(), bound);
    let described = described.map_err(|listener| StartError::Property {
        name: "advertised.listeners",
        reason: format!("a broker of a cluster needs a host for listener {listener} that clients can reach"),
    })?;
    Ok(described.encode())
}

fn identity(config: &BrokerConfig) -> Result<ClusterIdentity, StartError> {
    let directory = config.log_directory();
    let identity = match ClusterIdentity::read(directory)? {
        Some(identity) => identity,
        // A log without an identity is damage, not a first start.
        None if config.auto_format && !storage_directory(config).exists() => {
            tracing::info!(directory = %directory.display(), "log directory formatted");
            format::initialize(config, None)?
        }
        None => return Err(StartError::NotFormatted(directory.to_owned())),
    };
    if let Some(expected) = config.storage.cluster_id.as_ref().filter(|id| **id != identity.cluster_id) {
        let (path, found, expected) = (directory.to_owned(), identity.cluster_id, expected.clone());
        return Err(FormatError::OtherCluster { path, found, expected }.into());
    }
    if identity.node_id != config.node_id {
        let (path, found, expected) = (directory.to_owned(), identity.node_id, config.node_id);
        return Err(StartError::OtherNode { path, found, expected });
    }
    Ok(identity)
}

fn report_recovery(storage: &Storage) {
    let report = storage.recovery();
    if report.has_losses() {
        tracing::error!(?report, "the log was damaged");
    } else {
        tracing::info!(segments = report.segments, frames = report.frames, "log opened");
    }
}

fn assemble(
    config: BrokerConfig,
    identity: ClusterIdentity,
    storage: Storage,
    keys: &BrokerKeys,
    stopping: watch::Receiver<bool>,
) -> Result<Node, StartError> {
    let clock = Clock::system();
    let super_users = SuperUsers::parse(&config.authorization.super_users.join(";"))
        .map_err(|error| StartError::Property { name: "super.users", reason: error.to_string() })?;
    let audit = AuditLog::open(&config.audit_directory, clock.clone())
        .map_err(|source| StartError::Audit { path: config.audit_directory.clone(), source })?;
    let shredding = Shredding::open(config.log_directory(), &identity.cluster_id, &storage, keys);
    let shredding = Arc::new(shredding.map_err(StartError::ReceiptKey)?);
    let topics = Arc::new(Topics::load(&storage, &shredding)?);
    let groups = Groups::load(&storage, &config, clock.clone(), &topics)?;
    Ok(Node {
        peers: Peers::new(&storage),
        topics,
        settings: Settings::load(&storage, &config)?,
        acls: Acls::load(&storage, super_users, config.authorization.allow_everyone_if_no_acl_found)?,
        scram: Arc::new(ScramUsers::load(&storage)?),
        quotas: Quotas::load(&storage, &config)?,
        transactions: Transactions::new(&storage, &config, clock.clone(), Arc::clone(&groups)),
        groups,
        apis: SupportedApis::kafka_4_1(&implemented()),
        bound: OnceLock::new(),
        certificates: OnceLock::new(),
        data_path: RwLock::default(),
        counters: Counters::new(&implemented()),
        usage: Usage::new(clock.now_ms(), Arc::clone(&keys.ledger)),
        cluster_id: identity.cluster_id,
        request_memory: RequestMemory::new(request_memory_bytes(&config)),
        audit,
        clock,
        storage,
        stopping,
        config,
    })
}

/// Kafka's default is no bound at all, and strangers would find that out.
fn request_memory_bytes(config: &BrokerConfig) -> usize {
    usize::try_from(config.number("queued.max.request.bytes"))
        .ok()
        .filter(|&bytes| bytes > 0)
        .unwrap_or(DEFAULT_REQUEST_MEMORY_BYTES)
}

fn security(node: &Node, listener: &ListenerConfig) -> Result<ListenerSecurity, StartError> {
    // Derived, so that the salts of users that do not exist stay the same over restarts, as those of real ones do.
    let decoys = DecoySecret::derive(node.cluster_id.as_bytes());
    let altered = node.settings.dynamic(false);
    let scram = Arc::clone(&node.scram);
    Ok(ListenerSecurity::new(listener, &altered, scram, decoys, node.clock.clone())?)
}
