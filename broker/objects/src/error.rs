//! What can go wrong, by what the caller can do about it.

use cadastre_keys::KeyError;
use object_store::path::Path;

use crate::damage::Damage;
use crate::object_id::ObjectName;

/// Why a request to the store was not answered as hoped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The object does not exist.
    #[error("object `{path}` does not exist")]
    NotFound {
        /// The object.
        path: Path,
    },
    /// An object of that name exists; nothing was written.
    #[error("object `{path}` exists already")]
    AlreadyExists {
        /// The object.
        path: Path,
    },
    /// The store refuses this identity.
    #[error("the object store denies to {action} `{path}`")]
    Denied {
        /// What was tried.
        action: &'static str,
        /// The object or folder.
        path: Path,
        /// The store's words.
        source: object_store::Error,
    },
    /// Nothing came back in time, as often as it was tried.
    #[error("the object store did not {action} `{path}` within {seconds} s, tried {attempts} times")]
    TimedOut {
        /// What was tried.
        action: &'static str,
        /// The object or folder.
        path: Path,
        /// Seconds for each attempt.
        seconds: u64,
        /// How often it was tried.
        attempts: u32,
    },
    /// The store failed, as often as it was tried.
    #[error("the object store cannot {action} `{path}`, tried {attempts} times")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// The object or folder.
        path: Path,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        source: object_store::Error,
    },
    /// More bytes than a request may carry.
    #[error("a request of {bytes} bytes to the object store exceeds the limit of {maximum}")]
    TooLarge {
        /// Bytes of the request.
        bytes: u64,
        /// The limit.
        maximum: u64,
    },
    /// The store's location cannot be used.
    #[error("`{location}` is not a usable object store: {reason}")]
    Location {
        /// The location as given.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store does not do what the broker builds on.
    #[error("object store `{store}` is unsuitable: {reason}")]
    Unsuitable {
        /// The store.
        store: String,
        /// What it does not do.
        reason: &'static str,
    },
}

impl StoreError {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Unavailable { .. })
    }
}

/// Why an object could not be built, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Bytes of the object do not authenticate, or are missing. Nothing of them was served.
    #[error(transparent)]
    Damaged(Box<Damage>),
    /// The object does not exist although it is referenced.
    #[error("object `{name}` is missing")]
    Missing {
        /// The object.
        name: Box<ObjectName>,
    },
    /// The object was written by a newer release.
    #[error("object `{name}` has format version {version}, this release reads up to {newest_known}")]
    NewerFormat {
        /// The object.
        name: Box<ObjectName>,
        /// Its version.
        version: u32,
        /// The newest version understood here.
        newest_known: u32,
    },
    /// The data key cannot be had.
    #[error("cannot get the data key of object `{name}`")]
    Key {
        /// The object.
        name: Box<ObjectName>,
        /// The provider's reason.
        source: KeyError,
    },
    /// The store did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was to be written breaks a rule of the format: a defect of the caller.
    #[error("object `{name}` cannot be built: {reason}")]
    Unbuildable {
        /// The object.
        name: Box<ObjectName>,
        /// The rule.
        reason: &'static str,
    },
    /// A part of the work ended early, as when the runtime shuts down.
    #[error("work on object `{name}` ended early")]
    Cancelled {
        /// The object.
        name: Box<ObjectName>,
    },
}

impl ObjectError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retriable(),
            Self::Key { source, .. } => source.is_retriable(),
            Self::Cancelled { .. } => true,
            _ => false,
        }
    }
}

impl From<Damage> for ObjectError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(Box::new(damage))
    }
}
