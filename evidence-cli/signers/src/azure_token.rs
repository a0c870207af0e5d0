//! Access tokens of Microsoft Entra ID ("OAuth 2.0 client credentials flow", "managed identities").

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::SigningError;
use crate::http::ask;

const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The metadata service of virtual machines.
const METADATA: &str = "http://169.254.169.254";
const TOKEN: &str = "a token";

/// As whom the vault is asked.
#[derive(Clone)]
pub enum AzureCredential {
    /// A token that somebody else keeps fresh in a file, `az account get-access-token --resource
    /// https://vault.azure.net --query accessToken --output tsv` for one.
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
    ///
    /// # Errors
    /// [`SigningError::NoCredential`].
    pub fn from_environment() -> Result<Self, SigningError> {
        Self::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SigningError> {
        if let Some(file) = variable("AZURE_ACCESS_TOKEN_FILE") {
            return Ok(Self::TokenFile(file.into()));
        }
        let client = variable("AZURE_CLIENT_ID");
        if let (Some(tenant), Some(client)) = (variable("AZURE_TENANT_ID"), client.clone()) {
            let authority = variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.to_owned());
            let authority = authority.trim_end_matches('/').to_owned();
            if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
                let secret = Zeroizing::new(secret);
                return Ok(Self::ClientSecret { authority, tenant, client, secret });
            }
            if let Some(token) = variable("AZURE_FEDERATED_TOKEN_FILE") {
                return Ok(Self::FederatedToken { authority, tenant, client, token: token.into() });
            }
        }
        if variable("AZURE_USE_MANAGED_IDENTITY").as_deref() == Some("true") {
            return Ok(Self::ManagedIdentity { endpoint: METADATA.to_owned(), client });
        }
        Err(SigningError::NoCredential)
    }

    /// A token for the vault.
    pub(crate) async fn token(&self, http: &Client, vault: &str) -> Result<Zeroizing<String>, SigningError> {
        let resource = resource(vault);
        let answer: Answer = match self {
            Self::TokenFile(file) => return secret(file),
            Self::ManagedIdentity { endpoint, client } => {
                let mut url = format!(
                    "{endpoint}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}",
                    encoded(&resource)
                );
                if let Some(client) = client {
                    url.push_str(&format!("&client_id={}", encoded(client)));
                }
                ask(TOKEN, &resource, http.get(url).header("metadata", "true")).await?
            }
            Self::ClientSecret { authority, tenant, client, secret } => {
                let fields = [("client_secret", secret.as_str())];
                self.sign_in(http, authority, tenant, client, &resource, &fields).await?
            }
            Self::FederatedToken { authority, tenant, client, token } => {
                let assertion = secret(token)?;
                let fields = [
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", assertion.as_str()),
                ];
                self.sign_in(http, authority, tenant, client, &resource, &fields).await?
            }
        };
        Ok(Zeroizing::new(answer.access_token))
    }

    async fn sign_in(
        &self,
        http: &Client,
        authority: &str,
        tenant: &str,
        client: &str,
        resource: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, SigningError> {
        let scope = format!("{resource}/.default");
        let common = [("grant_type", "client_credentials"), ("client_id", client), ("scope", &scope)];
        let mut body = Zeroizing::new(String::new());
        for (name, value) in common.iter().chain(fields) {
            let separator = if body.is_empty() { "" } else { "&" };
            body.push_str(&format!("{separator}{name}={}", encoded(value)));
        }
        let url = format!("{authority}/{}/oauth2/v2.0/token", encoded(tenant));
        let request = http
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.as_bytes().to_vec());
        ask(TOKEN, resource, request).await
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn secret(path: &Path) -> Result<Zeroizing<String>, SigningError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| SigningError::Credential { path: path.display().to_string(), source })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// The audience of a token: the host's domain in the public and in sovereign clouds.
fn resource(vault: &str) -> String {
    let host = vault.trim_start_matches("https://").split(['/', ':']).next().unwrap_or_default();
    match host.split_once('.') {
        Some((_, domain)) if domain.starts_with("vault.") || domain.starts_with("managedhsm.") => {
            format!("https://{domain}")
        }
        _ => "https://vault.azure.net".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &str) {
        let read = AzureCredential::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let shown = read.map_or_else(|error| error.to_string(), |credential| format!("{credential:?}"));
        assert!(shown.contains(expected), "{shown}");
        assert!(!shown.contains("hunter2"));
    }

    #[test]
    fn the_environment_names_the_credential_and_nothing_is_tried_unasked() {
        let application = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        let with = |name, value| [application.as_slice(), &[(name, value)]].concat();
        check(&with("AZURE_CLIENT_SECRET", "hunter2"), "ClientSecret");
        check(&with("AZURE_FEDERATED_TOKEN_FILE", "/token"), "FederatedToken");
        check(&[("AZURE_ACCESS_TOKEN_FILE", "/token")], "TokenFile");
        check(&with("AZURE_USE_MANAGED_IDENTITY", "true"), "ManagedIdentity");
        check(&application, "no Azure credential");
        check(&[], "no Azure credential");
    }

    #[test]
    fn tokens_are_asked_for_the_cloud_of_the_vault() {
        assert_eq!(resource("https://reviews.vault.azure.net"), "https://vault.azure.net");
        assert_eq!(resource("https://reviews.vault.azure.cn"), "https://vault.azure.cn");
        assert_eq!(resource("https://hsm.managedhsm.azure.net"), "https://managedhsm.azure.net");
        assert_eq!(resource("http://127.0.0.1:8080"), "https://vault.azure.net");
    }
}
