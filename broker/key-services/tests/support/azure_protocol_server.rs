//! A server that speaks Azure Key Vault's protocol, since there is no emulator of Key Vault's keys.
//!
//! Written from the published REST API 7.4 (Get Key, Wrap Key, Unwrap Key), "Azure Key Vault REST API error codes" and
//! the description of the managed-identity endpoint. The RSA keys and the padding are real; Azure itself was not asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What a version wraps with.
enum Material {
    Rsa(PrivateDecryptingKey),
    Aes([u8; 32]),
}

type Versions = Vec<(String, Arc<Material>)>;

/// A vault with keys.
pub(crate) struct AzureProtocolServer {
    pub(crate) port: u16,
    /// Versions by name, oldest first.
    keys: Mutex<BTreeMap<String, Versions>>,
    disabled: Mutex<Vec<String>>,
    forbidden: Mutex<bool>,
    token: Mutex<String>,
    pub(crate) tokens_asked: AtomicUsize,
    requests: AtomicUsize,
}

impl AzureProtocolServer {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            keys: Mutex::default(),
            disabled: Mutex::default(),
            forbidden: Mutex::default(),
            token: Mutex::new("token-1".to_owned()),
            tokens_asked: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let server = Arc::clone(&server);
                        async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
                    });
                    let _ended = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        server
    }

    /// Adds a version and gives its number.
    pub(crate) fn add_version(&self, name: &str, rsa: bool) -> String {
        let material = if rsa {
            Material::Rsa(PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap())
        } else {
            let mut key = [0; 32];
            aws_lc_rs::rand::fill(&mut key).unwrap();
            Material::Aes(key)
        };
        let mut keys = self.keys.lock().unwrap();
        let versions = keys.entry(name.to_owned()).or_default();
        let version = format!("{:032x}", versions.len() + 1);
        versions.push((version.clone(), Arc::new(material)));
        version
    }

    pub(crate) fn set_disabled(&self, name: &str, disabled: bool) {
        let mut names = self.disabled.lock().unwrap();
        names.retain(|other| other != name);
        if disabled {
            names.push(name.to_owned());
        }
    }

    pub(crate) fn set_forbidden(&self, forbidden: bool) {
        *self.forbidden.lock().unwrap() = forbidden;
    }

    pub(crate) fn remove(&self, name: &str) {
        self.keys.lock().unwrap().remove(name);
    }

    /// All tokens given out so far stop working.
    pub(crate) fn revoke_tokens(&self) {
        self.token.lock().unwrap().push('x');
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if path == "/metadata/identity/oauth2/token" {
            if header("metadata").as_deref() != Some("true")
                || !query.contains("resource=https%3A%2F%2Fvault.azure.net")
            {
                return self.reply(400, &json!({"error": "invalid_request"}));
            }
            self.tokens_asked.fetch_add(1, Ordering::SeqCst);
            let token = self.token.lock().unwrap().clone();
            return self
                .reply(200, &json!({"access_token": token, "expires_in": "3600", "token_type": "Bearer"}));
        }
        let expected = format!("Bearer {}", self.token.lock().unwrap());
        if header("authorization").as_deref() != Some(expected.as_str()) {
            return self.failure(
                401,
                "Unauthorized",
                "AKV10000: Request is missing a Bearer or PoP token.",
                None,
            );
        }
        if query != "api-version=7.4" {
            return self.failure(400, "BadParameter", "api-version", None);
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match (method, parts.as_slice()) {
            (Method::GET, ["keys", name]) => self.describe(name, None),
            (Method::GET, ["keys", name, version]) => self.describe(name, Some(version)),
            (Method::POST, ["keys", name, version, operation]) => {
                self.operate(name, version, operation, &body)
            }
            _ => self.failure(404, "NotFound", "no such path", None),
        }
    }

    fn find(&self, name: &str, version: Option<&str>) -> Option<(String, Arc<Material>)> {
        let keys = self.keys.lock().unwrap();
        let versions = keys.get(name)?;
        let found = match version {
            None => versions.last(),
            Some(version) => versions.iter().find(|(other, _)| other == version),
        };
        found.map(|(version, material)| (version.clone(), Arc::clone(material)))
    }

    fn kid(&self, name: &str, version: &str) -> String {
        format!("http://127.0.0.1:{}/keys/{name}/{version}", self.port)
    }

    fn describe(&self, name: &str, version: Option<&str>) -> Response<Full<Bytes>> {
        let Some((version, material)) = self.find(name, version) else {
            return self.failure(
                404,
                "KeyNotFound",
                "A key with (name/id) was not found in this key vault.",
                None,
            );
        };
        let enabled = !self.disabled.lock().unwrap().iter().any(|other| other == name);
        let kty = if matches!(*material, Material::Rsa(_)) { "RSA" } else { "oct-HSM" };
        let key = json!({"kid": self.kid(name, &version), "kty": kty, "key_ops": ["wrapKey", "unwrapKey"]});
        self.reply(200, &json!({"key": key, "attributes": {"enabled": enabled}}))
    }

    fn operate(&self, name: &str, version: &str, operation: &str, body: &Value) -> Response<Full<Bytes>> {
        let Some((version, material)) = self.find(name, Some(version)) else {
            return self.failure(
                404,
                "KeyNotFound",
                "A key with (name/id) was not found in this key vault.",
                None,
            );
        };
        if *self.forbidden.lock().unwrap() {
            let message = "Caller is not authorized to perform action on resource.";
            return self.failure(403, "Forbidden", message, Some("ForbiddenByRbac"));
        }
        if self.disabled.lock().unwrap().iter().any(|other| other == name) {
            let message = "Operation is not allowed on a disabled key.";
            return self.failure(403, "Forbidden", message, Some("KeyDisabled"));
        }
        let value = body["value"].as_str().and_then(|value| URL_SAFE_NO_PAD.decode(value).ok());
        let algorithm = if matches!(*material, Material::Rsa(_)) { "RSA-OAEP-256" } else { "A256KW" };
        let Some(value) = value.filter(|_| body["alg"] == algorithm) else {
            return self.failure(400, "BadParameter", "Property  has invalid value\r\n", None);
        };
        let result = match operation {
            "wrapkey" => Some(wrap(&material, &value)),
            "unwrapkey" => unwrap(&material, &value),
            _ => None,
        };
        match result {
            Some(result) => self.reply(
                200,
                &json!({"kid": self.kid(name, &version), "value": URL_SAFE_NO_PAD.encode(result)}),
            ),
            None => self.failure(400, "BadParameter", "Property  has invalid value\r\n", None),
        }
    }

    fn failure(&self, status: u16, code: &str, message: &str, inner: Option<&str>) -> Response<Full<Bytes>> {
        let mut error = json!({"code": code, "message": message});
        if let Some(inner) = inner {
            error["innererror"] = json!({"code": inner});
        }
        self.reply(status, &json!({"error": error}))
    }

    fn reply(&self, status: u16, body: &Value) -> Response<Full<Bytes>> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        Response::builder()
            .status(status)
            .header("content-type", "application/json; charset=utf-8")
            .header("x-ms-request-id", format!("00000000-0000-0000-0000-{number:012}"))
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap()
    }
}

fn wrap(material: &Material, value: &[u8]) -> Vec<u8> {
    match material {
        Material::Rsa(key) => {
            let public = OaepPublicEncryptingKey::new(key.public_key()).unwrap();
            let mut output = vec![0; public.ciphertext_size()];
            public.encrypt(&OAEP_SHA256_MGF1SHA256, value, &mut output, None).unwrap().to_vec()
        }
        Material::Aes(key) => {
            let mut output = vec![0; value.len() + 8];
            AesKek::new(&AES_256, key).unwrap().wrap(value, &mut output).unwrap().to_vec()
        }
    }
}

fn unwrap(material: &Material, value: &[u8]) -> Option<Vec<u8>> {
    match material {
        Material::Rsa(key) => {
            let private = OaepPrivateDecryptingKey::new(key.clone()).unwrap();
            let mut output = vec![0; private.min_output_size()];
            private
                .decrypt(&OAEP_SHA256_MGF1SHA256, value, &mut output, None)
                .ok()
                .map(|plain| plain.to_vec())
        }
        Material::Aes(key) => {
            let mut output = vec![0; value.len()];
            let kek = AesKek::new(&AES_256, key).unwrap();
            kek.unwrap(value, &mut output).ok().map(|plain| plain.to_vec())
        }
    }
}
