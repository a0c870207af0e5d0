//! The in-toto statement (Statement v1) that a packet's signature covers. It names nobody, so that it stays
//! readable when the rest is withheld.

use cadastre_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The statement's type.
pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate of a packet.
pub const PACKET_PREDICATE: &str = "https://cadastre.dev/packet/v1";
/// The predicate of a redaction.
pub const REDACTION_PREDICATE: &str = "https://cadastre.dev/redaction/v1";
/// The subject that stands for all leaves.
pub(crate) const ROOT_SUBJECT: &str = "merkle-root";

/// A statement about some subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement<P> {
    #[serde(rename = "_type")]
    pub(crate) kind: String,
    pub(crate) subject: [Subject; 2],
    #[serde(rename = "predicateType")]
    pub(crate) predicate_type: String,
    pub(crate) predicate: P,
}

/// One subject with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) digest: DigestSet,
}

/// A digest under the name of its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DigestSet {
    #[serde(rename = "sha256")]
    Sha256(Digest),
    #[serde(rename = "rfc6962-sha256")]
    MerkleRoot(Digest),
}

impl<P> Statement<P> {
    /// A statement about a tree and a file.
    pub(crate) fn new(predicate_type: &str, root: Digest, file: &str, sha256: Digest, predicate: P) -> Self {
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: Self::subjects(root, file, sha256),
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    fn subjects(root: Digest, file: &str, sha256: Digest) -> [Subject; 2] {
        [
            Subject { name: ROOT_SUBJECT.to_owned(), digest: DigestSet::MerkleRoot(root) },
            Subject { name: file.to_owned(), digest: DigestSet::Sha256(sha256) },
        ]
    }

    /// The root it is about.
    pub(crate) fn root(&self) -> Option<Digest> {
        match &self.subject {
            [Subject { name, digest: DigestSet::MerkleRoot(root) }, _] if name == ROOT_SUBJECT => Some(*root),
            _ => None,
        }
    }

    /// The digest of the file it is about.
    pub(crate) fn file(&self, name: &str) -> Option<Digest> {
        match &self.subject {
            [_, Subject { name: found, digest: DigestSet::Sha256(digest) }] if found == name => Some(*digest),
            _ => None,
        }
    }

    /// Whether type and predicate type are the ones expected.
    pub(crate) fn is(&self, predicate_type: &str) -> bool {
        self.kind == STATEMENT_TYPE && self.predicate_type == predicate_type
    }
}

/// Whether an RFC 3161 timestamp belongs to a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimestampRule {
    /// There is none, and one that turns up is refused.
    #[default]
    None,
    /// It must be there.
    Required,
}

/// A digest in an object of its own, as in-toto writes references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    pub(crate) sha256: Digest,
}

/// What the signer states of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PacketPredicate {
    pub(crate) schema: String,
    pub(crate) tool_version: String,
    pub(crate) created_at: Timestamp,
    pub(crate) as_of: Timestamp,
    pub(crate) signed_at: Timestamp,
    pub(crate) leaves: u64,
    pub(crate) records: u64,
    pub(crate) files: u64,
    pub(crate) previous: Option<Reference>,
    pub(crate) timestamp: TimestampRule,
}

/// What a redactor states of a redaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RedactionPredicate {
    pub(crate) schema: String,
    pub(crate) tool_version: String,
    pub(crate) redacted_at: Timestamp,
    #[serde(with = "crate::digest::prefixed")]
    pub(crate) statement: Digest,
}
