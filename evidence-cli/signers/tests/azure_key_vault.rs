//! Keys of Azure Key Vault, against a server written from the published REST API 7.4 (Get Key, Sign) and the sign-in
//! service's description of client credentials. The keys and signatures are real; Azure itself was not asked.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;

use aws_lc_rs::digest::{Digest, SHA256, SHA384};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cadastre_packet::{KeyKind, PublicKey};
use cadastre_signers::{AzureCredential, Signer, SigningError, open_azure};
use serde_json::{Value, json};

const VERSION: &str = "0123456789abcdef0123456789abcdef";

/// What the vault does, apart from what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Right,
    Disabled,
    Decrypting,
    OtherKey,
    OtherSignature,
    Throttling,
}

struct Vault {
    port: u16,
    pair: EcdsaKeyPair,
    curve: &'static str,
    mood: Mood,
    asked: Mutex<Vec<String>>,
}

impl Vault {
    fn start(curve: &'static str, mood: Mood) -> Arc<Self> {
        let algorithm = match curve {
            "P-256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let vault = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            pair: EcdsaKeyPair::generate(algorithm).unwrap(),
            curve,
            mood,
            asked: Mutex::default(),
        });
        let serving = Arc::clone(&vault);
        std::thread::spawn(move || {
            for stream in listener.incoming().take(100) {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while reader.read_line(&mut head).unwrap() > 2 {}
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                reader.read_exact(&mut body).unwrap();
                let (status, answer) = serving.answer(&head, &body);
                let answer = answer.to_string();
                write!(stream, "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len()).unwrap();
            }
        });
        vault
    }

    fn answer(&self, head: &str, body: &[u8]) -> (u16, Value) {
        let line = head.lines().next().unwrap();
        self.asked.lock().unwrap().push(line.to_owned());
        if line.starts_with("POST /tenant/oauth2/v2.0/token ") {
            let form = String::from_utf8(body.to_vec()).unwrap();
            let expected = "grant_type=client%5Fcredentials&client_id=reviewer&scope=https%3A%2F%2Fvault%2Eazure%2Enet%2F%2Edefault&client_secret=hunter2";
            return if form == expected {
                (200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "token-1"}))
            } else {
                (401, json!({"error": "invalid_client"}))
            };
        }
        if !head.to_lowercase().contains("authorization: bearer token-1\r\n") {
            return (401, json!({"error": {"code": "Unauthorized", "message": "no token"}}));
        }
        if self.mood == Mood::Throttling && self.asked.lock().unwrap().len() < 3 {
            return (429, json!({"error": {"code": "Throttled"}}));
        }
        let name = if self.mood == Mood::OtherKey { "others" } else { "packets" };
        let kid = format!("http://127.0.0.1:{}/keys/{name}/{VERSION}", self.port);
        if line.starts_with("GET /keys/packets") {
            let point = self.pair.public_key().as_ref();
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            let operations =
                if self.mood == Mood::Decrypting { ["encrypt", "decrypt"] } else { ["sign", "verify"] };
            return (
                200,
                json!({
                    "key": {
                        "kid": kid, "kty": "EC", "crv": self.curve, "key_ops": operations,
                        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
                    },
                    "attributes": {"enabled": self.mood != Mood::Disabled},
                }),
            );
        }
        assert!(line.starts_with(&format!("POST /keys/packets/{VERSION}/sign?api-version=7.4 ")), "{line}");
        let request: Value = serde_json::from_slice(body).unwrap();
        let (algorithm, digest) = match self.curve {
            "P-256" => ("ES256", &SHA256),
            _ => ("ES384", &SHA384),
        };
        assert_eq!(request["alg"], algorithm);
        let mut bytes = URL_SAFE_NO_PAD.decode(request["value"].as_str().unwrap()).unwrap();
        if self.mood == Mood::OtherSignature {
            bytes[0] ^= 1;
        }
        let signature = self.pair.sign_digest(&Digest::import_less_safe(&bytes, digest).unwrap()).unwrap();
        (200, json!({"kid": kid, "value": URL_SAFE_NO_PAD.encode(signature.as_ref())}))
    }

    fn open(&self) -> Result<Box<dyn Signer>, SigningError> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let credential = AzureCredential::ClientSecret {
            authority: url.clone(),
            tenant: "tenant".to_owned(),
            client: "reviewer".to_owned(),
            secret: "hunter2".to_owned().into(),
        };
        open_azure(&url, "packets", None, credential)
    }
}

#[test]
fn keys_on_both_curves_sign_what_their_public_key_verifies_offline() {
    for (curve, kind) in [("P-256", KeyKind::EcdsaP256), ("P-384", KeyKind::EcdsaP384)] {
        let vault = Vault::start(curve, Mood::Right);
        let signer = vault.open().unwrap();
        assert_eq!(signer.public_key().kind(), kind);
        assert!(signer.public_key().name().ends_with(VERSION), "{}", signer.public_key().name());
        let exported = PublicKey::from_spki("exported", signer.public_key().spki()).unwrap();
        for number in 0..20_u8 {
            let message = vec![number; 1000];
            let signature = signer.sign(&message).unwrap();
            assert!(exported.verify(&message, &signature).is_some(), "{curve}");
        }
    }
}

#[test]
fn a_throttled_call_is_made_again() {
    let vault = Vault::start("P-256", Mood::Throttling);
    vault.open().unwrap().sign(b"message").unwrap();
}

#[track_caller]
fn check_refused(mood: Mood, expected: &str) {
    let vault = Vault::start("P-256", mood);
    let outcome = vault.open().map_err(|error| error.to_string());
    let outcome = outcome.and_then(|signer| signer.sign(b"message").map_err(|error| error.to_string()));
    let error = outcome.unwrap_err();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("hunter2") && !error.contains("token-1"));
}

#[test]
fn a_vault_that_answers_otherwise_than_asked_is_not_believed() {
    check_refused(Mood::Disabled, "it is disabled");
    check_refused(Mood::Decrypting, "it does not allow `sign`");
    check_refused(Mood::OtherKey, "it describes another key");
    check_refused(Mood::OtherSignature, "its signature does not verify");
}

#[test]
fn a_wrong_secret_is_told_without_being_shown() {
    let vault = Vault::start("P-256", Mood::Right);
    let url = format!("http://127.0.0.1:{}", vault.port);
    let credential = AzureCredential::ClientSecret {
        authority: url.clone(),
        tenant: "tenant".to_owned(),
        client: "reviewer".to_owned(),
        secret: "wrong-secret".to_owned().into(),
    };
    let error = open_azure(&url, "packets", None, credential).err().unwrap().to_string();
    assert!(error.contains("refuses `a token`") && error.contains("invalid_client"), "{error}");
    assert!(!error.contains("wrong-secret"));
}
