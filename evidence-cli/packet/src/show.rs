//! What is inside a packet, without a key: nothing of it is verified, and the result says so.

use std::fmt;

use cadastre_model::Timestamp;
use serde::Serialize;

use crate::digest::Digest;
use crate::error::PacketError;
use crate::leaf::Leaf;
use crate::manifest::{EvidenceSummary, FileEntry};
use crate::source::PacketSource;
use crate::unchecked::{Head, UncheckedPacket};

/// What a packet says of itself. Not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Always `cadastre/packet-contents/v1`.
    pub schema: &'static str,
    /// Always false: showing is not verifying.
    pub verified: bool,
    /// Whether parts are withheld.
    pub redacted: bool,
    /// The version of the tool that made or redacted it.
    pub tool_version: String,
    /// When it was made, or redacted.
    pub made_at: Timestamp,
    /// The time for which the evidence was judged.
    pub as_of: Timestamp,
    /// The declared boundary's name.
    pub boundary: Option<String>,
    /// The root of the leaves that are in it.
    pub root: Digest,
    /// Number of leaves, and of those that are only a hash.
    pub leaves: u64,
    /// Leaves that are only a hash.
    pub held: u64,
    /// The id of the key that it names as its signer's.
    pub signed_with: Option<String>,
    /// SHA-256 of the statement.
    pub statement: Option<Digest>,
    /// Whether a timestamp is there.
    pub timestamp: bool,
    /// The statement of the packet before it.
    pub previous: Option<Digest>,
    /// The evidence.
    pub evidence: EvidenceSummary,
    /// Files as they were made.
    pub files: Vec<FileEntry>,
    /// Files that a redactor made.
    pub derived: Vec<FileEntry>,
}

/// Reads what a packet says of itself.
///
/// # Errors
/// When the container is refused, or the packet's own files do not read.
pub fn show(source: &dyn PacketSource) -> Result<Contents, PacketError> {
    let packet = UncheckedPacket::open(source)?;
    let (redacted, tool_version, made_at, as_of, boundary, previous, evidence) = match &packet.head {
        Head::Original(m) => {
            (false, &m.tool_version, m.created_at, m.as_of, &m.boundary, m.previous, &m.evidence)
        }
        Head::Redacted(r) => {
            (true, &r.tool_version, r.redacted_at, r.told.as_of, &r.told.boundary, None, &r.told.evidence)
        }
    };
    Ok(Contents {
        schema: "cadastre/packet-contents/v1",
        verified: false,
        redacted,
        tool_version: tool_version.clone(),
        made_at,
        as_of,
        boundary: boundary.clone(),
        root: packet.tree.root(),
        leaves: packet.leaves.len() as u64,
        held: packet.leaves.iter().filter(|leaf| matches!(leaf, Leaf::Held(_))).count() as u64,
        signed_with: packet.attestation.as_ref().map(|envelope| envelope.key_id.clone()),
        statement: packet.attestation.as_ref().map(|envelope| Digest::of(&envelope.payload)),
        timestamp: packet.timestamp.is_some(),
        previous,
        evidence: evidence.clone(),
        files: packet.originals().to_vec(),
        derived: packet.derived().into_iter().cloned().collect(),
    })
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.redacted { "redacted packet" } else { "packet" };
        let boundary = self.boundary.as_deref().unwrap_or("(no boundary named)");
        writeln!(f, "{kind} of {}, not verified", boundary.escape_debug())?;
        writeln!(f, "  made {} by cadastre {}", self.made_at, self.tool_version.escape_debug())?;
        writeln!(f, "  judged as of {}", self.as_of)?;
        match &self.signed_with {
            Some(key) => writeln!(f, "  names key {} as its signer's", key.escape_debug())?,
            None => writeln!(f, "  not signed")?,
        }
        writeln!(f, "  root {} over {} leaves, {} of them withheld", self.root, self.leaves, self.held)?;
        writeln!(f, "  {} records from {} callers", self.evidence.records, self.evidence.callers.len())?;
        for (title, files) in [("files", &self.files), ("made by the redactor", &self.derived)] {
            if !files.is_empty() {
                writeln!(f, "  {title}:")?;
            }
            for file in files {
                writeln!(f, "    {:>12}  {}  {}", file.size, file.path, file.media_type.escape_debug())?;
            }
        }
        Ok(())
    }
}
