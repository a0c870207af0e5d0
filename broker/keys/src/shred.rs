//! Destroys the keys of a topic, so that nothing under them can be read again, and says so in a receipt.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::ledger::{KeyEvent, KeyLedger, KeyOperation, LedgerError, rfc3339};
use crate::receipt::{DestroyedKey, RECEIPT_VERSION, ReceiptError, ShredReceipt, SignedReceipt};
use crate::signing::SigningKey;
use crate::{HeldKey, KeyClock, KeyError, KeyRing, KeyScope, WrappedKey};

/// What is to be destroyed, kept durably until it is. Holds no wrapped key, only hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShredPlan {
    /// The topic's id.
    pub topic_id: String,
    /// The wrapped keys, sorted.
    pub keys: Vec<DestroyedKey>,
    /// The objects that only those keys can open, sorted.
    pub objects: Vec<String>,
    /// What else holds something of the topic, sorted; see [`ShredReceipt::remains`].
    #[serde(default)]
    pub remains: Vec<String>,
}

impl ShredPlan {
    /// A plan to destroy `keys`.
    #[must_use]
    pub fn new(topic_id: &str, keys: &[HeldKey], mut objects: Vec<String>) -> Self {
        let mut keys: Vec<DestroyedKey> = keys
            .iter()
            .map(|held| DestroyedKey {
                holder: held.holder.clone(),
                key_id: held.wrapped.key_id.clone(),
                wrapped_sha256: hex::encode(held.wrapped.digest()),
            })
            .collect();
        keys.sort();
        keys.dedup();
        objects.sort();
        objects.dedup();
        Self { topic_id: topic_id.to_owned(), keys, objects, remains: Vec::new() }
    }

    /// The plan with what it leaves behind.
    #[must_use]
    pub fn leaving(mut self, mut remains: Vec<String>) -> Self {
        remains.sort();
        remains.dedup();
        self.remains = remains;
        self
    }
}

/// A future that a [`ShredStore`] returns.
pub type ShredFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// What shredding asks of whoever keeps wrapped keys. All of it is durable when it returns.
pub trait ShredStore: fmt::Debug + Send + Sync {
    /// The receipt of a topic that was shredded before.
    fn kept_receipt<'a>(&'a self, topic_id: &'a str) -> ShredFuture<'a, Option<SignedReceipt>>;

    /// The plan for a topic: the one that was kept, else a new one, kept from now on. After this no new data key of
    /// the topic is made.
    fn plan<'a>(&'a self, topic_id: &'a str) -> ShredFuture<'a, ShredPlan>;

    /// The wrapped key that `holder` has now; `None` when it is gone.
    fn current<'a>(&'a self, holder: &'a str) -> ShredFuture<'a, Option<WrappedKey>>;

    /// Overwrites and removes the wrapped key of `holder`, old versions included; fine if it is gone already.
    fn destroy<'a>(&'a self, holder: &'a str) -> ShredFuture<'a, ()>;

    /// Keeps the receipt and forgets the plan.
    fn finish<'a>(&'a self, topic_id: &'a str, receipt: &'a SignedReceipt) -> ShredFuture<'a, ()>;
}

/// Why a topic's keys could not be destroyed, or not be shown to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShredError {
    /// The store failed.
    #[error("cannot destroy the keys of topic `{topic_id}`")]
    Store {
        /// The topic.
        topic_id: String,
        /// Why.
        source: KeyError,
    },
    /// A destruction could not be recorded; it is not receipted.
    #[error("destruction of a key of topic `{topic_id}` cannot be recorded")]
    Unrecorded {
        /// The topic.
        topic_id: String,
        /// Why.
        source: LedgerError,
    },
    /// A wrapped key is still there after it was destroyed.
    #[error("wrapped key of `{holder}` is still there after its destruction")]
    StillThere {
        /// The holder.
        holder: String,
    },
    /// The receipt could not be made.
    #[error("cannot make the receipt")]
    Receipt(#[from] ReceiptError),
}

/// Who shreds, and with what.
#[derive(Debug)]
pub struct Shredder<'a> {
    /// The cluster's id.
    pub cluster_id: &'a str,
    /// Where the wrapped keys are.
    pub store: &'a dyn ShredStore,
    /// Where destructions are recorded.
    pub ledger: &'a dyn KeyLedger,
    /// Whose cache may know the keys.
    pub ring: Option<&'a KeyRing>,
    /// Signs the receipt.
    pub signer: &'a SigningKey,
    /// When it was.
    pub clock: &'a dyn KeyClock,
}

impl Shredder<'_> {
    /// Destroys the keys of a topic. May be interrupted anywhere and called again; once done, it answers with the
    /// receipt from then.
    ///
    /// # Errors
    /// [`ShredError`]; nothing is receipted that was not done and recorded.
    pub async fn shred(&self, topic_id: &str) -> Result<SignedReceipt, ShredError> {
        let store = |source| ShredError::Store { topic_id: topic_id.to_owned(), source };
        if let Some(receipt) = self.store.kept_receipt(topic_id).await.map_err(store)? {
            return Ok(receipt);
        }
        let plan = self.store.plan(topic_id).await.map_err(store)?;
        for key in &plan.keys {
            let wrapped = self.store.current(&key.holder).await.map_err(store)?;
            self.store.destroy(&key.holder).await.map_err(store)?;
            if self.store.current(&key.holder).await.map_err(store)?.is_some() {
                return Err(ShredError::StillThere { holder: key.holder.clone() });
            }
            if let (Some(ring), Some(wrapped)) = (self.ring, &wrapped) {
                ring.forget(wrapped);
            }
            self.record(topic_id, key).await?;
        }
        let receipt = ShredReceipt {
            version: RECEIPT_VERSION,
            cluster: self.cluster_id.to_owned(),
            topic_id: topic_id.to_owned(),
            keys: plan.keys,
            objects: plan.objects,
            remains: plan.remains,
            time: rfc3339(self.clock.wall_ms()),
            signer: self.signer.verifying_key().key_id(),
        };
        let signed = SignedReceipt::sign(receipt, self.signer)?;
        self.store.finish(topic_id, &signed).await.map_err(store)?;
        Ok(signed)
    }

    async fn record(&self, topic_id: &str, key: &DestroyedKey) -> Result<(), ShredError> {
        let context = KeyScope::Topic(topic_id.to_owned()).context(self.cluster_id);
        let mut event =
            KeyEvent::about(KeyOperation::Destroy, &key.key_id, &context).with_detail("holder", &key.holder);
        event.wrapped_sha256 = Some(key.wrapped_sha256.clone());
        let failed = |source| ShredError::Unrecorded { topic_id: topic_id.to_owned(), source };
        self.ledger.append(event).await.map_err(failed)
    }
}
