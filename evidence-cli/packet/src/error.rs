//! What can go wrong with a packet, how the command should end, and what to do next.

use std::io;

use cadastre_model::Timestamp;
use cadastre_model::evidence::EvidenceError;

use crate::container::ContainerError;
use crate::key::KeyError;
use crate::leaf::LeavesError;
use crate::path::{PacketPath, PathError};
use crate::randomness::RandomnessError;
use crate::redact::{LeakError, RulesError};
use crate::signer::SignerError;
use crate::timestamp::TimestampError;

/// Why a packet was not made, or not taken for what it says it is.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The operating system refused.
    #[error("cannot {action} `{path}`")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// What.
        path: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// There is already something at the output path.
    #[error("`{0}` exists")]
    Exists(String),
    /// The zip file is not one that a packet has.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A name that no file in a packet may have.
    #[error("a file has a name that is refused")]
    Path(#[from] PathError),
    /// Neither a packet nor a redacted packet.
    #[error("the zip file is not a packet: it begins with neither `manifest.json` nor `redaction.json`")]
    NotAPacket,
    /// A newer layout, or somebody else's.
    #[error("the packet has schema `{found}`, and this version reads `{expected}`")]
    Schema {
        /// What the packet says.
        found: String,
        /// What is known.
        expected: &'static str,
    },
    /// A part that is read into memory is larger than any packet needs.
    #[error("`{file}` has {size} bytes, and at most {limit} are read")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Not JSON of the right shape.
    #[error("`{file}` does not read as what it should be")]
    Malformed {
        /// The file.
        file: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A value that has no canonical form.
    #[error("a value cannot be written as canonical JSON")]
    NotCanonicalValue(#[source] serde_json::Error),
    /// The leaves do not read.
    #[error(transparent)]
    Leaves(#[from] LeavesError),
    /// Something is not what was signed.
    #[error("the packet was changed: {0}")]
    Mismatch(String),
    /// No signature.
    #[error("the packet is not signed")]
    Unsigned,
    /// There is a signature already.
    #[error("the packet is signed already, with key {0}")]
    AlreadySigned(String),
    /// Signed with a key that was not given.
    #[error("the packet is signed with key {signed_by}, which is none of those given ({})", given.join(", "))]
    WrongKey {
        /// The key id in the envelope.
        signed_by: String,
        /// The ids of the keys that were given.
        given: Vec<String>,
    },
    /// The named key did not make this signature.
    #[error("the signature was not made with key {key_id} over this statement")]
    BadSignature {
        /// The key.
        key_id: String,
    },
    /// The certificate does not vouch for the time of signing.
    #[error(
        "the certificate `{name}` was valid from {not_before} to {not_after}, and the packet was signed at {signed_at}"
    )]
    Expired {
        /// The certificate.
        name: String,
        /// From.
        not_before: Timestamp,
        /// Until.
        not_after: Timestamp,
        /// When the packet was signed, as far as that is known.
        signed_at: Timestamp,
    },
    /// The packet does not continue the one it should.
    #[error(
        "the packet does not continue the one given: it names {named} as its previous statement, and that has {expected}"
    )]
    Chain {
        /// What the packet says.
        named: String,
        /// What it should say.
        expected: String,
    },
    /// The timestamp.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signer failed.
    #[error("key {key_id} did not sign")]
    Signer {
        /// The key.
        key_id: String,
        /// What the signer said.
        #[source]
        source: SignerError,
    },
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A file that was handed in is not where its role belongs, or there twice.
    #[error("`{path}` cannot be packed: {why}")]
    Input {
        /// The file.
        path: PacketPath,
        /// Why.
        why: &'static str,
    },
    /// The packed evidence does not hold together.
    #[error("the evidence in the packet does not hold together")]
    Evidence(#[source] Box<EvidenceError>),
    /// A redaction of a redacted packet.
    #[error("the packet is redacted already")]
    AlreadyRedacted,
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A value survived.
    #[error(transparent)]
    Leak(#[from] LeakError),
}

/// How a command that met an error ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The packet cannot be judged, or not made: exit code 1.
    Tool,
    /// The packet was judged, and it is not what was signed: exit code 3.
    Verification,
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Tool => 1,
            Self::Verification => 3,
        }
    }
}

impl PacketError {
    /// How a command that met this ends.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Mismatch(_)
            | Self::Leaves(_)
            | Self::Malformed { .. }
            | Self::Unsigned
            | Self::BadSignature { .. }
            | Self::Chain { .. } => Failure::Verification,
            Self::Timestamp(error) => error.failure(),
            _ => Failure::Tool,
        }
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Container(_) => Some(
                "a packet that was repacked by another program no longer verifies: ask for the file as it was written",
            ),
            Self::Schema { .. } => Some("use the version of cadastre that wrote it, or a newer one"),
            Self::Unsigned => Some("sign it with `cadastre packet sign`"),
            Self::WrongKey { .. } => {
                Some("ask the sender for the public key with that id, over another channel")
            }
            Self::Mismatch(_) | Self::BadSignature { .. } | Self::Leaves(_) | Self::Malformed { .. } => {
                Some("do not rely on this file; ask the sender for it again")
            }
            Self::Expired { .. } => {
                Some("ask for a packet with a timestamp, or for the certificate that was valid then")
            }
            Self::Chain { .. } => Some("ask for the packets in between"),
            Self::AlreadyRedacted => Some("redact the original packet with both sets of rules"),
            Self::Leak(_) => {
                Some("withhold the file (`withhold: files:`), or render it again from the redacted evidence")
            }
            Self::Timestamp(error) => error.hint(),
            _ => None,
        }
    }

    pub(crate) fn read(path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action: "read", path, source }
    }

    pub(crate) fn write(path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action: "write", path, source }
    }
}

impl From<crate::container::OpenError> for PacketError {
    fn from(error: crate::container::OpenError) -> Self {
        match error {
            crate::container::OpenError::Container(error) => Self::Container(error),
            crate::container::OpenError::Io(source) => {
                Self::Io { action: "read", path: "the packet".to_owned(), source }
            }
        }
    }
}

impl From<crate::container::WriteError> for PacketError {
    fn from(error: crate::container::WriteError) -> Self {
        match error {
            crate::container::WriteError::Container(error) => Self::Container(error),
            crate::container::WriteError::Io(source) => {
                Self::Io { action: "write", path: "the packet".to_owned(), source }
            }
            crate::container::WriteError::Changed(path) => {
                Self::Input { path, why: "it changed while it was packed" }
            }
        }
    }
}
