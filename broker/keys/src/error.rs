//! What can go wrong with keys, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

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

impl KeyError {
    /// Whether the same call may succeed later without anybody changing keys or files.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
