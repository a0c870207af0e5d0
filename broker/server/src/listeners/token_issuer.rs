//! The issuer whose bearer tokens a listener takes: its rules, and its public keys as they were last read.
//!
//! Keys are read again every `sasl.oauthbearer.jwks.endpoint.refresh.ms`, and early when a token names one that is not known, as
//! after an issuer has changed its keys. While they cannot be read those from before stay in use. KIP-768.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use cadastre_security::bearer::{BearerError, BearerRules, BearerToken, KeySet, MAXIMUM_KEY_SET_BYTES};
use cadastre_storage::Clock;
use tokio::sync::Notify;
use url::{Host, Url};

use super::listener_security::chain;
use crate::config::ListenerConfig;
use crate::config::definition::{boolean, list};
use crate::config::tables::broker_definition;
use crate::sync::{read, write};

/// Keys are asked for no oftener than this because of tokens that name others: anybody can send such a token.
const EARLIEST_REFRESH: Duration = Duration::from_secs(10);
/// How long an issuer may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the keys are read, and what tokens must say.
pub(crate) struct TokenIssuer {
    listener: String,
    rules: BearerRules,
    source: KeySource,
    refresh: Duration,
    retry: Duration,
    longest_retry: Duration,
    keys: RwLock<Arc<KeySet>>,
    unknown_key: Notify,
    clock: Clock,
}

enum KeySource {
    File(PathBuf),
    Endpoint(Box<reqwest::Client>, Url),
}

impl TokenIssuer {
    /// Reads a listener's `sasl.oauthbearer.*` properties, and its keys where they are in a file.
    ///
    /// # Errors
    ///
    /// What is missing or wrong, for whoever configures the broker.
    pub(super) fn open(listener: &ListenerConfig, clock: Clock) -> Result<Self, String> {
        let text = |name: &str| {
            let given = listener.mechanism_property("OAUTHBEARER", name).or_else(|| listener.property(name));
            let value = given.or_else(|| broker_definition(name)?.default);
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let number = |name: &str| {
            let value = text(name).unwrap_or_default();
            value.parse::<u64>().map_err(|error| format!("{name}: {error}"))
        };
        let waived = |name: &str| text(name).and_then(|value| boolean(&value)).unwrap_or(false);
        let address = text("sasl.oauthbearer.jwks.endpoint.url").ok_or(
            "OAUTHBEARER needs sasl.oauthbearer.jwks.endpoint.url, where the issuer publishes its keys",
        )?;
        let audiences =
            text("sasl.oauthbearer.expected.audience").map(|value| list(&value)).unwrap_or_default();
        if audiences.is_empty() && !waived("sasl.oauthbearer.allow.unverified.audience") {
            return Err("OAUTHBEARER needs sasl.oauthbearer.expected.audience, or every token of the issuer is accepted, whatever \
                        it was issued for; sasl.oauthbearer.allow.unverified.audience=true accepts that"
                .to_owned());
        }
        let issuer = text("sasl.oauthbearer.expected.issuer");
        if issuer.is_none() && !waived("sasl.oauthbearer.allow.unverified.issuer") {
            return Err("OAUTHBEARER needs sasl.oauthbearer.expected.issuer, or \
                        sasl.oauthbearer.allow.unverified.issuer=true"
                .to_owned());
        }
        let milliseconds = |name| number(name).map(Duration::from_millis);
        let mut opened = Self {
            listener: listener.name.clone(),
            rules: BearerRules {
                audiences,
                issuer,
                subject_claim: text("sasl.oauthbearer.sub.claim.name").unwrap_or_default(),
                scope_claim: text("sasl.oauthbearer.scope.claim.name").unwrap_or_default(),
                clock_skew_seconds: number("sasl.oauthbearer.clock.skew.seconds")?.min(3_600).cast_signed(),
            },
            source: KeySource::parse(&address)?,
            refresh: milliseconds("sasl.oauthbearer.jwks.endpoint.refresh.ms")?,
            retry: milliseconds("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms")?,
            longest_retry: milliseconds("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms")?,
            keys: RwLock::default(),
            unknown_key: Notify::new(),
            clock,
        };
        if let KeySource::File(path) = &opened.source {
            let keys = read_file(path).map_err(|reason| format!("{address}: {reason}"))?;
            opened.keys = RwLock::new(Arc::new(keys));
        }
        Ok(opened)
    }

    /// Verifies a token with the keys that are known now.
    ///
    /// # Errors
    ///
    /// [`BearerError`]: why it is refused.
    pub(crate) fn verify(&self, token: &str) -> Result<BearerToken, BearerError> {
        let keys = Arc::clone(&read(&self.keys));
        let verified = self.rules.verify(&keys, token, self.clock.now_ms());
        if verified == Err(BearerError::UnknownKey) {
            self.unknown_key.notify_one();
        }
        verified
    }

    /// Reads the keys again and again, for as long as it is let.
    pub(crate) async fn keep_keys_fresh(self: Arc<Self>) {
        let mut backoff = self.retry;
        loop {
            match self.source.keys().await {
                Ok(keys) => {
                    backoff = self.retry;
                    tracing::debug!(listener = %self.listener, ?keys, "keys of the token issuer read");
                    *write(&self.keys) = Arc::new(keys);
                    tokio::time::sleep(EARLIEST_REFRESH.min(self.refresh)).await;
                    let rest = self.refresh.saturating_sub(EARLIEST_REFRESH);
                    tokio::select! {
                        () = self.unknown_key.notified() => {}
                        () = tokio::time::sleep(rest) => {}
                    }
                }
                Err(reason) => {
                    let without = read(&self.keys).is_empty();
                    tracing::warn!(listener = %self.listener, %reason, without, "keys of the token issuer not read");
                    tokio::time::sleep(backoff).await;
                    backoff = backoff.saturating_mul(2).clamp(Duration::from_millis(1), self.longest_retry);
                }
            }
        }
    }
}

impl KeySource {
    fn parse(address: &str) -> Result<Self, String> {
        let refuse = |reason: &str| format!("sasl.oauthbearer.jwks.endpoint.url `{address}` {reason}");
        let url = Url::parse(address).map_err(|error| refuse(&format!("is no URL: {error}")))?;
        let on_this_machine = match url.host() {
            Some(Host::Ipv4(host)) => host.is_loopback(),
            Some(Host::Ipv6(host)) => host.is_loopback(),
            Some(Host::Domain(host)) => host == "localhost",
            None => false,
        };
        match url.scheme() {
            "file" => {
                url.to_file_path().map(Self::File).map_err(|()| refuse("names no file of this machine"))
            }
            "https" => Self::endpoint(url),
            "http" if on_this_machine => Self::endpoint(url),
            _ => Err(refuse(
                "must be an https: or file: URL: whoever changes the keys on their way decides who is who",
            )),
        }
    }

    fn endpoint(url: Url) -> Result<Self, String> {
        let client =
            reqwest::Client::builder().timeout(ANSWER_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(|error| chain(&error))?;
        Ok(Self::Endpoint(Box::new(client), url))
    }

    async fn keys(&self) -> Result<KeySet, String> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                // Ends otherwise only with the runtime.
                tokio::task::spawn_blocking(move || read_file(&path)).await.map_err(|error| chain(&error))?
            }
            Self::Endpoint(client, url) => {
                let answered =
                    client.get(url.clone()).send().await.and_then(reqwest::Response::error_for_status);
                let mut response = answered.map_err(|error| chain(&error))?;
                if !response.status().is_success() {
                    return Err(format!("{url} answered with status {}", response.status()));
                }
                let mut document = Vec::new();
                while let Some(part) = response.chunk().await.map_err(|error| chain(&error))? {
                    document.extend_from_slice(&part);
                    if document.len() > MAXIMUM_KEY_SET_BYTES {
                        break;
                    }
                }
                KeySet::parse(&document).map_err(|error| format!("{url}: {}", chain(&error)))
            }
        }
    }
}

fn read_file(path: &Path) -> Result<KeySet, String> {
    let mut document = Vec::new();
    let limit = u64::try_from(MAXIMUM_KEY_SET_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(limit).read_to_end(&mut document).map_err(|error| error.to_string())?;
    KeySet::parse(&document).map_err(|error| chain(&error))
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenIssuer")
            .field("listener", &self.listener)
            .field("rules", &self.rules)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_files_this_machine_and_over_tls() {
        for address in [
            "file:///etc/keys.json",
            "https://issuer.example/keys",
            "http://127.0.0.1:8080/",
            "http://[::1]/",
            "http://localhost/",
        ] {
            assert!(KeySource::parse(address).is_ok(), "{address}");
        }
        for address in [
            "",
            "/etc/keys.json",
            "http://issuer.example/keys",
            "http://127.0.0.1.example/",
            "ftp://localhost/",
            "file://elsewhere/keys",
        ] {
            assert!(KeySource::parse(address).is_err(), "{address}");
        }
    }
}
