//! Azure Key Vault and Managed HSM (REST API 7.4: Get Key, Sign).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use cadastre_packet::{KeyKind, PublicKey, Signer, SignerError, ecdsa_der};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha384};
use tokio::runtime::Runtime;

use crate::azure_token::AzureCredential;
use crate::error::SigningError;
use crate::http::{ask, client, runtime};

const API_VERSION: &str = "7.4";
const GET: &str = "keys/get";
const SIGN: &str = "keys/sign";

/// DER before the point of a P-256 key (RFC 5480 §2): algorithm, curve, bit string, and the octet that says that the
/// point is not compressed.
const P256_SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// The same for P-384.
const P384_SPKI: [u8; 24] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
];

/// A version of a key of a vault.
pub(crate) struct AzureKey {
    /// With version: a newer one must not sign what this one's public key is to verify.
    key_id: String,
    vault: String,
    credential: AzureCredential,
    client: Client,
    public: PublicKey,
    runtime: Runtime,
}

impl fmt::Debug for AzureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct KeyBundle {
    key: JsonWebKey,
    attributes: Option<Attributes>,
}

#[derive(Deserialize)]
struct JsonWebKey {
    kid: String,
    kty: String,
    #[serde(default)]
    key_ops: Vec<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Attributes {
    enabled: Option<bool>,
}

#[derive(Serialize)]
struct SignRequest<'a> {
    alg: &'a str,
    value: String,
}

#[derive(Deserialize)]
struct SignAnswer {
    kid: String,
    value: String,
}

impl AzureKey {
    /// Reads the public key, and fixes its version.
    pub(crate) fn open(
        vault: &str,
        name: &str,
        version: Option<&str>,
        credential: AzureCredential,
    ) -> Result<Self, SigningError> {
        let runtime = runtime()?;
        let client = client()?;
        let base = format!("{vault}/keys/{name}");
        let asked = version.map_or_else(|| base.clone(), |version| format!("{base}/{version}"));
        let bundle: KeyBundle = runtime.block_on(async {
            let token = credential.token(&client, vault).await?;
            let url = format!("{asked}?api-version={API_VERSION}");
            ask(GET, &asked, client.get(url).bearer_auth(token.as_str())).await
        })?;
        let key_id = bundle.key.kid.clone();
        // Hosts and names of keys know no letter case.
        let is_it = key_id.rsplit_once('/').is_some_and(|(before, found)| {
            before.eq_ignore_ascii_case(&base) && !found.is_empty() && version.is_none_or(|it| it == found)
        });
        if !is_it {
            return Err(wrong(GET, &asked, "it describes another key"));
        }
        let unsuitable =
            |reason: &str| SigningError::Unsuitable { key: key_id.clone(), reason: reason.to_owned() };
        if bundle.attributes.and_then(|attributes| attributes.enabled) == Some(false) {
            return Err(unsuitable("it is disabled"));
        }
        if !bundle.key.key_ops.iter().any(|operation| operation == "sign") {
            return Err(unsuitable("it does not allow `sign`"));
        }
        let spki = spki(&bundle.key)
            .ok_or_else(|| unsuitable("packets are signed with keys on the curves P-256 and P-384"))?;
        let public = PublicKey::from_spki(&key_id, &spki)?;
        Ok(Self { key_id, vault: vault.to_owned(), credential, client, public, runtime })
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let (alg, digest) = match self.public.kind() {
            KeyKind::EcdsaP384 => ("ES384", Sha384::digest(message).to_vec()),
            KeyKind::EcdsaP256 | KeyKind::Ed25519 | KeyKind::Rsa => {
                ("ES256", Sha256::digest(message).to_vec())
            }
        };
        let body = SignRequest { alg, value: BASE64URL.encode(digest) };
        let answer: SignAnswer = self.runtime.block_on(async {
            let token = self.credential.token(&self.client, &self.vault).await?;
            let url = format!("{}/sign?api-version={API_VERSION}", self.key_id);
            let request = self.client.post(url).bearer_auth(token.as_str()).json_body(&body);
            ask(SIGN, &self.key_id, request).await
        })?;
        if !answer.kid.eq_ignore_ascii_case(&self.key_id) {
            return Err(wrong(SIGN, &self.key_id, "another key answered"));
        }
        let fixed = BASE64URL
            .decode(answer.value.trim_end_matches('='))
            .map_err(|_base64| wrong(SIGN, &self.key_id, "its value is not base64url"))?;
        let signature = ecdsa_der(&fixed)
            .ok_or_else(|| wrong(SIGN, &self.key_id, "its value is not as long as a signature"))?;
        if self.public.verify(message, &signature).is_none() {
            return Err(wrong(SIGN, &self.key_id, "its signature does not verify"));
        }
        Ok(signature)
    }
}

impl Signer for AzureKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.signature(message)?)
    }
}

/// The SubjectPublicKeyInfo of a JSON Web Key on P-256 or P-384 (RFC 7518 §6.2); `None` for any other.
fn spki(key: &JsonWebKey) -> Option<Vec<u8>> {
    if !matches!(key.kty.as_str(), "EC" | "EC-HSM") {
        return None;
    }
    let (prefix, length): (&[u8], usize) = match key.crv.as_deref()? {
        "P-256" => (&P256_SPKI, 32),
        "P-384" => (&P384_SPKI, 48),
        _ => return None,
    };
    let coordinate = |text: &Option<String>| -> Option<Vec<u8>> {
        let bytes = BASE64URL.decode(text.as_deref()?.trim_end_matches('=')).ok()?;
        (bytes.len() == length).then_some(bytes)
    };
    Some([prefix, &coordinate(&key.x)?, &coordinate(&key.y)?].concat())
}

fn wrong(operation: &'static str, key: &str, reason: &str) -> SigningError {
    SigningError::InvalidAnswer { operation, key: key.to_owned(), reason: reason.to_owned() }
}

/// JSON bodies without a feature of the HTTP client that nobody else in the workspace uses.
trait JsonBody {
    fn json_body<T: Serialize>(self, body: &T) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body<T: Serialize>(self, body: &T) -> Self {
        // Two texts of ours can be written as JSON.
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        self.header(reqwest::header::CONTENT_TYPE, "application/json").body(bytes)
    }
}
