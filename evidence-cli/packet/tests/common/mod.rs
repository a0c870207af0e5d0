//! Packets to try things on.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_model::evidence::Evidence;
use cadastre_model::record::{Page, Problem};
use cadastre_model::{Observation, Outcome, Scope, Timestamp};
use cadastre_packet::{
    Content, CreateOptions, Digest, LocalKey, PackFile, PublicKey, Role, SeededRandomness, SignOptions,
    Signer, TimestampRule, UncheckedPacket, VerifyOptions, create, sign, verify,
};
use serde_json::json;

/// PEM text around DER.
pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A new Ed25519 key, as `openssl genpkey -algorithm ed25519` writes it.
pub fn ed25519_pem() -> String {
    pem("PRIVATE KEY", Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap().as_ref())
}

/// A new ECDSA key.
pub fn ecdsa_pem(algorithm: &'static EcdsaSigningAlgorithm) -> String {
    pem("PRIVATE KEY", EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref())
}

pub fn at() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub fn observation(operation: &str, subject: &str) -> Observation {
    Observation {
        collector: operation.split(':').next().unwrap().to_owned(),
        operation: operation.into(),
        scope: Scope::region("111122223333", "eu-central-1"),
        subject: subject.into(),
        caller: "arn:aws:sts::111122223333:assumed-role/reader/scan".into(),
        observed_at: at(),
        outcome: Outcome::Observed,
        request: json!({"KeyId": subject}),
        response: json!({"Arn": format!("arn:aws:kms:eu-central-1:111122223333:key/{subject}"), "Enabled": true}),
        problem: None,
        page: Page::ONLY,
    }
}

pub fn evidence() -> Evidence {
    let mut records = Vec::new();
    for subject in ["a", "b", "c", "d", "e"] {
        records.push(observation("kms:DescribeKey", subject).seal().unwrap());
        records.push(observation("kafka:DescribeTopics", subject).seal().unwrap());
    }
    let mut denied = observation("kms:ListGrants", "a");
    denied.outcome = Outcome::Denied;
    denied.response = json!(null);
    denied.problem = Some(Problem { code: "AccessDenied".into(), message: "no".into() });
    records.push(denied.seal().unwrap());
    Evidence::from_records(records, "0.1.0", at(), at(), true)
}

pub fn file(path: &str, role: Role, media_type: &str, bytes: &[u8]) -> PackFile {
    PackFile {
        path: path.parse().unwrap(),
        role,
        media_type: media_type.into(),
        content: Content::Bytes(bytes.to_vec()),
    }
}

pub fn files() -> Vec<PackFile> {
    vec![
        file("reports/report.html", Role::Report, "text/html", b"<html><body>111122223333</body></html>"),
        file("graph.json", Role::Graph, "application/json", br#"{"nodes":[]}"#),
        file("checklist.json", Role::Checklist, "application/json", br#"{"controls":[]}"#),
        file("policies/BND-01.rego", Role::Policy, "text/plain", b"package bnd01\n"),
        file("coverage.json", Role::Coverage, "application/json", b"{}"),
    ]
}

pub fn create_options(previous: Option<Digest>) -> CreateOptions {
    CreateOptions {
        tool_version: "0.1.0".into(),
        created_at: at(),
        as_of: at(),
        boundary: Some("payments".into()),
        previous,
    }
}

pub fn unsigned() -> Vec<u8> {
    let mut bytes = Vec::new();
    create(&evidence(), files(), &create_options(None), &SeededRandomness::new(1), &mut bytes).unwrap();
    bytes
}

/// The key of this run.
pub fn key() -> &'static LocalKey {
    static KEY: OnceLock<LocalKey> = OnceLock::new();
    KEY.get_or_init(|| LocalKey::from_pem("test", ed25519_pem().as_bytes()).unwrap())
}

pub fn keys() -> Vec<PublicKey> {
    vec![key().public_key().clone()]
}

pub const NO_TIMESTAMP: TimestampRule = TimestampRule::None;

pub fn signed_with(unsigned: &[u8], key: &dyn Signer, timestamp: TimestampRule) -> Vec<u8> {
    let mut bytes = Vec::new();
    sign(&unsigned, key, &SignOptions { signed_at: at(), timestamp }, &mut bytes).unwrap();
    bytes
}

pub fn signed() -> Vec<u8> {
    signed_with(&unsigned(), key(), NO_TIMESTAMP)
}

/// Whether bytes verify as a packet under the test key.
pub fn verifies(bytes: &[u8]) -> Result<(), cadastre_packet::PacketError> {
    let packet = UncheckedPacket::open(&bytes)?;
    verify(packet, &keys(), &VerifyOptions::default()).map(|_| ())
}

/// A container such as packets have, written from the format's description and apart from the crate's own writer.
pub fn canonical_zip(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in parts {
        let offset = u32::try_from(bytes.len()).unwrap();
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend(size);
        common.extend(size);
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(content);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(parts.len()).unwrap().to_le_bytes();
    let offset = u32::try_from(bytes.len()).unwrap();
    let size = u32::try_from(directory.len()).unwrap();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(size.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// Takes a packet apart into named contents.
pub fn apart(packet: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    let mut at = 0;
    while packet[at..].starts_with(b"PK\x03\x04") {
        let size = u32::from_le_bytes(packet[at + 18..at + 22].try_into().unwrap()) as usize;
        let name = u16::from_le_bytes(packet[at + 26..at + 28].try_into().unwrap()) as usize;
        let start = at + 30 + name;
        let path = String::from_utf8(packet[at + 30..start].to_vec()).unwrap();
        parts.push((path, packet[start..start + size].to_vec()));
        at = start + size;
    }
    parts
}
