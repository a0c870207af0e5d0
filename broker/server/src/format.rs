//! Prepares a log directory: identity, key-encryption key, first credentials.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadastre_key_services::{KeyServiceKind, open_provider};
use cadastre_keys::ledger::LedgerFile;
use cadastre_keys::{KeyError, LocalKeyFile, SystemKeyClock};
use cadastre_security::scram::{ScramError, ScramUser};
use cadastre_storage::{Storage, StorageConfig, StorageError};

use crate::cluster_identity::{ClusterIdentity, IdentityError};
use crate::config::BrokerConfig;
use crate::state::scram;

/// What `format` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// The cluster's id; drawn when `None`.
    pub cluster_id: Option<String>,
    /// Credentials in Kafka's syntax, such as `SCRAM-SHA-512=[name=admin,password=secret]`.
    pub scram: Vec<String>,
    /// Whether a directory that was prepared before is left as it is, and only credentials are added.
    pub ignore_formatted: bool,
}

/// What `format` found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The cluster's id.
    pub cluster_id: String,
    /// The log directory.
    pub directory: PathBuf,
    /// The file with the key-encryption key, if it is in a file.
    pub key_file: Option<PathBuf>,
    /// The users that were given credentials.
    pub users: Vec<String>,
}

/// A log directory cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A directory cannot be made.
    #[error("cannot make directory `{path}`")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory was prepared before.
    #[error("log directory `{0}` is already formatted; hint: --ignore-formatted adds credentials to it")]
    AlreadyFormatted(PathBuf),
    /// The directory belongs to another broker.
    #[error("log directory `{path}` belongs to node {found}, expected {expected}")]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: i32,
        /// Whose it should be.
        expected: i32,
    },
    /// The identity file failed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The key-encryption key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A credential is not in Kafka's syntax.
    #[error("--add-scram: {0}")]
    Scram(#[from] ScramError),
    /// The log failed.
    #[error("cannot prepare the log")]
    Storage(#[from] StorageError),
}

/// Prepares the log directory of `config`.
///
/// # Errors
///
/// [`FormatError`]; what was made before the failure stays, and formatting again with `ignore_formatted` goes on.
pub async fn format(config: &BrokerConfig, options: &FormatOptions) -> Result<Formatted, FormatError> {
    // Parsed before anything is made, so that a slip leaves nothing behind.
    let users: Vec<ScramUser> =
        options.scram.iter().map(|text| ScramUser::parse(text)).collect::<Result<_, _>>()?;
    let directory = config.log_directory();
    make_directory(directory)?;
    let existing = ClusterIdentity::read(directory)?;
    if existing.is_some() && !options.ignore_formatted {
        return Err(FormatError::AlreadyFormatted(directory.to_owned()));
    }
    let identity = match existing {
        Some(identity) => identity,
        None => initialize(config, options.cluster_id.clone())?,
    };
    if !users.is_empty() {
        let OpenedStorage { storage, ledger } = open_storage(config, &identity.cluster_id).await?;
        let changes = users
            .iter()
            .map(|user| scram::stored(&user.name, user.credential.mechanism(), Some(&user.credential)))
            .collect();
        storage.metadata().commit(changes).await?;
        storage.close().await?;
        ledger.close();
    }
    Ok(Formatted {
        cluster_id: identity.cluster_id,
        directory: directory.to_owned(),
        key_file: config.keys.local_file.clone(),
        users: users.into_iter().map(|user| user.name).collect::<BTreeSet<_>>().into_iter().collect(),
    })
}

/// Makes identity and key for a directory that has neither.
pub(crate) fn initialize(
    config: &BrokerConfig,
    cluster_id: Option<String>,
) -> Result<ClusterIdentity, FormatError> {
    let identity = ClusterIdentity::new(cluster_id, config.node_id)?;
    make_directory(config.log_directory())?;
    let key_file = config.keys.local_file.as_ref();
    let key_file = key_file.filter(|file| config.keys.kind == KeyServiceKind::LocalFile && !file.exists());
    if let Some(key_file) = key_file {
        if let Some(parent) = key_file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            make_directory(parent)?;
        }
        LocalKeyFile::create(key_file)?;
    }
    identity.write(config.log_directory())?;
    Ok(identity)
}

/// The log's directory inside the log directory.
pub(crate) fn storage_directory(config: &BrokerConfig) -> PathBuf {
    config.log_directory().join("log")
}

/// The log, and the ledger of the keys it uses, to be closed after it.
pub(crate) struct OpenedStorage {
    pub(crate) storage: Storage,
    pub(crate) ledger: Arc<LedgerFile>,
}

/// Opens the log with the configured keys.
pub(crate) async fn open_storage(
    config: &BrokerConfig,
    cluster_id: &str,
) -> Result<OpenedStorage, FormatError> {
    let keys = open_provider(&config.keys, Arc::new(SystemKeyClock)).await?;
    let mut storage = StorageConfig::new(storage_directory(config), cluster_id);
    storage.fsync = config.fsync;
    // One log holds all partitions, so Kafka's default for one partition is only taken when it is written out.
    if config.given("log.segment.bytes").is_some() {
        storage.segment_bytes = config.number("log.segment.bytes").unsigned_abs();
    }
    let largest = usize::try_from(config.number("message.max.bytes")).unwrap_or(0);
    storage.maximum_frame_bytes = storage.maximum_frame_bytes.max(largest.saturating_add(1 << 20));
    let storage = Storage::open(storage, keys.provider).await?;
    Ok(OpenedStorage { storage, ledger: keys.ledger })
}

fn make_directory(path: &Path) -> Result<(), FormatError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| FormatError::Directory { path: path.to_owned(), source })
}
