//! A packet that was verified: the only kind whose content is given out.

use std::io::BufRead as _;

use cadastre_model::evidence::Evidence;
use cadastre_model::{Record, Timestamp};

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::PacketError;
use crate::manifest::{EvidenceSummary, FileEntry, Role};
use crate::merkle::Tree;
use crate::names;
use crate::record_line;
use crate::unchecked::{Head, UncheckedPacket};
use crate::verify::Verification;

/// A verified packet.
#[derive(Debug)]
pub struct VerifiedPacket<'s> {
    packet: UncheckedPacket<'s>,
    verification: Verification,
}

impl<'s> VerifiedPacket<'s> {
    pub(crate) const fn new(packet: UncheckedPacket<'s>, verification: Verification) -> Self {
        Self { packet, verification }
    }

    /// What was verified.
    #[must_use]
    pub const fn verification(&self) -> &Verification {
        &self.verification
    }

    /// SHA-256 of the signed statement: what the next packet names as its previous one.
    #[must_use]
    pub const fn statement_digest(&self) -> Digest {
        self.verification.statement
    }

    /// Files that are as they were signed, by path.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        self.packet.originals()
    }

    /// Files that a redactor made, by path; empty in a packet that was not redacted.
    #[must_use]
    pub fn derived_files(&self) -> Vec<&FileEntry> {
        self.packet.derived()
    }

    /// The declared boundary's name; in a redacted packet, the redactor's word.
    #[must_use]
    pub fn boundary(&self) -> Option<&str> {
        match &self.packet.head {
            Head::Original(manifest) => manifest.boundary.as_deref(),
            Head::Redacted(redaction) => redaction.told.boundary.as_deref(),
        }
    }

    /// Reads a file, and checks it again: what is given out is what was signed, even if the packet on disk
    /// changed after it was verified.
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, or it changed.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, PacketError> {
        let listed =
            self.packet.originals().iter().chain(self.packet.derived()).find(|f| f.path.as_str() == path);
        let listed = listed.ok_or_else(|| PacketError::Mismatch(format!("`{path}` is not in the packet")))?;
        let bytes = self.packet.read(path)?;
        if Digest::of(&bytes) == listed.sha256 {
            Ok(bytes)
        } else {
            Err(PacketError::Mismatch(format!("`{path}` changed after it was verified")))
        }
    }

    /// The records, original and derived ones, as evidence that can be judged again.
    ///
    /// # Errors
    /// When a record does not parse as one.
    pub fn evidence(&self) -> Result<Evidence, PacketError> {
        let mut records: Vec<Record> = Vec::new();
        let files = self.packet.originals().iter().chain(self.packet.derived());
        for file in files.filter(|file| file.role == Role::Records) {
            for line in self.read(file.path.as_str())?.as_slice().lines() {
                let line = line.map_err(PacketError::read(file.path.as_str()))?;
                records.push(record_line::decode(line.as_bytes())?);
            }
        }
        let summary = self.summary();
        let (started_at, finished_at): (Timestamp, Timestamp) = (summary.started_at, summary.finished_at);
        let evidence =
            Evidence::from_records(records, &summary.tool_version, started_at, finished_at, summary.complete);
        if matches!(self.packet.head, Head::Original(_))
            && EvidenceSummary::of(&evidence).as_ref() != Some(summary)
        {
            return Err(PacketError::Mismatch(
                "the records do not add up to the manifest's evidence".to_owned(),
            ));
        }
        Ok(evidence)
    }

    pub(crate) const fn summary(&self) -> &EvidenceSummary {
        match &self.packet.head {
            Head::Original(manifest) => &manifest.evidence,
            Head::Redacted(redaction) => &redaction.told.evidence,
        }
    }

    pub(crate) const fn packet(&self) -> &UncheckedPacket<'s> {
        &self.packet
    }

    pub(crate) const fn tree(&self) -> &Tree {
        &self.packet.tree
    }

    /// The envelope that was verified.
    pub(crate) fn envelope(&self) -> Result<&Envelope, PacketError> {
        self.packet.attestation.as_ref().ok_or(PacketError::Unsigned)
    }

    /// Whether parts of it are withheld.
    #[must_use]
    pub const fn is_redacted(&self) -> bool {
        matches!(self.packet.head, Head::Redacted(_))
    }

    /// Where derived files lie.
    #[must_use]
    pub const fn derived_prefix() -> &'static str {
        names::DERIVED
    }
}
