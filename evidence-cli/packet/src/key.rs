//! Public keys that signatures are checked with: Ed25519, ECDSA P-256 and P-384, RSA.

use std::fmt;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use cadastre_model::Timestamp;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use serde::Serialize;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::digest::Digest;

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ECDSA on NIST P-256; what AWS KMS calls `ECC_NIST_P256`.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// RSA of 2048 to 8192 bits.
    Rsa,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// RFC 8032.
    Ed25519,
    /// ECDSA P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA P-384 with SHA-384.
    EcdsaP384Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PSS with SHA-256.
    RsaPssSha256,
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::EcdsaP256Sha256 => "ECDSA P-256 with SHA-256",
            Self::EcdsaP384Sha384 => "ECDSA P-384 with SHA-384",
            Self::RsaPkcs1Sha256 => "RSA PKCS #1 v1.5 with SHA-256",
            Self::RsaPssSha256 => "RSA-PSS with SHA-256",
        })
    }
}

impl SignatureAlgorithm {
    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &signature::ED25519,
            Self::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
            Self::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        }
    }
}

/// The times between which a certificate vouches for its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Validity {
    /// From.
    pub not_before: Timestamp,
    /// Until, included.
    pub not_after: Timestamp,
}

/// A public key that the caller trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    kind: KeyKind,
    /// SubjectPublicKeyInfo, DER.
    spki: Vec<u8>,
    /// The key inside, as the algorithm wants it.
    bytes: Vec<u8>,
    validity: Option<Validity>,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not there, or cannot be read.
    #[error("cannot read the key `{path}`")]
    Read {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no PEM block of the kind that is needed.
    #[error("`{name}` holds no {wanted} in PEM form")]
    NoPem {
        /// The file.
        name: String,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Not DER, or something after it.
    #[error("`{name}` holds a key that does not decode")]
    Malformed {
        /// The file.
        name: String,
    },
    /// An algorithm that is not one of ours.
    #[error(
        "`{name}` holds a key of a kind that packets are not signed with ({found}); Ed25519, ECDSA P-256, ECDSA P-384 and RSA from 2048 bits are"
    )]
    Unsupported {
        /// The file.
        name: String,
        /// Its algorithm.
        found: String,
    },
    /// The private key is protected by a passphrase.
    #[error("`{name}` is protected by a passphrase, which cannot be asked for here")]
    Encrypted {
        /// The file.
        name: String,
    },
    /// A private key was given where a public one is needed.
    #[error(
        "`{name}` is a private key; verification needs the public one: `openssl pkey -in {name} -pubout`"
    )]
    Private {
        /// The file.
        name: String,
    },
    /// Others can read the private key.
    #[error("`{path}` can be read by others (mode {mode:o}): run `chmod 600 {path}`")]
    Permissions {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
}

impl PublicKey {
    /// Reads every public key and certificate in PEM text. `name` is what messages call it.
    ///
    /// # Errors
    /// [`KeyError`] when there is none, or one of them cannot be used.
    pub fn from_pem(name: &str, text: &[u8]) -> Result<Vec<Self>, KeyError> {
        let mut keys = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let (kind, der) = section.map_err(|_pem| KeyError::Malformed { name: name.to_owned() })?;
            match kind {
                SectionKind::PublicKey => keys.push(Self::from_spki(name, &der)?),
                SectionKind::Certificate => keys.push(Self::from_certificate(name, &der)?),
                SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey => {
                    return Err(KeyError::Private { name: name.to_owned() });
                }
                _ => {}
            }
        }
        if keys.is_empty() {
            return Err(KeyError::NoPem { name: name.to_owned(), wanted: "public key or certificate" });
        }
        Ok(keys)
    }

    /// A key from its SubjectPublicKeyInfo (RFC 5280 §4.1), DER, as AWS KMS `GetPublicKey` returns it.
    ///
    /// # Errors
    /// [`KeyError`] when it does not decode or is of another kind.
    pub fn from_spki(name: &str, spki: &[u8]) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed { name: name.to_owned() };
        let (rest, parsed) = SubjectPublicKeyInfo::from_der(spki).map_err(|_der| malformed())?;
        if !rest.is_empty() {
            return Err(malformed());
        }
        let algorithm = parsed.algorithm.algorithm.to_id_string();
        let curve = parsed
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.as_oid().ok())
            .map(|oid| oid.to_id_string());
        let kind = match (algorithm.as_str(), curve.as_deref()) {
            ("1.3.101.112", _) => KeyKind::Ed25519,
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => KeyKind::EcdsaP256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => KeyKind::EcdsaP384,
            ("1.2.840.113549.1.1.1", _) => KeyKind::Rsa,
            _ => {
                let found = curve.map_or(algorithm.clone(), |curve| format!("{algorithm} with {curve}"));
                return Err(KeyError::Unsupported { name: name.to_owned(), found });
            }
        };
        let bytes = parsed.subject_public_key.data.to_vec();
        if kind == KeyKind::Rsa && spki.len() < 270 {
            let found = "RSA below 2048 bits".to_owned();
            return Err(KeyError::Unsupported { name: name.to_owned(), found });
        }
        Ok(Self { name: name.to_owned(), kind, spki: spki.to_vec(), bytes, validity: None })
    }

    fn from_certificate(name: &str, der: &[u8]) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed { name: name.to_owned() };
        let (_, certificate) =
            x509_parser::certificate::X509Certificate::from_der(der).map_err(|_der| malformed())?;
        let mut key = Self::from_spki(name, certificate.public_key().raw)?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_seconds(time.timestamp()).ok_or_else(malformed)
        };
        key.validity = Some(Validity {
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
        });
        Ok(key)
    }

    /// SHA-256 of the SubjectPublicKeyInfo, 64 hexadecimal digits: the `keyid` of envelopes, and what people
    /// compare.
    #[must_use]
    pub fn id(&self) -> String {
        Digest::of(&self.spki).to_string()
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// When the certificate that brought it is valid; `None` for a bare key.
    #[must_use]
    pub const fn validity(&self) -> Option<Validity> {
        self.validity
    }

    /// Checks a signature, and says how it was made.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Option<SignatureAlgorithm> {
        let candidates: &[SignatureAlgorithm] = match self.kind {
            KeyKind::Ed25519 => &[SignatureAlgorithm::Ed25519],
            KeyKind::EcdsaP256 => &[SignatureAlgorithm::EcdsaP256Sha256],
            KeyKind::EcdsaP384 => &[SignatureAlgorithm::EcdsaP384Sha384],
            KeyKind::Rsa => &[SignatureAlgorithm::RsaPssSha256, SignatureAlgorithm::RsaPkcs1Sha256],
        };
        candidates.iter().copied().find(|algorithm| {
            UnparsedPublicKey::new(algorithm.verifier(), &self.bytes).verify(message, signature).is_ok()
        })
    }
}
