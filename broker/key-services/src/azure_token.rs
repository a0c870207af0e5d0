//! Access tokens of Microsoft Entra ID for Key Vault ("OAuth 2.0 client credentials flow", "managed identities").

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cadastre_keys::{KeyClock, KeyError};
use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::http::{Body, Call, Endpoint, Http, Reply};
use crate::secret_file::{SecretFile, SecretText};

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(120);

/// A token and how long it lasts.
pub struct AccessToken {
    /// The token.
    pub value: Zeroizing<String>,
    /// How long it may be used; `None` when it is to be asked for each time.
    pub lasts: Option<Duration>,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessToken").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

/// A future that an [`AccessTokenSource`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<AccessToken, KeyError>> + Send + 'a>>;

/// Where tokens come from.
pub trait AccessTokenSource: fmt::Debug + Send + Sync {
    /// A token for `resource`, such as `https://vault.azure.net`.
    fn token<'a>(&'a self, resource: &'a str) -> TokenFuture<'a>;
}

/// How the broker shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureCredential {
    /// The identity of the machine or container.
    ManagedIdentity {
        /// The metadata service.
        endpoint: Endpoint,
        /// Which identity, when there are several.
        client_id: Option<String>,
    },
    /// An application with a secret.
    ClientSecret {
        /// The sign-in service, such as `https://login.microsoftonline.com`.
        authority: Endpoint,
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// Its secret.
        secret: SecretFile,
    },
    /// An application that a token of another issuer stands for: workload identity on Kubernetes.
    FederatedToken {
        /// The sign-in service.
        authority: Endpoint,
        /// The tenant.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// The other issuer's token; read anew each time.
        token: SecretFile,
    },
    /// A token that somebody else keeps fresh in a file.
    TokenFile(SecretFile),
}

/// Asks for tokens and keeps them until shortly before they end.
pub struct AzureTokens {
    credential: AzureCredential,
    http: Http,
    clock: Arc<dyn KeyClock>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    value: Zeroizing<String>,
    until: Duration,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretText,
    expires_in: Seconds,
}

/// The sign-in service sends a number, the metadata service a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl AzureTokens {
    pub(crate) fn new(credential: AzureCredential, http: Http, clock: Arc<dyn KeyClock>) -> Self {
        Self { credential, http, clock, kept: Mutex::new(None) }
    }

    async fn ask(&self, resource: &str) -> Result<AccessToken, KeyError> {
        let reply = match &self.credential {
            AzureCredential::TokenFile(file) => {
                return Ok(AccessToken { value: file.read()?, lasts: None });
            }
            AzureCredential::ManagedIdentity { endpoint, client_id } => {
                let mut fields = BTreeMap::from([("api-version", "2018-02-01"), ("resource", resource)]);
                fields.extend(client_id.as_deref().map(|id| ("client_id", id)));
                let query = encoded(&fields)?;
                let url = format!("{}/metadata/identity/oauth2/token?{}", endpoint.as_str(), &*query);
                let headers = vec![("metadata", "true")];
                let call = Call { method: Method::GET, url, secret_headers: Vec::new(), headers, body: None };
                self.http.send(&call).await?
            }
            AzureCredential::ClientSecret { authority, tenant_id, client_id, secret } => {
                let secret = secret.read()?;
                let proof = [("client_secret", secret.as_str())];
                self.sign_in(authority, tenant_id, client_id, &proof, resource).await?
            }
            AzureCredential::FederatedToken { authority, tenant_id, client_id, token } => {
                let token = token.read()?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let proof = [("client_assertion_type", kind), ("client_assertion", token.as_str())];
                self.sign_in(authority, tenant_id, client_id, &proof, resource).await?
            }
        };
        let key_id = resource.to_owned();
        if !reply.is_success() {
            return Err(match reply.status {
                429 => KeyError::Throttled { reason: reply.error_text() },
                500.. => KeyError::Unavailable { reason: reply.error_text() },
                _ => KeyError::AccessDenied { key_id, reason: format!("no token: {}", reply.error_text()) },
            });
        }
        let answer: TokenAnswer = reply
            .json()
            .map_err(|reason| KeyError::InvalidAnswer { key_id, reason: format!("token: {reason}") })?;
        let seconds = match answer.expires_in {
            Seconds::Number(seconds) => seconds,
            Seconds::Text(text) => text.parse().unwrap_or(0),
        };
        Ok(AccessToken { value: answer.access_token.0, lasts: Some(Duration::from_secs(seconds)) })
    }

    async fn sign_in(
        &self,
        authority: &Endpoint,
        tenant_id: &str,
        client_id: &str,
        proof: &[(&str, &str)],
        resource: &str,
    ) -> Result<Reply, KeyError> {
        let scope = format!("{resource}/.default");
        let mut fields = BTreeMap::from([
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", &scope),
        ]);
        fields.extend(proof.iter().copied());
        let form = encoded(&fields)?;
        let url = format!("{}/{tenant_id}/oauth2/v2.0/token", authority.as_str());
        let body = Some(Body::Form(form.as_bytes()));
        let call = Call { method: Method::POST, url, secret_headers: Vec::new(), headers: Vec::new(), body };
        self.http.send(&call).await
    }

    /// A token, kept or new.
    pub(crate) async fn current(&self, resource: &str) -> Result<Zeroizing<String>, KeyError> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref()
            && self.clock.elapsed() < token.until
        {
            return Ok(token.value.clone());
        }
        let asked_at = self.clock.elapsed();
        let AccessToken { value, lasts } = self.token(resource).await?;
        let lasts = lasts.and_then(|lasts| lasts.checked_sub(MARGIN));
        *kept = lasts.map(|lasts| Kept { value: value.clone(), until: asked_at.saturating_add(lasts) });
        Ok(value)
    }

    /// Forgets the kept token: the service refused it.
    pub(crate) async fn forget(&self) {
        *self.kept.lock().await = None;
    }
}

impl AccessTokenSource for AzureTokens {
    fn token<'a>(&'a self, resource: &'a str) -> TokenFuture<'a> {
        Box::pin(self.ask(resource))
    }
}

impl fmt::Debug for AzureTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AzureTokens").field("credential", &self.credential).finish_non_exhaustive()
    }
}

/// `fields` in the form of HTML forms and queries.
fn encoded(fields: &BTreeMap<&str, &str>) -> Result<Zeroizing<String>, KeyError> {
    let failed = |_syntax| KeyError::Cryptography { operation: "encode a form" };
    let mut url = Url::parse("https://localhost/").map_err(failed)?;
    url.query_pairs_mut().extend_pairs(fields);
    Ok(Zeroizing::new(url.query().unwrap_or_default().to_owned()))
}
