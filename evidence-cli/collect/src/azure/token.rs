//! Access tokens of Microsoft Entra ID for Azure Resource Manager ("OAuth 2.0 client credentials flow", "How managed
//! identities for Azure resources work with Azure virtual machines").

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::http::{self, Reply};

const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The metadata service of virtual machines.
const METADATA: &str = "http://169.254.169.254";

/// As whom Azure is asked.
#[derive(Clone)]
pub enum AzureCredential {
    /// A token that somebody else keeps fresh in a file: `az account get-access-token --query accessToken --output tsv`.
    TokenFile(PathBuf),
    /// An application with a secret.
    ClientSecret {
        /// The sign-in service.
        authority: String,
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// Its secret.
        secret: Zeroizing<String>,
    },
    /// An application that a token of another issuer stands for: workload identity.
    FederatedToken {
        /// The sign-in service.
        authority: String,
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// The other issuer's token; read anew each time.
        token: PathBuf,
    },
    /// The identity of the machine.
    ManagedIdentity {
        /// The metadata service.
        endpoint: String,
        /// Which identity, when there are several.
        client: Option<String>,
    },
}

impl fmt::Debug for AzureCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TokenFile(_) => "TokenFile",
            Self::ClientSecret { .. } => "ClientSecret",
            Self::FederatedToken { .. } => "FederatedToken",
            Self::ManagedIdentity { .. } => "ManagedIdentity",
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
}

impl AzureCredential {
    /// The credential that the environment names, as Azure's SDKs read it: `AZURE_ACCESS_TOKEN_FILE`; or
    /// `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` with `AZURE_CLIENT_SECRET` or `AZURE_FEDERATED_TOKEN_FILE`; or
    /// `AZURE_USE_MANAGED_IDENTITY=true`, which is never tried unasked because it waits for a network.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        Self::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if let Some(file) = variable("AZURE_ACCESS_TOKEN_FILE") {
            return Some(Self::TokenFile(file.into()));
        }
        let client = variable("AZURE_CLIENT_ID");
        if let (Some(tenant), Some(client)) = (variable("AZURE_TENANT_ID"), client.clone()) {
            let authority = variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.to_owned());
            let authority = authority.trim_end_matches('/').to_owned();
            if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
                let secret = Zeroizing::new(secret);
                return Some(Self::ClientSecret { authority, tenant, client, secret });
            }
            if let Some(token) = variable("AZURE_FEDERATED_TOKEN_FILE") {
                return Some(Self::FederatedToken { authority, tenant, client, token: token.into() });
            }
        }
        (variable("AZURE_USE_MANAGED_IDENTITY").as_deref() == Some("true"))
            .then(|| Self::ManagedIdentity { endpoint: METADATA.to_owned(), client })
    }

    /// A token for the management endpoint; otherwise why there is none, in words.
    pub(super) async fn token(&self, client: &Client, audience: &str) -> Result<Token, String> {
        let request = match self {
            Self::TokenFile(file) => return secret(file).map(Token),
            Self::ManagedIdentity { endpoint, client: identity } => {
                let mut url = format!(
                    "{endpoint}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}",
                    encoded(audience)
                );
                if let Some(identity) = identity {
                    url.push_str(&format!("&client_id={}", encoded(identity)));
                }
                client.get(url).header("metadata", "true")
            }
            Self::ClientSecret { authority, tenant, client: application, secret } => {
                let fields = [("client_secret", secret.as_str())];
                sign_in(client, authority, tenant, application, audience, &fields)
            }
            Self::FederatedToken { authority, tenant, client: application, token } => {
                let assertion = secret(token)?;
                let fields = [
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", assertion.as_str()),
                ];
                sign_in(client, authority, tenant, application, audience, &fields)
            }
        };
        match http::send(request).await {
            Ok(Reply { status: 200, body, .. }) => {
                let answer: Answer = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
                Ok(Token(Zeroizing::new(answer.access_token)))
            }
            Ok(Reply { status, .. }) => Err(format!("the sign-in service answered with status {status}")),
            Err(problem) => Err(problem.message),
        }
    }
}

/// An access token.
#[derive(Clone)]
pub(super) struct Token(Zeroizing<String>);

impl Token {
    /// What stands in the `Authorization` header.
    pub(super) fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.0.as_str()))
    }

    /// Who it stands for: `entra:` and the object id that it claims; empty when it claims none.
    pub(super) fn caller(&self) -> String {
        let claims = || -> Option<Value> {
            let payload = self.0.split('.').nth(1)?;
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
        };
        let object = claims().and_then(|claims| claims.get("oid")?.as_str().map(str::to_lowercase));
        object.map(|object| format!("entra:{object}")).unwrap_or_default()
    }
}

fn sign_in(
    client: &Client,
    authority: &str,
    tenant: &str,
    application: &str,
    audience: &str,
    fields: &[(&str, &str)],
) -> reqwest::RequestBuilder {
    let scope = format!("{}/.default", audience.trim_end_matches('/'));
    let common = [("grant_type", "client_credentials"), ("client_id", application), ("scope", &scope)];
    let mut body = Zeroizing::new(String::new());
    for (name, value) in common.iter().chain(fields) {
        let separator = if body.is_empty() { "" } else { "&" };
        body.push_str(&format!("{separator}{name}={}", encoded(value)));
    }
    client
        .post(format!("{authority}/{}/oauth2/v2.0/token", encoded(tenant)))
        .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.as_bytes().to_vec())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &str) {
        let read = AzureCredential::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(read.map_or_else(|| "none".to_owned(), |credential| format!("{credential:?}")), expected);
    }

    #[test]
    fn the_environment_names_the_credential_and_nothing_is_tried_unasked() {
        let application = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        let with = |name, value| [application.as_slice(), &[(name, value)]].concat();
        check(&with("AZURE_CLIENT_SECRET", "hunter2"), "ClientSecret");
        check(&with("AZURE_FEDERATED_TOKEN_FILE", "/token"), "FederatedToken");
        check(&[("AZURE_ACCESS_TOKEN_FILE", "/token")], "TokenFile");
        check(&with("AZURE_USE_MANAGED_IDENTITY", "true"), "ManagedIdentity");
        check(&application, "none");
        check(&[], "none");
    }

    #[test]
    fn a_token_names_who_it_stands_for_or_nobody() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"oid":"A0000000-0000-4000-8000-0000000000A9"}"#);
        let token = |text: &str| Token(Zeroizing::new(text.to_owned()));
        assert_eq!(token(&format!("h.{claims}.s")).caller(), "entra:a0000000-0000-4000-8000-0000000000a9");
        assert_eq!(token("opaque").caller(), "");
    }
}
