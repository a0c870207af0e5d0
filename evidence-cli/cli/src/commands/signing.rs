//! Keys that sign packets: files here, keys of services elsewhere.

use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_packet::{LocalKey, PublicKey, Signer};
use cadastre_signers::KeyAddress;

use crate::args::packet::Key;
use crate::exit::Exit;
use crate::terminal;

/// Opens a key by its file or its address.
///
/// # Errors
/// When it cannot be read or reached, or is not a key that signs packets.
pub(super) fn open(key: &str) -> anyhow::Result<Box<dyn Signer>> {
    if KeyAddress::is_address(key) {
        return Ok(cadastre_signers::open(&key.parse()?)?);
    }
    Ok(Box::new(LocalKey::read(Path::new(key))?))
}

/// A new key that is never written anywhere.
///
/// # Errors
/// When the system has no randomness to give.
pub(super) fn passing() -> anyhow::Result<LocalKey> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_unspecified| anyhow::anyhow!("cannot make a key"))?;
    let text = armoured("PRIVATE KEY", pkcs8.as_ref());
    Ok(LocalKey::from_pem("a new key", text.as_bytes())?)
}

/// Prints the public half.
pub(super) fn export(arguments: &Key) -> anyhow::Result<Exit> {
    terminal::print(&pem(open(&arguments.key)?.public_key()))?;
    Ok(Exit::Clean)
}

/// A public key as PEM (RFC 7468 §13).
pub(super) fn pem(key: &PublicKey) -> String {
    armoured("PUBLIC KEY", key.spki())
}

fn armoured(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, letter) in STANDARD.encode(der).chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
