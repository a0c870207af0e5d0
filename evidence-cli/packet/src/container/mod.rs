//! The zip file around a packet, of which no byte is free.
//!
//! Every header follows from the names, sizes and checksums of the entries, so there is one way to write a
//! packet's container, and reading it is deriving it and comparing. That is why this is not left to a zip
//! library: those promise to read what others wrote, and to write something that can be read.
//! The fields are those of PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.

mod reader;
mod writer;

pub(crate) use reader::{Container, OpenError};
pub(crate) use writer::{ContainerWriter, WriteError};

use crate::path::{PacketPath, PathError};

/// Signature of a local file header.
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Signature of a central directory header.
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// Signature of the end of central directory record.
const END: [u8; 4] = *b"PK\x05\x06";
/// Length of the end of central directory record without a comment.
const END_LENGTH: usize = 22;
/// Length of a local header without its name.
const LOCAL_LENGTH: usize = 30;
/// Length of a central header without its name.
const CENTRAL_LENGTH: usize = 46;
/// More entries need zip's 64-bit extension.
pub(crate) const MAXIMUM_ENTRIES: usize = 65_534;
/// More bytes need zip's 64-bit extension.
pub(crate) const MAXIMUM_LENGTH: u64 = 0xffff_fffe;

/// Why a container is refused. Nothing of it was extracted.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ContainerError {
    /// The end of central directory record is not the last thing in the file.
    #[error("not a packet: no zip directory at the end of the file (cut short, or something follows it)")]
    NotAtEnd,
    /// The directory has a comment.
    #[error("the zip file has a comment; a packet has none")]
    Comment,
    /// 64-bit extension.
    #[error("the zip file uses the 64-bit extension (zip64); a packet never does")]
    Zip64,
    /// Split over several files.
    #[error("the zip file is one of several parts; a packet never is")]
    Split,
    /// The directory does not lie where it must.
    #[error("the zip directory does not lie between the entries and the end: {0}")]
    Directory(&'static str),
    /// An entry is encrypted.
    #[error("`{0}` is encrypted; a packet's entries never are")]
    Encrypted(String),
    /// An entry is compressed.
    #[error(
        "`{name}` is compressed (method {method}, {stored} bytes that say they become {inflated}); a packet stores its files as they are"
    )]
    Compressed {
        /// The entry.
        name: String,
        /// The zip compression method.
        method: u16,
        /// Bytes in the file.
        stored: u32,
        /// Bytes after inflating, as the directory says.
        inflated: u32,
    },
    /// A symbolic link, device or directory.
    #[error("`{0}` is a link, a directory or a device; a packet holds plain files")]
    NotAFile(String),
    /// An extra field or an entry comment.
    #[error("`{0}` carries extra fields or a comment; a packet's entries never do")]
    Extra(String),
    /// A dangerous name.
    #[error("an entry has a name that is refused")]
    Path(#[from] PathError),
    /// The same name twice.
    #[error("`{0}` is there twice")]
    Duplicate(String),
    /// Two names that some file systems take for one.
    #[error("`{0}` and `{1}` differ only in letter case")]
    Case(String, String),
    /// An entry does not begin where the one before it ends.
    #[error("`{0}` overlaps another entry, or leaves a gap before it")]
    Gap(String),
    /// Any other field is not what it must be.
    #[error("the zip header of `{0}` is not the one that a packet has")]
    Header(String),
    /// Too much for 32-bit zip.
    #[error(
        "a packet holds at most {MAXIMUM_ENTRIES} files and {MAXIMUM_LENGTH} bytes; split the evidence by account"
    )]
    TooLarge,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path.
    pub(crate) path: PacketPath,
    /// Length of the content in bytes.
    pub(crate) size: u32,
    /// CRC-32 of the content.
    pub(crate) checksum: u32,
    /// Where the local header begins.
    pub(crate) offset: u32,
}

impl Entry {
    /// Where the content begins.
    pub(crate) fn content(&self) -> u64 {
        u64::from(self.offset) + (LOCAL_LENGTH + self.path.as_str().len()) as u64
    }

    /// Where the content ends.
    pub(crate) fn end(&self) -> u64 {
        self.content() + u64::from(self.size)
    }

    /// The fields that both kinds of header have, from `version needed` to `extra length`.
    fn common(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(26);
        bytes.extend(10_u16.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(0_u16.to_le_bytes());
        bytes.extend(0x0021_u16.to_le_bytes());
        bytes.extend(self.checksum.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        // Paths have at most 240 bytes.
        bytes.extend(u16::try_from(self.path.as_str().len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(0_u16.to_le_bytes());
        bytes
    }

    /// The local header with its name.
    fn local_header(&self) -> Vec<u8> {
        let mut bytes = LOCAL.to_vec();
        bytes.extend(self.common());
        bytes.extend(self.path.as_str().as_bytes());
        bytes
    }

    /// The central header with its name.
    fn central_header(&self) -> Vec<u8> {
        let mut bytes = CENTRAL.to_vec();
        bytes.extend(20_u16.to_le_bytes());
        bytes.extend(self.common());
        bytes.extend([0; 10]);
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.path.as_str().as_bytes());
        bytes
    }
}

/// The end record of a container.
fn end_record(entries: u16, directory_size: u32, directory_offset: u32) -> Vec<u8> {
    let mut bytes = END.to_vec();
    bytes.extend([0; 4]);
    bytes.extend(entries.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    bytes.extend(directory_size.to_le_bytes());
    bytes.extend(directory_offset.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}
