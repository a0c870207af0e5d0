//! Verification: offline, with public keys and nothing else.

use cadastre_model::Timestamp;
use serde::Serialize;

use crate::canonical;
use crate::content::{self, FileRecords};
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::PacketError;
use crate::key::{PublicKey, SignatureAlgorithm};
use crate::leaf::Leaf;
use crate::manifest::SCHEMA;
use crate::names;
use crate::redact::{REDACTED_SCHEMA, Redaction};
use crate::statement::{
    PACKET_PREDICATE, PacketPredicate, REDACTION_PREDICATE, RedactionPredicate, Statement, TimestampRule,
};
use crate::timestamp::{self, TimestampAuthority, TimestampError};
use crate::unchecked::{Head, UncheckedPacket};
use crate::verified::VerifiedPacket;

/// What a caller can hand in beside the keys of the signer.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The digest of the statement that the packet must continue ([`VerifiedPacket::statement_digest`]).
    pub previous: Option<Digest>,
    /// Keys of redactors.
    pub redactor_keys: Vec<PublicKey>,
    /// Timestamp authorities that are trusted.
    pub timestamp_authorities: Vec<TimestampAuthority>,
    /// Take a packet whose required timestamp cannot be checked for want of an authority; the result says so.
    pub accept_unchecked_timestamp: bool,
}

/// Whether the packet continues another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Chain {
    /// It names no previous packet.
    First,
    /// It continues the packet that was given.
    Continues {
        /// The previous statement.
        previous: Digest,
    },
    /// It names a previous packet, and none was given to compare with.
    NotCompared {
        /// The previous statement, as named.
        previous: Digest,
    },
}

/// What is known about when the signature was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TimestampState {
    /// The statement asks for none.
    None,
    /// An authority vouches for it.
    Verified {
        /// The signature existed at this time.
        at: Timestamp,
        /// The authority's certificate, by subject.
        authority: String,
    },
    /// It is there, and no authority was given to check it with.
    NotChecked,
}

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedBy {
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_id: String,
    /// What the caller calls the key.
    pub key_name: String,
    /// How it was signed.
    pub algorithm: SignatureAlgorithm,
    /// When, as the signer states.
    pub signed_at: Timestamp,
}

/// Numbers of leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Leaves {
    /// All of them.
    pub all: u64,
    /// Those whose record or file is there as it was signed.
    pub original: u64,
    /// Those that are only a hash, and for which the redactor put something else.
    pub replaced: u64,
    /// Those that are only a hash, and for which nothing stands.
    pub withheld: u64,
}

/// What a redactor did, in a redacted packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedactionState {
    /// When, as the redactor states.
    pub redacted_at: Timestamp,
    /// Who vouches for the derived files; `None` when nobody does.
    pub signed_by: Option<SignedBy>,
    /// A signature is there, and no key was given that made it.
    pub signature_not_checked: bool,
    /// Number of files that the redactor made.
    pub derived_files: u64,
    /// Number of records that the redactor made.
    pub derived_records: u64,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Always `cadastre/packet-verification/v1`.
    pub schema: &'static str,
    /// The Merkle root that was signed.
    pub root: Digest,
    /// SHA-256 of the signed statement; the next packet names it as its previous one.
    pub statement: Digest,
    /// Who signed.
    pub signed_by: SignedBy,
    /// The version of the tool that made the packet.
    pub tool_version: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The time for which the evidence was judged.
    pub as_of: Timestamp,
    /// The chain.
    pub chain: Chain,
    /// The timestamp.
    pub timestamp: TimestampState,
    /// The leaves.
    pub leaves: Leaves,
    /// Number of original records that are there.
    pub records: u64,
    /// Number of original files that are there, records files counted too.
    pub files: u64,
    /// The redaction, in a redacted packet.
    pub redaction: Option<RedactionState>,
    /// What a reader should know is not there, or was not checked; one line each.
    pub missing: Vec<String>,
}

/// Verifies a packet: see `docs/formats/packet.md`, "Verification", for the order.
///
/// # Errors
/// [`PacketError`], for whatever fails first; [`PacketError::failure`] tells a packet that is not what was signed
/// from one that cannot be judged.
pub fn verify<'s>(
    packet: UncheckedPacket<'s>,
    keys: &[PublicKey],
    options: &VerifyOptions,
) -> Result<VerifiedPacket<'s>, PacketError> {
    let envelope = packet.attestation.as_ref().ok_or(PacketError::Unsigned)?;
    let (key, algorithm) = envelope.verify(keys)?;
    let statement: Statement<PacketPredicate> = canonical::from_slice("the statement", &envelope.payload)?;
    check_statement(&packet, &statement)?;
    let predicate = &statement.predicate;
    let timestamp = check_timestamp(&packet, envelope, predicate, options)?;
    check_validity(key, predicate.signed_at, &timestamp)?;
    let chain = check_chain(predicate.previous.map(|reference| reference.sha256), options.previous)?;
    let statement_digest = Digest::of(&envelope.payload);

    let (leaves, redaction, records) = check_content(&packet, predicate, statement_digest, options)?;
    let verification = Verification {
        schema: "cadastre/packet-verification/v1",
        root: packet.tree.root(),
        statement: statement_digest,
        signed_by: SignedBy {
            key_id: key.id(),
            key_name: key.name().to_owned(),
            algorithm,
            signed_at: predicate.signed_at,
        },
        tool_version: predicate.tool_version.clone(),
        created_at: predicate.created_at,
        as_of: predicate.as_of,
        chain,
        leaves,
        records,
        files: packet.originals().len() as u64,
        missing: missing(&packet, &leaves, &chain, &timestamp, redaction.as_ref()),
        timestamp,
        redaction,
    };
    Ok(VerifiedPacket::new(packet, verification))
}

fn check_content(
    packet: &UncheckedPacket<'_>,
    predicate: &PacketPredicate,
    statement: Digest,
    options: &VerifyOptions,
) -> Result<(Leaves, Option<RedactionState>, u64), PacketError> {
    let files = content::check_files(packet)?;
    content::check_leaves(packet, &files)?;
    let (original_files, derived_files): (Vec<&FileRecords<'_>>, Vec<&FileRecords<'_>>) =
        files.iter().partition(|file| !file.file.path.as_str().starts_with(names::DERIVED));
    let count = |files: &[&FileRecords<'_>]| files.iter().map(|file| file.ids.len() as u64).sum::<u64>();
    let records = count(&original_files);
    let held = packet.leaves.iter().filter(|leaf| matches!(leaf, Leaf::Held(_))).count() as u64;
    let mut leaves = Leaves {
        all: packet.leaves.len() as u64,
        original: packet.leaves.len() as u64 - held,
        ..Leaves::default()
    };
    match &packet.head {
        Head::Original(manifest) => {
            let fits = held == 0
                && predicate.files == manifest.files.len() as u64
                && predicate.records == records
                && manifest.evidence.records == records
                && predicate.created_at == manifest.created_at
                && predicate.as_of == manifest.as_of
                && predicate.tool_version == manifest.tool_version
                && predicate.previous.map(|reference| reference.sha256) == manifest.previous;
            if !fits {
                return Err(PacketError::Mismatch(
                    "the statement, the manifest and the leaves do not say the same".to_owned(),
                ));
            }
            Ok((leaves, None, records))
        }
        Head::Redacted(redaction) => {
            redaction.check(&packet.leaves, &derived_files, statement)?;
            leaves.replaced = redaction.replaced.len() as u64;
            leaves.withheld = redaction.withheld.len() as u64;
            let state = redaction_state(packet, redaction, count(&derived_files), options)?;
            Ok((leaves, Some(state), records))
        }
    }
}

/// The checks that an unsigned packet must pass before anybody signs it.
pub(crate) fn check_unsigned(packet: &UncheckedPacket<'_>) -> Result<u64, PacketError> {
    let files = content::check_files(packet)?;
    content::check_leaves(packet, &files)?;
    Ok(files.iter().map(|file| file.ids.len() as u64).sum())
}

fn check_statement(
    packet: &UncheckedPacket<'_>,
    statement: &Statement<PacketPredicate>,
) -> Result<(), PacketError> {
    if !statement.is(PACKET_PREDICATE) || statement.predicate.schema != SCHEMA {
        return Err(PacketError::Mismatch("the signature is over something that is not a packet".to_owned()));
    }
    let root = packet.tree.root();
    if statement.root() != Some(root) || statement.predicate.leaves != packet.leaves.len() as u64 {
        return Err(PacketError::Mismatch(format!(
            "the leaves lead to the root {root}, and another one was signed"
        )));
    }
    let manifest = statement.file(names::MANIFEST);
    let fits = match packet.head {
        Head::Original(_) => manifest == Some(packet.head_digest),
        Head::Redacted(_) => manifest.is_some(),
    };
    if fits {
        Ok(())
    } else {
        Err(PacketError::Mismatch("`manifest.json` is not the one that was signed".to_owned()))
    }
}

fn check_timestamp(
    packet: &UncheckedPacket<'_>,
    envelope: &Envelope,
    predicate: &PacketPredicate,
    options: &VerifyOptions,
) -> Result<TimestampState, PacketError> {
    match (predicate.timestamp, &packet.timestamp) {
        (TimestampRule::None, None) => Ok(TimestampState::None),
        (TimestampRule::None, Some(_)) => Err(TimestampError::Unexpected.into()),
        (TimestampRule::Required, None) => Err(TimestampError::Missing.into()),
        (TimestampRule::Required, Some(token)) => {
            if options.timestamp_authorities.is_empty() {
                if options.accept_unchecked_timestamp {
                    return Ok(TimestampState::NotChecked);
                }
                return Err(TimestampError::NoAuthority.into());
            }
            let verified = timestamp::verify(token, &envelope.signature, &options.timestamp_authorities)?;
            Ok(TimestampState::Verified { at: verified.at, authority: verified.authority })
        }
    }
}

/// A certificate must have been valid when the packet was signed: by the authority's word where there is one,
/// else by the signer's.
fn check_validity(
    key: &PublicKey,
    signed_at: Timestamp,
    timestamp: &TimestampState,
) -> Result<(), PacketError> {
    let Some(validity) = key.validity() else { return Ok(()) };
    let at = match timestamp {
        TimestampState::Verified { at, .. } => *at,
        TimestampState::None | TimestampState::NotChecked => signed_at,
    };
    if (validity.not_before..=validity.not_after).contains(&at) {
        return Ok(());
    }
    Err(PacketError::Expired {
        name: key.name().to_owned(),
        not_before: validity.not_before,
        not_after: validity.not_after,
        signed_at: at,
    })
}

fn check_chain(named: Option<Digest>, expected: Option<Digest>) -> Result<Chain, PacketError> {
    match (named, expected) {
        (None, None) => Ok(Chain::First),
        (Some(previous), None) => Ok(Chain::NotCompared { previous }),
        (Some(previous), Some(expected)) if previous == expected => Ok(Chain::Continues { previous }),
        (named, Some(expected)) => Err(PacketError::Chain {
            named: named.map_or_else(|| "nothing".to_owned(), |digest| digest.prefixed()),
            expected: expected.prefixed(),
        }),
    }
}

fn redaction_state(
    packet: &UncheckedPacket<'_>,
    redaction: &Redaction,
    derived_records: u64,
    options: &VerifyOptions,
) -> Result<RedactionState, PacketError> {
    let mut state = RedactionState {
        redacted_at: redaction.redacted_at,
        signed_by: None,
        signature_not_checked: false,
        derived_files: redaction.derived.len() as u64,
        derived_records,
    };
    let Some(envelope) = &packet.redaction_attestation else { return Ok(state) };
    let statement: Statement<RedactionPredicate> =
        canonical::from_slice("the redaction statement", &envelope.payload)?;
    let fits = statement.is(REDACTION_PREDICATE)
        && statement.root() == Some(packet.tree.root())
        && statement.file(names::REDACTION) == Some(packet.head_digest)
        && statement.predicate.schema == REDACTED_SCHEMA
        && statement.predicate.statement == redaction.statement
        && statement.predicate.redacted_at == redaction.redacted_at
        && statement.predicate.tool_version == redaction.tool_version;
    if !fits {
        return Err(PacketError::Mismatch(
            "`redaction.json` is not the one that the redactor signed".to_owned(),
        ));
    }
    if options.redactor_keys.is_empty() {
        state.signature_not_checked = true;
        return Ok(state);
    }
    let (key, algorithm) = envelope.verify(&options.redactor_keys)?;
    check_validity(key, redaction.redacted_at, &TimestampState::None)?;
    state.signed_by = Some(SignedBy {
        key_id: key.id(),
        key_name: key.name().to_owned(),
        algorithm,
        signed_at: redaction.redacted_at,
    });
    Ok(state)
}

/// What is not there, in words.
fn missing(
    packet: &UncheckedPacket<'_>,
    leaves: &Leaves,
    chain: &Chain,
    timestamp: &TimestampState,
    redaction: Option<&RedactionState>,
) -> Vec<String> {
    let mut lines = Vec::new();
    let summary = match &packet.head {
        Head::Original(manifest) => &manifest.evidence,
        Head::Redacted(redaction) => &redaction.told.evidence,
    };
    if !summary.complete {
        lines.push("the scan behind the evidence was interrupted".to_owned());
    }
    for outcome in ["denied", "failed", "truncated"] {
        if let Some(count) = summary.outcomes.get(outcome).filter(|count| **count > 0) {
            lines.push(format!("{count} of {} questions ended {outcome}", summary.records));
        }
    }
    if leaves.withheld + leaves.replaced > 0 {
        lines.push(format!(
            "{} of {} leaves are withheld; {} of them have a copy that the redactor made",
            leaves.withheld + leaves.replaced,
            leaves.all,
            leaves.replaced
        ));
    }
    if let Chain::NotCompared { previous } = chain {
        lines.push(format!(
            "the previous packet (statement sha256:{previous}) was not given, so the chain was not compared"
        ));
    }
    if *timestamp == TimestampState::NotChecked {
        lines.push("the timestamp was not checked: no authority's certificates were given".to_owned());
    }
    if let Some(redaction) = redaction {
        if redaction.signature_not_checked {
            lines.push("the redactor's signature was not checked: no redactor's key was given".to_owned());
        } else if redaction.signed_by.is_none() && redaction.derived_files > 0 {
            lines.push("nobody vouches for the derived files: the redaction is not signed".to_owned());
        }
    }
    lines
}
