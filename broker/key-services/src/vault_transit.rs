//! The transit secrets engine of HashiCorp Vault and OpenBao (HTTP API, "Transit secrets engine").

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cadastre_keys::{
    Answer, AnswerFuture, DataKey, EncryptionContext, KEY_LENGTH, KeyError, KeyService, Secret, WrappedKey,
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use zeroize::{Zeroize, Zeroizing};

use crate::http::{Body, Call, CallLimits, Endpoint, Http, Reply, Trust};
use crate::secret_file::{SecretFile, SecretText};

const PREFIX: &str = "vault-transit:";
/// A wrapped 256-bit key is 90 characters; formats may change a little.
const LONGEST_CIPHERTEXT: usize = 1024;

/// Which key of which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultTransitConfig {
    /// The server.
    pub address: Endpoint,
    /// Where the engine is mounted, `transit` unless changed.
    pub mount: String,
    /// The key's name.
    pub key_name: String,
    /// The namespace, if the server has them.
    pub namespace: Option<String>,
    /// The token; read before each call, so that an agent may renew it.
    pub token: SecretFile,
    /// Bounds of calls.
    pub limits: CallLimits,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// A key of the transit engine.
///
/// Keys made with `derived=true` bind the context as `context`; others bind it as `associated_data`. The first data
/// key is unwrapped under another context, which must be refused: a key or a server that ignores the context is not used.
#[derive(Debug)]
pub struct VaultTransit {
    config: VaultTransitConfig,
    http: Http,
    derived: bool,
    version: u64,
    key_id: String,
    binding_is_proven: AtomicBool,
}

#[derive(Deserialize)]
struct Envelope<T> {
    request_id: Option<String>,
    data: T,
}

#[derive(Deserialize)]
struct KeyDescription {
    #[serde(rename = "type")]
    kind: String,
    derived: bool,
    latest_version: u64,
    #[serde(default)]
    soft_deleted: bool,
}

#[derive(Deserialize)]
struct Ciphertext {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Plaintext {
    plaintext: SecretText,
}

#[derive(Deserialize)]
struct FreshKey {
    ciphertext: String,
    plaintext: SecretText,
}

impl VaultTransit {
    /// Looks at the key: whether it exists and can bind a context, and its newest version.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Unsuitable`] for key types that cannot wrap, [`KeyError::Configuration`] for names that
    /// are none.
    pub async fn open(config: VaultTransitConfig) -> Result<Arc<Self>, KeyError> {
        check_path("cadastre.key.vault.mount", &config.mount)?;
        check_path("cadastre.key.vault.key.name", &config.key_name)?;
        let http = Http::new(config.limits, &config.trust)?;
        let key_id = format!("{PREFIX}{}/{}", config.mount, config.key_name);
        let mut service = Self {
            config,
            http,
            derived: false,
            version: 0,
            key_id,
            binding_is_proven: AtomicBool::new(false),
        };
        let url = service.url("keys");
        let reply = service.send(Method::GET, url, None).await?;
        let described: Envelope<KeyDescription> = service.parse(&reply)?;
        let KeyDescription { kind, derived, latest_version, soft_deleted } = described.data;
        if soft_deleted {
            return Err(KeyError::Disabled { key_id: service.key_id });
        }
        let suitable = ["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"];
        if !suitable.contains(&kind.as_str()) {
            let reason = format!("it has type `{kind}`, expected one of {}", suitable.join(", "));
            return Err(KeyError::Unsuitable { key_id: service.key_id, reason });
        }
        service.derived = derived;
        service.version = latest_version;
        service.key_id = service.versioned(latest_version);
        Ok(Arc::new(service))
    }

    fn versioned(&self, version: u64) -> String {
        format!("{}#{version}", self.name())
    }

    fn name(&self) -> String {
        format!("{PREFIX}{}/{}", self.config.mount, self.config.key_name)
    }

    fn version_of(&self, key_id: &str) -> Option<u64> {
        key_id.strip_prefix(&self.name())?.strip_prefix('#')?.parse().ok()
    }

    fn url(&self, operation: &str) -> String {
        let VaultTransitConfig { address, mount, key_name, .. } = &self.config;
        format!("{}/v1/{mount}/{operation}/{key_name}", address.as_str())
    }

    async fn send(&self, method: Method, url: String, body: Option<&[u8]>) -> Result<Reply, KeyError> {
        let token = self.config.token.read()?;
        let mut headers = vec![("x-vault-request", "true")];
        headers.extend(self.config.namespace.as_deref().map(|namespace| ("x-vault-namespace", namespace)));
        let secret_headers = vec![("x-vault-token", token.as_str())];
        let call = Call { method, url, secret_headers, headers, body: body.map(Body::Json) };
        let reply = self.http.send(&call).await?;
        if reply.is_success() { Ok(reply) } else { Err(self.refusal(&reply)) }
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, reply: &Reply) -> Result<T, KeyError> {
        reply.json().map_err(|reason| self.invalid(reason))
    }

    fn invalid(&self, reason: &str) -> KeyError {
        KeyError::InvalidAnswer { key_id: self.key_id.clone(), reason: reason.to_owned() }
    }

    /// What a status and the documented error texts mean.
    fn refusal(&self, reply: &Reply) -> KeyError {
        #[derive(Deserialize)]
        struct Errors {
            #[serde(default)]
            errors: Vec<String>,
        }
        let key_id = self.key_id.clone();
        let reason = reply.error_text();
        let text = reply.json::<Errors>().map(|errors| errors.errors.join("; ")).unwrap_or_default();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        match reply.status {
            429 => KeyError::Throttled { reason },
            403 | 401 => KeyError::AccessDenied { key_id, reason },
            404 => KeyError::NotFound { key_id },
            400 if says(&["encryption key not found"]) => KeyError::NotFound { key_id },
            400 if says(&["soft-deleted", "disallowed by policy"]) => KeyError::Disabled { key_id },
            400 if says(&["message authentication failed", "invalid ciphertext"]) => {
                KeyError::Unauthentic { key_id }
            }
            400 if says(&["key derivation", "associated data", "associated_data"]) => {
                KeyError::Unsuitable { key_id, reason }
            }
            412 | 472 | 473 | 500.. => KeyError::Unavailable { reason },
            _ => KeyError::InvalidAnswer { key_id, reason },
        }
    }

    fn body(&self, context: &EncryptionContext, members: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
        let binding = BASE64.encode(context.digest());
        let mut body = Zeroizing::new(String::with_capacity(512));
        body.push('{');
        let name = if self.derived { "context" } else { "associated_data" };
        // Values are base64 or what the server itself sent; quoting them is `json!`'s work all the same.
        for (name, value) in members.iter().chain([&(name, binding.as_str())]) {
            let mut quoted = json!(value).to_string();
            body.push_str(&format!("\"{name}\":{quoted},"));
            quoted.zeroize();
        }
        body.push_str("\"bits\":256}");
        Zeroizing::new(body.as_bytes().to_vec())
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        context: &EncryptionContext,
        members: &[(&str, &str)],
    ) -> Answer<T> {
        let body = self.body(context, members);
        let reply = match self.send(Method::POST, self.url(operation), Some(&body)).await {
            Ok(reply) => reply,
            Err(error) => return Answer::local(Err(error)),
        };
        match self.parse::<Envelope<T>>(&reply) {
            Ok(Envelope { request_id, data }) => {
                Answer { outcome: Ok(data), request_id: request_id.filter(|id| id.len() <= 128) }
            }
            Err(error) => Answer::local(Err(error)),
        }
    }

    fn wrapped(&self, ciphertext: String) -> Result<WrappedKey, KeyError> {
        // `vault:v<version>:<base64>` in Vault and OpenBao alike.
        let version = ciphertext.strip_prefix("vault:v").and_then(|rest| rest.split_once(':'));
        let version = version.and_then(|(version, _)| version.parse::<u64>().ok());
        match version {
            Some(version) if ciphertext.len() <= LONGEST_CIPHERTEXT => {
                Ok(WrappedKey { key_id: self.versioned(version), ciphertext: ciphertext.into_bytes() })
            }
            _ => Err(self.invalid("its ciphertext is not of the documented form")),
        }
    }

    fn key(&self, plaintext: &SecretText) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
        let bytes = BASE64
            .decode(plaintext.0.as_bytes())
            .map_err(|_base64| self.invalid("its plaintext is not base64"))?;
        Secret::key_from(bytes).ok_or_else(|| self.invalid("its plaintext is not 32 bytes long"))
    }

    async fn decrypt(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Answer<Secret<[u8; KEY_LENGTH]>> {
        let unauthentic = || Answer::local(Err(KeyError::Unauthentic { key_id: wrapped.key_id.clone() }));
        let Ok(ciphertext) = std::str::from_utf8(&wrapped.ciphertext) else { return unauthentic() };
        // The version in the ciphertext decides; a key id that says otherwise was altered.
        match self.wrapped(ciphertext.to_owned()) {
            Ok(named) if named.key_id == wrapped.key_id => {}
            Ok(_) | Err(_) => return unauthentic(),
        }
        let answer = self.ask::<Plaintext>("decrypt", context, &[("ciphertext", ciphertext)]).await;
        let outcome = answer.outcome.and_then(|data| self.key(&data.plaintext));
        Answer { outcome, request_id: answer.request_id }
    }

    /// Sees to it, once, that a wrapped key does not unwrap under another context.
    async fn prove_binding(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Result<(), KeyError> {
        if self.binding_is_proven.load(Ordering::SeqCst) {
            return Ok(());
        }
        let other = context.clone().with("cadastre:binding-check", "1");
        match self.decrypt(wrapped, &other).await.outcome {
            Err(KeyError::Unauthentic { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let reason = "it unwraps under another context: make it with `derived=true`".to_owned();
                return Err(KeyError::Unsuitable { key_id: self.key_id.clone(), reason });
            }
        }
        self.decrypt(wrapped, context).await.outcome?;
        self.binding_is_proven.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn generate(&self, context: &EncryptionContext) -> Answer<DataKey> {
        let Answer { outcome, request_id } = self.ask::<FreshKey>("datakey/plaintext", context, &[]).await;
        let outcome = match outcome.and_then(|FreshKey { ciphertext, plaintext }| {
            Ok(DataKey { plaintext: self.key(&plaintext)?, wrapped: self.wrapped(ciphertext)? })
        }) {
            Ok(data_key) => self.prove_binding(&data_key.wrapped, context).await.map(|()| data_key),
            Err(error) => Err(error),
        };
        Answer { outcome, request_id }
    }

    async fn encrypt(
        &self,
        key: &Secret<[u8; KEY_LENGTH]>,
        context: &EncryptionContext,
    ) -> Answer<WrappedKey> {
        let plaintext = Zeroizing::new(BASE64.encode(key.expose()));
        let Answer { outcome, request_id } =
            self.ask::<Ciphertext>("encrypt", context, &[("plaintext", &plaintext)]).await;
        let outcome = match outcome.and_then(|data| self.wrapped(data.ciphertext)) {
            Ok(wrapped) => self.prove_binding(&wrapped, context).await.map(|()| wrapped),
            Err(error) => Err(error),
        };
        Answer { outcome, request_id }
    }

    async fn relocate(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Answer<WrappedKey> {
        if !self.derived {
            // The server's rewrap takes no associated data (OpenBao 2.7.2 answers that it does not authenticate).
            return match self.decrypt(wrapped, context).await {
                Answer { outcome: Ok(key), .. } => self.encrypt(&key, context).await,
                Answer { outcome: Err(error), request_id } => Answer { outcome: Err(error), request_id },
            };
        }
        let Ok(ciphertext) = std::str::from_utf8(&wrapped.ciphertext) else {
            return Answer::local(Err(KeyError::Unauthentic { key_id: wrapped.key_id.clone() }));
        };
        let Answer { outcome, request_id } =
            self.ask::<Ciphertext>("rewrap", context, &[("ciphertext", ciphertext)]).await;
        Answer { outcome: outcome.and_then(|data| self.wrapped(data.ciphertext)), request_id }
    }
}

impl KeyService for VaultTransit {
    fn current_key(&self) -> &str {
        &self.key_id
    }

    fn holds(&self, key_id: &str) -> bool {
        self.version_of(key_id).is_some()
    }

    fn is_current_key(&self, key_id: &str) -> bool {
        self.version_of(key_id).is_some_and(|version| version >= self.version)
    }

    fn generate_key<'a>(&'a self, context: &'a EncryptionContext) -> AnswerFuture<'a, DataKey> {
        Box::pin(self.generate(context))
    }

    fn wrap_key<'a>(
        &'a self,
        key: &'a Secret<[u8; KEY_LENGTH]>,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        Box::pin(self.encrypt(key, context))
    }

    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(self.decrypt(wrapped, context))
    }

    fn rewrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        Box::pin(self.relocate(wrapped, context))
    }
}

/// Refuses what would not stay one place in a URL's path.
fn check_path(property: &str, text: &str) -> Result<(), KeyError> {
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if text.split('/').all(plain) {
        return Ok(());
    }
    let reason = format!("`{text}` is refused, expected letters, digits, `-`, `_`, `.` and `/`");
    Err(KeyError::Configuration { property: property.to_owned(), reason })
}
