//! Servers that answer nonsense: refused with a clear error, in bounded time and memory, and no secret in any message.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cadastre_key_services::{
    AwsKms, AwsKmsConfig, AzureAlgorithm, AzureCredential, AzureKeyVault, AzureKeyVaultConfig, CallLimits,
    Endpoint, SecretFile, Trust, VaultTransit, VaultTransitConfig,
};
use cadastre_keys::{EncryptionContext, KeyErrorClass, KeyService, SystemKeyClock, WrappedKey};
use support::aws::sdk_config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
const TOKEN: &str = "hvs.token-that-must-not-show";
/// 32 bytes that must not show, in base64.
const PLAIN: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYzE=";

/// What the server says to everything but questions about keys.
#[derive(Debug, Clone)]
enum Script {
    Reply {
        status: &'static str,
        headers: String,
        body: Vec<u8>,
    },
    /// A byte now and then, for ever.
    Drip,
    /// Bytes without end.
    Flood,
    Hang,
    CutOff,
}

fn json(body: &str) -> Script {
    reply("200 OK", "content-type: application/json\r\n", body.as_bytes())
}

fn reply(status: &'static str, headers: &str, body: &[u8]) -> Script {
    Script::Reply { status, headers: headers.to_owned(), body: body.to_vec() }
}

struct Hostile {
    port: u16,
    script: Arc<Mutex<Script>>,
    directory: tempfile::TempDir,
}

impl Hostile {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script::Hang));
        let played = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, port, Arc::clone(&played)));
            }
        });
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token"), TOKEN).unwrap();
        Self { port, script, directory }
    }

    fn limits() -> CallLimits {
        CallLimits { timeout: Duration::from_millis(400), attempts: 2, maximum_bytes: 8192 }
    }

    fn url(&self, path: &str) -> Endpoint {
        Endpoint::parse("url", &format!("http://127.0.0.1:{}{path}", self.port)).unwrap()
    }

    async fn services(&self) -> [Arc<dyn KeyService>; 3] {
        let token = SecretFile::new(self.directory.path().join("token"));
        let aws = AwsKmsConfig {
            key_arn: ARN.to_owned(),
            previous_key_arns: Vec::new(),
            endpoint: Some(self.url("")),
            limits: Self::limits(),
        };
        let vault = VaultTransitConfig {
            address: self.url(""),
            mount: "transit".to_owned(),
            key_name: "k".to_owned(),
            namespace: None,
            token: token.clone(),
            limits: Self::limits(),
            trust: Trust::System,
        };
        let azure = AzureKeyVaultConfig {
            key_url: self.url("/keys/k"),
            algorithm: AzureAlgorithm::RsaOaep256,
            credential: AzureCredential::TokenFile(token),
            limits: Self::limits(),
            trust: Trust::System,
        };
        [
            AwsKms::with_sdk_config(aws, &sdk_config(self.port)).unwrap(),
            VaultTransit::open(vault).await.unwrap(),
            AzureKeyVault::open(azure, Arc::new(SystemKeyClock)).await.unwrap(),
        ]
    }
}

/// Answers questions about keys properly, and everything else by the script.
async fn play(mut stream: TcpStream, port: u16, script: Arc<Mutex<Script>>) {
    loop {
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !is_complete(&request) {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(length) => request.extend_from_slice(&chunk[..length]),
            }
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let script = if text.starts_with("GET /v1/transit/keys/k") {
            json(r#"{"request_id":"r","data":{"type":"aes256-gcm96","derived":true,"latest_version":1}}"#)
        } else if text.starts_with("GET /keys/k") {
            let kid = format!("http://127.0.0.1:{port}/keys/k/1");
            json(&format!(r#"{{"key":{{"kid":"{kid}","kty":"RSA","key_ops":["wrapKey","unwrapKey"]}}}}"#))
        } else {
            script.lock().unwrap().clone()
        };
        let ended = match script {
            Script::Reply { status, headers, body } => {
                let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), &body].concat()).await
            }
            Script::Drip => {
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n";
                let mut written = stream.write_all(head.as_bytes()).await;
                while written.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    written = stream.write_all(b" ").await;
                }
                written
            }
            Script::Flood => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
                let mut written = stream.write_all(head.as_bytes()).await;
                while written.is_ok() {
                    written = stream.write_all(&[b' '; 4096]).await;
                }
                written
            }
            Script::Hang => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
            Script::CutOff => return,
        };
        if ended.is_err() {
            return;
        }
    }
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn context() -> EncryptionContext {
    EncryptionContext::new().with("cadastre:object", "1")
}

/// Runs `script` against every operation of every service.
async fn check(script: Script, expected: &[KeyErrorClass]) {
    let server = Hostile::start().await;
    let services = server.services().await;
    *server.script.lock().unwrap() = script.clone();
    for service in services {
        let key_id = service.current_key().to_owned();
        let ciphertext = match key_id.as_str() {
            id if id.starts_with("vault") => b"vault:v1:AAAA".to_vec(),
            id if id.starts_with("http") => [&[1, 0, 4], b"wrap".as_slice(), &[7; 60]].concat(),
            _ => vec![7; 100],
        };
        let wrapped = WrappedKey { key_id, ciphertext };
        let began = Instant::now();
        let generated = service.generate_key(&context()).await.outcome.map(|_| ());
        let unwrapped = service.unwrap_key(&wrapped, &context()).await.outcome.map(|_| ());
        let rewrapped = service.rewrap_key(&wrapped, &context()).await.outcome.map(|_| ());
        assert!(began.elapsed() < Duration::from_secs(10), "{service:?}");
        for (operation, outcome) in [("generate", generated), ("unwrap", unwrapped), ("rewrap", rewrapped)] {
            let Err(error) = outcome else { panic!("{operation} of {service:?} took {script:?}") };
            assert!(
                expected.contains(&error.class()),
                "{operation} of {service:?}: {:?} {error}",
                error.class()
            );
            let told = format!("{error} {error:?} {service:?}");
            for secret in [TOKEN, PLAIN, "secret-secret", "wJalrXUtnFEMI"] {
                assert!(!told.contains(secret), "{told}");
            }
        }
    }
}

const NONSENSE: [KeyErrorClass; 1] = [KeyErrorClass::InvalidAnswer];
const GONE: [KeyErrorClass; 1] = [KeyErrorClass::Unavailable];

#[tokio::test]
async fn pages_for_people_are_not_taken_for_answers() {
    let page = b"<html><body>Please sign in</body></html>";
    check(reply("200 OK", "content-type: text/html\r\n", page), &NONSENSE).await;
    check(reply("502 Bad Gateway", "content-type: text/html\r\n", page), &GONE).await;
    check(reply("200 OK", "content-type: application/json\r\n", page), &NONSENSE).await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let to = "location: http://169.254.169.254/latest/meta-data\r\n";
    check(reply("302 Found", to, b""), &NONSENSE).await;
    check(reply("307 Temporary Redirect", to, b""), &NONSENSE).await;
}

#[tokio::test]
async fn answers_without_end_are_cut_off() {
    check(Script::Flood, &[KeyErrorClass::InvalidAnswer, KeyErrorClass::Unavailable]).await;
    let long = format!("{{\"Plaintext\":\"{}\"}}", "A".repeat(100_000));
    check(json(&long), &[KeyErrorClass::InvalidAnswer, KeyErrorClass::Unavailable]).await;
}

#[tokio::test]
async fn slow_answers_and_none_are_given_up_in_time() {
    check(Script::Drip, &GONE).await;
    check(Script::Hang, &GONE).await;
    check(Script::CutOff, &GONE).await;
}

#[tokio::test]
async fn keys_of_the_wrong_length_and_from_other_keys_are_refused() {
    // One body for all three: each reads its own members.
    let all = |plaintext: &str, ciphertext: &str, key: &str, kid: &str| {
        json(&format!(
            r#"{{"Plaintext":"{plaintext}","CiphertextBlob":"AAAA","KeyId":"{key}","request_id":"r","data":
            {{"plaintext":"{}","ciphertext":"{ciphertext}"}},"kid":"{kid}","value":"{plaintext}"}}"#,
            if plaintext == PLAIN { "AAAA" } else { plaintext }
        ))
    };
    let refused = [KeyErrorClass::InvalidAnswer, KeyErrorClass::InvalidCiphertext];
    check(all("c2hvcnQ=", "vault:v0x:AAAA", "another-key", "http://127.0.0.1/keys/k/1"), &refused).await;
    check(all("not base64!", "vault:AAAA", "another-key", "http://127.0.0.1/keys/other/1"), &refused).await;
    check(all(PLAIN, "no-prefix", "another-key", "http://example.com/keys/k/1"), &refused).await;
    check(all("", "vault:vx:AAAA", "another-key", ""), &refused).await;
    check(json("{}"), &refused).await;
    check(json("[]"), &refused).await;
    check(json("null"), &refused).await;
    check(json(&format!("{}1{}", "[".repeat(5000), "]".repeat(5000))), &refused).await;
}

#[tokio::test]
async fn throttling_is_told_apart_and_not_waited_for_without_bound() {
    let headers = "content-type: application/json\r\nretry-after: 3600\r\n";
    let body = br#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    check(reply("429 Too Many Requests", headers, body), &[KeyErrorClass::Throttled]).await;
}

#[tokio::test]
async fn a_vault_key_that_ignores_the_context_is_not_used() {
    let server = Hostile::start().await;
    let [_, vault, _] = server.services().await;
    for ciphertext in ["no-prefix", "vault:vx:AAAA", "vault:v1", ""] {
        let body = format!(r#"{{"data":{{"plaintext":"{PLAIN}","ciphertext":"{ciphertext}"}}}}"#);
        *server.script.lock().unwrap() = json(&body);
        let refused = vault.generate_key(&context()).await.outcome.unwrap_err();
        assert_eq!(refused.class(), KeyErrorClass::InvalidAnswer, "{refused}");
    }
    // Whatever the context: the same plaintext.
    let body =
        format!(r#"{{"request_id":"r","data":{{"plaintext":"{PLAIN}","ciphertext":"vault:v1:AAAA"}}}}"#);
    *server.script.lock().unwrap() = json(&body);
    let refused = vault.generate_key(&context()).await.outcome.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::Unsuitable, "{refused}");
    assert!(refused.to_string().contains("derived=true"), "{refused}");
}
