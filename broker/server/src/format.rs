//! Prepares a log directory: identity, key-encryption key, first credentials.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use cadastre_key_services::KeyServiceKind;
use cadastre_keys::{KeyError, LocalKeyFile};
use cadastre_objects::StoreError;
use cadastre_security::scram::{ScramError, ScramUser};
use cadastre_sequencer::SequencerError;
use cadastre_storage::StorageError;

use crate::cluster_identity::{ClusterIdentity, IdentityError};
use crate::config::BrokerConfig;
use crate::open_storage::{OpenedStorage, Role, open_storage};
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
    /// The object store cannot be used.
    #[error("cannot use the object store")]
    Objects(#[from] StoreError),
    /// The database cannot be used.
    #[error("cannot use the database")]
    Database(#[source] Box<SequencerError>),
    /// A password does not belong into a URL that is shown.
    #[error("cadastre.metadata.url: a password does not belong here; hint: cadastre.metadata.password.file")]
    PasswordInUrl,
    /// The authorities for the database cannot be read.
    #[error("cadastre.metadata.ca.file: `{path}`: {reason}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The log directory was never prepared.
    #[error("log directory `{0}` is not formatted; hint: run `cadastre-broker format`")]
    NotFormatted(PathBuf),
    /// Keys are moved under the configured key only.
    #[error(
        "keys would move under `{current}`, not `{asked}`; hint: the properties cadastre.key.* name the key"
    )]
    OtherKey {
        /// The key that was asked for.
        asked: String,
        /// The key of the configuration.
        current: String,
    },
    /// Every broker of a cluster must be given the same id.
    #[error("cadastre.cluster.id is not set, and a cluster's brokers must agree on it")]
    NoClusterId,
    /// The log directory was prepared for another cluster.
    #[error("log directory `{path}` belongs to cluster `{found}`, but cadastre.cluster.id is `{expected}`")]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
}

impl From<SequencerError> for FormatError {
    fn from(error: SequencerError) -> Self {
        Self::Database(Box::new(error))
    }
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
        let OpenedStorage { storage, keys, .. } =
            open_storage(config, &identity.cluster_id, Role::Tool).await?;
        let changes = users
            .iter()
            .map(|user| scram::stored(&user.name, user.credential.mechanism(), Some(&user.credential)))
            .collect();
        storage.metadata().commit(changes).await?;
        storage.close().await?;
        keys.ledger.close();
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
    let cluster_id = cluster_id.or_else(|| config.storage.cluster_id.clone());
    if cluster_id.is_none() && config.storage.is_cluster() {
        return Err(FormatError::NoClusterId);
    }
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

pub(crate) fn make_directory(path: &Path) -> Result<(), FormatError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| FormatError::Directory { path: path.to_owned(), source })
}
