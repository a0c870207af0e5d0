//! The state file: what a pipeline has already been told, and what somebody accepted until a date.

use std::collections::BTreeMap;

use cadastre_model::Timestamp;
use serde::{Deserialize, Serialize};

/// The format this version reads and writes.
pub const STATE_SCHEMA: &str = "cadastre/gate-state/v1";

/// The most entries of a state file, and its most bytes.
const MAXIMUM_ENTRIES: usize = 200_000;
const MAXIMUM_BYTES: usize = 128 << 20;

/// For how long what is gone is remembered, in seconds: an entry that comes back within it keeps its history.
const REMEMBERED_SECONDS: i64 = 90 * 86_400;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFile {
    /// Always [`STATE_SCHEMA`].
    pub schema: String,
    /// The boundary whose entries these are.
    pub boundary: String,
    /// By id.
    pub entries: BTreeMap<String, Remembered>,
}

/// One entry, as it was told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The control, or `drift/CAPABILITY`.
    pub rule: String,
    /// The subject.
    pub subject: String,
    /// The entry in words.
    pub message: String,
    /// When it was first there.
    pub first_seen: Timestamp,
    /// When it was gone, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Timestamp>,
    /// Who accepted it, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
}

/// An entry that somebody accepted by name. Written into the state file by hand, and reviewed like code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Why.
    pub reason: String,
    /// Who.
    pub approver: String,
    /// Until when.
    pub expires: Timestamp,
}

/// A state file that was refused.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not the format.
    #[error("`{path}` is not a gate state file")]
    Malformed {
        /// The file.
        path: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// Another version.
    #[error("`{path}` has schema `{found}`, and this version reads `{STATE_SCHEMA}`")]
    Schema {
        /// The file.
        path: String,
        /// Its schema.
        found: String,
    },
    /// Of another boundary.
    #[error("`{path}` is of the boundary `{found}`, and this one is `{expected}`")]
    Boundary {
        /// The file.
        path: String,
        /// Its boundary.
        found: String,
        /// The declared one.
        expected: String,
    },
    /// More than is read.
    #[error("`{path}` is larger than a state file is read: {MAXIMUM_ENTRIES} entries, {MAXIMUM_BYTES} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
}

impl StateFile {
    /// A file that remembers nothing.
    #[must_use]
    pub fn empty(boundary: &str) -> Self {
        Self { schema: STATE_SCHEMA.to_owned(), boundary: boundary.to_owned(), entries: BTreeMap::new() }
    }

    /// Reads a file's text; `path` is only named in errors.
    ///
    /// # Errors
    /// When it is not the format, of another version or boundary, or too large.
    pub fn parse(text: &str, path: &str, boundary: &str) -> Result<Self, StateError> {
        let path = path.to_owned();
        if text.len() > MAXIMUM_BYTES {
            return Err(StateError::TooLarge { path });
        }
        let file: Self = serde_json::from_str(text)
            .map_err(|source| StateError::Malformed { path: path.clone(), source })?;
        if file.schema != STATE_SCHEMA {
            return Err(StateError::Schema { path, found: file.schema });
        }
        if file.boundary != boundary {
            return Err(StateError::Boundary { path, found: file.boundary, expected: boundary.to_owned() });
        }
        if file.entries.len() > MAXIMUM_ENTRIES {
            return Err(StateError::TooLarge { path });
        }
        Ok(file)
    }

    /// Whether what is gone since `resolved` is still remembered at `now`.
    pub(crate) fn remembers(resolved: Option<Timestamp>, now: Timestamp) -> bool {
        resolved.is_none_or(|resolved| now.seconds_since(resolved) <= REMEMBERED_SECONDS)
    }
}
