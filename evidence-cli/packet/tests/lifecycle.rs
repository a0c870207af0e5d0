//! A packet from evidence to verification, and every way in which verification says no.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use cadastre_model::evidence::Evidence;
use cadastre_packet::{
    Chain, Digest, Failure, KeyKind, LocalKey, PacketError, PublicKey, Role, SeededRandomness, SignOptions,
    Signer, TimestampState, UncheckedPacket, VerifyOptions, create, show, sign, verify,
};
use common::*;

#[test]
fn a_signed_packet_says_what_was_verified_by_whom_and_when() {
    let bytes = signed();
    let keys = keys();
    let packet = verify(UncheckedPacket::open(&bytes).unwrap(), &keys, &VerifyOptions::default()).unwrap();
    let verification = packet.verification();
    assert_eq!(verification.signed_by.key_id, keys[0].id());
    assert_eq!(verification.signed_by.signed_at, at());
    assert_eq!((verification.records, verification.files), (11, 7));
    assert_eq!((verification.leaves.all, verification.leaves.original), (17, 17));
    assert_eq!(verification.chain, Chain::First);
    assert_eq!(verification.timestamp, TimestampState::None);
    assert_eq!(verification.missing, ["1 of 11 questions ended denied"]);
    assert_eq!(packet.boundary(), Some("payments"));
    assert_eq!(packet.read("policies/BND-01.rego").unwrap(), b"package bnd01\n");
}

#[test]
fn evidence_comes_back_as_it_was_packed() {
    let bytes = signed();
    let packet = verify(UncheckedPacket::open(&bytes).unwrap(), &keys(), &VerifyOptions::default()).unwrap();
    let (packed, original): (Evidence, Evidence) = (packet.evidence().unwrap(), evidence());
    assert_eq!(packed.records(), original.records());
    assert_eq!(packed.manifest().merkle_root, original.manifest().merkle_root);
}

#[test]
fn the_same_input_and_seed_give_the_same_bytes_and_other_salts_another_root() {
    assert_eq!(unsigned(), unsigned());
    let mut other = Vec::new();
    create(&evidence(), files(), &create_options(None), &SeededRandomness::new(2), &mut other).unwrap();
    assert_ne!(show(&other).unwrap().root, show(&unsigned()).unwrap().root);
    assert_eq!(other.len(), unsigned().len());
}

#[test]
fn the_chain_is_compared_when_the_previous_packet_is_there() {
    let first = signed();
    let digest = show(&first).unwrap().statement.unwrap();
    let mut second = Vec::new();
    create(&evidence(), files(), &create_options(Some(digest)), &SeededRandomness::new(3), &mut second)
        .unwrap();
    let second = signed_with(&second, key(), NO_TIMESTAMP);
    let chain = |previous| {
        let options = VerifyOptions { previous, ..VerifyOptions::default() };
        verify(UncheckedPacket::open(&second).unwrap(), &keys(), &options).map(|p| p.verification().chain)
    };
    assert_eq!(chain(Some(digest)).unwrap(), Chain::Continues { previous: digest });
    assert_eq!(chain(None).unwrap(), Chain::NotCompared { previous: digest });
    let broken = chain(Some(Digest::of(b"another"))).unwrap_err();
    assert!(matches!(broken, PacketError::Chain { .. }) && broken.failure() == Failure::Verification);
    let options = VerifyOptions { previous: Some(digest), ..VerifyOptions::default() };
    assert!(verify(UncheckedPacket::open(&first).unwrap(), &keys(), &options).is_err());
}

#[test]
fn a_wrong_key_is_told_from_a_wrong_signature_and_from_none() {
    let fails = |bytes: &Vec<u8>, keys: &[PublicKey]| {
        verify(UncheckedPacket::open(bytes).unwrap(), keys, &VerifyOptions::default()).unwrap_err()
    };
    let other = LocalKey::from_pem("other", ed25519_pem().as_bytes()).unwrap();
    let error = fails(&signed(), &[other.public_key().clone()]);
    assert!(
        error.to_string().contains(&keys()[0].id()) && error.to_string().contains(&other.public_key().id())
    );
    assert_eq!(error.failure(), Failure::Tool);
    let error = fails(&unsigned(), &keys());
    assert!(matches!(error, PacketError::Unsigned) && error.failure() == Failure::Verification);
}

#[test]
fn what_does_not_hold_together_is_never_signed() {
    let mut bytes = unsigned();
    let place = bytes.windows(4).position(|window| window == b"body").unwrap();
    bytes[place] = b'B';
    let options = SignOptions { signed_at: at(), timestamp: NO_TIMESTAMP };
    assert!(sign(&bytes, key(), &options, Vec::new()).is_err());
    let again = sign(&signed(), key(), &options, Vec::new()).unwrap_err();
    assert!(matches!(again, PacketError::AlreadySigned(_)));
}

#[test]
fn files_lie_where_their_role_belongs_and_only_once() {
    let packs =
        |files| create(&evidence(), files, &create_options(None), &SeededRandomness::new(1), Vec::new());
    assert!(packs(vec![file("graph2.json", Role::Graph, "application/json", b"{}")]).is_err());
    assert!(packs(vec![file("records/aws.ndjson", Role::Records, "application/x-ndjson", b"")]).is_err());
    let twice = |a, b| vec![file(a, Role::Report, "text/html", b""), file(b, Role::Report, "text/html", b"")];
    assert!(packs(twice("reports/a", "reports/a")).is_err());
    assert!(packs(twice("reports/a", "reports/A")).is_err());
    assert!(packs(twice("reports/a", "reports/b")).is_ok());
}

#[test]
fn a_packet_of_no_records_is_a_packet() {
    let empty = Evidence::from_records(Vec::new(), "0.1.0", at(), at(), true);
    let mut bytes = Vec::new();
    create(&empty, Vec::new(), &create_options(None), &SeededRandomness::new(1), &mut bytes).unwrap();
    verifies(&signed_with(&bytes, key(), NO_TIMESTAMP)).unwrap();
}

#[test]
fn showing_says_that_nothing_was_verified() {
    let contents = show(&signed()).unwrap();
    assert!(!contents.verified);
    let text = contents.to_string();
    assert!(text.contains("not verified") && text.contains("policies/BND-01.rego"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, ed25519_pem()).unwrap();
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    let error = LocalKey::read(&path).unwrap_err().to_string();
    assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    mode(0o600);
    assert_eq!(LocalKey::read(&path).unwrap().public_key().kind(), KeyKind::Ed25519);
}
