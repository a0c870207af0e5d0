//! `redaction.json`: what a redactor withheld, what was put in its place, and what stands as it was.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::content::FileRecords;
use crate::digest::Digest;
use crate::error::PacketError;
use crate::leaf::Leaf;
use crate::manifest::{EvidenceSummary, FileEntry};

/// The layout of redacted packets that this version writes and reads.
pub const REDACTED_SCHEMA: &str = "cadastre/redacted-packet/v1";

/// What the redactor passes on of the original manifest, with pseudonyms. The signer does not vouch for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The time for which the evidence was judged.
    pub as_of: Timestamp,
    /// The declared boundary's name.
    pub boundary: Option<String>,
    /// The evidence, as it is in this packet: its root is that of the records here.
    pub evidence: EvidenceSummary,
}

/// A file that the redactor made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedFile {
    /// The file, under `redacted/`.
    pub file: FileEntry,
    /// Why it stands here: `pseudonyms`, or `rendered again`.
    pub reason: String,
}

/// A withheld leaf for which something derived stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// The leaf's place, from 0.
    pub leaf: u64,
    /// `record sha256:…` or `file redacted/…`.
    pub by: String,
}

/// A withheld leaf for which nothing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// The leaf's place, from 0.
    pub leaf: u64,
    /// Why: `manifest`, `rule`, `cannot be rewritten`.
    pub reason: String,
}

/// What a redactor did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// Always [`REDACTED_SCHEMA`].
    pub schema: String,
    /// The version of the tool.
    pub tool_version: String,
    /// When.
    pub redacted_at: Timestamp,
    /// SHA-256 of the statement of the packet that was redacted.
    #[serde(with = "crate::digest::prefixed")]
    pub statement: Digest,
    /// From the original manifest.
    pub told: Told,
    /// Number of distinct values that were replaced, by kind.
    pub rules: BTreeMap<String, u64>,
    /// Files whose content is as it was signed.
    pub originals: Vec<FileEntry>,
    /// Files that the redactor made.
    pub derived: Vec<DerivedFile>,
    /// Withheld leaves with something in their place, in order.
    pub replaced: Vec<Replaced>,
    /// Withheld leaves with nothing in their place, in order.
    pub withheld: Vec<Withheld>,
}

impl Redaction {
    /// Holds the account of what is withheld to the leaves, and what stands in for them to the derived files.
    pub(crate) fn check(
        &self,
        leaves: &[Leaf],
        derived: &[&FileRecords<'_>],
        statement: Digest,
    ) -> Result<(), PacketError> {
        let changed = |what: String| Err(PacketError::Mismatch(what));
        if self.statement != statement {
            return changed("`redaction.json` is about another packet".to_owned());
        }
        let held: BTreeSet<u64> = (0_u64..)
            .zip(leaves)
            .filter_map(|(index, leaf)| matches!(leaf, Leaf::Held(_)).then_some(index))
            .collect();
        let ordered = |indexes: &[u64]| indexes.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let replaced: Vec<u64> = self.replaced.iter().map(|replaced| replaced.leaf).collect();
        let withheld: Vec<u64> = self.withheld.iter().map(|withheld| withheld.leaf).collect();
        let accounted: BTreeSet<u64> = replaced.iter().chain(&withheld).copied().collect();
        let once = accounted.len() == replaced.len() + withheld.len();
        if !ordered(&replaced) || !ordered(&withheld) || !once || accounted != held {
            return changed("`redaction.json` does not account for every withheld leaf once".to_owned());
        }
        let records = derived.iter().flat_map(|file| &file.ids).map(|id| format!("record sha256:{id}"));
        let files = self.derived.iter().map(|derived| format!("file {}", derived.file.path));
        let there: BTreeSet<String> = records.chain(files).collect();
        match self.replaced.iter().find(|replaced| !there.contains(&replaced.by)) {
            Some(replaced) => changed(format!(
                "`redaction.json` names `{}`, which is not there",
                replaced.by.escape_debug()
            )),
            None => Ok(()),
        }
    }
}
