//! `manifest.json`: what a packet is, and every file in it.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Timestamp;
use cadastre_model::evidence::Evidence;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::path::PacketPath;

/// The layout that this version writes and reads.
pub const SCHEMA: &str = "cadastre/packet/v1";

/// What a file in a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Evidence records, one a line.
    Records,
    /// The boundary graph.
    Graph,
    /// The verdicts.
    Checklist,
    /// Which questions were asked and answered.
    Coverage,
    /// A rendered report.
    Report,
    /// A policy or a map that verdicts follow from.
    Policy,
    /// Anything else that was handed in.
    Attachment,
}

impl Role {
    /// Whether a path fits the role: `docs/formats/packet.md` says where each lies.
    #[must_use]
    pub fn fits(self, path: &PacketPath) -> bool {
        let path = path.as_str();
        match self {
            Self::Records => path.strip_prefix("records/").is_some_and(|name| name.ends_with(".ndjson")),
            Self::Graph => path == "graph.json",
            Self::Checklist => path == "checklist.json",
            Self::Coverage => path == "coverage.json",
            Self::Report => path.starts_with("reports/"),
            Self::Policy => path.starts_with("policies/"),
            Self::Attachment => path.starts_with("attachments/"),
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it lies.
    pub path: PacketPath,
    /// What it is for.
    pub role: Role,
    /// Its media type (RFC 6838): `application/json`, `text/html`.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Number of records, for records files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

/// What the packed evidence says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceSummary {
    /// The version of the tool that collected it.
    pub tool_version: String,
    /// When the scan began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// False when it was interrupted.
    pub complete: bool,
    /// Every identity that asked, sorted.
    pub callers: BTreeSet<String>,
    /// Number of records by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Number of records.
    pub records: u64,
    /// The evidence's own Merkle root, over record ids without salts.
    pub merkle_root: Digest,
}

impl EvidenceSummary {
    /// The summary of some evidence, or `None` when its root is not a digest.
    pub(crate) fn of(evidence: &Evidence) -> Option<Self> {
        let manifest = evidence.manifest();
        Some(Self {
            tool_version: manifest.tool_version.clone(),
            started_at: manifest.started_at,
            finished_at: manifest.finished_at,
            complete: manifest.complete,
            callers: manifest.callers.clone(),
            outcomes: manifest.outcomes.clone(),
            records: evidence.records().len() as u64,
            merkle_root: manifest.merkle_root.parse().ok()?,
        })
    }
}

/// What a packet says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Sixteen random bytes, hexadecimal, so that the manifest's digest cannot be guessed.
    pub nonce: String,
    /// The version of the tool that made the packet.
    pub tool_version: String,
    /// When it was made, as the caller stated.
    pub created_at: Timestamp,
    /// The time for which the evidence was judged.
    pub as_of: Timestamp,
    /// The declared boundary's name.
    pub boundary: Option<String>,
    /// The statement of the packet before this one.
    #[serde(with = "crate::digest::prefixed_option")]
    pub previous: Option<Digest>,
    /// The evidence.
    pub evidence: EvidenceSummary,
    /// Every file but the packet's own, by path.
    pub files: Vec<FileEntry>,
}
