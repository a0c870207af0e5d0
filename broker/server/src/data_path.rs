//! The data-path manifest: every place that records, metadata and audit lines pass or rest in, with who reaches it, under which
//! key, over which endpoint. The format is described in `docs/formats/data-path.md`.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cadastre_key_services::KeyServiceKind;
use cadastre_objects::StoreLocation;
use serde::Serialize;

use crate::config::BrokerConfig;
use crate::config::storage::StorageMode;
use crate::format::FormatError;
use crate::node::BoundListener;
use crate::open_storage::{database, objects_location, storage_directory};

/// The format's name and version.
const FORMAT: &str = "cadastre-data-path/1";

/// The data path of one broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DataPath {
    format: &'static str,
    cluster_id: String,
    node_id: i32,
    mode: &'static str,
    steps: Vec<Step>,
}

/// One place. `None` says that there is none, not that it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Step {
    /// What happens there.
    step: &'static str,
    /// The kind of store.
    store: &'static str,
    /// Where it is.
    location: String,
    /// As whom it is reached, or who may reach it.
    identity: String,
    /// The key-encryption key that what rests there depends on; `None` where it is plaintext.
    key: Option<String>,
    /// The network endpoint; `None` where no network is involved.
    endpoint: Option<String>,
    /// Whether the way there is encrypted; `None` where no network is involved.
    encrypted_in_transit: Option<bool>,
}

impl DataPath {
    /// The data path of a broker whose listeners are bound. `key` wraps its data keys.
    pub(crate) fn of(
        config: &BrokerConfig,
        cluster_id: &str,
        key: &str,
        listeners: &[BoundListener],
    ) -> Result<Self, FormatError> {
        let key = Some(key.to_owned());
        let process = process_identity();
        let mut steps: Vec<Step> = listeners.iter().map(ingress).collect();
        let location = objects_location(config)?;
        let object = |step| object_step(config, &location, step, &key, &process);
        let mode = match &config.storage.mode {
            StorageMode::Embedded => {
                let log = storage_directory(config);
                steps.push(file("wal", &log, &process, key.clone()));
                steps.push(memory("cache", config, &process));
                steps.extend(disk_cache(config, &process, &key));
                steps.push(object("object"));
                steps.push(file("metadata", &log, &process, key.clone()));
                "embedded"
            }
            StorageMode::Cluster(settings) => {
                steps.push(object("wal"));
                steps.push(memory("cache", config, &process));
                steps.extend(disk_cache(config, &process, &key));
                steps.push(object("object"));
                let database = database(settings, cluster_id)?.location()?;
                let over_network = !database.is_local;
                steps.push(Step {
                    step: "metadata",
                    store: "postgresql",
                    location: format!("database {} schema {}", database.database, settings.schema),
                    identity: format!("role {}", database.user),
                    key: key.clone(),
                    endpoint: Some(database.endpoints.join(",")),
                    encrypted_in_transit: over_network.then_some(settings.ca_file.is_some()),
                });
                "cluster"
            }
        };
        steps.push(file("audit", &config.audit_directory, &process, None));
        steps.push(file("key-ledger", &config.keys.ledger.directory, &process, None));
        steps.push(key_service(config, key));
        Ok(Self { format: FORMAT, cluster_id: cluster_id.to_owned(), node_id: config.node_id, mode, steps })
    }

    /// As it is written and served.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Writes the manifest; the file is whole or as it was. Nothing is written when it says the same already.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = self.text() + "\n";
        if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        std::fs::write(&temporary, text)?;
        std::fs::File::open(&temporary)?.sync_all()?;
        std::fs::rename(&temporary, path)
    }
}

fn process_identity() -> String {
    // The kernel shows a process's own entry under its effective ids; proc(5).
    std::fs::metadata("/proc/self").map_or_else(
        |_no_proc| "the broker's process".to_owned(),
        |own| format!("uid {} gid {}", own.uid(), own.gid()),
    )
}

fn ingress(listener: &BoundListener) -> Step {
    let config = &listener.config;
    let sasl = config.sasl_mechanisms().join(",");
    let certificates = config.property("ssl.client.auth").unwrap_or("none");
    let identity = match (config.protocol.uses_sasl(), config.protocol.is_encrypted()) {
        (true, _) => format!("SASL {sasl}"),
        (false, true) => format!("client certificates {certificates}"),
        (false, false) => "anonymous".to_owned(),
    };
    let host = config.advertised.host.clone().unwrap_or_else(|| listener.address.ip().to_string());
    let port = if config.advertised.port == 0 { listener.address.port() } else { config.advertised.port };
    Step {
        step: "ingress",
        store: "memory",
        location: format!("listener {} on {}", config.name, listener.address),
        identity,
        key: None,
        endpoint: Some(format!("{host}:{port}")),
        encrypted_in_transit: Some(config.protocol.is_encrypted()),
    }
}

fn file(step: &'static str, path: &Path, process: &str, key: Option<String>) -> Step {
    let location = std::path::absolute(path).unwrap_or_else(|_relative| path.to_owned());
    Step {
        step,
        store: "file",
        location: location.display().to_string(),
        identity: process.to_owned(),
        key,
        endpoint: None,
        encrypted_in_transit: None,
    }
}

fn memory(step: &'static str, config: &BrokerConfig, process: &str) -> Step {
    let settings = &config.storage;
    let bytes = match settings.is_cluster() {
        true => settings.cache_bytes,
        false => settings.cache_bytes.saturating_add(settings.log_cache_bytes),
    };
    Step {
        step,
        store: "memory",
        location: format!("up to {bytes} bytes of records"),
        identity: process.to_owned(),
        key: None,
        endpoint: None,
        encrypted_in_transit: None,
    }
}

fn disk_cache(config: &BrokerConfig, process: &str, key: &Option<String>) -> Option<Step> {
    let (directory, _) = config.storage.disk_cache.as_ref()?;
    Some(file("cache", directory, process, key.clone()))
}

fn object_step(
    config: &BrokerConfig,
    location: &StoreLocation,
    step: &'static str,
    key: &Option<String>,
    process: &str,
) -> Step {
    let (store, endpoint, identity) = match location.scheme() {
        "file" => ("file", None, process.to_owned()),
        "s3" => ("s3", Some(endpoint(config, "aws_endpoint", "the public endpoint of S3")), client(config)),
        "az" => (
            "azure-blob",
            Some(endpoint(config, "azure_endpoint", "the account's public endpoint")),
            client(config),
        ),
        "gs" => ("gcs", Some("https://storage.googleapis.com".to_owned()), client(config)),
        _ => ("memory", None, process.to_owned()),
    };
    let encrypted_in_transit = endpoint.as_ref().map(|endpoint| !endpoint.starts_with("http://"));
    Step {
        step,
        store,
        location: location.to_string(),
        identity,
        key: key.clone(),
        endpoint,
        encrypted_in_transit,
    }
}

fn endpoint(config: &BrokerConfig, option: &str, otherwise: &str) -> String {
    config.storage.options.get(option).cloned().unwrap_or_else(|| otherwise.to_owned())
}

/// Names that are no secrets.
fn client(config: &BrokerConfig) -> String {
    let names = [
        "aws_access_key_id",
        "azure_storage_account_name",
        "azure_storage_client_id",
        "google_service_account",
    ];
    let given = names.iter().find_map(|name| Some(format!("{name} {}", config.storage.options.get(*name)?)));
    given.unwrap_or_else(|| "credentials of the environment".to_owned())
}

fn key_service(config: &BrokerConfig, key: Option<String>) -> Step {
    let keys = &config.keys;
    let (location, identity, endpoint) = match keys.kind {
        KeyServiceKind::LocalFile => {
            let path = keys.local_file.as_deref().unwrap_or(Path::new(""));
            (path.display().to_string(), process_identity(), None)
        }
        KeyServiceKind::AwsKms => {
            let aws = keys.aws.as_ref();
            let endpoint = aws.and_then(|aws| aws.endpoint.as_ref()).map(|it| it.as_str().to_owned());
            let public = || "the public endpoint of KMS in the key's region".to_owned();
            (
                aws.map(|aws| aws.key_arn.clone()).unwrap_or_default(),
                "credentials of the environment".to_owned(),
                Some(endpoint.unwrap_or_else(public)),
            )
        }
        KeyServiceKind::AzureKeyVault => {
            let url = keys.azure.as_ref().map(|azure| azure.key_url.as_str().to_owned()).unwrap_or_default();
            (url.clone(), "the configured Azure credential".to_owned(), Some(url))
        }
        KeyServiceKind::VaultTransit => {
            let vault = keys.vault.as_ref();
            let location = vault.map(|vault| format!("{}/{}", vault.mount, vault.key_name));
            let token = vault.map(|vault| format!("token in {}", vault.token.path().display()));
            (
                location.unwrap_or_default(),
                token.unwrap_or_default(),
                vault.map(|vault| vault.address.as_str().to_owned()),
            )
        }
    };
    let encrypted_in_transit = endpoint.as_ref().map(|endpoint| !endpoint.starts_with("http://"));
    Step {
        step: "key-service",
        store: keys.kind.name(),
        location,
        identity,
        key,
        endpoint,
        encrypted_in_transit,
    }
}
