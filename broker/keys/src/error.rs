//! What can go wrong with keys, by what the caller can do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ledger::LedgerError;

/// What kind of trouble a [`KeyError`] is, as recorded in the key ledger and acted upon by callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyErrorClass {
    /// The provider did not answer, or said that it cannot at the moment.
    Unavailable,
    /// The provider asked to be called less often.
    Throttled,
    /// The key exists and is switched off.
    Disabled,
    /// The key is scheduled for deletion.
    PendingDeletion,
    /// The caller may not use the key.
    AccessDenied,
    /// There is no such key.
    NotFound,
    /// The wrapped key was altered or is bound to another context.
    InvalidCiphertext,
    /// The wrapped key belongs to a key that is not configured.
    ForeignKey,
    /// The provider's answer makes no sense.
    InvalidAnswer,
    /// The key's own settings do not allow what was asked.
    Unsuitable,
    /// The use could not be recorded.
    Unrecorded,
    /// A lease ran out.
    Expired,
    /// Trouble on this machine: files, settings, cryptography.
    Local,
}

impl KeyErrorClass {
    /// The name used in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "pending-deletion",
            Self::AccessDenied => "access-denied",
            Self::NotFound => "not-found",
            Self::InvalidCiphertext => "invalid-ciphertext",
            Self::ForeignKey => "foreign-key",
            Self::InvalidAnswer => "invalid-answer",
            Self::Unsuitable => "unsuitable",
            Self::Unrecorded => "unrecorded",
            Self::Expired => "expired",
            Self::Local => "local",
        }
    }
}

/// Why a key could not be had or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key file could not be read or written.
    #[error("cannot {action} key file `{path}`", path = path.display())]
    File {
        /// What was tried: `read`, `create`, ….
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Others than the owner may read or change the key file.
    #[error("key file `{path}` has mode {mode:04o}, expected 0600: others than its owner may reach the key", path = path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not one of ours, or was edited.
    #[error("`{path}` is not a key file: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected.
        reason: &'static str,
    },
    /// The wrapped key was made by a key that this provider does not hold.
    #[error("data key was wrapped by key `{wrapped_by}`, this provider holds `{held}`")]
    UnknownKey {
        /// Id in the wrapped key.
        wrapped_by: String,
        /// Id of the key at hand.
        held: String,
    },
    /// The wrapped key does not authenticate under the right key: altered, or bound to another context.
    #[error("data key wrapped by `{key_id}` does not authenticate: it was altered or belongs elsewhere")]
    Unauthentic {
        /// Id in the wrapped key.
        key_id: String,
    },
    /// The provider cannot be asked at the moment.
    #[error("key provider is unavailable: {reason}")]
    Unavailable {
        /// The provider's words.
        reason: String,
    },
    /// The provider asked to be called less often.
    #[error("key provider throttles: {reason}")]
    Throttled {
        /// The provider's words.
        reason: String,
    },
    /// The key is switched off; it may come back.
    #[error("key `{key_id}` is disabled")]
    Disabled {
        /// The key-encryption key.
        key_id: String,
    },
    /// The key is scheduled for deletion; until then it may come back.
    #[error("key `{key_id}` is pending deletion")]
    PendingDeletion {
        /// The key-encryption key.
        key_id: String,
    },
    /// The caller may not use the key.
    #[error("access to key `{key_id}` is denied: {reason}")]
    AccessDenied {
        /// The key-encryption key.
        key_id: String,
        /// The provider's words.
        reason: String,
    },
    /// There is no such key, or not in this account, region or vault.
    #[error("key `{key_id}` is not found")]
    NotFound {
        /// The key-encryption key.
        key_id: String,
    },
    /// The provider's answer is not what its documentation promises; nothing of it was used.
    #[error("answer of key provider for key `{key_id}` is refused: {reason}")]
    InvalidAnswer {
        /// The key-encryption key.
        key_id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key has settings under which it cannot serve.
    #[error("key `{key_id}` is not suitable: {reason}")]
    Unsuitable {
        /// The key-encryption key.
        key_id: String,
        /// What would have to change.
        reason: String,
    },
    /// The key may have been used, but the ledger could not be written, so it is not given out.
    #[error("use of key `{key_id}` cannot be recorded")]
    Unrecorded {
        /// The key-encryption key.
        key_id: String,
        /// Why not.
        source: LedgerError,
    },
    /// A sealing or opening key was used after its time; a new lease must be had first.
    #[error("lease of a data key has expired")]
    Expired,
    /// A wrapped key under a scope key is kept in a store that failed.
    #[error("cannot {action} in the store of wrapped keys: {reason}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The store's words.
        reason: String,
        /// Whether trying again may help.
        retriable: bool,
    },
    /// Settings that cannot be used.
    #[error("`{property}`: {reason}")]
    Configuration {
        /// The property.
        property: String,
        /// What was expected. Never the value of a secret.
        reason: String,
    },
    /// The answer to a call that several callers waited for.
    #[error("call to the key provider was shared")]
    Shared {
        /// What kind of trouble it was.
        class: KeyErrorClass,
        /// Whether the same call may succeed later.
        retriable: bool,
        /// What went wrong.
        source: SharedKeyError,
    },
    /// The cryptographic library refused an operation that cannot fail on valid input.
    #[error("cryptographic operation failed: {operation}")]
    Cryptography {
        /// The operation.
        operation: &'static str,
    },
    /// The data key has sealed as many messages as it may.
    #[error("data key is exhausted")]
    Exhausted,
}

/// A [`KeyError`] that several callers were given; prints as the original with its causes.
#[derive(Debug, Clone)]
pub struct SharedKeyError(Arc<KeyError>);

impl fmt::Display for SharedKeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for SharedKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.0.as_ref())
    }
}

impl KeyError {
    /// The same error, to be given to several callers.
    pub(crate) fn shared(error: &Arc<Self>) -> Self {
        let source = SharedKeyError(Arc::clone(error));
        Self::Shared { class: error.class(), retriable: error.is_retriable(), source }
    }

    /// What kind of trouble this is.
    #[must_use]
    pub const fn class(&self) -> KeyErrorClass {
        match self {
            Self::Unavailable { .. } => KeyErrorClass::Unavailable,
            Self::Throttled { .. } => KeyErrorClass::Throttled,
            Self::Disabled { .. } => KeyErrorClass::Disabled,
            Self::PendingDeletion { .. } => KeyErrorClass::PendingDeletion,
            Self::AccessDenied { .. } => KeyErrorClass::AccessDenied,
            Self::NotFound { .. } => KeyErrorClass::NotFound,
            Self::Unauthentic { .. } => KeyErrorClass::InvalidCiphertext,
            Self::UnknownKey { .. } => KeyErrorClass::ForeignKey,
            Self::InvalidAnswer { .. } => KeyErrorClass::InvalidAnswer,
            Self::Unsuitable { .. } => KeyErrorClass::Unsuitable,
            Self::Unrecorded { .. } => KeyErrorClass::Unrecorded,
            Self::Expired => KeyErrorClass::Expired,
            Self::Shared { class, .. } => *class,
            Self::File { .. }
            | Self::Permissions { .. }
            | Self::Malformed { .. }
            | Self::Store { .. }
            | Self::Configuration { .. }
            | Self::Cryptography { .. }
            | Self::Exhausted => KeyErrorClass::Local,
        }
    }

    /// Whether the same call may succeed later without anybody changing keys or files.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } | Self::Expired => true,
            Self::Store { retriable, .. } => *retriable,
            Self::Unrecorded { source, .. } => source.is_retriable(),
            Self::Shared { retriable, .. } => *retriable,
            _ => false,
        }
    }

    /// Whether whoever controls the key has taken it away: it may come back, and what was unwrapped with it
    /// before must not be used any more.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self.class(),
            KeyErrorClass::Disabled
                | KeyErrorClass::PendingDeletion
                | KeyErrorClass::AccessDenied
                | KeyErrorClass::NotFound
        )
    }
}
