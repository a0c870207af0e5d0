//! OAUTHBEARER with tokens as an issuer signs them and clients that nobody here wrote present them.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::TestBroker;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

/// One of an issuer's keys.
struct Key {
    id: &'static str,
    pair: rcgen::KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        Self { id, pair: rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    /// The set that publishes this key alone.
    fn published(&self) -> String {
        let point = self.pair.public_key_raw();
        let coordinate = |range| URL_SAFE_NO_PAD.encode(point.get::<std::ops::Range<usize>>(range).unwrap());
        let (x, y) = (coordinate(1..33), coordinate(33..65));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": x, "y": y}]})
            .to_string()
    }

    fn token(&self, subject: &str, audience: &str, seconds: i64) -> String {
        let now = cadastre_storage::Clock::system().now_ms() / 1_000;
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::ES256) };
        let claims = json!({"iss": "https://issuer.example", "aud": audience, "sub": subject, "iat": now, "exp": now + seconds});
        encode(&header, &claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }
}

fn properties(keys: &str) -> String {
    format!(
        "listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER\n\
         sasl.oauthbearer.jwks.endpoint.url={keys}\n\
         sasl.oauthbearer.jwks.endpoint.refresh.ms=300\n\
         sasl.oauthbearer.clock.skew.seconds=0\n\
         sasl.oauthbearer.expected.audience=kafka\n\
         sasl.oauthbearer.expected.issuer=https://issuer.example\n"
    )
}

/// A broker that reads its issuer's keys in a file beside its own.
fn broker_with(key: &Key) -> TestBroker {
    let broker = TestBroker::configured("");
    let path = broker.path("keys.json");
    std::fs::write(&path, key.published()).unwrap();
    let file = broker.path("server.properties");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, before + &properties(&format!("file://{}", path.display()))).unwrap();
    broker.formatted()
}

/// Writes tokens for the script, which takes one after another.
fn write_tokens(broker: &TestBroker, tokens: &[String]) {
    std::fs::write(broker.path("tokens"), tokens.join("\n")).unwrap();
}

fn run(broker: &TestBroker, step: &str) {
    let path = broker.path("tokens");
    broker.python("bearer_tokens.py", &[step, Path::new(&path).to_str().unwrap()]);
}

#[test]
fn the_holder_of_a_token_is_its_subject_and_may_do_what_acls_allow_that_subject() {
    let key = Key::new("first");
    let broker = broker_with(&key);
    write_tokens(&broker, &[key.token("orders", "kafka", 600)]);
    run(&broker, "authorized");
    assert!(broker.audit().contains("\"principal\":\"User:orders\""), "{}", broker.audit());
}

#[test]
fn tokens_that_ended_are_for_others_or_forged_let_nobody_in() {
    let key = Key::new("first");
    let broker = broker_with(&key);
    let stranger = Key::new("first");
    for (token, cause) in [
        (key.token("admin", "kafka", 0), "token has expired"),
        (key.token("admin", "billing", 600), "token is for another audience"),
        (stranger.token("admin", "kafka", 600), "token's signature is wrong"),
        (Key::new("second").token("admin", "kafka", 600), "token was signed with a key that is not known"),
    ] {
        write_tokens(&broker, &[token]);
        run(&broker, "refused");
        assert!(broker.audit().contains(cause), "{cause}: {}", broker.audit());
    }
}

#[test]
fn a_connection_holds_no_longer_than_its_token_and_goes_on_with_the_next() {
    let key = Key::new("first");
    let broker = broker_with(&key);
    let short = || key.token("admin", "kafka", 4);
    write_tokens(&broker, &[short(), key.token("admin", "kafka", 600)]);
    run(&broker, "renewed");
}

#[test]
fn an_issuer_that_changes_its_keys_is_followed() {
    let (first, second) = (Key::new("first"), Key::new("second"));
    let published = Arc::new(Mutex::new(first.published()));
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = endpoint.local_addr().unwrap();
    let answer = Arc::clone(&published);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in endpoint.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = answer.lock().unwrap().clone();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A broker that stops meanwhile takes no answer.
            let _sent = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    let broker = TestBroker::with(&properties(&format!("http://{address}/keys")));
    write_tokens(&broker, &[first.token("admin", "kafka", 600)]);
    run(&broker, "eventually");
    *published.lock().unwrap() = second.published();
    write_tokens(&broker, &[second.token("admin", "kafka", 600)]);
    run(&broker, "eventually");
    write_tokens(&broker, &[first.token("admin", "kafka", 600)]);
    run(&broker, "refused");
}

#[test]
fn a_listener_says_what_it_lacks_before_it_trusts_anybody() {
    for (more, expected) in [
        ("", "OAUTHBEARER needs sasl.oauthbearer.jwks.endpoint.url"),
        (
            "sasl.oauthbearer.jwks.endpoint.url=http://issuer.example/keys\nsasl.oauthbearer.expected.audience=a\nsasl.oauthbearer.expected.issuer=b\n",
            "must be an https: or file: URL",
        ),
        (
            "sasl.oauthbearer.jwks.endpoint.url=https://issuer.example/keys\n",
            "sasl.oauthbearer.expected.audience",
        ),
        (
            "sasl.oauthbearer.jwks.endpoint.url=https://issuer.example/keys\nsasl.oauthbearer.expected.audience=a\n",
            "sasl.oauthbearer.expected.issuer",
        ),
        (
            "sasl.oauthbearer.jwks.endpoint.url=file:///nonexistent/keys\nsasl.oauthbearer.expected.audience=a\nsasl.oauthbearer.expected.issuer=b\n",
            "No such file",
        ),
    ] {
        let broker = TestBroker::configured(&format!(
            "listener.name.sasl_ssl.sasl.enabled.mechanisms=OAUTHBEARER\n{more}"
        ));
        let path = broker.path("server.properties");
        let arguments = ["format", "--config", path.to_str().unwrap()];
        assert!(common::run(&arguments).status.success());
        let refused = common::run(&["--config", path.to_str().unwrap()]);
        let said = common::text(&refused);
        assert!(!refused.status.success() && said.contains(expected), "{expected}: {said}");
    }
}
