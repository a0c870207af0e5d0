//! Certificates that are replaced while listeners serve. New connections get the new one, those that are there keep theirs, and
//! what cannot be used is refused while the one in force stays.
//!
//! Three things ask for it: an altered setting (`listener.name.<listener>.ssl.keystore.…`, as in Kafka), a file that changed, and
//! the operator, by SIGHUP.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use cadastre_security::tls::{ReplacementRules, TlsError, TlsProperties, TlsServerConfig};
use cadastre_storage::Clock;
use tokio_rustls::TlsAcceptor;

use super::listener_security::{ListenerSecurityError, explain};
use crate::config::ListenerConfig;
use crate::sync::{lock, read, write};

/// What was set through the admin API for this broker, by full name.
pub(crate) type Altered = BTreeMap<String, String>;

/// The TLS side of one listener, whatever certificate it shows at the moment.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    listener: ListenerConfig,
    clock: Clock,
    current: RwLock<Arc<TlsServerConfig>>,
    /// The files as they were when they were last read, and their settings. Held by whoever replaces.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    altered: Altered,
    files: Files,
}

type Files = BTreeMap<PathBuf, Option<Stamp>>;

/// What tells a file from what it was before: links are followed, as in directories that are switched as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// A configuration that was read and may be put in force.
#[derive(Debug)]
pub(crate) struct Replacement {
    listener: Arc<ListenerTls>,
    config: TlsServerConfig,
    seen: Seen,
}

impl ListenerTls {
    /// Reads the stores of a listener for the first time. Where those that were set through the admin API cannot be used any more,
    /// those of the configuration file are.
    pub(crate) fn open(
        listener: &ListenerConfig,
        altered: &Altered,
        clock: Clock,
    ) -> Result<Self, ListenerSecurityError> {
        let altered = own(listener, altered);
        let (config, files) = match load(listener, &altered) {
            Err((error, _)) if !altered.is_empty() => {
                tracing::error!(
                    listener = %listener.name,
                    error = %explain(&error),
                    "key store set through the admin API refused, that of the configuration file is used"
                );
                load(listener, &Altered::new())
            }
            other => other,
        }
        .map_err(|(error, _)| ListenerSecurityError::new(listener, explain(&error)))?;
        Ok(Self {
            listener: listener.clone(),
            clock,
            current: RwLock::new(Arc::new(config)),
            seen: Mutex::new(Seen { altered, files }),
        })
    }

    /// What the next connection is accepted with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(read(&self.current).server_config())
    }

    /// Reads the stores anew, with settings as they would be; on failure nothing has changed, and the files are handed back as they
    /// were found.
    fn prepare(self: &Arc<Self>, altered: Altered) -> Result<Replacement, (ListenerSecurityError, Files)> {
        let refuse = |error: &TlsError| ListenerSecurityError::new(&self.listener, explain(error));
        let (config, files) =
            load(&self.listener, &altered).map_err(|(error, files)| (refuse(&error), files))?;
        let rules = ReplacementRules::parse(&self.listener.effective_properties());
        let checked = config.check_replaces(&read(&self.current), rules, self.clock.now_ms() / 1_000);
        match checked {
            Ok(()) => Ok(Replacement { listener: Arc::clone(self), config, seen: Seen { altered, files } }),
            Err(error) => Err((refuse(&error), files)),
        }
    }

    /// Reads the stores anew and puts them in force, or says why not.
    fn reload(self: &Arc<Self>) -> Result<(), ListenerSecurityError> {
        let altered = lock(&self.seen).altered.clone();
        match self.prepare(altered) {
            Ok(replacement) => {
                replacement.install();
                Ok(())
            }
            Err((error, files)) => {
                // Said once: these are not read again until they change once more.
                lock(&self.seen).files.extend(files);
                let in_force = self.fingerprint();
                tracing::error!(%error, %in_force, "new certificate refused, the one before stays in force");
                Err(error)
            }
        }
    }

    fn has_changed(&self) -> bool {
        let seen = lock(&self.seen);
        seen.files.iter().any(|(path, stamp)| Stamp::of(path) != *stamp)
    }

    fn fingerprint(&self) -> String {
        fingerprint(&read(&self.current))
    }
}

impl Replacement {
    /// Puts it in force for every connection from now on.
    pub(crate) fn install(self) {
        let (old, new) = (self.listener.fingerprint(), fingerprint(&self.config));
        *lock(&self.listener.seen) = self.seen;
        *write(&self.listener.current) = Arc::new(self.config);
        let listener = &self.listener.listener.name;
        if old == new {
            tracing::info!(%listener, certificate = %new, "key store read again, the certificate is the same");
        } else {
            tracing::info!(%listener, certificate = %new, before = %old, "certificate replaced");
        }
    }
}

/// The listeners of a broker that have certificates.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    listeners: Vec<Arc<ListenerTls>>,
}

impl Certificates {
    /// Those of these listeners.
    pub(crate) const fn new(listeners: Vec<Arc<ListenerTls>>) -> Self {
        Self { listeners }
    }

    /// Reads the stores of the listeners that changed settings belong to, with all settings as they would be.
    ///
    /// # Errors
    ///
    /// [`ListenerSecurityError`] for the first that cannot be used; nothing has changed then.
    pub(crate) fn prepare<'a>(
        &self,
        altered: &Altered,
        changed: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Vec<Replacement>, ListenerSecurityError> {
        let concerned = |tls: &&Arc<ListenerTls>| {
            let prefix = prefix(&tls.listener);
            changed.clone().any(|name| name.strip_prefix(&prefix).is_some_and(is_of_stores))
        };
        let prepare = |tls: &Arc<ListenerTls>| tls.prepare(own(&tls.listener, altered));
        let prepared = self.listeners.iter().filter(concerned).map(prepare);
        prepared.map(|prepared| prepared.map_err(|(error, _files)| error)).collect()
    }

    /// Reads every store anew.
    ///
    /// # Errors
    ///
    /// Those that cannot be used; what they hold stays as it was.
    pub(crate) fn reload(&self) -> Vec<ListenerSecurityError> {
        self.listeners.iter().filter_map(|tls| tls.reload().err()).collect()
    }

    /// Reads the stores anew whose files changed. What is refused was told to the log.
    pub(crate) fn reload_changed(&self) {
        for tls in self.listeners.iter().filter(|tls| tls.has_changed()) {
            let _told = tls.reload();
        }
    }
}

/// Whether a property, by its name without a listener prefix, is one that Kafka lets change while a listener serves
/// (`SslConfigs.RECONFIGURABLE_CONFIGS`).
pub(crate) fn is_of_stores(name: &str) -> bool {
    name == "ssl.key.password" || name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.")
}

fn prefix(listener: &ListenerConfig) -> String {
    format!("listener.name.{}.", listener.name.to_lowercase())
}

/// The altered settings of a listener's stores, without the prefix.
fn own(listener: &ListenerConfig, altered: &Altered) -> Altered {
    let prefix = prefix(listener);
    let stripped = altered.iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
    stripped
        .filter(|(name, _)| is_of_stores(name))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// Reads the stores, and remembers their files as they were before, so that a change in the middle is seen the next time.
fn load(listener: &ListenerConfig, altered: &Altered) -> Result<(TlsServerConfig, Files), (TlsError, Files)> {
    let mut properties = listener.effective_properties();
    properties.extend(altered.clone());
    let parsed = TlsProperties::parse(&properties).map_err(|error| (error, Files::new()))?;
    let files: Files = parsed.files().into_iter().map(|path| (path.to_owned(), Stamp::of(path))).collect();
    match TlsServerConfig::new(&parsed) {
        Ok(config) => Ok((config, files)),
        Err(error) => Err((error, files)),
    }
}

/// The SHA-256 of the listener's own certificate, as browsers and `openssl x509 -fingerprint` compute it, in hexadecimal.
fn fingerprint(config: &TlsServerConfig) -> String {
    let own = config.certificate_chain().first().map(AsRef::as_ref).unwrap_or_default();
    digest(&SHA256, own).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
