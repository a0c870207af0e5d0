//! The last offset of each key, in bounded memory.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Keys by 128 bits of their SHA-256, as Kafka's `SkimpyOffsetMap` keeps them by MD5: two keys that met would cost a
/// record, which takes some 2⁶⁴ keys. Only looked up, never iterated.
#[derive(Debug)]
pub(crate) struct KeyMap {
    offsets: HashMap<[u8; 16], i64>,
    maximum: usize,
}

impl KeyMap {
    pub(crate) fn new(maximum: usize) -> Self {
        Self { offsets: HashMap::new(), maximum }
    }

    /// Notes a key's record; `false` when there is no room for a new key.
    pub(crate) fn note(&mut self, key: &[u8], offset: i64) -> bool {
        let digest = digest(key);
        if let Some(known) = self.offsets.get_mut(&digest) {
            *known = (*known).max(offset);
            return true;
        }
        if self.offsets.len() >= self.maximum {
            return false;
        }
        self.offsets.insert(digest, offset);
        true
    }

    /// The last offset of a key, if any was noted.
    pub(crate) fn last(&self, key: &[u8]) -> Option<i64> {
        self.offsets.get(&digest(key)).copied()
    }
}

fn digest(key: &[u8]) -> [u8; 16] {
    let mut first_half = [0; 16];
    first_half.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
    first_half
}
