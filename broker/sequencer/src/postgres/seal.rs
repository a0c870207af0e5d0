//! The cluster's metadata key at work: sealed values, hidden keys, authenticated rows.
//!
//! HKDF-SHA-256 (RFC 5869) makes separate keys of the one that the key provider wraps. Values are sealed under a key
//! that this process derives from a random salt, with a counter as the nonce, so that neither a restart nor a restored
//! database repeats one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{digest, hkdf, hmac, rand};
use cadastre_keys::envelope::{OpeningKey, SealingKey, TAG_LENGTH};
use zeroize::Zeroize as _;

use cadastre_keys::{DataKey, EncryptionContext, KEY_LENGTH, KeyError, Secret, WrappedKey};

use crate::error::SequencerError;
use crate::metadata::{EntryKey, MetadataEntry, MetadataTable};

const FORMAT: u8 = 1;
const SALT_LENGTH: usize = 16;
const HEADER_LENGTH: usize = 1 + SALT_LENGTH + 8;
/// How many salts of other processes are remembered with their keys.
const REMEMBERED_SALTS: usize = 1024;

/// Length of row authenticators and of digests, in bytes.
pub(crate) const MAC_LENGTH: usize = 32;

/// An HMAC-SHA-256 or a sum of such.
pub(crate) type Mac = [u8; MAC_LENGTH];

/// What kind of row an authenticator is for; part of what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowKind {
    Partition,
    Slice,
    Producer,
    Object,
    AbandonedObject,
}

impl RowKind {
    const fn code(self) -> u8 {
        match self {
            Self::Partition => 1,
            Self::Slice => 2,
            Self::Producer => 3,
            Self::Object => 4,
            Self::AbandonedObject => 5,
        }
    }
}

/// The fields of a row, one after another, each of fixed length or behind its length.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    pub(crate) fn number(mut self, number: i64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }
}

/// All keys that come of the metadata key.
pub(crate) struct ClusterSeal {
    cluster_id: String,
    rows: hmac::Key,
    names: hmac::Key,
    entries: hmac::Key,
    values: Secret<[u8; KEY_LENGTH]>,
    salt: [u8; SALT_LENGTH],
    sealing: Mutex<SealingKey>,
    opening: Mutex<BTreeMap<[u8; SALT_LENGTH], Arc<OpeningKey>>>,
}

impl fmt::Debug for ClusterSeal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterSeal").field("cluster_id", &self.cluster_id).finish_non_exhaustive()
    }
}

fn derive(master: &[u8], salt: &[u8], purpose: &str) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
    let mut key = [0; KEY_LENGTH];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(master)
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|expanded| expanded.fill(&mut key))
        .map_err(|_unspecified| KeyError::Cryptography { operation: "derive a key with HKDF-SHA-256" })?;
    let secret = Secret::new(key);
    key.zeroize();
    Ok(secret)
}

impl ClusterSeal {
    /// What the metadata key is bound to when it is wrapped.
    pub(crate) fn encryption_context(cluster_id: &str) -> EncryptionContext {
        EncryptionContext::new().with("cluster", cluster_id).with("purpose", "metadata")
    }

    /// Derives everything from the unwrapped metadata key.
    pub(crate) fn new(cluster_id: &str, master: &Secret<[u8; KEY_LENGTH]>) -> Result<Self, KeyError> {
        let master = master.expose();
        let authenticator = |purpose| {
            derive(master, cluster_id.as_bytes(), purpose)
                .map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
        };
        let values = derive(master, cluster_id.as_bytes(), "cadastre metadata values")?;
        let mut salt = [0; SALT_LENGTH];
        rand::fill(&mut salt)
            .map_err(|_unspecified| KeyError::Cryptography { operation: "draw a random salt" })?;
        let key = value_key(&values, &salt)?;
        let wrapped = WrappedKey { key_id: String::new(), ciphertext: Vec::new() };
        let (sealing, opening, _derived) = SealingKey::from_generated(DataKey { plaintext: key, wrapped })?;
        Ok(Self {
            cluster_id: cluster_id.to_owned(),
            rows: authenticator("cadastre metadata rows")?,
            names: authenticator("cadastre metadata names")?,
            entries: authenticator("cadastre metadata entries")?,
            values,
            salt,
            sealing: Mutex::new(sealing),
            opening: Mutex::new(BTreeMap::from([(salt, Arc::new(opening))])),
        })
    }

    /// The authenticator of a row.
    pub(crate) fn mac(&self, kind: RowKind, fields: &Fields) -> Vec<u8> {
        self.row(kind, fields).as_ref().to_vec()
    }

    fn row(&self, kind: RowKind, fields: &Fields) -> hmac::Tag {
        hmac::sign(&self.rows, &self.row_message(kind, fields))
    }

    fn row_message(&self, kind: RowKind, fields: &Fields) -> Vec<u8> {
        let mut message = Fields::default().bytes(self.cluster_id.as_bytes()).0;
        message.push(kind.code());
        message.extend_from_slice(&fields.0);
        message
    }

    /// Whether a row is as a broker of this cluster wrote it.
    pub(crate) fn verify(&self, kind: RowKind, fields: &Fields, mac: &[u8]) -> bool {
        hmac::verify(&self.rows, &self.row_message(kind, fields), mac).is_ok()
    }

    /// The name under which an entry lies in the database.
    pub(crate) fn hidden_key(&self, table: MetadataTable, key: &str) -> Vec<u8> {
        let message = Fields::default().number(i64::from(table.0)).bytes(key.as_bytes());
        hmac::sign(&self.names, &message.0).as_ref().to_vec()
    }

    /// What an entry adds to the digest of all entries; nothing for a deleted one.
    pub(crate) fn element(&self, key: &EntryKey, entry: &MetadataEntry) -> Mac {
        let Some(value) = &entry.value else { return [0; MAC_LENGTH] };
        let message = Fields::default()
            .number(i64::from(key.0.0))
            .bytes(key.1.as_bytes())
            .number(entry.version.cast_signed())
            .bytes(digest::digest(&digest::SHA256, value).as_ref());
        <Mac>::try_from(hmac::sign(&self.entries, &message.0).as_ref()).unwrap_or([0; MAC_LENGTH])
    }

    /// Seals bytes to a place in the database.
    pub(crate) fn seal(&self, place: &Fields, plaintext: &[u8]) -> Result<Vec<u8>, SequencerError> {
        let mut body = Vec::with_capacity(plaintext.len().saturating_add(TAG_LENGTH));
        body.extend_from_slice(plaintext);
        let (number, tag) = {
            let mut sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
            let number = sealing.next_number();
            (number, sealing.seal(&self.value_data(place), &mut body)?)
        };
        let mut sealed =
            Vec::with_capacity(HEADER_LENGTH.saturating_add(body.len()).saturating_add(TAG_LENGTH));
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.salt);
        sealed.extend_from_slice(&number.to_be_bytes());
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what [`ClusterSeal::seal`] sealed to the same place. `None` when it does not authenticate.
    pub(crate) fn open(&self, place: &Fields, sealed: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = sealed.split_at_checked(HEADER_LENGTH)?;
        let (format, header) = header.split_first()?;
        let (salt, number) = header.split_first_chunk::<SALT_LENGTH>()?;
        if *format != FORMAT {
            return None;
        }
        let number = u64::from_be_bytes(<[u8; 8]>::try_from(number).ok()?);
        let mut body = body.to_vec();
        let key = self.opening_key(salt).ok()?;
        let plaintext = key.open(number, &self.value_data(place), &mut body).ok()?;
        Some(plaintext.to_vec())
    }

    fn value_data(&self, place: &Fields) -> Vec<u8> {
        Fields::default()
            .bytes(b"cadastre metadata value 1")
            .bytes(self.cluster_id.as_bytes())
            .bytes(&place.0)
            .0
    }

    fn opening_key(&self, salt: &[u8; SALT_LENGTH]) -> Result<Arc<OpeningKey>, KeyError> {
        let mut known = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(salt) {
            return Ok(Arc::clone(key));
        }
        if known.len() >= REMEMBERED_SALTS {
            known.clear();
        }
        let key = Arc::new(OpeningKey::new(&value_key(&self.values, salt)?)?);
        known.insert(*salt, Arc::clone(&key));
        Ok(key)
    }
}

fn value_key(
    values: &Secret<[u8; KEY_LENGTH]>,
    salt: &[u8; SALT_LENGTH],
) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
    derive(values.expose(), salt, "cadastre metadata value key")
}

/// Adds an element to a digest, modulo 2²⁵⁶.
pub(crate) fn add(digest: &mut Mac, element: &Mac) {
    let mut carry = 0u16;
    for (byte, other) in digest.iter_mut().zip(element).rev() {
        carry += u16::from(*byte) + u16::from(*other);
        *byte = carry.to_be_bytes()[1];
        carry >>= 8;
    }
}

/// Takes an element out of a digest, modulo 2²⁵⁶.
pub(crate) fn subtract(digest: &mut Mac, element: &Mac) {
    let mut borrow = 0i16;
    for (byte, other) in digest.iter_mut().zip(element).rev() {
        let difference = i16::from(*byte) - i16::from(*other) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256).to_be_bytes()[1];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal(byte: u8) -> ClusterSeal {
        ClusterSeal::new("cluster", &Secret::new([byte; KEY_LENGTH])).unwrap()
    }

    #[test]
    fn another_process_opens_what_was_sealed_and_nobody_else_does() {
        let (one, other, foreign) = (seal(1), seal(1), seal(2));
        let place = || Fields::default().number(4);
        let sealed = one.seal(&place(), b"value").unwrap();
        assert_eq!(other.open(&place(), &sealed).as_deref(), Some(&b"value"[..]));
        assert_eq!(other.open(&Fields::default().number(5), &sealed), None);
        assert_eq!(foreign.open(&place(), &sealed), None);
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(other.open(&place(), &altered), None, "byte {index}");
        }
        assert_ne!(sealed, one.seal(&place(), b"value").unwrap());
    }

    #[test]
    fn a_row_authenticates_as_what_it_is_and_nothing_else() {
        let seal = seal(1);
        let fields = || Fields::default().number(4).bytes(b"x");
        let mac = seal.mac(RowKind::Slice, &fields());
        assert!(seal.verify(RowKind::Slice, &fields(), &mac));
        assert!(!seal.verify(RowKind::Partition, &fields(), &mac));
        assert!(!seal.verify(RowKind::Slice, &fields().number(0), &mac));
        let other = ClusterSeal::new("other", &Secret::new([1; KEY_LENGTH])).unwrap();
        assert!(!other.verify(RowKind::Slice, &fields(), &mac));
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_out_in_any_order(start: [u8; 32], one: [u8; 32], two: [u8; 32]) {
            let mut digest = start;
            add(&mut digest, &one);
            add(&mut digest, &two);
            subtract(&mut digest, &one);
            let mut expected = start;
            add(&mut expected, &two);
            prop_assert_eq!(digest, expected);
            subtract(&mut digest, &two);
            prop_assert_eq!(digest, start);
        }
    }
}
