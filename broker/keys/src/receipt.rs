//! The signed statement that the keys of a topic were destroyed.

use serde::{Deserialize, Serialize};

use crate::signing::{Signature, SigningError, SigningKey, VerifyingKey};

/// The version that this code writes, and the newest that it reads.
pub const RECEIPT_VERSION: u64 = 1;
/// What is signed is this, a zero byte, and the receipt in RFC 8785 form.
pub const RECEIPT_DOMAIN: &str = "cadastre-shred-receipt-v1";
/// A receipt is bounded like every input; 64 MiB name some 300,000 objects.
const LONGEST_RECEIPT: usize = 64 << 20;

/// A wrapped key that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestroyedKey {
    /// Where it was held.
    pub holder: String,
    /// The key-encryption key that had wrapped it.
    pub key_id: String,
    /// [`WrappedKey::digest`](crate::WrappedKey::digest), in hexadecimal.
    pub wrapped_sha256: String,
}

/// What was destroyed, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShredReceipt {
    /// Always [`RECEIPT_VERSION`].
    pub version: u64,
    /// The cluster's id.
    pub cluster: String,
    /// The topic's id.
    pub topic_id: String,
    /// The wrapped keys, sorted.
    pub keys: Vec<DestroyedKey>,
    /// The objects that only those keys could open, sorted.
    pub objects: Vec<String>,
    /// Objects and log segments under keys of others that still held records of the topic, or an earlier copy of its wrapped
    /// key, sorted: they go as what else they hold goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remains: Vec<String>,
    /// RFC 3339, UTC.
    pub time: String,
    /// Who signs: [`VerifyingKey::key_id`].
    pub signer: String,
}

/// A receipt with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedReceipt {
    /// The statement.
    pub receipt: ShredReceipt,
    /// Over the statement in RFC 8785 form.
    pub signature: Signature,
}

/// A receipt that cannot be made or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a receipt.
    #[error("not a receipt: {reason}")]
    Malformed {
        /// Why.
        reason: String,
    },
    /// A newer program wrote it.
    #[error("receipt has version {version}, newest known is {RECEIPT_VERSION}")]
    Newer {
        /// Its version.
        version: u64,
    },
    /// It is not signed as it should be.
    #[error("receipt is not signed as expected")]
    Signature(#[from] SigningError),
}

impl SignedReceipt {
    /// Signs `receipt`.
    ///
    /// # Errors
    /// [`ReceiptError::Malformed`] when it cannot be written as JSON.
    pub fn sign(receipt: ShredReceipt, signer: &SigningKey) -> Result<Self, ReceiptError> {
        let signature = signer.sign(RECEIPT_DOMAIN, &canonical(&receipt)?);
        Ok(Self { receipt, signature })
    }

    /// The receipt as it is kept and handed out, in RFC 8785 form.
    ///
    /// # Errors
    /// [`ReceiptError::Malformed`] when it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ReceiptError> {
        canonical(self)
    }
}

/// Believes the receipt in `bytes` if `key` signed it. White space and the order of members do not matter.
///
/// # Errors
/// [`ReceiptError`] when it is not a receipt, newer than this program, or not signed by `key`.
pub fn verify_receipt(bytes: &[u8], key: &VerifyingKey) -> Result<ShredReceipt, ReceiptError> {
    #[derive(Deserialize)]
    struct Versioned {
        receipt: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let malformed = |error: serde_json::Error| ReceiptError::Malformed { reason: error.to_string() };
    if bytes.len() > LONGEST_RECEIPT {
        return Err(ReceiptError::Malformed { reason: format!("longer than {LONGEST_RECEIPT} bytes") });
    }
    let Versioned { receipt: Version { version } } = serde_json::from_slice(bytes).map_err(malformed)?;
    if version > RECEIPT_VERSION {
        return Err(ReceiptError::Newer { version });
    }
    let SignedReceipt { receipt, signature } = serde_json::from_slice(bytes).map_err(malformed)?;
    key.verify(RECEIPT_DOMAIN, &canonical(&receipt)?, &signature)?;
    if receipt.signer != signature.signer {
        let (signer, expected) = (receipt.signer, signature.signer);
        return Err(SigningError::OtherSigner { signer, expected }.into());
    }
    Ok(receipt)
}

fn canonical(value: &impl Serialize) -> Result<Vec<u8>, ReceiptError> {
    serde_json_canonicalizer::to_vec(value)
        .map_err(|error| ReceiptError::Malformed { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(directory: &tempfile::TempDir, name: &str) -> SigningKey {
        SigningKey::create(&directory.path().join(name)).unwrap()
    }

    fn receipt(signer: &SigningKey) -> ShredReceipt {
        ShredReceipt {
            version: RECEIPT_VERSION,
            cluster: "c".to_owned(),
            topic_id: "t".to_owned(),
            keys: vec![DestroyedKey {
                holder: "scope/t".to_owned(),
                key_id: "local:0".to_owned(),
                wrapped_sha256: "00".repeat(32),
            }],
            objects: vec!["o".to_owned()],
            remains: vec!["segment/1".to_owned()],
            time: "2026-01-01T00:00:00.000Z".to_owned(),
            signer: signer.verifying_key().key_id(),
        }
    }

    #[test]
    fn a_receipt_verifies_in_any_layout_and_no_other_content() {
        let directory = tempfile::tempdir().unwrap();
        let (key, other) = (signer(&directory, "a"), signer(&directory, "b"));
        let signed = SignedReceipt::sign(receipt(&key), &key).unwrap();
        let bytes = signed.to_bytes().unwrap();
        assert_eq!(verify_receipt(&bytes, key.verifying_key()).unwrap(), signed.receipt);
        let pretty = serde_json::to_vec_pretty(&signed).unwrap();
        assert_eq!(verify_receipt(&pretty, key.verifying_key()).unwrap(), signed.receipt);
        assert!(verify_receipt(&bytes, other.verifying_key()).is_err());
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 1;
            assert!(verify_receipt(&altered, key.verifying_key()).is_err(), "byte {position}");
        }
    }

    #[test]
    fn a_newer_receipt_and_one_under_another_name_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let key = signer(&directory, "a");
        let check = |receipt| {
            let bytes = SignedReceipt::sign(receipt, &key).unwrap().to_bytes().unwrap();
            verify_receipt(&bytes, key.verifying_key()).unwrap_err()
        };
        let newer = check(ShredReceipt { version: 2, ..receipt(&key) });
        assert!(matches!(newer, ReceiptError::Newer { version: 2 }));
        let renamed = check(ShredReceipt { signer: "ed25519:0".to_owned(), ..receipt(&key) });
        assert!(matches!(renamed, ReceiptError::Signature(SigningError::OtherSigner { .. })));
    }
}
