//! The packet: records, graph, verdicts and reports in one signed file that others verify offline and that can be
//! redacted without the signer.
//!
//! The format is described in `docs/formats/packet.md`, its reasons in `docs/rfcs/0005-packet.md`. Nothing here calls a
//! network; files to pack are handed in, and time and randomness come in through types.
//!
//! ```text
//! create ──▶ unsigned ──sign──▶ signed ──(attach_timestamp)──▶ UncheckedPacket::open ──verify──▶ VerifiedPacket
//!                                                                                                  │
//!                                                                               redact, embed, evidence, read
//! ```

mod canonical;
mod container;
mod content;
mod create;
mod digest;
mod embed;
mod envelope;
mod error;
mod key;
mod leaf;
mod manifest;
mod measure;
pub mod merkle;
mod names;
mod output;
mod path;
mod randomness;
mod record_line;
pub mod redact;
mod show;
mod sign;
mod signer;
mod source;
mod statement;
mod timestamp;
mod unchecked;
mod verified;
mod verify;

pub use container::ContainerError;
pub use create::{Content, CreateOptions, Created, PackFile, create};
pub use digest::{Digest, DigestError};
pub use embed::{EMBEDDED_SCHEMA, VERIFY_SCRIPT, embed_verification_data};
pub use envelope::{PAYLOAD_TYPE, pre_authentication_encoding};
pub use error::{Failure, PacketError};
pub use key::{KeyError, KeyKind, PublicKey, SignatureAlgorithm, Validity};
pub use leaf::{FileLabel, Label, Leaf, LeavesError, Salt};
pub use manifest::{EvidenceSummary, FileEntry, Manifest, Role, SCHEMA};
pub use output::write_new;
pub use path::{PacketPath, PathError};
pub use randomness::{Randomness, RandomnessError, SeededRandomness, SystemRandomness};
pub use redact::{RedactOptions, Redacted, Rules, redact};
pub use show::{Contents, show};
pub use sign::{SignOptions, Signed, attach_timestamp, sign};
pub use signer::{LocalKey, Signer, SignerError, ecdsa_der};
pub use source::{FileSource, PacketSource};
pub use statement::{PACKET_PREDICATE, REDACTION_PREDICATE, TimestampRule};
pub use timestamp::{TimestampAuthority, TimestampError};
pub use unchecked::UncheckedPacket;
pub use verified::VerifiedPacket;
pub use verify::{
    Chain, Leaves, RedactionState, SignedBy, TimestampState, Verification, VerifyOptions, verify,
};
