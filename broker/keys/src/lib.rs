//! Key providers and envelope encryption.
//!
//! A [`KeyProvider`] wraps data keys under a key-encryption key that it alone holds; [`envelope`] seals and
//! opens bytes under a data key. Every ciphertext of the broker comes from here, so that what a reviewer has
//! to believe about cryptography fits in one small crate over `aws-lc-rs`.
//!
//! What is absent on purpose: no key is ever derived from a password, no nonce is chosen by a caller, and no
//! type that holds a secret can be printed or cloned.

mod context;
pub mod envelope;
mod error;
mod local_key_file;
mod provider;
mod secret;

pub use context::EncryptionContext;
pub use error::KeyError;
pub use local_key_file::LocalKeyFile;
pub use provider::{DataKey, KeyFuture, KeyProvider, WrappedKey};
pub use secret::Secret;

/// Length of every symmetric key in this crate, in bytes (AES-256).
pub const KEY_LENGTH: usize = 32;
