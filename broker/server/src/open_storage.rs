//! Opens what the broker keeps its records and metadata in, as the configuration says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadastre_key_services::{OpenedKeys, SecretFile, open_provider};
use cadastre_keys::ledger::LedgerFile;
use cadastre_keys::{
    KeyClock, KeyProvider, KeyRing, KeyRingConfig, ScopeKeyStore, SystemKeyClock, WrappedKeyStore,
};
use cadastre_objects::{
    DiskCache, ObjectId, ObjectKeys, ReaderSettings, Store, StoreLocation, StoreSettings, probe,
};
use cadastre_sequencer::{PostgresConfig, PostgresSequencer, Sequencer};
use cadastre_storage::{
    Clock, ClusterConfig, ObjectConfig, ScopeKeyTable, SegmentKeyStore, Storage, StorageConfig,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::BrokerConfig;
use crate::config::storage::{ClusterSettings, StorageMode};
use crate::format::{FormatError, make_directory};
use crate::monitoring::watched_keys::WatchedKeys;
use crate::random;
use crate::wrapped_keys::WrappedKeys;

/// The storage, and what belongs to it.
#[derive(Debug)]
pub(crate) struct OpenedStorage {
    pub(crate) storage: Storage,
    pub(crate) keys: BrokerKeys,
    /// Everything that the key service wrapped.
    pub(crate) wrapped: Arc<dyn WrappedKeyStore>,
}

/// Who opens the storage.
#[derive(Debug)]
pub(crate) enum Role {
    /// A broker, with what other brokers of a cluster are told about it.
    Broker(Vec<u8>),
    /// A program that changes something and goes; in a cluster it takes no part in anything.
    Tool,
}

/// The node id of tools. They coordinate nothing, and of two the older one is fenced.
const TOOL: i32 = -1;

/// The keys of a broker.
#[derive(Debug, Clone)]
pub(crate) struct BrokerKeys {
    /// Wraps and unwraps, and records it.
    pub(crate) provider: Arc<dyn KeyProvider>,
    /// Leases on what was unwrapped.
    pub(crate) ring: Arc<KeyRing>,
    /// The wrapped keys of the cluster and its topics.
    pub(crate) scope_keys: Arc<ScopeKeyTable>,
    /// Closed after the storage.
    pub(crate) ledger: Arc<LedgerFile>,
    /// The provider again, as what counts its calls.
    pub(crate) watched: Arc<WatchedKeys>,
}

/// The log's directory inside the log directory.
pub(crate) fn storage_directory(config: &BrokerConfig) -> PathBuf {
    config.log_directory().join("log")
}

/// The URL of the object store.
pub(crate) fn objects_location(config: &BrokerConfig) -> Result<StoreLocation, FormatError> {
    let settings = &config.storage;
    match &settings.location {
        Some(location) => Ok(StoreLocation::parse(location, settings.options.clone())?),
        None => Ok(StoreLocation::directory(&absolute(&config.log_directory().join("objects"))?)?),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, FormatError> {
    std::path::absolute(path).map_err(|source| FormatError::Directory { path: path.to_owned(), source })
}

/// Opens the storage with the configured keys.
pub(crate) async fn open_storage(
    config: &BrokerConfig,
    cluster_id: &str,
    role: Role,
) -> Result<OpenedStorage, FormatError> {
    let keys = open_keys(config, cluster_id).await?;
    let opened = match &config.storage.mode {
        StorageMode::Embedded => open_embedded(config, cluster_id, &keys).await,
        StorageMode::Cluster(settings) => open_cluster(config, settings, cluster_id, &keys, role).await,
    };
    match opened {
        Ok((storage, own)) => {
            keys.scope_keys.bind(&storage);
            let scope_keys: Arc<dyn WrappedKeyStore> = Arc::<ScopeKeyTable>::clone(&keys.scope_keys);
            Ok(OpenedStorage { storage, keys, wrapped: Arc::new(WrappedKeys(vec![own, scope_keys])) })
        }
        Err(error) => {
            keys.ledger.close();
            Err(error)
        }
    }
}

pub(crate) async fn open_keys(config: &BrokerConfig, cluster_id: &str) -> Result<BrokerKeys, FormatError> {
    let clock: Arc<dyn KeyClock> = Arc::new(SystemKeyClock);
    let OpenedKeys { provider, ledger, .. } = open_provider(&config.keys, Arc::clone(&clock)).await?;
    let watched = WatchedKeys::new(provider, Clock::system());
    let provider: Arc<dyn KeyProvider> = Arc::<WatchedKeys>::clone(&watched);
    let scope_keys = ScopeKeyTable::new(cluster_id);
    let scope_store: Arc<dyn ScopeKeyStore> = Arc::<ScopeKeyTable>::clone(&scope_keys);
    let ring = KeyRingConfig {
        cluster_id: cluster_id.to_owned(),
        topic_keys: config.keys.topic_keys,
        cache: config.keys.cache,
    };
    let ring = Arc::new(KeyRing::new(ring, Arc::clone(&provider), scope_store, clock));
    Ok(BrokerKeys { provider, ring, scope_keys, ledger, watched })
}

async fn open_embedded(
    config: &BrokerConfig,
    cluster_id: &str,
    keys: &BrokerKeys,
) -> Result<(Storage, Arc<dyn WrappedKeyStore>), FormatError> {
    if config.storage.location.is_none() {
        make_directory(&config.log_directory().join("objects"))?;
    }
    let (store, _capabilities) = open_store(config).await?;
    let mut objects = ObjectConfig::new(store);
    objects.reader = reader_settings(config)?;
    objects.keys = Some(ObjectKeys::Ring(Arc::clone(&keys.ring)));
    if let Some(bytes) = config.storage.object_bytes {
        objects.object_bytes = bytes;
    }
    let mut storage = StorageConfig::new(storage_directory(config), cluster_id);
    storage.fsync = config.fsync;
    storage.objects = Some(objects);
    storage.cache_bytes = size(config.storage.log_cache_bytes);
    storage.maximum_unflushed_bytes = size(config.storage.produce_buffer_bytes);
    // One log holds all partitions, so Kafka's default for one partition is only taken when it is written out.
    if config.given("log.segment.bytes").is_some() {
        storage.segment_bytes = config.number("log.segment.bytes").unsigned_abs();
    }
    storage.maximum_frame_bytes = largest_frame(config, storage.maximum_frame_bytes);
    let opened = Storage::open(storage, Arc::clone(&keys.ring)).await?;
    Ok((opened, Arc::new(SegmentKeyStore::new(storage_directory(config)))))
}

async fn open_cluster(
    config: &BrokerConfig,
    settings: &ClusterSettings,
    cluster_id: &str,
    keys: &BrokerKeys,
    role: Role,
) -> Result<(Storage, Arc<dyn WrappedKeyStore>), FormatError> {
    let (store, capabilities) = open_store(config).await?;
    capabilities.require_shared(&store)?;
    let database = database(settings, cluster_id)?;
    let sequencer = PostgresSequencer::open(database, Arc::clone(&keys.provider)).await?;
    let (node_id, description) = match role {
        Role::Broker(description) => (config.node_id, description),
        Role::Tool => (TOOL, Vec::new()),
    };
    let mut cluster = ClusterConfig::new(cluster_id, node_id);
    cluster.description = description;
    cluster.linger = settings.linger;
    cluster.heartbeat_interval = settings.heartbeat_interval;
    cluster.lease = settings.lease;
    cluster.deletion_grace = settings.deletion_grace;
    cluster.reader = reader_settings(config)?;
    cluster.maximum_unflushed_bytes = size(config.storage.produce_buffer_bytes);
    cluster.maximum_frame_bytes = largest_frame(config, cluster.maximum_frame_bytes);
    if let Some(bytes) = config.storage.object_bytes {
        cluster.object_bytes = size(bytes);
    }
    let wrapped: Arc<dyn WrappedKeyStore> = Arc::new(sequencer.clone());
    let sequencer: Arc<dyn Sequencer> = Arc::new(sequencer);
    let ring = ObjectKeys::Ring(Arc::clone(&keys.ring));
    Ok((Storage::open_cluster(cluster, ring, sequencer, store).await?, wrapped))
}

/// What the database is reached by, its password included.
pub(crate) fn database(settings: &ClusterSettings, cluster_id: &str) -> Result<PostgresConfig, FormatError> {
    let mut database = PostgresConfig::new(settings.database.clone(), cluster_id);
    database.schema.clone_from(&settings.schema);
    if database.location()?.has_password {
        return Err(FormatError::PasswordInUrl);
    }
    if let Some(file) = &settings.password_file {
        database.password = Some(SecretFile::new(file).read()?);
    }
    if let Some(file) = &settings.ca_file {
        database.tls = Some(Arc::new(trust(file)?));
    }
    Ok(database)
}

fn trust(file: &Path) -> Result<rustls::ClientConfig, FormatError> {
    let refused = |reason: String| FormatError::Authorities { path: file.to_owned(), reason };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))? {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("it holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Opens the object store, and finds out what it really does.
async fn open_store(config: &BrokerConfig) -> Result<(Store, cadastre_objects::Capabilities), FormatError> {
    let store = objects_location(config)?.open(StoreSettings::default())?;
    let id = random::bytes().map_err(|_failed| crate::cluster_identity::IdentityError::Random)?;
    let capabilities = probe(&store, ObjectId::from_bytes(id)).await?;
    Ok((store, capabilities))
}

fn reader_settings(config: &BrokerConfig) -> Result<ReaderSettings, FormatError> {
    let settings = &config.storage;
    let disk_cache = match &settings.disk_cache {
        None => None,
        Some((directory, bytes)) => Some(
            DiskCache::open(directory, *bytes)
                .map_err(|source| FormatError::Directory { path: directory.clone(), source })?,
        ),
    };
    Ok(ReaderSettings {
        cache_bytes: settings.cache_bytes,
        index_cache_bytes: settings.index_cache_bytes,
        disk_cache,
        ..ReaderSettings::default()
    })
}

fn largest_frame(config: &BrokerConfig, least: usize) -> usize {
    let largest = usize::try_from(config.number("message.max.bytes")).unwrap_or(0);
    least.max(largest.saturating_add(1 << 20))
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
