//! Tokens as issuers sign them, and as those who would pass for somebody else change them.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const NOW_MS: i64 = 1_800_000_000_000;
const NOW: i64 = NOW_MS / 1_000;

/// A P-256 key and the key set that publishes it as `first`.
fn issuer() -> &'static (EncodingKey, String) {
    static ISSUER: OnceLock<(EncodingKey, String)> = OnceLock::new();
    ISSUER.get_or_init(|| {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let point = pair.public_key_raw();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        let keys = json!({"keys": [
            {"kty": "oct", "kid": "shared", "k": URL_SAFE_NO_PAD.encode("secret")},
            {"kty": "EC", "crv": "P-256", "kid": "first", "x": x, "y": y},
            {"kty": "EC", "crv": "P-256", "kid": "wrapping", "use": "enc", "x": x, "y": y},
            {"kty": "unheard of", "kid": "new"},
        ]});
        (EncodingKey::from_ec_der(&pair.serialize_der()), keys.to_string())
    })
}

fn keys() -> KeySet {
    KeySet::parse(issuer().1.as_bytes()).unwrap()
}

fn rules() -> BearerRules {
    BearerRules {
        audiences: vec!["kafka".to_owned()],
        issuer: Some("https://issuer.example".to_owned()),
        subject_claim: "sub".to_owned(),
        scope_claim: "scope".to_owned(),
        clock_skew_seconds: 30,
    }
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": ["other", "kafka"], "sub": "orders-service",
        "iat": NOW - 60, "exp": NOW + 600, "scope": "write read write"})
}

fn header(id: &str) -> Header {
    Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) }
}

fn signed(header: &Header, claims: &Value) -> String {
    encode(header, claims, &issuer().0).unwrap()
}

/// A token with one claim changed, or taken out by `null`.
fn with(name: &str, value: Value) -> String {
    let mut changed = claims();
    match value {
        Value::Null => drop(changed.as_object_mut().unwrap().remove(name)),
        value => changed[name] = value,
    }
    signed(&header("first"), &changed)
}

#[track_caller]
fn refused(token: &str) -> BearerError {
    rules().verify(&keys(), token, NOW_MS).unwrap_err()
}

#[test]
fn a_good_token_names_its_holder_its_scopes_and_its_end() {
    let token = rules().verify(&keys(), &signed(&header("first"), &claims()), NOW_MS).unwrap();
    let expected = BearerToken {
        subject: "orders-service".to_owned(),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        expires_ms: NOW_MS + 600_000,
    };
    assert_eq!(token, expected);
    let unnamed = Header { kid: None, ..header("first") };
    assert!(rules().verify(&keys(), &signed(&unnamed, &claims()), NOW_MS).is_ok());
    for (name, value) in
        [("scope", json!(["a", "b"])), ("aud", json!("kafka")), ("exp", json!(NOW as f64 + 0.5))]
    {
        assert!(rules().verify(&keys(), &with(name, value), NOW_MS).is_ok(), "{name}");
    }
}

#[test]
fn each_claim_is_held_against_its_rule() {
    for (name, value, expected) in [
        ("exp", json!(NOW - 30), BearerError::Expired),
        ("exp", json!("never"), BearerError::Times),
        ("exp", json!(i64::MAX), BearerError::Times),
        ("exp", json!(1e300), BearerError::Times),
        ("exp", Value::Null, BearerError::Times),
        ("iat", Value::Null, BearerError::Times),
        ("iat", json!(NOW + 31), BearerError::NotYetValid),
        ("nbf", json!(NOW + 31), BearerError::NotYetValid),
        ("nbf", json!("1"), BearerError::Times),
        ("aud", json!("kafka2"), BearerError::Audience),
        ("aud", json!(["kafka", 1]), BearerError::Audience),
        ("aud", Value::Null, BearerError::Audience),
        ("iss", json!("https://issuer.example/"), BearerError::Issuer),
        ("iss", Value::Null, BearerError::Issuer),
        ("sub", json!("  "), BearerError::Subject),
        ("sub", json!(7), BearerError::Subject),
        ("sub", Value::Null, BearerError::Subject),
        ("scope", json!({"a": 1}), BearerError::Scope),
    ] {
        assert_eq!(refused(&with(name, value.clone())), expected, "{name}: {value}");
    }
    for (name, value) in [("exp", json!(NOW - 29)), ("nbf", json!(NOW + 29)), ("iat", json!(NOW + 29))] {
        assert!(
            rules().verify(&keys(), &with(name, value), NOW_MS).is_ok(),
            "{name} within the clock's skew"
        );
    }
}

#[test]
fn no_token_chooses_how_it_is_verified() {
    let good = signed(&header("first"), &claims());
    let (_, body_and_signature) = good.split_once('.').unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());

    let unsigned = format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(claims()));
    assert_eq!(refused(&unsigned), BearerError::Malformed);
    assert_eq!(refused(&format!("{message}.")), BearerError::Signature);
    assert_eq!(refused(&format!("{message}.{}{signature}", "A")), BearerError::Signature);

    // The published key as a shared secret, the classic confusion, and a shared secret that the set itself holds.
    let shared = Header { kid: Some("shared".to_owned()), ..Header::new(Algorithm::HS256) };
    let by_secret = encode(&shared, &claims(), &EncodingKey::from_secret(b"secret")).unwrap();
    assert_eq!(refused(&by_secret), BearerError::UnknownKey);
    let confused = Header { kid: Some("first".to_owned()), ..Header::new(Algorithm::HS256) };
    let by_public_key =
        encode(&confused, &claims(), &EncodingKey::from_secret(issuer().1.as_bytes())).unwrap();
    assert_eq!(refused(&by_public_key), BearerError::UnknownKey);

    assert_eq!(refused(&signed(&header("wrapping"), &claims())), BearerError::UnknownKey);
    assert_eq!(refused(&signed(&header("second"), &claims())), BearerError::UnknownKey);
    let critical = part(json!({"alg": "ES256", "kid": "first", "crit": ["b64"], "b64": false}));
    assert_eq!(refused(&format!("{critical}.{body_and_signature}")), BearerError::Malformed);

    let elsewhere = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let forged =
        encode(&header("first"), &claims(), &EncodingKey::from_ec_der(&elsewhere.serialize_der())).unwrap();
    assert_eq!(refused(&forged), BearerError::Signature);
    let mut raised = claims();
    raised["sub"] = json!("admin");
    let (head, _) = message.split_once('.').unwrap();
    assert_eq!(refused(&format!("{head}.{}.{signature}", part(raised))), BearerError::Signature);
    for text in ["", ".", "..", "a.b.c", "....", "\u{1}", &"x".repeat(10_000)] {
        assert_eq!(refused(text), BearerError::Malformed, "{text:?}");
    }
}

#[test]
fn key_sets_without_a_usable_key_are_refused() {
    for (text, expected) in [
        ("", "key set is not a JSON object with a list of `keys`"),
        ("[]", "key set is not a JSON object with a list of `keys`"),
        (r#"{"keys": []}"#, "key set holds no RSA, EC or Ed25519 key for signatures"),
        (
            r#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#,
            "key set holds no RSA, EC or Ed25519 key for signatures",
        ),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
    let long = vec![b' '; MAXIMUM_KEY_SET_BYTES + 1];
    assert!(matches!(KeySet::parse(&long), Err(KeySetError::TooLong)));
    assert_eq!(keys().ids().collect::<Vec<_>>(), ["first"]);
}
