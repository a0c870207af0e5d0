//! Bounded HTTP, and a thread to wait on.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect};
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use crate::error::SigningError;

/// Longest answer, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a throttled or failing service is asked.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

pub(crate) fn runtime() -> Result<Runtime, SigningError> {
    Builder::new_current_thread().enable_all().build().map_err(SigningError::Runtime)
}

/// A client that follows no redirect: tokens go nowhere else.
pub(crate) fn client() -> Result<Client, SigningError> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .timeout(TIMEOUT)
        .user_agent(concat!("cadastre/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| SigningError::Unavailable { reason: error.to_string() })
}

/// Sends a request until it is answered with neither a server error nor throttling, or the attempts are used up, and
/// reads the JSON that answers it.
pub(crate) async fn ask<T: DeserializeOwned>(
    operation: &'static str,
    key: &str,
    request: RequestBuilder,
) -> Result<T, SigningError> {
    let invalid = |reason: &str| SigningError::InvalidAnswer {
        operation,
        key: key.to_owned(),
        reason: reason.to_owned(),
    };
    let unavailable =
        |error: reqwest::Error| SigningError::Unavailable { reason: error.without_url().to_string() };
    let mut attempt = 1;
    loop {
        let request = request.try_clone().ok_or_else(|| invalid("the request cannot be sent"))?;
        let outcome = request.send().await;
        let again = match &outcome {
            Ok(answer) => answer.status().is_server_error() || answer.status().as_u16() == 429,
            Err(error) => error.is_connect() || error.is_timeout(),
        };
        if again && attempt < ATTEMPTS {
            tokio::time::sleep(PAUSE * attempt).await;
            attempt += 1;
            continue;
        }
        let mut answer = outcome.map_err(unavailable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unavailable)? {
            if body.len() + part.len() > LONGEST_ANSWER {
                return Err(invalid("it is too long"));
            }
            body.extend_from_slice(&part);
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
            let reason = format!("status {}: {text}", status.as_u16());
            return Err(SigningError::Refused { operation, key: key.to_owned(), reason });
        }
        return serde_json::from_slice(&body)
            .map_err(|_json| invalid("it is not the JSON that is documented"));
    }
}
