//! HTTP for services without a client library: bounded in time, size and attempts; no redirect is followed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cadastre_keys::KeyError;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, Url, redirect};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Longest file of certificates.
const LONGEST_PEM: u64 = 4 << 20;

/// Bounds of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// How long one attempt may take, its answer included.
    pub timeout: Duration,
    /// How many attempts there are at most; at least 1.
    pub attempts: u32,
    /// Longest answer, in bytes.
    pub maximum_bytes: usize,
}

impl Default for CallLimits {
    /// 5 seconds, 3 attempts, 64 KiB.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), attempts: 3, maximum_bytes: 64 << 10 }
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those the system believes.
    #[default]
    System,
    /// Only those issued by the authorities in this PEM file.
    Authorities(PathBuf),
}

/// The URL of a service: `https`, or plain `http` on this machine alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`KeyError::Configuration`] about `property` when it is not a URL, or would send keys in the clear.
    pub fn parse(property: &str, text: &str) -> Result<Self, KeyError> {
        let refuse = |reason: &str| KeyError::Configuration {
            property: property.to_owned(),
            reason: reason.to_owned(),
        };
        let url = Url::parse(text.trim()).map_err(|_syntax| refuse("expected a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("a URL must not hold credentials"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("expected a URL without query and fragment"));
        }
        let is_local =
            matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]" | "169.254.169.254"));
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_local => Ok(Self(url)),
            _ => Err(refuse("expected an `https` URL (`http` only on this machine)")),
        }
    }

    /// The URL without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The path's segments.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.0
            .path_segments()
            .map(|parts| parts.filter(|part| !part.is_empty()).collect())
            .unwrap_or_default()
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The host.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A request that may be sent several times.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    /// Names, and values that must not show.
    pub(crate) secret_headers: Vec<(&'static str, &'a str)>,
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: Option<Body<'a>>,
}

/// What is sent.
pub(crate) enum Body<'a> {
    Json(&'a [u8]),
    Form(&'a [u8]),
}

/// An answer with any status but a redirect.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    is_json: bool,
}

impl Reply {
    pub(crate) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let text = self.headers.get(name)?.to_str().ok()?;
        // It goes into the ledger, and is only a name.
        Some(text.chars().filter(char::is_ascii_graphic).take(128).collect())
    }

    /// The body as JSON; the reason never quotes it, since it may hold a key.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, &'static str> {
        if !self.is_json {
            return Err("it is not JSON");
        }
        serde_json::from_slice(&self.body).map_err(|_error| "it is not the JSON that is documented")
    }

    /// The body as text for an error message, if it is JSON; at most 300 characters.
    pub(crate) fn error_text(&self) -> String {
        if !self.is_json {
            return format!("status {}", self.status);
        }
        let text = String::from_utf8_lossy(&self.body);
        let text: String = text.chars().filter(|letter| !letter.is_control()).take(300).collect();
        format!("status {}: {text}", self.status)
    }
}

/// A client with limits.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    limits: CallLimits,
}

impl Http {
    pub(crate) fn new(limits: CallLimits, trust: &Trust) -> Result<Self, KeyError> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(limits.timeout)
            .connect_timeout(limits.timeout)
            .pool_idle_timeout(Duration::from_secs(60))
            .user_agent(concat!("cadastre/", env!("CARGO_PKG_VERSION")));
        if let Trust::Authorities(path) = trust {
            builder = builder.tls_certs_only(authorities(path)?);
        }
        let client = builder.build().map_err(|error| KeyError::Configuration {
            property: "cadastre.key.tls.ca.file".to_owned(),
            reason: describe(&error.without_url()),
        })?;
        Ok(Self { client, limits })
    }

    /// Sends `call` until it is answered with neither a server error nor throttling, or the attempts are used up;
    /// then gives the last answer.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Reply, KeyError> {
        let attempts = self.limits.attempts.max(1);
        let mut pause = Duration::from_millis(100);
        for attempt in 1_u32.. {
            let outcome = self.attempt(call).await;
            let wait = match &outcome {
                Ok(reply) if reply.status == 429 || reply.status >= 500 => {
                    let asked = reply.header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
                    asked.map_or(pause, Duration::from_secs)
                }
                Err(error) if error.is_retriable() => pause,
                Ok(_) | Err(_) => return outcome,
            };
            if attempt >= attempts {
                return outcome;
            }
            tokio::time::sleep(wait.min(LONGEST_PAUSE)).await;
            pause = pause.saturating_mul(2);
        }
        Err(KeyError::Unavailable { reason: "no attempt is allowed".to_owned() })
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Reply, KeyError> {
        let unavailable =
            |error: reqwest::Error| KeyError::Unavailable { reason: describe(&error.without_url()) };
        let mut headers = HeaderMap::new();
        let plain = call.headers.iter().map(|pair| (pair, false));
        for ((name, value), secret) in plain.chain(call.secret_headers.iter().map(|pair| (pair, true))) {
            let mut value = HeaderValue::from_str(value).map_err(|_invalid| KeyError::Configuration {
                property: (*name).to_owned(),
                reason: "expected visible ASCII".to_owned(),
            })?;
            value.set_sensitive(secret);
            headers.insert(HeaderName::from_static(name), value);
        }
        let mut request = self.client.request(call.method.clone(), &call.url).headers(headers);
        request = match &call.body {
            Some(Body::Json(bytes)) => request.header(CONTENT_TYPE, "application/json").body(bytes.to_vec()),
            Some(Body::Form(bytes)) => {
                request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(bytes.to_vec())
            }
            None => request,
        };
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status().as_u16();
        if response.status().is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let host =
                to.and_then(|to| response.url().join(to).ok()).map(|to| to.origin().ascii_serialization());
            return Err(invalid(
                call,
                format!("it redirects to `{}`, which is not followed", host.unwrap_or_default()),
            ));
        }
        let mut body = Zeroizing::new(Vec::with_capacity(8192));
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if body.len().saturating_add(chunk.len()) > self.limits.maximum_bytes {
                let limit = self.limits.maximum_bytes;
                return Err(invalid(call, format!("it is longer than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json =
            kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("application/json"));
        Ok(Reply { status, headers: response.headers().clone(), body, is_json })
    }
}

fn invalid(call: &Call<'_>, reason: String) -> KeyError {
    KeyError::InvalidAnswer { key_id: call.url.clone(), reason }
}

fn authorities(path: &std::path::Path) -> Result<Vec<Certificate>, KeyError> {
    use std::io::Read as _;
    let failed = |source| KeyError::File { action: "read", path: path.to_owned(), source };
    let mut pem = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(LONGEST_PEM).read_to_end(&mut pem).map_err(failed)?;
    let malformed =
        KeyError::Malformed { path: path.to_owned(), reason: "expected certificates in PEM form" };
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(malformed),
    }
}

/// The error and its causes, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, accepted: bool) {
        assert_eq!(Endpoint::parse("p", text).is_ok(), accepted, "{text}");
    }

    #[test]
    fn keys_never_travel_in_the_clear() {
        check("https://vault.example.com", true);
        check("https://vault.example.com:8200/prefix", true);
        check("http://127.0.0.1:8200", true);
        check("http://localhost:8200", true);
        check("http://vault.example.com", false);
        check("http://127.0.0.1.example.com", false);
        check("https://user:secret@vault.example.com", false);
        check("https://vault.example.com?x=1", false);
        check("file:///etc/passwd", false);
        check("vault.example.com", false);
    }
}
