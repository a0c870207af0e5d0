//! A proxy in front of moto that makes chosen calls fail the way clouds do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Status 403 and this code.
    Denied(&'static str),
    /// Status 400 and `ThrottlingException`, each time.
    Throttled,
    /// Status 403 and `ExpiredTokenException`.
    Expired,
    /// A page for people, with status 404.
    Html,
    /// The answer's second half is missing, and its length says that it is not.
    EndsEarly,
    /// The connection closes in the middle of the answer.
    ConnectionCut,
    /// The first page names a second, which is denied or comes.
    SecondPage {
        /// Whether it is denied.
        fails: bool,
    },
    /// Every page names the same next one.
    SamePageForEver,
}

/// The proxy. It runs as long as the test's runtime.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Proxy {
    /// Starts in front of `upstream`. A fault applies to requests whose action or target is its name.
    pub(crate) async fn start<const N: usize>(upstream: &str, faults: [(&'static str, Fault); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let faults: Arc<BTreeMap<&str, Fault>> = Arc::new(faults.into_iter().collect());
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let counts = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, faults, counts) = (upstream.clone(), Arc::clone(&faults), Arc::clone(&counts));
                tokio::spawn(async move {
                    // A client that goes away is no concern of the proxy's.
                    let _ = serve(client, &upstream, &faults, &counts).await;
                });
            }
        });
        Self { url, seen }
    }

    /// How many requests named this action or target.
    pub(crate) fn requests(&self, name: &str) -> usize {
        self.seen.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

/// Serves one request and closes.
async fn serve(
    mut client: TcpStream,
    upstream: &str,
    faults: &BTreeMap<&str, Fault>,
    counts: &Mutex<BTreeMap<String, usize>>,
) -> std::io::Result<()> {
    let Some((head, body)) = read_message(&mut client).await? else { return Ok(()) };
    let names = names(&head, &body);
    for name in &names {
        *counts.lock().unwrap().entry(name.clone()).or_insert(0) += 1;
    }
    let fault = names.iter().find_map(|name| faults.get(name.as_str())).copied();
    let later_page = body.contains("NextToken=");
    let is_json = head.to_ascii_lowercase().contains("x-amz-target");
    match fault {
        Some(Fault::Denied(code)) => send_error(&mut client, 403, code, is_json).await,
        Some(Fault::SecondPage { fails: true }) if later_page => {
            send_error(&mut client, 403, "UnauthorizedOperation", is_json).await
        }
        Some(Fault::Throttled) => send_error(&mut client, 400, "ThrottlingException", is_json).await,
        Some(Fault::Expired) => send_error(&mut client, 403, "ExpiredTokenException", is_json).await,
        Some(Fault::Html) => {
            send(&mut client, 404, "text/html", "<!doctype html>\n<html lang=en><title>404 Not Found</title>")
                .await
        }
        _ => {
            let (status, kind, answer) = forward(upstream, &head, &body).await?;
            match fault {
                Some(Fault::EndsEarly) => send(&mut client, status, &kind, half(&answer)).await,
                Some(Fault::ConnectionCut) => {
                    let head = head_of(status, &kind, answer.len());
                    client.write_all(format!("{head}{}", half(&answer)).as_bytes()).await
                }
                Some(Fault::SecondPage { .. }) if !later_page => {
                    send(&mut client, status, &kind, &with_next_token(&answer)).await
                }
                Some(Fault::SamePageForEver) => {
                    send(&mut client, status, &kind, &with_next_token(&answer)).await
                }
                _ => send(&mut client, status, &kind, &answer).await,
            }
        }
    }
}

/// The action of a query, or the target of a JSON call with and without its prefix.
fn names(head: &str, body: &str) -> Vec<String> {
    let target = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-amz-target").then(|| value.trim().to_owned())
    });
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(str::to_owned);
    let short = target.as_deref().and_then(|target| target.rsplit('.').next()).map(str::to_owned);
    [target, action, short].into_iter().flatten().collect()
}

fn half(text: &str) -> &str {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle += 1;
    }
    &text[..middle]
}

fn with_next_token(answer: &str) -> String {
    let end = answer.rfind("</").unwrap();
    format!("{}<nextToken>more</nextToken>{}", &answer[..end], &answer[end..])
}

async fn read_message(stream: &mut TcpStream) -> std::io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    match length {
        Some(length) => {
            while bytes.len() < end + length {
                if stream.read_buf(&mut bytes).await? == 0 {
                    break;
                }
            }
        }
        // A request without a length has no body; an answer without one lasts until the connection closes.
        None if head.starts_with("HTTP/") => {
            stream.read_to_end(&mut bytes).await?;
        }
        None => {}
    }
    Ok(Some((head, String::from_utf8_lossy(&bytes[end..]).into_owned())))
}

async fn forward(upstream: &str, head: &str, body: &str) -> std::io::Result<(u16, String, String)> {
    let mut server = TcpStream::connect(upstream).await?;
    let kept: Vec<&str> = head
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    let request = format!("{}\r\nConnection: close\r\n\r\n{body}", kept.join("\r\n"));
    server.write_all(request.as_bytes()).await?;
    let (head, answer) = read_message(&mut server).await?.unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(502);
    let kind = head.lines().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-type:").map(|kind| kind.trim().to_owned())
    });
    Ok((status, kind.unwrap_or_default(), answer))
}

fn head_of(status: u16, kind: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

async fn send(client: &mut TcpStream, status: u16, kind: &str, body: &str) -> std::io::Result<()> {
    client.write_all(format!("{}{body}", head_of(status, kind, body.len())).as_bytes()).await
}

async fn send_error(client: &mut TcpStream, status: u16, code: &str, json: bool) -> std::io::Result<()> {
    if json {
        let body = format!("{{\"__type\":\"{code}\",\"message\":\"as the test wants it\"}}");
        return send(client, status, "application/x-amz-json-1.1", &body).await;
    }
    // Both envelopes of the query protocols: EC2 looks for Errors, IAM for Error.
    let error = format!(
        "<Error><Type>Sender</Type><Code>{code}</Code><Message>as the test wants it</Message></Error>"
    );
    let body = format!("<Response><Errors>{error}</Errors>{error}</Response>");
    let body = if code == "UnauthorizedOperation" {
        body
    } else {
        format!("<ErrorResponse>{error}</ErrorResponse>")
    };
    send(client, status, "text/xml", &body).await
}
