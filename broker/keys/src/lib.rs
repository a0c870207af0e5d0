//! Key providers and envelope encryption.
//!
//! A [`KeyProvider`] wraps data keys under a key-encryption key that it alone holds; [`envelope`] seals and
//! opens bytes under a data key. Every ciphertext of the broker comes from here, so that what a reviewer has
//! to believe about cryptography fits in one small crate over `aws-lc-rs`.
//!
//! What is absent on purpose: no key is ever derived from a password, no nonce is chosen by a caller, and no
//! type that holds a secret can be printed or cloned.

mod cache;
mod clock;
pub mod context;
pub mod envelope;
mod error;
mod handles;
pub mod ledger;
mod local_key_file;
mod memory_store;
mod provider;
mod receipt;
mod recorded;
mod rewrap;
mod ring;
mod scope;
mod secret;
mod service;
mod shred;
pub mod signing;
mod wrapped_key_store;

pub use cache::{KeyCache, KeyCacheConfig, KeyLease};
pub use clock::{KeyClock, ManualKeyClock, SystemKeyClock};
pub use context::EncryptionContext;
pub use error::{KeyError, KeyErrorClass, SharedKeyError};
pub use handles::{HandleOpenError, NewKey, OpeningHandle, SealingHandle};
pub use local_key_file::LocalKeyFile;
pub use memory_store::{Fault, MemoryKeyStore};
pub use provider::{DataKey, KeyFuture, KeyProvider, WrappedKey};
pub use receipt::{
    DestroyedKey, RECEIPT_DOMAIN, RECEIPT_VERSION, ReceiptError, ShredReceipt, SignedReceipt, verify_receipt,
};
pub use recorded::{LedgerMode, RecordedKeys};
pub use rewrap::{HoldersOfKey, KeyUsage, RewrapOptions, RewrapReport, RewrapSelection, key_usage, rewrap};
pub use ring::{KeyRing, KeyRingConfig, TopicKeys};
pub use scope::{KeyScope, ScopeKeyStore, ScopeStoreFuture};
pub use secret::Secret;
pub use service::{Answer, AnswerFuture, KeyService};
pub use shred::{ShredError, ShredFuture, ShredPlan, ShredStore, Shredder};
pub use wrapped_key_store::{HeldKey, Replacement, StoreFuture, UntoldKey, WrappedKeyStore};

/// Length of every symmetric key in this crate, in bytes (AES-256).
pub const KEY_LENGTH: usize = 32;
