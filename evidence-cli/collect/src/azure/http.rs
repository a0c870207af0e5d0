//! Bounded HTTP with patience for throttling ("Throttling Resource Manager requests").

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, redirect};

/// Longest answer, in bytes: the list of service tags is the longest there is, at some megabytes.
const LONGEST_ANSWER: usize = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a throttled or failing service is asked.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// The longest wait that is granted; whoever asks for more is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// No answer.
#[derive(Debug)]
pub(super) struct Silence {
    /// `unreachable`, `timed-out`, `not-an-answer`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A client that follows no redirect: tokens go nowhere else.
pub(super) fn client() -> Result<Client, String> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .timeout(TIMEOUT)
        .user_agent(concat!("cadastre/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

/// Sends a request until it is answered with neither a server error nor throttling, or the attempts are used up.
pub(super) async fn send(request: RequestBuilder) -> Result<Reply, Silence> {
    let mut attempt = 1;
    loop {
        let Some(next) = request.try_clone() else {
            return Err(silence("not-an-answer", "the request cannot be sent twice"));
        };
        let (again, pause, outcome) = match next.send().await {
            Ok(answer) => {
                let status = answer.status();
                let again = status.is_server_error() || status.as_u16() == 429;
                (again, asked_for(answer.headers()), read(answer).await)
            }
            Err(error) => {
                let code = if error.is_timeout() { "timed-out" } else { "unreachable" };
                let again = error.is_timeout() || error.is_connect();
                (again, None, Err(silence(code, &error.without_url().to_string())))
            }
        };
        let pause = pause.unwrap_or(PAUSE * 2_u32.pow(attempt - 1));
        if !again || attempt >= ATTEMPTS || pause > LONGEST_PAUSE {
            return outcome;
        }
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

/// The wait that `Retry-After` asks for, in seconds.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read(mut answer: reqwest::Response) -> Result<Reply, Silence> {
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(part)) if body.len() + part.len() > LONGEST_ANSWER => {
                return Err(silence("not-an-answer", "it is longer than any answer"));
            }
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => return Ok(Reply { status, body }),
            Err(error) => return Err(silence("cut-short", &error.without_url().to_string())),
        }
    }
}

fn silence(code: &'static str, message: &str) -> Silence {
    Silence { code, message: message.to_owned() }
}
