//! What no packet has is refused by name, before anything is extracted; and nothing makes the reader panic.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use cadastre_packet::{Failure, LocalKey, PacketError, PacketSource, PublicKey, UncheckedPacket, show};
use common::*;
use proptest::prelude::*;

#[track_caller]
fn refused(bytes: &[u8], expected: &str) -> PacketError {
    let error = UncheckedPacket::open(&bytes).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text += ": ";
        text += &cause.to_string();
        source = cause.source();
    }
    assert!(text.contains(expected), "{text}");
    error
}

fn parts(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    names.iter().map(|name| ((*name).to_owned(), b"{}".to_vec())).collect()
}

/// A container of one entry, with one field of both headers set: its place counts from `version needed`.
fn with_field(at: usize, value: &[u8]) -> Vec<u8> {
    let mut zip = canonical_zip(&parts(&["manifest.json"]));
    let central = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    for start in [4 + at, central + 6 + at] {
        zip[start..start + value.len()].copy_from_slice(value);
    }
    zip
}

/// The same for the central header alone.
fn with_central(at: usize, value: &[u8]) -> Vec<u8> {
    let mut zip = canonical_zip(&parts(&["manifest.json"]));
    let central = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    zip[central + at..central + at + value.len()].copy_from_slice(value);
    zip
}

#[test]
fn dangerous_names_are_refused() {
    for (name, expected) in [
        ("../evil", "leads out"),
        ("reports/../../evil", "leads out"),
        ("/etc/passwd", "absolute"),
        ("C:\\evil", "absolute"),
        ("reports\\evil", "character"),
        ("reports/\u{202e}lmth", "character"),
        ("reports//x", "empty"),
        ("reports/", "a link, a directory"),
    ] {
        refused(&canonical_zip(&parts(&["manifest.json", name])), expected);
    }
    refused(&canonical_zip(&parts(&["manifest.json", "a", "a"])), "`a` is there twice");
    refused(&canonical_zip(&parts(&["manifest.json", "Graph", "graph"])), "differ only in letter case");
}

#[test]
fn zip_features_that_no_packet_uses_are_refused() {
    refused(&with_field(2, &[1, 0]), "encrypted");
    refused(&with_field(2, &[0x41, 0]), "encrypted");
    // A bomb: two bytes that say they become four gigabytes less a little.
    let mut bomb = with_field(4, &[8, 0]);
    let central = bomb.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bomb[central + 24..central + 28].copy_from_slice(&0xffff_0000_u32.to_le_bytes());
    refused(&bomb, "compressed (method 8, 2 bytes that say they become 4294901760");
    refused(&with_field(14, &[0xff; 4]), "zip64");
    refused(&with_central(42, &[0xff; 4]), "zip64");
    // Made by Unix, with the mode of a symbolic link, a device and a directory.
    for mode in [0o120_777_u32, 0o060_600, 0o040_755] {
        let mut link = with_central(5, &[3]);
        let central = link.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        link[central + 38..central + 42].copy_from_slice(&(mode << 16).to_le_bytes());
        refused(&link, "a link, a directory or a device");
    }
    refused(&with_field(6, &[1, 2, 3, 4]), "is not the one that a packet has");
    refused(&with_central(42, &[1, 0, 0, 0]), "overlaps another entry, or leaves a gap");
}

#[test]
fn bytes_around_the_container_are_refused() {
    let zip = canonical_zip(&parts(&["manifest.json"]));
    refused(&[b"MZ".as_slice(), &zip].concat(), "the zip directory does not lie");
    refused(&[zip.as_slice(), b"\0"].concat(), "something follows it");
    let end = zip.len() - 22;
    let mut comment = zip.clone();
    comment[end + 20] = 3;
    refused(&[comment.as_slice(), b"hey"].concat(), "has a comment");
    let mut split = zip.clone();
    split[end + 4] = 1;
    refused(&split, "one of several parts");
    let mut large = zip.clone();
    large[end + 8..end + 12].fill(0xff);
    refused(&large, "zip64");
    let mut many = zip.clone();
    many[end + 8..end + 12].copy_from_slice(&[9, 0, 9, 0]);
    refused(&many, "as many entries as it says");
    refused(b"", "not a packet");
    refused(b"<!doctype html>", "not a packet");
    refused(&zip[..zip.len() - 1], "not a packet");
    refused(&canonical_zip(&[]), "not a packet");
    refused(&canonical_zip(&parts(&["readme.txt"])), "begins with neither");
}

#[test]
fn a_newer_schema_is_refused_before_anything_else_is_read() {
    for (name, schema) in
        [("manifest.json", "cadastre/packet/v2"), ("redaction.json", "cadastre/redacted-packet/v9")]
    {
        let manifest = format!(r#"{{"schema":"{schema}","unknown":1}}"#).into_bytes();
        let error = refused(&canonical_zip(&[(name.to_owned(), manifest)]), schema);
        assert_eq!(error.failure(), Failure::Tool);
        assert!(error.hint().unwrap().contains("newer"));
    }
}

/// A packet whose first file says that it has more bytes than are ever read.
struct Huge(Vec<u8>, u64);

impl PacketSource for Huge {
    fn length(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64 + self.1)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        // The content, all zeros, lies after the 43 bytes of the local header.
        for (index, byte) in buffer.iter_mut().enumerate() {
            let at = offset + index as u64;
            let place = if at < 43 { Some(at) } else { at.checked_sub(self.1).filter(|at| *at >= 43) };
            *byte = place.map_or(0, |at| self.0[usize::try_from(at).unwrap()]);
        }
        Ok(())
    }
}

#[test]
fn a_huge_manifest_is_refused_before_it_is_read() {
    let mut zip = canonical_zip(&[("manifest.json".to_owned(), Vec::new())]);
    let size = 100_u64 << 20;
    let bytes = u32::try_from(size).unwrap().to_le_bytes();
    let central = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    for start in [18, 22, central + 20, central + 24] {
        zip[start..start + 4].copy_from_slice(&bytes);
    }
    let end = zip.len() - 22;
    let offset = (u32::try_from(central).unwrap() + u32::try_from(size).unwrap()).to_le_bytes();
    zip[end + 16..end + 20].copy_from_slice(&offset);
    let error = UncheckedPacket::open(&Huge(zip, size)).unwrap_err();
    assert!(error.to_string().contains("`manifest.json` has 104857600 bytes"), "{error}");
}

#[test]
fn keys_that_cannot_be_used_are_refused_by_name() {
    let error = |text: &str| PublicKey::from_pem("k.pem", text.as_bytes()).unwrap_err().to_string();
    assert!(error(&ed25519_pem()).contains("`k.pem` is a private key"));
    assert!(error("nothing").contains("holds no public key or certificate"));
    assert!(error(&pem("PUBLIC KEY", b"nonsense")).contains("does not decode"));
    let locked = pem("ENCRYPTED PRIVATE KEY", b"x");
    assert!(LocalKey::from_pem("k.pem", locked.as_bytes()).unwrap_err().to_string().contains("passphrase"));
}

/// One packet for all cases.
static PACKET: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(show(&bytes).is_err());
        prop_assert!(PublicKey::from_pem("k", &bytes).is_err());
        prop_assert!(LocalKey::from_pem("k", &bytes).is_err());
        prop_assert!(PublicKey::from_spki("k", &bytes).is_err());
        prop_assert!(cadastre_packet::TimestampAuthority::from_pem("k", &bytes).is_err());
    }

    #[test]
    fn arbitrary_files_in_a_good_container_never_panic(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 4),
        names in prop::sample::subsequence(vec!["manifest.json", "redaction.json", "leaves.txt", "attestation.dsse.json", "timestamp.tsr"], 4),
    ) {
        let parts: Vec<(String, Vec<u8>)> = names.iter().map(|name| (*name).to_owned()).zip(contents).collect();
        prop_assert!(verifies(&canonical_zip(&parts)).is_err());
    }

    #[test]
    fn damaged_files_in_a_good_container_never_panic_and_never_verify(
        file in 0_usize..4,
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        remove in 0_usize..8,
    ) {
        let packet = PACKET.get_or_init(signed);
        let mut parts = apart(packet);
        let content = &mut parts[file].1;
        let at = at.index(content.len());
        let end = (at + remove).min(content.len());
        content.splice(at..end, bytes);
        let changed = canonical_zip(&parts);
        prop_assert!(changed == *packet || verifies(&changed).is_err());
    }
}
