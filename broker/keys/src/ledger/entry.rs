//! One line of the ledger.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EncryptionContext, KeyError, WrappedKey, context};

/// The version that this code writes, and the newest that it reads.
pub const LEDGER_VERSION: u64 = 1;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOperation {
    /// A fresh data key was asked for.
    Generate,
    /// A data key from elsewhere was wrapped.
    Wrap,
    /// A data key was unwrapped.
    Unwrap,
    /// A wrapped key was moved under another key or key version.
    Rewrap,
    /// A wrapped key was destroyed.
    Destroy,
    /// The ledger was opened, or a file of it begun.
    Opened,
    /// A file is about to be removed, since there are enough of them.
    Retired,
    /// Uses happened that could not be recorded.
    Gap,
}

/// What is to be recorded; sequence, time and chain are added when it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEvent {
    /// What was done.
    pub operation: KeyOperation,
    /// `ok`, or the class of the error ([`KeyErrorClass::name`](crate::KeyErrorClass::name)).
    pub outcome: String,
    /// The key-encryption key that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The key-encryption key after a rewrap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_key_id: Option<String>,
    /// What the data key is for: `cadastre:purpose` of the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What the data key seals: the container or topic named in the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The context, as given to the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<BTreeMap<String, String>>,
    /// SHA-256 of the context's canonical bytes, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_sha256: Option<String>,
    /// [`WrappedKey::digest`], in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_sha256: Option<String>,
    /// The same of the wrapped key that a rewrap made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_wrapped_sha256: Option<String>,
    /// The key service's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What `opened`, `retired` and `gap` tell besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl KeyEvent {
    /// An event without particulars.
    #[must_use]
    pub fn new(operation: KeyOperation) -> Self {
        Self {
            operation,
            outcome: "ok".to_owned(),
            key_id: None,
            new_key_id: None,
            purpose: None,
            object: None,
            context: None,
            context_sha256: None,
            wrapped_sha256: None,
            new_wrapped_sha256: None,
            request_id: None,
            details: BTreeMap::new(),
        }
    }

    /// An event about a data key with `context` under `key_id`.
    #[must_use]
    pub fn about(operation: KeyOperation, key_id: &str, context: &EncryptionContext) -> Self {
        let object = [context::OBJECT, context::SEGMENT, context::TOPIC]
            .iter()
            .find_map(|name| context.get(name).map(|value| format!("{name}={value}")));
        Self {
            key_id: Some(key_id.to_owned()),
            purpose: context.get(context::PURPOSE).map(str::to_owned),
            object,
            context: Some(context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
            context_sha256: Some(hex::encode(context.digest())),
            ..Self::new(operation)
        }
    }

    /// With the wrapped key that it is about.
    #[must_use]
    pub fn with_wrapped(mut self, wrapped: &WrappedKey) -> Self {
        self.wrapped_sha256 = Some(hex::encode(wrapped.digest()));
        self
    }

    /// With what came of it.
    #[must_use]
    pub fn with_outcome<T>(mut self, outcome: &Result<T, KeyError>) -> Self {
        self.outcome = outcome.as_ref().map_or_else(|error| error.class().name(), |_ok| "ok").to_owned();
        self
    }

    /// With one detail more.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<String>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// One entry as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Always [`LEDGER_VERSION`].
    pub version: u64,
    /// From 1, without gaps.
    pub sequence: u64,
    /// RFC 3339, UTC, milliseconds.
    pub time: String,
    /// SHA-256 of the line before, in hexadecimal; 64 zeros in the first.
    pub previous: String,
    /// What happened.
    #[serde(flatten)]
    pub event: KeyEvent,
}

impl LedgerEntry {
    /// The entry in RFC 8785 form, without line feed.
    pub(crate) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json_canonicalizer::to_vec(self)
    }
}

/// `milliseconds` since the epoch in RFC 3339, UTC.
pub(crate) fn rfc3339(milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    format!("{time:.3}")
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}
