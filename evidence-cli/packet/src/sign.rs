//! Signs a packet: a step of its own, so that the key can live on another machine than the evidence.

use std::io::Write;

use cadastre_model::Timestamp;

use crate::canonical;
use crate::container::ContainerWriter;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::PacketError;
use crate::manifest::SCHEMA;
use crate::names;
use crate::path::PacketPath;
use crate::signer::Signer;
use crate::source::{PacketSource, Stretch};
use crate::statement::{PACKET_PREDICATE, PacketPredicate, Reference, Statement, TimestampRule};
use crate::timestamp::{self, TimestampAuthority};
use crate::unchecked::{Head, UncheckedPacket};
use crate::verify::check_unsigned;

/// How a packet is signed.
#[derive(Debug, Clone, Copy)]
pub struct SignOptions {
    /// When it is signed.
    pub signed_at: Timestamp,
    /// Whether a timestamp must follow ([`attach_timestamp`]).
    pub timestamp: TimestampRule,
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The root.
    pub root: Digest,
    /// SHA-256 of the statement.
    pub statement: Digest,
    /// The key's id.
    pub key_id: String,
    /// SHA-256 of the raw signature: what a timestamp authority is asked to stamp
    /// (`openssl ts -query -digest … -sha256 -cert`).
    pub imprint: Digest,
}

/// Signs an unsigned packet, after checking all of it: nobody signs what does not hold together.
///
/// # Errors
/// When the packet is signed or redacted already, does not hold together, or the key does not sign.
pub fn sign(
    source: &dyn PacketSource,
    signer: &dyn Signer,
    options: &SignOptions,
    output: impl Write,
) -> Result<Signed, PacketError> {
    let packet = UncheckedPacket::open(source)?;
    if let Some(envelope) = &packet.attestation {
        return Err(PacketError::AlreadySigned(envelope.key_id.clone()));
    }
    let Head::Original(manifest) = &packet.head else { return Err(PacketError::AlreadyRedacted) };
    let records = check_unsigned(&packet)?;
    let root = packet.tree.root();
    let statement = Statement::new(
        PACKET_PREDICATE,
        root,
        names::MANIFEST,
        packet.head_digest,
        PacketPredicate {
            schema: SCHEMA.to_owned(),
            tool_version: manifest.tool_version.clone(),
            created_at: manifest.created_at,
            as_of: manifest.as_of,
            signed_at: options.signed_at,
            leaves: packet.leaves.len() as u64,
            records,
            files: manifest.files.len() as u64,
            previous: manifest.previous.map(|sha256| Reference { sha256 }),
            timestamp: options.timestamp,
        },
    );
    let payload = canonical::to_vec(&statement)?;
    let statement = Digest::of(&payload);
    let envelope = Envelope::sign(payload, signer)?;
    copy_with(&packet, &names::leaves(), &names::attestation(), &envelope.encode()?, output)?;
    let imprint = Digest::of(&envelope.signature);
    Ok(Signed { root, statement, key_id: envelope.key_id, imprint })
}

/// Adds the answer of a timestamp authority to a signed packet whose statement asks for one, after checking it
/// against the authority's certificates.
///
/// # Errors
/// When the packet does not ask for a timestamp or has one, or the answer is not about its signature.
pub fn attach_timestamp(
    source: &dyn PacketSource,
    response: &[u8],
    authorities: &[TimestampAuthority],
    output: impl Write,
) -> Result<Timestamp, PacketError> {
    let packet = UncheckedPacket::open(source)?;
    let envelope = packet.attestation.as_ref().ok_or(PacketError::Unsigned)?;
    let statement: Statement<PacketPredicate> = canonical::from_slice("the statement", &envelope.payload)?;
    if statement.predicate.timestamp == TimestampRule::None || packet.timestamp.is_some() {
        return Err(timestamp::TimestampError::Unexpected.into());
    }
    let token = timestamp::normalise(response)?;
    let verified = timestamp::verify(&token, &envelope.signature, authorities)?;
    copy_with(&packet, &names::attestation(), &names::timestamp(), &token, output)?;
    Ok(verified.at)
}

/// Writes the packet again with one more file, which comes right after another.
fn copy_with(
    packet: &UncheckedPacket<'_>,
    after: &PacketPath,
    path: &PacketPath,
    bytes: &[u8],
    output: impl Write,
) -> Result<(), PacketError> {
    let mut writer = ContainerWriter::new(output);
    for entry in packet.container.entries() {
        let content = || Stretch::unbuffered(packet.source, entry.content(), u64::from(entry.size));
        let measured =
            crate::measure::Measured::read(&mut content()).map_err(PacketError::read(entry.path.as_str()))?;
        writer.add(&entry.path, &measured, &mut content())?;
        if entry.path == *after {
            writer.add_bytes(path, bytes)?;
        }
    }
    writer.finish()?;
    Ok(())
}
