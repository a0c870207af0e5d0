//! Ed25519 keys (RFC 8032) that sign receipts and ledger heads, and what verifies them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A PKCS#8 document with an Ed25519 key is 83 bytes, with attributes a little more.
const LONGEST_FILE: u64 = 1024;
/// What comes before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";
/// Bytes of an Ed25519 public key.
pub const PUBLIC_KEY_LENGTH: usize = 32;

/// Why a signing key could not be had, or a signature is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The file could not be read or written.
    #[error("cannot {action} signing key `{path}`", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Others than the owner may reach the key.
    #[error("signing key `{path}` has mode {mode:04o}, expected 0600", path = path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no Ed25519 key.
    #[error("`{path}` is not an Ed25519 key in PKCS#8 form", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The public key is not one.
    #[error("public key is not 32 bytes in base64")]
    PublicKey,
    /// The library refused to make a key.
    #[error("cannot make a signing key")]
    Generate,
    /// Another key signed.
    #[error("signed by `{signer}`, expected `{expected}`")]
    OtherSigner {
        /// Who signed.
        signer: String,
        /// Who should have.
        expected: String,
    },
    /// The signature does not belong to the bytes.
    #[error("signature by `{signer}` does not verify: the content was altered")]
    Invalid {
        /// Who is said to have signed.
        signer: String,
    },
}

/// A detached signature and who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Always `Ed25519`.
    pub algorithm: SignatureAlgorithm,
    /// The key's name: `ed25519:` and 128 bits of a hash over the public key.
    pub signer: String,
    /// 64 bytes in base64.
    pub value: String,
}

/// The algorithms that signatures may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// RFC 8032.
    Ed25519,
}

/// A private key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// Draws a key and writes it durably to `path`, mode 0600, as PKCS#8 (RFC 5958).
    ///
    /// # Errors
    /// [`SigningError::File`] when the file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<Self, SigningError> {
        let failed = |source| SigningError::File { action: "create", path: path.to_owned(), source };
        let pair = Ed25519KeyPair::generate().map_err(|_unspecified| SigningError::Generate)?;
        let document = pair.to_pkcs8().map_err(|_unspecified| SigningError::Generate)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(document.as_ref()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new("."))).and_then(|it| it.sync_all()).map_err(failed)?;
        Ok(Self::from_pair(pair))
    }

    /// Reads a key that [`Self::create`] or another program wrote as PKCS#8 in DER.
    ///
    /// # Errors
    /// [`SigningError`] when it cannot be read, others may reach it, or it is no Ed25519 key.
    pub fn open(path: &Path) -> Result<Self, SigningError> {
        let failed = |source| SigningError::File { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SigningError::Permissions { path: path.to_owned(), mode });
        }
        let mut document = Zeroizing::new(Vec::with_capacity(1024));
        file.take(LONGEST_FILE).read_to_end(&mut document).map_err(failed)?;
        let malformed = || SigningError::Malformed { path: path.to_owned() };
        // The parser takes no notice of what follows the sequence.
        if document.get(1).is_some_and(|length| usize::from(*length) != document.len().saturating_sub(2)) {
            return Err(malformed());
        }
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_rejected| malformed())?;
        Ok(Self::from_pair(pair))
    }

    fn from_pair(pair: Ed25519KeyPair) -> Self {
        let mut bytes = [0; PUBLIC_KEY_LENGTH];
        for (to, from) in bytes.iter_mut().zip(pair.public_key().as_ref()) {
            *to = *from;
        }
        Self { pair, public: VerifyingKey { bytes } }
    }

    /// What verifies this key's signatures.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs `message` in `domain`, so that no signature can be taken for one of another kind.
    #[must_use]
    pub fn sign(&self, domain: &str, message: &[u8]) -> Signature {
        let value = BASE64.encode(self.pair.sign(&signed_bytes(domain, message)));
        Signature { algorithm: SignatureAlgorithm::Ed25519, signer: self.public.key_id(), value }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    bytes: [u8; PUBLIC_KEY_LENGTH],
}

impl VerifyingKey {
    /// Reads the base64 of a public key, or its `SubjectPublicKeyInfo` in PEM (RFC 8410).
    ///
    /// # Errors
    /// [`SigningError::PublicKey`] for anything but 32 bytes.
    pub fn parse(text: &str) -> Result<Self, SigningError> {
        let inner = text.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
        let lines = inner.unwrap_or(text).split_whitespace().collect::<String>();
        let bytes = BASE64.decode(lines).map_err(|_base64| SigningError::PublicKey)?;
        let bytes = match inner {
            Some(_) => bytes.strip_prefix(&SPKI_PREFIX).ok_or(SigningError::PublicKey)?.to_vec(),
            None => bytes,
        };
        let bytes = bytes.try_into().map_err(|_length| SigningError::PublicKey)?;
        Ok(Self { bytes })
    }

    /// The public key in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.bytes)
    }

    /// The public key as other programs read it: `SubjectPublicKeyInfo` in PEM (RFC 8410 §4).
    #[must_use]
    pub fn to_pem(&self) -> String {
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", BASE64.encode([&SPKI_PREFIX[..], &self.bytes].concat()))
    }

    /// The key's name: `ed25519:` and 128 bits of a SHA-256 over the public key.
    #[must_use]
    pub fn key_id(&self) -> String {
        let digits = hex::encode(digest::digest(&digest::SHA256, &self.bytes));
        format!("ed25519:{}", digits.get(..32).unwrap_or(&digits))
    }

    /// Checks that this key made `signature` over `message` in `domain`.
    ///
    /// # Errors
    /// [`SigningError::OtherSigner`] when it names another key, [`SigningError::Invalid`] when it does not verify.
    pub fn verify(&self, domain: &str, message: &[u8], signature: &Signature) -> Result<(), SigningError> {
        if signature.signer != self.key_id() {
            return Err(SigningError::OtherSigner {
                signer: signature.signer.clone(),
                expected: self.key_id(),
            });
        }
        let invalid = || SigningError::Invalid { signer: signature.signer.clone() };
        let value = BASE64.decode(&signature.value).map_err(|_base64| invalid())?;
        UnparsedPublicKey::new(&ED25519, &self.bytes)
            .verify(&signed_bytes(domain, message), &value)
            .map_err(|_unspecified| invalid())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.key_id())
    }
}

fn signed_bytes(domain: &str, message: &[u8]) -> Vec<u8> {
    [domain.as_bytes(), &[0], message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_domain_and_message_only() {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::create(&directory.path().join("a")).unwrap();
        let reopened = SigningKey::open(&directory.path().join("a")).unwrap();
        let other = SigningKey::create(&directory.path().join("b")).unwrap();
        let signature = reopened.sign("one", b"message");
        let public = VerifyingKey::parse(&key.verifying_key().to_base64()).unwrap();
        public.verify("one", b"message", &signature).unwrap();
        assert_eq!(VerifyingKey::parse(&key.verifying_key().to_pem()).unwrap(), public);
        assert!(VerifyingKey::parse(&public.to_pem().replace('M', "N")).is_err());
        assert!(public.verify("two", b"message", &signature).is_err());
        assert!(public.verify("one", b"massage", &signature).is_err());
        assert!(other.verifying_key().verify("one", b"message", &signature).is_err());
        let renamed = Signature { signer: other.verifying_key().key_id(), ..signature };
        assert!(matches!(
            other.verifying_key().verify("one", b"message", &renamed),
            Err(SigningError::Invalid { .. })
        ));
    }

    #[test]
    fn a_private_key_does_not_show_and_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let key = SigningKey::create(&path).unwrap();
        assert!(SigningKey::create(&path).is_err());
        let document = std::fs::read(&path).unwrap();
        assert!(!format!("{key:?}").contains(&hex::encode(&document[16..48])));
        std::fs::write(&path, b"other").unwrap();
        assert!(matches!(SigningKey::open(&path), Err(SigningError::Malformed { .. })));
    }
}
