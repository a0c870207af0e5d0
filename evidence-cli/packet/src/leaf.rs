//! The leaves of a packet's tree, and `leaves.txt`, which lists them.

use std::fmt::Write as _;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::digest::{Digest, decode_hexadecimal};
use crate::path::PacketPath;

/// Sixteen random bytes that keep a leaf's hash from being guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub(crate) [u8; 16]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// What a leaf stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// An evidence record, by its content address.
    Record(Digest),
    /// A whole file.
    File(Box<FileLabel>),
}

/// A whole file, as a leaf names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLabel {
    /// Where it lies.
    pub path: PacketPath,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

impl Label {
    /// The line of text that is hashed.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Record(id) => format!("record sha256:{id}"),
            Self::File(file) => format!("file {} {} sha256:{}", file.path, file.size, file.sha256),
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        if let Some(id) = text.strip_prefix(b"record sha256:") {
            return decode_hexadecimal(id).map(|id| Self::Record(Digest(id)));
        }
        let text = std::str::from_utf8(text.strip_prefix(b"file ")?).ok()?;
        let mut parts = text.split(' ');
        let (path, size, sha256) = (parts.next()?, parts.next()?, parts.next()?);
        let file = FileLabel {
            path: path.parse().ok()?,
            size: size.parse().ok()?,
            sha256: Digest(decode_hexadecimal(sha256.strip_prefix("sha256:")?.as_bytes())?),
        };
        let label = Self::File(Box::new(file));
        // A number with leading zeros or a sign is another spelling of the same label.
        (parts.next().is_none() && label.text().strip_prefix("file ") == Some(text)).then_some(label)
    }
}

/// A leaf, as a packet holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// Salt and label are there.
    Open(Salt, Label),
    /// Only the hash is there.
    Held(Digest),
}

impl Leaf {
    /// The leaf's hash: `SHA-256(0x00 ‖ salt ‖ label)`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        match self {
            Self::Open(salt, label) => leaf_hash(salt, label.text().as_bytes()),
            Self::Held(hash) => *hash,
        }
    }
}

fn leaf_hash(salt: &Salt, label: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(salt.0).chain_update(label).finalize().into())
}

/// A list of leaves that does not read as one.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum LeavesError {
    /// A line is none of the three kinds, or not in its one spelling.
    #[error("`leaves.txt` line {0} is not a leaf")]
    Line(usize),
    /// The last line has no end, or there is no line.
    #[error("`leaves.txt` does not end with a line")]
    End,
}

/// Writes `leaves.txt`.
#[must_use]
pub(crate) fn encode(leaves: &[Leaf]) -> Vec<u8> {
    let mut text = String::with_capacity(leaves.len() * 120);
    for leaf in leaves {
        let _infallible = match leaf {
            Leaf::Open(salt, label) => writeln!(text, "{} {}", hex::encode(salt.0), label.text()),
            Leaf::Held(hash) => writeln!(text, "held {hash}"),
        };
    }
    text.into_bytes()
}

/// Reads `leaves.txt`, and the hash of each leaf with it.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Vec<Leaf>, Vec<Digest>), LeavesError> {
    let lines = bytes.strip_suffix(b"\n").ok_or(LeavesError::End)?;
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    let decoded: Vec<(Leaf, Digest)> = lines
        .par_iter()
        .enumerate()
        .map(|(index, line)| decode_line(line).ok_or(LeavesError::Line(index + 1)))
        .collect::<Result<_, _>>()?;
    Ok(decoded.into_iter().unzip())
}

fn decode_line(line: &[u8]) -> Option<(Leaf, Digest)> {
    if let Some(hash) = line.strip_prefix(b"held ") {
        let hash = decode_hexadecimal(hash).map(Digest)?;
        return Some((Leaf::Held(hash), hash));
    }
    let (salt, label) = line.split_at_checked(32)?;
    let salt = Salt(decode_hexadecimal(salt)?);
    let label = label.strip_prefix(b" ")?;
    Some((Leaf::Open(salt, Label::parse(label)?), leaf_hash(&salt, label)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves() -> Vec<Leaf> {
        let file = FileLabel { path: "graph.json".parse().unwrap(), size: 7, sha256: Digest::of(b"g") };
        vec![
            Leaf::Open(Salt([1; 16]), Label::File(Box::new(file))),
            Leaf::Open(Salt([2; 16]), Label::Record(Digest::of(b"r"))),
            Leaf::Held(Digest::of(b"h")),
        ]
    }

    #[test]
    fn leaves_survive_being_written_and_read() {
        let (read, hashes) = decode(&encode(&leaves())).unwrap();
        assert_eq!(read, leaves());
        assert_eq!(hashes, leaves().iter().map(Leaf::hash).collect::<Vec<_>>());
    }

    #[test]
    fn every_other_spelling_of_a_leaf_is_refused() {
        let text = String::from_utf8(encode(&leaves())).unwrap();
        for (from, to) in
            [(" 7 ", " 07 "), (" 7 ", " +7 "), ("held ", "held  "), ("01010", "0101A"), ("\n", "\r\n")]
        {
            let changed = text.replacen(from, to, 1);
            assert!(decode(changed.as_bytes()).is_err(), "{changed}");
        }
        assert_eq!(decode(b"").unwrap_err(), LeavesError::End);
        assert_eq!(decode(text.trim_end().as_bytes()).unwrap_err(), LeavesError::End);
        assert_eq!(decode((text + "\n").as_bytes()).unwrap_err(), LeavesError::Line(4));
    }
}
