//! A packet as it was opened: its container and its own files are in order, its contents unread.

use crate::canonical;
use crate::container::{Container, Entry};
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::PacketError;
use crate::leaf::{self, Label, Leaf};
use crate::manifest::{FileEntry, Manifest, Role, SCHEMA};
use crate::merkle::Tree;
use crate::names;
use crate::path::PacketPath;
use crate::redact::{REDACTED_SCHEMA, Redaction};
use crate::source::PacketSource;

/// The most that is read of a manifest, in bytes.
const MAXIMUM_MANIFEST: u64 = 64 << 20;
/// The most that is read of a list of leaves, in bytes: about four million leaves.
const MAXIMUM_LEAVES: u64 = 512 << 20;
/// The most that is read of an envelope or a timestamp, in bytes.
const MAXIMUM_ENVELOPE: u64 = 1 << 20;

/// What kind of packet it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    /// As it was made.
    Original(Manifest),
    /// With parts withheld.
    Redacted(Redaction),
}

/// A packet whose container and own files were read and found in order. Nothing in it is verified.
pub struct UncheckedPacket<'s> {
    pub(crate) source: &'s dyn PacketSource,
    pub(crate) container: Container,
    pub(crate) head: Head,
    /// SHA-256 of `manifest.json` or `redaction.json`.
    pub(crate) head_digest: Digest,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) tree: Tree,
    pub(crate) attestation: Option<Envelope>,
    pub(crate) redaction_attestation: Option<Envelope>,
    pub(crate) timestamp: Option<Vec<u8>>,
}

impl std::fmt::Debug for UncheckedPacket<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UncheckedPacket").field("root", &self.tree.root()).finish_non_exhaustive()
    }
}

#[derive(serde::Deserialize)]
struct SchemaOnly {
    schema: String,
}

impl<'s> UncheckedPacket<'s> {
    /// Opens a packet: checks every byte of the container, refuses what no packet has, and reads the packet's
    /// own files, each within its limit. No other content is read.
    ///
    /// # Errors
    /// Whatever is refused, by name: [`crate::ContainerError`] and [`PacketError`].
    pub fn open(source: &'s dyn PacketSource) -> Result<Self, PacketError> {
        let container = Container::open(source)?;
        let first = container.entries().first().ok_or(PacketError::NotAPacket)?;
        let head_bytes = match first.path.as_str() {
            names::MANIFEST | names::REDACTION => read_limited(source, first, MAXIMUM_MANIFEST)?,
            _ => return Err(PacketError::NotAPacket),
        };
        let head = parse_head(first.path.as_str(), &head_bytes)?;
        let read =
            |name, limit| container.entry(name).map(|entry| read_limited(source, entry, limit)).transpose();
        let leaves = read(names::LEAVES, MAXIMUM_LEAVES)?
            .ok_or_else(|| PacketError::Mismatch(format!("`{}` is missing", names::LEAVES)))?;
        let (leaves, hashes) = leaf::decode(&leaves)?;
        let envelope =
            |name| read(name, MAXIMUM_ENVELOPE)?.map(|bytes| Envelope::decode(name, &bytes)).transpose();
        let attestation = envelope(names::ATTESTATION)?;
        let redaction_attestation = envelope(names::REDACTION_ATTESTATION)?;
        let timestamp = read(names::TIMESTAMP, MAXIMUM_ENVELOPE)?;
        let packet = Self {
            source,
            head,
            head_digest: Digest::of(&head_bytes),
            leaves,
            tree: Tree::new(hashes),
            attestation,
            redaction_attestation,
            timestamp,
            container,
        };
        packet.check_order()?;
        packet.check_places()?;
        Ok(packet)
    }

    /// Files whose leaves are open, by path.
    pub(crate) fn originals(&self) -> &[FileEntry] {
        match &self.head {
            Head::Original(manifest) => &manifest.files,
            Head::Redacted(redaction) => &redaction.originals,
        }
    }

    /// Files that a redactor made, by path.
    pub(crate) fn derived(&self) -> Vec<&FileEntry> {
        match &self.head {
            Head::Original(_) => Vec::new(),
            Head::Redacted(redaction) => redaction.derived.iter().map(|derived| &derived.file).collect(),
        }
    }

    /// The container's entries must be exactly the packet's own files and the listed ones, in their order.
    fn check_order(&self) -> Result<(), PacketError> {
        let redacted = matches!(self.head, Head::Redacted(_));
        let own = [
            (if redacted { names::redaction() } else { names::manifest() }, true),
            (names::leaves(), true),
            (names::redaction_attestation(), redacted && self.redaction_attestation.is_some()),
            (names::attestation(), redacted || self.attestation.is_some()),
            (names::timestamp(), self.timestamp.is_some()),
        ];
        let mut listed: Vec<&PacketPath> = self.originals().iter().map(|file| &file.path).collect();
        if listed.windows(2).any(|pair| matches!(pair, [a, b] if a >= b)) {
            return Err(PacketError::Mismatch("the list of files is not in order".to_owned()));
        }
        let derived = self.derived();
        if derived.windows(2).any(|pair| matches!(pair, [a, b] if a.path >= b.path)) {
            return Err(PacketError::Mismatch("the list of derived files is not in order".to_owned()));
        }
        listed.extend(derived.iter().map(|file| &file.path));
        listed.sort();
        let own = own.iter().filter(|(_, there)| *there).map(|(path, _)| path);
        let mut found = self.container.entries().iter().map(|entry| &entry.path);
        for expected in own.chain(listed) {
            match found.next() {
                Some(path) if path == expected => {}
                Some(path) => {
                    return Err(PacketError::Mismatch(format!("`{path}` lies where `{expected}` belongs")));
                }
                None => return Err(PacketError::Mismatch(format!("`{expected}` is missing"))),
            }
        }
        match found.next() {
            Some(path) => Err(PacketError::Mismatch(format!("`{path}` is not listed"))),
            None => Ok(()),
        }
    }

    /// Each listed file must lie where its role belongs.
    fn check_places(&self) -> Result<(), PacketError> {
        let misplaced = |file: &FileEntry| {
            PacketError::Mismatch(format!("`{}` lies where its role does not belong", file.path))
        };
        for file in self.originals() {
            if !file.role.fits(&file.path) || file.records.is_some() != (file.role == Role::Records) {
                return Err(misplaced(file));
            }
        }
        for file in self.derived() {
            let place = file.path.as_str().strip_prefix(names::DERIVED).and_then(|path| path.parse().ok());
            let fits = place.is_some_and(|path| file.role.fits(&path));
            if !fits || file.records.is_some() != (file.role == Role::Records) {
                return Err(misplaced(file));
            }
        }
        Ok(())
    }

    /// Labels of open leaves, in order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Label> {
        self.leaves.iter().filter_map(|leaf| match leaf {
            Leaf::Open(_, label) => Some(label),
            Leaf::Held(_) => None,
        })
    }

    /// Reads a listed file into memory.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, PacketError> {
        let entry = self
            .container
            .entry(path)
            .ok_or_else(|| PacketError::Mismatch(format!("`{path}` is missing")))?;
        read_limited(self.source, entry, u64::from(u32::MAX))
    }
}

fn parse_head(name: &str, bytes: &[u8]) -> Result<Head, PacketError> {
    let schema: SchemaOnly = serde_json::from_slice(bytes)
        .map_err(|source| PacketError::Malformed { file: name.to_owned(), source })?;
    let expected = if name == names::MANIFEST { SCHEMA } else { REDACTED_SCHEMA };
    if schema.schema != expected {
        let found = schema.schema.escape_debug().take(120).collect();
        return Err(PacketError::Schema { found, expected });
    }
    Ok(if name == names::MANIFEST {
        Head::Original(canonical::from_slice(name, bytes)?)
    } else {
        Head::Redacted(canonical::from_slice(name, bytes)?)
    })
}

/// Reads an entry into memory. Its size was compared with the length of the file before.
fn read_limited(source: &dyn PacketSource, entry: &Entry, limit: u64) -> Result<Vec<u8>, PacketError> {
    let size = u64::from(entry.size);
    if size > limit {
        return Err(PacketError::TooLarge { file: entry.path.to_string(), size, limit });
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    source.read_exact_at(&mut bytes, entry.content()).map_err(PacketError::read(entry.path.as_str()))?;
    if crc32fast::hash(&bytes) != entry.checksum {
        return Err(PacketError::Mismatch(format!("the checksum of `{}` does not fit", entry.path)));
    }
    Ok(bytes)
}
