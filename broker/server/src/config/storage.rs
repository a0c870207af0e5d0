//! Where records and metadata are kept: in this broker's own directory, or in a store and a database that brokers share.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cadastre_objects::SweepSettings;

use super::definition::{ValueError, list};
use super::properties::Properties;

/// How the broker keeps what it is given.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// `cadastre.storage.mode`.
    pub mode: StorageMode,
    /// The cluster that an unformatted directory is prepared for.
    pub cluster_id: Option<String>,
    /// The URL of the object store; in embedded mode the broker's own directory when `None`.
    pub location: Option<String>,
    /// Options of the object store's client. They may be secret.
    pub options: BTreeMap<String, String>,
    /// Objects are closed at about this size, in bytes.
    pub object_bytes: Option<u64>,
    /// Memory for records read from objects, in bytes.
    pub cache_bytes: u64,
    /// Memory for indexes of objects, in bytes.
    pub index_cache_bytes: u64,
    /// A cache on the local disk, and how much of it is used, in bytes.
    pub disk_cache: Option<(PathBuf, u64)>,
    /// Memory for batches written lately, in bytes; embedded mode.
    pub log_cache_bytes: u64,
    /// Memory for batches that wait to become durable, in bytes.
    pub produce_buffer_bytes: u64,
    /// How often full segments are moved into objects; embedded mode.
    pub pack_interval: Duration,
    /// How often orphans are looked for.
    pub sweep_interval: Duration,
    /// How careful that is.
    pub sweep: SweepSettings,
}

/// Where the authority of order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageMode {
    /// This broker is the cluster.
    Embedded,
    /// Any number of brokers over one object store and one database.
    Cluster(ClusterSettings),
}

/// How a broker is one of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The database, as libpq takes it, without a password.
    pub database: String,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// Certificates of the authorities that the database is believed with; without them TLS is off.
    pub ca_file: Option<PathBuf>,
    /// The schema that holds the cluster's tables.
    pub schema: String,
    /// How long a batch waits for others.
    pub linger: Duration,
    /// How often the broker says that it lives.
    pub heartbeat_interval: Duration,
    /// Who said nothing for this long is fenced.
    pub lease: Duration,
    /// Objects that nothing refers to are kept for this long, for readers in flight.
    pub deletion_grace: Duration,
}

impl std::fmt::Debug for StorageSettings {
    /// Without the options, which may be credentials.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StorageSettings")
            .field("mode", &self.mode)
            .field("location", &self.location)
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl StorageSettings {
    /// Whether the broker is one of many.
    #[must_use]
    pub const fn is_cluster(&self) -> bool {
        matches!(self.mode, StorageMode::Cluster(_))
    }

    /// Reads the properties, whose single values were checked before. `text` gives defaults too.
    ///
    /// # Errors
    ///
    /// [`ValueError`] for what is missing or cannot be used.
    pub(super) fn parse(properties: &Properties, text: &dyn Fn(&str) -> String) -> Result<Self, ValueError> {
        let given = |name: &str| {
            properties.get(name).map(|value| value.trim().to_owned()).filter(|it| !it.is_empty())
        };
        let number = |name: &str| text(name).parse::<u64>().unwrap_or_default();
        let milliseconds = |name: &str| Duration::from_millis(number(name));
        let signed = |name: &str| text(name).parse::<i64>().unwrap_or_default();
        let mode = if text("cadastre.storage.mode") == "cluster" {
            let required = |name: &'static str| {
                let missing = || ValueError::new(name, "", "a value, since cadastre.storage.mode=cluster");
                given(name).ok_or_else(missing)
            };
            required("cadastre.objects.location")?;
            StorageMode::Cluster(ClusterSettings {
                database: required("cadastre.metadata.url")?,
                password_file: given("cadastre.metadata.password.file").map(PathBuf::from),
                ca_file: given("cadastre.metadata.ca.file").map(PathBuf::from),
                schema: text("cadastre.metadata.schema"),
                linger: milliseconds("cadastre.cluster.linger.ms"),
                heartbeat_interval: milliseconds("cadastre.cluster.heartbeat.interval.ms"),
                lease: milliseconds("cadastre.cluster.lease.ms"),
                deletion_grace: milliseconds("cadastre.objects.deletion.grace.ms"),
            })
        } else {
            StorageMode::Embedded
        };
        let mut options = BTreeMap::new();
        for option in list(&text("cadastre.objects.options")) {
            let Some((name, value)) = option.split_once('=') else {
                return Err(ValueError::new("cadastre.objects.options", &option, "a list of name=value"));
            };
            options.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        if let Some(file) = given("cadastre.objects.credentials.file") {
            options.extend(credentials(Path::new(&file))?);
        }
        let disk_cache = given("cadastre.objects.disk.cache.directory")
            .map(|directory| (PathBuf::from(directory), number("cadastre.objects.disk.cache.bytes")));
        Ok(Self {
            mode,
            cluster_id: given("cadastre.cluster.id"),
            location: given("cadastre.objects.location"),
            options,
            object_bytes: given("cadastre.objects.size.bytes").and_then(|bytes| bytes.parse().ok()),
            cache_bytes: number("cadastre.objects.cache.bytes"),
            index_cache_bytes: number("cadastre.objects.index.cache.bytes"),
            disk_cache,
            log_cache_bytes: number("cadastre.log.cache.bytes"),
            produce_buffer_bytes: number("cadastre.produce.buffer.bytes"),
            pack_interval: milliseconds("cadastre.objects.pack.interval.ms"),
            sweep_interval: milliseconds("cadastre.objects.sweep.interval.ms"),
            sweep: SweepSettings {
                grace_ms: signed("cadastre.objects.sweep.grace.ms"),
                confirmation_ms: signed("cadastre.objects.sweep.confirmation.ms"),
                ..SweepSettings::default()
            },
        })
    }
}

/// Reads a file that nobody else may read.
fn credentials(file: &Path) -> Result<BTreeMap<String, String>, ValueError> {
    let shown = file.display().to_string();
    let refused = |expected: String| ValueError::new("cadastre.objects.credentials.file", &shown, &expected);
    let mode = std::fs::metadata(file)
        .map_err(|error| refused(format!("a readable file: {error}")))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(refused(format!("a file with mode 0600, found {:04o}", mode & 0o777)));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refused(format!("a readable file: {error}")))?;
    let properties = Properties::parse(&text).map_err(|error| refused(format!("properties: {error}")))?;
    Ok(properties.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
