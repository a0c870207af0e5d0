//! What a wrapped key is bound to: named values that must be presented again to unwrap it.

use std::collections::BTreeMap;

use aws_lc_rs::digest;

/// Context name: the cluster's id.
pub const CLUSTER: &str = "cadastre:cluster";
/// Context name: what the key is for, one of [`purpose`]'s.
pub const PURPOSE: &str = "cadastre:purpose";
/// Context name: the topic's id.
pub const TOPIC: &str = "cadastre:topic";
/// Context name: the object that the key seals.
pub const OBJECT: &str = "cadastre:object";
/// Context name: the log segment that the key seals.
pub const SEGMENT: &str = "cadastre:segment";
/// Context name: the format version of the container that the key seals.
pub const FORMAT: &str = "cadastre:format";

/// Values of [`PURPOSE`].
pub mod purpose {
    /// A segment of the write-ahead log.
    pub const WRITE_AHEAD_LOG: &str = "write-ahead-log";
    /// An object with records.
    pub const OBJECT: &str = "object";
    /// A file of the on-disk cache.
    pub const CACHE: &str = "cache";
    /// A metadata value.
    pub const METADATA: &str = "metadata";
    /// A key that wraps data keys.
    pub const SCOPE_KEY: &str = "scope-key";
}

/// Names and values that a wrapped data key is bound to, as AWS KMS's *encryption context*: not secret,
/// authenticated, and needed in full to unwrap.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// An empty context.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one named value; a name given twice keeps the later value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of one name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// SHA-256 of [`Self::canonical_bytes`].
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, &self.canonical_bytes()).as_ref());
        bytes
    }

    /// An unambiguous encoding, for providers that authenticate plain bytes: each name and value behind its
    /// length (8 bytes, big endian), in the order of names.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in self.0.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_that_differ_only_in_where_a_name_ends_encode_differently() {
        let left = EncryptionContext::new().with("ab", "c");
        let right = EncryptionContext::new().with("a", "bc");
        assert_ne!(left.canonical_bytes(), right.canonical_bytes());
    }

    #[test]
    fn the_order_of_insertion_does_not_matter() {
        let left = EncryptionContext::new().with("cluster", "c").with("segment", "1");
        let right = EncryptionContext::new().with("segment", "1").with("cluster", "c");
        assert_eq!(left.canonical_bytes(), right.canonical_bytes());
    }
}
