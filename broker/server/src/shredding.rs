//! Deleting a topic: its key is destroyed, and a signed receipt says so.
//!
//! The receipt lies in the data directory, in a cluster in the bucket, under the topic's id. The plan of what is to be destroyed
//! is kept in the metadata until the receipt is durable, so that a crash in between is taken up where it was.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cadastre_keys::ledger::LedgerFile;
use cadastre_keys::signing::{SigningError, SigningKey};
use cadastre_keys::{
    HeldKey, KeyError, KeyRing, KeyScope, ScopeKeyStore as _, ShredError, ShredFuture, ShredPlan, ShredStore,
    Shredder, SignedReceipt, SystemKeyClock, WrappedKey,
};
use cadastre_objects::{Store, StoreError};
use cadastre_protocol::types::TopicId;
use cadastre_storage::{MetadataChange, MetadataKind, ScopeKeyTable, Storage, StorageError};
use object_store::path::Path as ObjectPath;

use crate::open_storage::BrokerKeys;

/// The directory of receipts below the log directory, and their place in a bucket.
pub(crate) const RECEIPTS: &str = "receipts";
/// What comes before a scope's id in the name of its holder.
const HOLDER: &str = "scope/";
/// A receipt is bounded like every input.
const LONGEST_RECEIPT: u64 = 64 << 20;

/// Why a topic was not deleted to the end; what is left is taken up later.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// Its keys could not be destroyed, or that could not be shown.
    #[error(transparent)]
    Shred(#[from] ShredError),
    /// Its records could not be deleted.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Deletes topics with their keys.
#[derive(Debug)]
pub(crate) struct Shredding {
    cluster_id: String,
    storage: Storage,
    scope_keys: Arc<ScopeKeyTable>,
    ring: Arc<KeyRing>,
    ledger: Arc<LedgerFile>,
    signer: SigningKey,
    receipts: Receipts,
}

/// Where receipts are kept.
#[derive(Debug)]
enum Receipts {
    Directory(PathBuf),
    Bucket { store: Store, prefix: ObjectPath },
}

impl Shredding {
    /// Opens the signing key in `directory`, or makes one there on the first start, with the public key beside it.
    ///
    /// # Errors
    ///
    /// [`SigningError`] when the key cannot be had.
    pub(crate) fn open(
        directory: &Path,
        cluster_id: &str,
        storage: &Storage,
        keys: &BrokerKeys,
    ) -> Result<Self, SigningError> {
        let receipts_directory = directory.join(RECEIPTS);
        let failed =
            |source| SigningError::File { action: "create", path: receipts_directory.clone(), source };
        std::fs::create_dir_all(&receipts_directory).map_err(failed)?;
        let path = directory.join("receipt-signing.key");
        let signer = if path.exists() { SigningKey::open(&path)? } else { SigningKey::create(&path)? };
        let public = receipts_directory.join("signer.pem");
        if !public.exists() {
            write_durably(&public, signer.verifying_key().to_pem().as_bytes())
                .map_err(|source| SigningError::File { action: "create", path: public, source })?;
        }
        let receipts = match storage.shared_store() {
            None => Receipts::Directory(receipts_directory),
            Some(store) => {
                let prefix = ObjectPath::from_iter([RECEIPTS, cluster_id]);
                Receipts::Bucket { store, prefix }
            }
        };
        Ok(Self {
            cluster_id: cluster_id.to_owned(),
            storage: storage.clone(),
            scope_keys: Arc::clone(&keys.scope_keys),
            ring: Arc::clone(&keys.ring),
            ledger: Arc::clone(&keys.ledger),
            signer,
            receipts,
        })
    }

    /// Destroys the topic's key, keeps the receipt, and deletes the records. May be called again after any failure.
    ///
    /// # Errors
    ///
    /// [`DeletionError`]; a receipt is kept only for what was done.
    pub(crate) async fn delete_topic(&self, topic: TopicId) -> Result<(), DeletionError> {
        let shredder = Shredder {
            cluster_id: &self.cluster_id,
            store: self,
            ledger: self.ledger.as_ref(),
            ring: Some(&self.ring),
            signer: &self.signer,
            clock: &SystemKeyClock,
        };
        let receipt = shredder.shred(&topic.to_string()).await?;
        tracing::info!(%topic, keys = receipt.receipt.keys.len(), "the keys of a topic were destroyed");
        match self.storage.delete_topic(topic).await {
            // An earlier attempt came further.
            Ok(()) | Err(StorageError::UnknownTopic { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn set(&self, kind: MetadataKind, key: String, value: Option<Vec<u8>>) -> Result<(), KeyError> {
        let change = MetadataChange { kind, key, value };
        self.storage.metadata().commit(vec![change]).await.map_err(|error| failed("change metadata", &error))
    }

    async fn new_plan(&self, topic_id: &str) -> Result<ShredPlan, KeyError> {
        let topic: TopicId = topic_id.parse().map_err(|error| failed("read the id of a topic", &error))?;
        let places = self.storage.topic_places(topic).await;
        let places = places.map_err(|error| failed("list the objects of a topic", &error))?;
        let scope = KeyScope::Topic(topic_id.to_owned());
        let held = match self.scope_keys.load(&scope).await? {
            None => Vec::new(),
            Some(wrapped) => {
                let (holder, context) = (format!("{HOLDER}{scope}"), scope.context(&self.cluster_id));
                vec![HeldKey { holder, wrapped, context }]
            }
        };
        // Without a key of its own, its objects are under a key that others need.
        let (own, shared) = if held.is_empty() {
            (Vec::new(), places.own.into_iter().chain(places.shared).collect())
        } else {
            (places.own.into_iter().collect(), places.shared.into_iter().collect())
        };
        Ok(ShredPlan::new(topic_id, &held, own).leaving(shared))
    }
}

impl ShredStore for Shredding {
    fn kept_receipt<'a>(&'a self, topic_id: &'a str) -> ShredFuture<'a, Option<SignedReceipt>> {
        Box::pin(async move {
            let Some(bytes) = self.receipts.read(topic_id).await? else { return Ok(None) };
            serde_json::from_slice(&bytes).map(Some).map_err(|error| failed("read a receipt", &error))
        })
    }

    fn plan<'a>(&'a self, topic_id: &'a str) -> ShredFuture<'a, ShredPlan> {
        Box::pin(async move {
            let key = plan_key(topic_id);
            if let Some(kept) = self.storage.metadata().get(MetadataKind::Cluster, &key) {
                return serde_json::from_slice(&kept).map_err(|error| failed("read a plan", &error));
            }
            let plan = self.new_plan(topic_id).await?;
            let kept = serde_json::to_vec(&plan).map_err(|error| failed("write a plan", &error))?;
            self.set(MetadataKind::Cluster, key, Some(kept)).await?;
            Ok(plan)
        })
    }

    fn current<'a>(&'a self, holder: &'a str) -> ShredFuture<'a, Option<WrappedKey>> {
        Box::pin(async move {
            match holder.strip_prefix(HOLDER).and_then(KeyScope::of_key_id) {
                Some(scope) => self.scope_keys.load(&scope).await,
                None => Ok(None),
            }
        })
    }

    fn destroy<'a>(&'a self, holder: &'a str) -> ShredFuture<'a, ()> {
        Box::pin(async move {
            let key = holder.strip_prefix(HOLDER).unwrap_or(holder).to_owned();
            self.set(MetadataKind::ScopeKey, key, None).await
        })
    }

    fn finish<'a>(&'a self, topic_id: &'a str, receipt: &'a SignedReceipt) -> ShredFuture<'a, ()> {
        Box::pin(async move {
            let bytes = receipt.to_bytes().map_err(|error| failed("write a receipt", &error))?;
            let public = self.signer.verifying_key();
            self.receipts.keep(topic_id, bytes, public.to_pem(), &public.key_id()).await?;
            self.set(MetadataKind::Cluster, plan_key(topic_id), None).await
        })
    }
}

impl Receipts {
    async fn read(&self, topic_id: &str) -> Result<Option<Bytes>, KeyError> {
        let failed = |error: &dyn std::error::Error| failed("read a receipt", error);
        match self {
            Self::Directory(directory) => match std::fs::read(receipt_path(directory, topic_id)) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&error)),
            },
            Self::Bucket { store, prefix } => {
                let path = prefix.clone().join(format!("{topic_id}.json"));
                let size = match store.size(&path).await {
                    Ok(size) => size.min(LONGEST_RECEIPT),
                    Err(StoreError::NotFound { .. }) => return Ok(None),
                    Err(error) => return Err(failed(&error)),
                };
                store.get_range(&path, 0..size).await.map(Some).map_err(|error| failed(&error))
            }
        }
    }

    /// Durable on return, with the public key that verifies it.
    async fn keep(
        &self,
        topic_id: &str,
        receipt: Vec<u8>,
        public: String,
        signer: &str,
    ) -> Result<(), KeyError> {
        let failed = |error: &dyn std::error::Error| failed("keep a receipt", error);
        match self {
            Self::Directory(directory) => {
                write_durably(&receipt_path(directory, topic_id), &receipt).map_err(|error| failed(&error))
            }
            Self::Bucket { store, prefix } => {
                let signer = prefix.clone().join(format!("{}.pem", signer.replace(':', "-")));
                let receipt_path = prefix.clone().join(format!("{topic_id}.json"));
                for (path, bytes) in [(signer, public.into_bytes()), (receipt_path, receipt)] {
                    match store.put_new(&path, vec![bytes.into()]).await {
                        // An earlier attempt came further.
                        Ok(()) | Err(StoreError::AlreadyExists { .. }) => {}
                        Err(error) => return Err(failed(&error)),
                    }
                }
                Ok(())
            }
        }
    }
}

fn receipt_path(directory: &Path, topic_id: &str) -> PathBuf {
    directory.join(format!("{topic_id}.json"))
}

fn plan_key(topic_id: &str) -> String {
    format!("shred/{topic_id}")
}

/// Whole or absent, and durable on return.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(action: &'static str, error: &dyn std::error::Error) -> KeyError {
    KeyError::Store { action, reason: crate::listeners::listener_security::chain(error), retriable: true }
}
