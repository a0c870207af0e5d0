//! OpenSSL as a second opinion on what this crate's chains are signed with.

use std::io::Read;
use std::process::Command;

use aws_lc_rs::signature::KeyPair as _;
use serde_json::Value;

use crate::support::{BUCKET, Chain, START, World, pair, sha256};

#[test]
fn openssl_verifies_a_signature_of_a_chain_that_is_valid_here() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: no openssl on the PATH");
        return;
    }
    let mut world = World::default();
    let made = world.chain(&Chain::standard(), START, 2, 0);
    let mut text = String::new();
    flate2::read::GzDecoder::new(world.files[&made[1].key].as_slice()).read_to_string(&mut text).unwrap();
    let digest: Value = serde_json::from_str(&text).unwrap();
    let message = format!(
        "{}\n{BUCKET}/{}\n{}\n{}",
        digest["digestEndTime"].as_str().unwrap(),
        made[1].key,
        sha256(text.as_bytes()),
        made[0].signature
    );
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("key.der"), pair(0).public_key().as_ref()).unwrap();
    std::fs::write(path("message"), &message).unwrap();
    std::fs::write(path("signature"), hex::decode(&made[1].signature).unwrap()).unwrap();
    let converted = Command::new("openssl")
        .args(["rsa", "-RSAPublicKey_in", "-inform", "DER", "-pubout"])
        .arg("-in")
        .arg(path("key.der"))
        .arg("-out")
        .arg(path("key.pem"))
        .output()
        .unwrap();
    assert!(converted.status.success(), "{}", String::from_utf8_lossy(&converted.stderr));
    let verify = || {
        Command::new("openssl")
            .args(["dgst", "-sha256", "-verify"])
            .arg(path("key.pem"))
            .arg("-signature")
            .arg(path("signature"))
            .arg(path("message"))
            .output()
            .unwrap()
    };
    assert!(verify().status.success(), "{}", String::from_utf8_lossy(&verify().stdout));
    std::fs::write(path("message"), message.replace('\n', " ")).unwrap();
    assert!(!verify().status.success());
}
