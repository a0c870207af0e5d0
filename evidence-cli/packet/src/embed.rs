//! What a page needs to verify its own evidence in a browser, and the script that does it.

use std::collections::BTreeSet;
use std::io::BufRead as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::canonical;
use crate::digest::Digest;
use crate::error::PacketError;
use crate::key::PublicKey;
use crate::leaf::{Label, Leaf};
use crate::manifest::Role;
use crate::names;
use crate::record_line;
use crate::verified::VerifiedPacket;

/// The format of embedded evidence.
pub const EMBEDDED_SCHEMA: &str = "cadastre/embedded-evidence/v1";

/// The module that checks embedded evidence with WebCrypto: no dependencies, no network.
pub const VERIFY_SCRIPT: &str = include_str!("verify.js");

/// The records whose ids are `wanted` (all original records when `None`), with salts and audit paths, the statement with its
/// signature, and the public key, as one JSON document. Ids that are not among the packet's original records
/// are listed as `absent`.
///
/// # Errors
/// When a file of the packet cannot be read.
pub fn embed_verification_data(
    packet: &VerifiedPacket<'_>,
    key: &PublicKey,
    wanted: Option<&BTreeSet<String>>,
) -> Result<Value, PacketError> {
    let mut lines: Vec<(Digest, String)> = Vec::new();
    for file in packet.files().iter().filter(|file| file.role == Role::Records) {
        for line in packet.read(file.path.as_str())?.lines() {
            let line = line.map_err(PacketError::read(file.path.as_str()))?;
            let id = record_line::content_address(line.as_bytes())
                .ok_or_else(|| PacketError::Mismatch(format!("`{}` changed", file.path)))?;
            lines.push((id, line));
        }
    }
    let mut lines = lines.into_iter();
    let mut records = Vec::new();
    let mut absent: BTreeSet<String> = wanted.cloned().unwrap_or_default();
    for (leaf, found) in packet.packet().leaves.iter().enumerate() {
        let Leaf::Open(salt, Label::Record(id)) = found else { continue };
        let Some((_, line)) = lines.next().filter(|(line_id, _)| line_id == id) else {
            return Err(PacketError::Mismatch("the records and the leaves differ".to_owned()));
        };
        if wanted.is_some_and(|wanted| !wanted.contains(&id.prefixed())) {
            continue;
        }
        absent.remove(&id.prefixed());
        let proof = packet.tree().proof(leaf).unwrap_or_default();
        records.push(json!({"leaf": leaf, "salt": hex::encode(salt.0), "proof": proof, "line": line}));
    }
    let envelope: Value = serde_json::from_slice(&packet.envelope()?.encode()?)
        .map_err(|source| PacketError::Malformed { file: names::ATTESTATION.to_owned(), source })?;
    let document = json!({
        "schema": EMBEDDED_SCHEMA,
        "envelope": envelope,
        "public_key": {"spki": STANDARD.encode(key.spki()), "kind": key.kind()},
        "leaves": packet.tree().size(),
        "records": records,
        "absent": absent,
    });
    canonical::to_vec(&document)?;
    Ok(document)
}
