//! Who signs: a key in a file here, a key in AWS KMS or Azure Key Vault behind the same trait elsewhere.

use std::fmt;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use crate::key::{KeyError, PublicKey};

/// Whatever went wrong inside a signer.
pub type SignerError = Box<dyn std::error::Error + Send + Sync>;

/// A private key that signs messages, wherever it lives.
///
/// The signature must be as `docs/formats/packet.md` says: 64 bytes for Ed25519; DER for ECDSA, with SHA-256
/// on P-256 and SHA-384 on P-384 (AWS KMS `Sign` with `ECDSA_SHA_256` returns that; Azure Key Vault's `ES256`
/// returns two fixed-size integers, which [`ecdsa_der`] turns into it); PKCS #1 v1.5 or PSS with SHA-256 for RSA.
/// The message is the DSSE pre-authentication encoding, about 1 KiB, so KMS can take it as `RAW`.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message.
    ///
    /// # Errors
    /// When the key refuses or cannot be reached.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// A private key from a PKCS #8 PEM file, as `openssl genpkey -algorithm ed25519` writes it. Ed25519, and ECDSA
/// on P-256 and P-384.
pub struct LocalKey {
    public: PublicKey,
    private: Private,
}

enum Private {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").field("id", &self.public.id()).finish_non_exhaustive()
    }
}

/// DER before the 32 bytes of an Ed25519 public key (RFC 8410 §4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl LocalKey {
    /// Reads a key file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyError`]: not there, readable by others, or not a key that signs packets.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let name = path.display().to_string();
        let failed = |source| KeyError::Read { path: name.clone(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Permissions { path: name, mode });
            }
        }
        let text = std::fs::read(path).map_err(failed)?;
        Self::from_pem(&name, &text)
    }

    /// Reads a key from PEM text. `name` is what messages call it.
    ///
    /// # Errors
    /// [`KeyError`] when it is not a key that signs packets.
    pub fn from_pem(name: &str, text: &[u8]) -> Result<Self, KeyError> {
        if std::str::from_utf8(text).is_ok_and(|text| text.contains("ENCRYPTED PRIVATE KEY")) {
            return Err(KeyError::Encrypted { name: name.to_owned() });
        }
        let mut pkcs8 = None;
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            if let (SectionKind::PrivateKey, der) =
                section.map_err(|_pem| KeyError::Malformed { name: name.to_owned() })?
            {
                pkcs8 = Some(der);
            }
        }
        let missing = KeyError::NoPem { name: name.to_owned(), wanted: "private key (PKCS #8)" };
        Self::from_pkcs8(name, &pkcs8.ok_or(missing)?)
    }

    fn from_pkcs8(name: &str, der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let mut spki = ED25519_SPKI.to_vec();
            spki.extend(pair.public_key().as_ref());
            let public = PublicKey::from_spki(name, &spki)?;
            return Ok(Self { public, private: Private::Ed25519(pair) });
        }
        for algorithm in [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der) {
                let spki = aws_lc_rs::encoding::AsDer::as_der(pair.public_key())
                    .map_err(|_unspecified| KeyError::Malformed { name: name.to_owned() })?;
                let spki: &aws_lc_rs::encoding::PublicKeyX509Der<'_> = &spki;
                let public = PublicKey::from_spki(name, spki.as_ref())?;
                return Ok(Self { public, private: Private::Ecdsa(pair) });
            }
        }
        Err(KeyError::Unsupported {
            name: name.to_owned(),
            found: "a private key that is neither Ed25519 nor ECDSA".to_owned(),
        })
    }
}

impl Signer for LocalKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        match &self.private {
            Private::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Private::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_unspecified| "the key did not sign".into()),
        }
    }
}

/// Turns an ECDSA signature of two equally long big-endian integers (IEEE P1363, as Azure Key Vault and JOSE
/// write it) into DER (RFC 3279 §2.2.3). `None` when the length is not that of P-256 or P-384.
#[must_use]
pub fn ecdsa_der(fixed: &[u8]) -> Option<Vec<u8>> {
    if ![64, 96].contains(&fixed.len()) {
        return None;
    }
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let mut body = der_integer(r)?;
    body.extend(der_integer(s)?);
    let mut der = vec![0x30, u8::try_from(body.len()).ok()?];
    der.extend(body);
    Some(der)
}

fn der_integer(bytes: &[u8]) -> Option<Vec<u8>> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let digits = bytes.get(first..)?;
    let padding = digits.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut der = vec![0x02, u8::try_from(digits.len() + usize::from(padding)).ok()?];
    if padding {
        der.push(0);
    }
    der.extend(digits);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;

    #[test]
    fn signatures_of_fixed_length_verify_once_they_are_der() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let local = LocalKey::from_pkcs8("test", pkcs8.as_ref()).unwrap();
        for n in 0..200_u32 {
            let message = n.to_be_bytes();
            let fixed = pair.sign(&random, &message).unwrap();
            let der = ecdsa_der(fixed.as_ref()).unwrap();
            assert!(local.public_key().verify(&message, &der).is_some(), "{n}");
        }
        assert!(ecdsa_der(&[1; 63]).is_none());
    }

    #[test]
    fn a_key_never_prints() {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = LocalKey::from_pkcs8("test", pkcs8.as_ref()).unwrap();
        assert_eq!(format!("{key:?}"), format!("LocalKey {{ id: {:?}, .. }}", key.public_key().id()));
    }
}
