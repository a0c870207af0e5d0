//! What operators do with keys while a broker is not running, or beside the others of a cluster: see who uses which key, and
//! move everything under the current one.

use std::collections::BTreeMap;
use std::sync::Arc;

use cadastre_keys::ledger::LedgerError;
use cadastre_keys::{KeyError, RewrapOptions, RewrapReport, UntoldKey, WrappedKeyStore, key_usage, rewrap};
use cadastre_storage::{SegmentKeyStore, StorageError};

use crate::cluster_identity::ClusterIdentity;
use crate::config::BrokerConfig;
use crate::format::FormatError;
use crate::open_storage::{OpenedStorage, Role, open_keys, open_storage, storage_directory};

/// How many holders of a key are named.
const NAMED_HOLDERS: usize = 20;

/// What a broker's storage is, and which keys it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The cluster's id.
    pub cluster_id: String,
    /// `embedded` or `cluster`.
    pub mode: &'static str,
    /// Whether the log is in use by a running broker; then only the keys of its segments are listed.
    pub is_running: bool,
    /// The key that new data keys are wrapped under.
    pub current_key: String,
    /// Who uses which key, by the key's id.
    pub keys: BTreeMap<String, KeyHolders>,
    /// Why it cannot be told which key some holders use, by holder. As long as there are any, no key is known to be out of use.
    pub untold: BTreeMap<String, String>,
    /// Node ids of the brokers that live; cluster mode.
    pub brokers: Vec<i32>,
    /// What opening found wrong with the log.
    pub losses: Option<String>,
}

/// Who uses one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolders {
    /// Whether new data keys are wrapped under it.
    pub is_current: bool,
    /// How many data keys are wrapped under it.
    pub count: u64,
    /// Where they lie; the first ones when there are many.
    pub holders: Vec<String>,
}

/// What moving keys came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// The key that everything is to be under.
    pub key: String,
    /// Data keys that were moved.
    pub moved: u64,
    /// Data keys that were there already.
    pub current: u64,
    /// What failed, by holder. Running again goes on with these.
    pub failures: BTreeMap<String, String>,
    /// Why it cannot be told which key some holders use, by holder; they are as they were.
    pub untold: BTreeMap<String, String>,
    /// Whether it is known that nothing is left under another key.
    pub is_done: bool,
}

/// Says what a broker's storage is, without changing it. A running embedded broker may go on.
///
/// # Errors
///
/// [`FormatError`] when keys or storage cannot be opened.
pub async fn status(config: &BrokerConfig) -> Result<Status, FormatError> {
    let cluster_id = identity(config)?.cluster_id;
    let mode = if config.storage.is_cluster() { "cluster" } else { "embedded" };
    match open_storage(config, &cluster_id, Role::Tool).await {
        Ok(OpenedStorage { storage, keys, wrapped }) => {
            let usage = key_usage(keys.provider.as_ref(), wrapped.as_ref(), NAMED_HOLDERS).await;
            let registry = storage.confirm_registry().await;
            let losses = storage.recovery();
            let losses = losses.has_losses().then(|| format!("{losses:?}"));
            let closed = storage.close().await;
            keys.ledger.close();
            closed?;
            let usage = usage?;
            let brokers = registry?.map(|registry| registry.brokers).unwrap_or_default();
            Ok(Status {
                cluster_id,
                mode,
                is_running: false,
                current_key: keys.provider.key_id().to_owned(),
                keys: by_key(usage.by_key),
                untold: by_holder(usage.untold),
                brokers: brokers.iter().map(|broker| broker.node_id).filter(|id| *id >= 0).collect(),
                losses,
            })
        }
        Err(error) if is_in_use(&error) => {
            let service = cadastre_key_services::open_service(
                &config.keys,
                config.keys.kind,
                &(Arc::new(cadastre_keys::SystemKeyClock) as Arc<dyn cadastre_keys::KeyClock>),
            )
            .await?;
            let current_key = service.current_key().to_owned();
            let segments = SegmentKeyStore::new(storage_directory(config));
            let mut keys: BTreeMap<String, KeyHolders> = BTreeMap::new();
            let mut after: Option<String> = None;
            loop {
                let page = segments.page(after.as_deref(), 256).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.holder.clone());
                for held in page {
                    let is_current = held.wrapped.key_id == current_key;
                    let of_key = keys.entry(held.wrapped.key_id).or_insert_with(|| KeyHolders {
                        is_current,
                        count: 0,
                        holders: Vec::new(),
                    });
                    of_key.count = of_key.count.saturating_add(1);
                    if of_key.holders.len() < NAMED_HOLDERS {
                        of_key.holders.push(held.holder);
                    }
                }
            }
            Ok(Status {
                cluster_id,
                mode,
                is_running: true,
                current_key,
                keys,
                untold: by_holder(segments.untold().await?),
                brokers: Vec::new(),
                losses: None,
            })
        }
        Err(error) => Err(error),
    }
}

/// Moves every data key under the configured key, which must be `to`. May be interrupted anywhere and run again; no
/// record is touched. An embedded broker must not run meanwhile; brokers of a cluster may.
///
/// # Errors
///
/// [`FormatError::OtherKey`] when the configuration wraps under another key; [`FormatError`] when keys or storage cannot be
/// opened or listed. What fails for one data key is in the report.
pub async fn rewrap_to(
    config: &BrokerConfig,
    to: &str,
    progress: impl FnMut(&RewrapReport),
) -> Result<Rewrapped, FormatError> {
    let cluster_id = identity(config)?.cluster_id;
    // Asked before anything is opened, so that a slip costs nothing.
    let keys = open_keys(config, &cluster_id).await?;
    let current = keys.provider.key_id().to_owned();
    let is_meant = current == to || keys.provider.is_current(to);
    keys.ledger.close();
    if !is_meant {
        return Err(FormatError::OtherKey { asked: to.to_owned(), current });
    }
    drop(keys);
    let OpenedStorage { storage, keys, wrapped } = open_storage(config, &cluster_id, Role::Tool).await?;
    let moved = rewrap(&keys.provider, &wrapped, &RewrapOptions::default(), progress).await;
    let closed = storage.close().await;
    keys.ledger.close();
    closed?;
    let report = moved?;
    let is_done = report.is_done();
    Ok(Rewrapped {
        key: current,
        moved: report.moved,
        current: report.current,
        untold: by_holder(report.untold),
        failures: report.failures.into_iter().map(|(holder, error)| (holder, error.to_string())).collect(),
        is_done,
    })
}

/// Whether a running broker has the log, or the ledger of its keys.
fn is_in_use(error: &FormatError) -> bool {
    match error {
        FormatError::Storage(StorageError::Locked { .. }) => true,
        FormatError::Key(KeyError::Unrecorded { source, .. }) => matches!(source, LedgerError::InUse { .. }),
        _ => false,
    }
}

fn by_key(usage: BTreeMap<String, cadastre_keys::HoldersOfKey>) -> BTreeMap<String, KeyHolders> {
    let of_key = |holders: cadastre_keys::HoldersOfKey| KeyHolders {
        is_current: holders.is_current,
        count: holders.count,
        holders: holders.holders,
    };
    usage.into_iter().map(|(key, holders)| (key, of_key(holders))).collect()
}

fn by_holder(untold: Vec<UntoldKey>) -> BTreeMap<String, String> {
    untold.into_iter().map(|untold| (untold.holder, untold.reason)).collect()
}

fn identity(config: &BrokerConfig) -> Result<ClusterIdentity, FormatError> {
    let directory = config.log_directory();
    ClusterIdentity::read(directory)?.ok_or_else(|| FormatError::NotFormatted(directory.to_owned()))
}
