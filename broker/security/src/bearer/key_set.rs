//! The public keys of an issuer: a JSON Web Key Set, RFC 7517.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The longest document that is read, in bytes.
pub const MAXIMUM_KEY_SET_BYTES: usize = 1 << 20;

/// The keys that tokens may be signed with.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<TokenKey>,
}

struct TokenKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why a document is no key set that can be used.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Longer than [`MAXIMUM_KEY_SET_BYTES`].
    #[error("key set is longer than {MAXIMUM_KEY_SET_BYTES} bytes")]
    TooLong,
    /// Not the JSON of a key set.
    #[error("key set is not a JSON object with a list of `keys`")]
    Malformed(#[source] serde_json::Error),
    /// It holds no key that signatures can be verified with.
    #[error("key set holds no RSA, EC or Ed25519 key for signatures")]
    NoKeys,
}

impl KeySet {
    /// Reads a key set. Keys for encryption, shared secrets and kinds that are not known are passed over, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// [`KeySetError`] when it is too long, malformed or holds no key that can be used.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        if json.len() > MAXIMUM_KEY_SET_BYTES {
            return Err(KeySetError::TooLong);
        }
        let document: Document = serde_json::from_slice(json).map_err(KeySetError::Malformed)?;
        let keys: Vec<TokenKey> = document.keys.into_iter().filter_map(TokenKey::read).collect();
        if keys.is_empty() { Err(KeySetError::NoKeys) } else { Ok(Self { keys }) }
    }

    /// Whether there is nothing to verify a token with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The names of the keys, in the order of the document.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// The key that a token names. One that names none was signed with the only key there is for its algorithm, or not at all.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm) && (id.is_none() || key.id.as_deref() == id));
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(&first.key)
    }
}

impl TokenKey {
    fn read(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithms = algorithms(&jwk.algorithm, jwk.common.key_algorithm);
        if !for_signatures || algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

/// What a key may verify: all that its kind can, or the one that it states.
fn algorithms(parameters: &AlgorithmParameters, stated: Option<KeyAlgorithm>) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let of_kind = match parameters {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![EdDSA],
        _ => Vec::new(),
    };
    match stated.map(Algorithm::try_from) {
        None => of_kind,
        Some(Ok(stated)) => of_kind.into_iter().filter(|algorithm| *algorithm == stated).collect(),
        Some(Err(_for_encryption)) => Vec::new(),
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}
