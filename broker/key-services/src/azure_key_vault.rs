//! Azure Key Vault and Managed HSM (REST API 7.4: Get Key, Wrap Key, Unwrap Key).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use cadastre_keys::envelope::{open_once, seal_once};
use cadastre_keys::{
    Answer, AnswerFuture, DataKey, EncryptionContext, KEY_LENGTH, KeyClock, KeyError, KeyService, Secret,
    WrappedKey,
};
use reqwest::Method;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::azure_token::{AzureCredential, AzureTokens};
use crate::http::{Body, Call, CallLimits, Endpoint, Http, Reply, Trust};
use crate::secret_file::SecretText;

const API_VERSION: &str = "7.4";
/// Ciphertext version.
const VERSION: u8 = 1;
const SEAL_DOMAIN: &[u8] = b"cadastre azure data key v1";
/// RSA with 4,096 bits gives 512 bytes.
const LONGEST_WRAPPED: usize = 1024;
const PROPERTY: &str = "cadastre.key.azure.key.url";

/// How the vault wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AzureAlgorithm {
    /// RSA with OAEP and SHA-256, for RSA keys.
    #[default]
    RsaOaep256,
    /// AES key wrap (RFC 3394) with 256 bits, for symmetric keys of Managed HSM.
    A256Kw,
}

impl AzureAlgorithm {
    /// The algorithm's name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::A256Kw => "A256KW",
        }
    }

    const fn key_types(self) -> [&'static str; 2] {
        match self {
            Self::RsaOaep256 => ["RSA", "RSA-HSM"],
            Self::A256Kw => ["oct", "oct-HSM"],
        }
    }
}

/// Which key of which vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureKeyVaultConfig {
    /// `https://<vault>/keys/<name>` for the newest version when the broker starts, or with `/<version>` for that one.
    pub key_url: Endpoint,
    /// How the vault wraps.
    pub algorithm: AzureAlgorithm,
    /// Who the broker is.
    pub credential: AzureCredential,
    /// Bounds of calls.
    pub limits: CallLimits,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// A key of a vault.
///
/// `wrapKey` authenticates nothing beside the key, so the vault wraps an intermediate key that is drawn for one data key,
/// and that key seals the data key with the context, and the version of the vault's key, as additional data.
#[derive(Debug)]
pub struct AzureKeyVault {
    config: AzureKeyVaultConfig,
    http: Http,
    tokens: AzureTokens,
    /// Without version.
    key_url: String,
    /// With version.
    key_id: String,
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
}

#[derive(Deserialize)]
struct Attributes {
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct KeyOperationResult {
    kid: String,
    value: SecretText,
}

impl AzureKeyVault {
    /// Looks at the key: its newest version, whether it is enabled and can wrap.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Unsuitable`] when type or operations of the key do not fit.
    pub async fn open(config: AzureKeyVaultConfig, clock: Arc<dyn KeyClock>) -> Result<Arc<Self>, KeyError> {
        let refuse = |reason: &str| KeyError::Configuration {
            property: PROPERTY.to_owned(),
            reason: reason.to_owned(),
        };
        let (name, version) = match config.key_url.segments().as_slice() {
            ["keys", name] => ((*name).to_owned(), None),
            ["keys", name, version] => ((*name).to_owned(), Some((*version).to_owned())),
            _ => {
                return Err(refuse(
                    "expected `https://VAULT/keys/NAME` or `https://VAULT/keys/NAME/VERSION`",
                ));
            }
        };
        let http = Http::new(config.limits, &config.trust)?;
        let tokens = AzureTokens::new(config.credential.clone(), http.clone(), clock);
        let key_url = format!("{}/keys/{name}", config.key_url.origin());
        let asked = version.map_or_else(|| key_url.clone(), |version| format!("{key_url}/{version}"));
        let mut service = Self { config, http, tokens, key_url, key_id: asked.clone() };
        let reply = service.send(Method::GET, &asked, "", None).await.outcome?;
        let bundle: KeyBundle = service.parse(&reply)?;
        let key_id = bundle.key.kid;
        if service.version_of(&key_id).is_none() {
            return Err(service.invalid("it describes another key"));
        }
        if bundle.attributes.and_then(|attributes| attributes.enabled) == Some(false) {
            return Err(KeyError::Disabled { key_id });
        }
        let algorithm = service.config.algorithm;
        let lacks = |operation: &str| !bundle.key.key_ops.iter().any(|allowed| allowed == operation);
        let reason = if !algorithm.key_types().contains(&bundle.key.kty.as_str()) {
            format!("type `{}` does not go with {}", bundle.key.kty, algorithm.name())
        } else if lacks("wrapKey") || lacks("unwrapKey") {
            "it does not allow `wrapKey` and `unwrapKey`".to_owned()
        } else {
            service.key_id = key_id;
            return Ok(Arc::new(service));
        };
        Err(KeyError::Unsuitable { key_id, reason })
    }

    /// The version, if `key_id` is one of this key. Hosts and names of keys know no letter case.
    fn version_of<'a>(&self, key_id: &'a str) -> Option<&'a str> {
        let (base, version) = key_id.rsplit_once('/')?;
        let plain = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && base.eq_ignore_ascii_case(&self.key_url)).then_some(version)
    }

    fn resource(&self) -> String {
        // "Managed HSM local RBAC" and sovereign clouds: the audience is the host's domain.
        let host = self.config.key_url.host();
        match host.split_once('.') {
            Some((_vault, domain)) if domain.contains("vault.") || domain.contains("managedhsm.") => {
                format!("https://{domain}")
            }
            _ => "https://vault.azure.net".to_owned(),
        }
    }

    async fn send(&self, method: Method, key: &str, operation: &str, body: Option<&[u8]>) -> Answer<Reply> {
        let resource = self.resource();
        let mut answer = self.attempt(method.clone(), key, operation, body, &resource).await;
        if let Answer { outcome: Ok(reply), .. } = &answer
            && reply.status == 401
        {
            // The token may have been revoked before its time.
            self.tokens.forget().await;
            answer = self.attempt(method, key, operation, body, &resource).await;
        }
        let outcome = answer.outcome.and_then(|reply| {
            if reply.is_success() { Ok(reply) } else { Err(refusal(key, operation, &reply)) }
        });
        Answer { outcome, request_id: answer.request_id }
    }

    async fn attempt(
        &self,
        method: Method,
        key: &str,
        operation: &str,
        body: Option<&[u8]>,
        resource: &str,
    ) -> Answer<Reply> {
        let token = match self.tokens.current(resource).await {
            Ok(token) => token,
            Err(error) => return Answer::local(Err(error)),
        };
        let authorization = Zeroizing::new(format!("Bearer {}", token.as_str()));
        let separator = if operation.is_empty() { "" } else { "/" };
        let url = format!("{key}{separator}{operation}?api-version={API_VERSION}");
        let secret_headers = vec![("authorization", authorization.as_str())];
        let call = Call { method, url, secret_headers, headers: Vec::new(), body: body.map(Body::Json) };
        match self.http.send(&call).await {
            Ok(reply) => {
                let request_id = reply.header("x-ms-request-id");
                Answer { outcome: Ok(reply), request_id }
            }
            Err(error) => Answer::local(Err(error)),
        }
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, reply: &Reply) -> Result<T, KeyError> {
        reply.json().map_err(|reason| self.invalid(reason))
    }

    fn invalid(&self, reason: &str) -> KeyError {
        KeyError::InvalidAnswer { key_id: self.key_id.clone(), reason: reason.to_owned() }
    }

    /// Has the vault wrap or unwrap `bytes` with the version `key_id`.
    async fn operate(
        &self,
        key_id: &str,
        operation: &str,
        bytes: &[u8],
    ) -> Answer<(String, Zeroizing<Vec<u8>>)> {
        let value = Zeroizing::new(BASE64URL.encode(bytes));
        let algorithm = self.config.algorithm.name();
        let body = Zeroizing::new(format!("{{\"alg\":\"{algorithm}\",\"value\":\"{}\"}}", value.as_str()));
        let Answer { outcome, request_id } =
            self.send(Method::POST, key_id, operation, Some(body.as_bytes())).await;
        let outcome = outcome.and_then(|reply| {
            let result: KeyOperationResult = self.parse(&reply)?;
            if self.version_of(&result.kid) != self.version_of(key_id) {
                return Err(self.invalid("another key answered"));
            }
            let value = BASE64URL
                .decode(result.value.0.trim_end_matches('='))
                .map_err(|_base64| self.invalid("its value is not base64url"))?;
            Ok((key_id.to_owned(), Zeroizing::new(value)))
        });
        Answer { outcome, request_id }
    }

    async fn wrap(&self, key: &Secret<[u8; KEY_LENGTH]>, context: &EncryptionContext) -> Answer<WrappedKey> {
        let intermediate = match Secret::random_key() {
            Ok(intermediate) => intermediate,
            Err(error) => return Answer::local(Err(error)),
        };
        let Answer { outcome, request_id } =
            self.operate(&self.key_id, "wrapkey", intermediate.expose()).await;
        let outcome = outcome.and_then(|(key_id, wrapped)| {
            let length =
                u16::try_from(wrapped.len()).ok().filter(|length| usize::from(*length) <= LONGEST_WRAPPED);
            let length = length.ok_or_else(|| self.invalid("its value is too long"))?;
            if wrapped.as_slice() == intermediate.expose() {
                return Err(self.invalid("it wrapped nothing"));
            }
            let sealed = seal_once(&intermediate, &additional_data(&key_id, context), key.expose())?;
            let ciphertext = [&[VERSION], length.to_be_bytes().as_slice(), &wrapped, &sealed].concat();
            Ok(WrappedKey { key_id, ciphertext })
        });
        Answer { outcome, request_id }
    }

    async fn generate(&self, context: &EncryptionContext) -> Answer<DataKey> {
        let plaintext = match Secret::random_key() {
            Ok(plaintext) => plaintext,
            Err(error) => return Answer::local(Err(error)),
        };
        let Answer { outcome, request_id } = self.wrap(&plaintext, context).await;
        Answer { outcome: outcome.map(|wrapped| DataKey { plaintext, wrapped }), request_id }
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Answer<Secret<[u8; KEY_LENGTH]>> {
        let unauthentic = || KeyError::Unauthentic { key_id: wrapped.key_id.clone() };
        let Some((inner, sealed)) = parts(&wrapped.ciphertext) else {
            return Answer::local(Err(unauthentic()));
        };
        let Answer { outcome, request_id } = self.operate(&wrapped.key_id, "unwrapkey", inner).await;
        let outcome = outcome.and_then(|(_, mut value)| {
            let intermediate = Secret::key_from(std::mem::take(&mut *value))
                .ok_or_else(|| self.invalid("its value is not 32 bytes long"))?;
            let mut key = open_once(&intermediate, &additional_data(&wrapped.key_id, context), sealed)
                .map_err(|_open| unauthentic())?;
            Secret::key_from(std::mem::take(key.expose_mut())).ok_or_else(unauthentic)
        });
        Answer { outcome, request_id }
    }

    async fn relocate(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Answer<WrappedKey> {
        match self.unwrap(wrapped, context).await {
            Answer { outcome: Ok(key), .. } => self.wrap(&key, context).await,
            Answer { outcome: Err(error), request_id } => Answer { outcome: Err(error), request_id },
        }
    }
}

impl KeyService for AzureKeyVault {
    fn current_key(&self) -> &str {
        &self.key_id
    }

    fn holds(&self, key_id: &str) -> bool {
        self.version_of(key_id).is_some()
    }

    fn generate_key<'a>(&'a self, context: &'a EncryptionContext) -> AnswerFuture<'a, DataKey> {
        Box::pin(self.generate(context))
    }

    fn wrap_key<'a>(
        &'a self,
        key: &'a Secret<[u8; KEY_LENGTH]>,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        Box::pin(self.wrap(key, context))
    }

    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(self.unwrap(wrapped, context))
    }

    fn rewrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        Box::pin(self.relocate(wrapped, context))
    }
}

fn additional_data(key_id: &str, context: &EncryptionContext) -> Vec<u8> {
    let key = EncryptionContext::new().with("key", key_id.to_ascii_lowercase());
    [SEAL_DOMAIN, &key.canonical_bytes(), &context.canonical_bytes()].concat()
}

/// What the vault wrapped, and what the intermediate key sealed.
fn parts(ciphertext: &[u8]) -> Option<(&[u8], &[u8])> {
    let (version, rest) = ciphertext.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    if *version != VERSION {
        return None;
    }
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// What a status and the documented error codes mean ("Azure Key Vault REST API error codes").
fn refusal(key: &str, operation: &str, reply: &Reply) -> KeyError {
    #[derive(Deserialize)]
    struct Failure {
        error: Code,
    }
    #[derive(Deserialize)]
    struct Code {
        #[serde(default)]
        message: String,
        innererror: Option<Box<InnerCode>>,
    }
    #[derive(Deserialize)]
    struct InnerCode {
        #[serde(default)]
        code: String,
    }
    let key_id = key.to_owned();
    let reason = reply.error_text();
    let failure = reply.json::<Failure>().ok().map(|failure| failure.error);
    let is_disabled = failure.is_some_and(|error| {
        error.innererror.is_some_and(|inner| inner.code == "KeyDisabled")
            || error.message.contains("disabled key")
            || error.message.contains("key is disabled")
    });
    match reply.status {
        429 => KeyError::Throttled { reason },
        403 if is_disabled => KeyError::Disabled { key_id },
        401 | 403 => KeyError::AccessDenied { key_id, reason },
        404 => KeyError::NotFound { key_id },
        400 if operation == "unwrapkey" => KeyError::Unauthentic { key_id },
        408 | 500.. => KeyError::Unavailable { reason },
        _ => KeyError::InvalidAnswer { key_id, reason },
    }
}
