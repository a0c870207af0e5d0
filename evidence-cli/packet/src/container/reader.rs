//! Reads a container's directory, and holds every header to the one that a packet has.

use std::collections::BTreeMap;
use std::io;

use super::{
    CENTRAL, CENTRAL_LENGTH, ContainerError, END, END_LENGTH, Entry, LOCAL, LOCAL_LENGTH, MAXIMUM_ENTRIES,
    MAXIMUM_LENGTH, end_record,
};
use crate::path::{PacketPath, PathError};
use crate::source::PacketSource;

/// The directory of a container whose every header was compared.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    entries: Vec<Entry>,
    by_path: BTreeMap<PacketPath, usize>,
}

/// A container could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Container {
    /// Reads the directory and checks every byte of the file that is not content.
    pub(crate) fn open(source: &dyn PacketSource) -> Result<Self, OpenError> {
        let length = source.length()?;
        if length > MAXIMUM_LENGTH {
            return Err(ContainerError::TooLarge.into());
        }
        let directory = read_directory(source, length)?;
        let entries = parse_directory(&directory)?;
        let by_path = index(&entries)?;
        let mut expected = 0;
        for entry in &entries {
            if u64::from(entry.offset) != expected {
                return Err(ContainerError::Gap(entry.path.to_string()).into());
            }
            expected = entry.end();
        }
        if expected + (directory.len() + END_LENGTH) as u64 != length {
            return Err(ContainerError::Directory("the sizes of the entries do not add up").into());
        }
        for entry in &entries {
            let derived = entry.local_header();
            let mut found = vec![0; derived.len()];
            source.read_exact_at(&mut found, u64::from(entry.offset))?;
            if found != derived {
                return Err(ContainerError::Header(entry.path.to_string()).into());
            }
        }
        Ok(Self { entries, by_path })
    }

    /// The entries in their order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry at a path.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        let path = path.parse().ok()?;
        self.by_path.get(&path).and_then(|index| self.entries.get(*index))
    }
}

fn read_directory(source: &dyn PacketSource, length: u64) -> Result<Vec<u8>, OpenError> {
    let end_offset = length.checked_sub(END_LENGTH as u64).ok_or(ContainerError::NotAtEnd)?;
    let mut end = [0; END_LENGTH];
    source.read_exact_at(&mut end, end_offset)?;
    if !end.starts_with(&END) {
        return Err(why_no_end(source, length)?.into());
    }
    let mut fields = Fields(end.get(4..).unwrap_or_default());
    let disks = fields.u32();
    let (here, entries) = (fields.u16(), fields.u16());
    let (size, offset, comment) = (fields.u32(), fields.u32(), fields.u16());
    if entries == u16::MAX || size == u32::MAX || offset == u32::MAX {
        return Err(ContainerError::Zip64.into());
    }
    if disks != 0 || here != entries {
        return Err(ContainerError::Split.into());
    }
    if comment != 0 {
        return Err(ContainerError::Comment.into());
    }
    if usize::from(entries) > MAXIMUM_ENTRIES {
        return Err(ContainerError::TooLarge.into());
    }
    if u64::from(offset) + u64::from(size) != end_offset {
        return Err(ContainerError::Directory("its size and place do not fit the file").into());
    }
    if end != end_record(entries, size, offset).as_slice() {
        return Err(ContainerError::Directory("its end record has other values").into());
    }
    // Bounded by the length of the file, which the operating system told.
    let size = usize::try_from(size).map_err(|_too_large| ContainerError::TooLarge)?;
    let mut directory = vec![0; size];
    source.read_exact_at(&mut directory, u64::from(offset))?;
    let mut counted = 0_usize;
    let mut rest = directory.as_slice();
    while let Some(name_length) = rest.get(28..30).map(|bytes| Fields(bytes).u16()) {
        let (extra, comment) = rest.get(30..34).map_or((0, 0), |bytes| {
            let mut fields = Fields(bytes);
            (fields.u16(), fields.u16())
        });
        let step = CENTRAL_LENGTH + usize::from(name_length) + usize::from(extra) + usize::from(comment);
        let Some(next) = rest.get(step..) else { break };
        rest = next;
        counted += 1;
    }
    if counted != usize::from(entries) || !rest.is_empty() {
        return Err(ContainerError::Directory("it does not hold as many entries as it says").into());
    }
    Ok(directory)
}

/// Looks for what stands at the end instead, to say it by name.
fn why_no_end(source: &dyn PacketSource, length: u64) -> io::Result<ContainerError> {
    let window = usize::try_from(length.min(66_000)).unwrap_or(0);
    let mut tail = vec![0; window];
    source.read_exact_at(&mut tail, length - window as u64)?;
    let found = tail.windows(END.len()).rposition(|bytes| bytes == END);
    let comment = found.and_then(|at| {
        let declared = usize::from(Fields(tail.get(at + 20..at + 22)?).u16());
        (declared > 0 && at + END_LENGTH + declared == tail.len()).then_some(())
    });
    Ok(if comment.is_some() { ContainerError::Comment } else { ContainerError::NotAtEnd })
}

fn parse_directory(mut rest: &[u8]) -> Result<Vec<Entry>, ContainerError> {
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, length) = parse_central(rest)?;
        entries.push(entry);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(entries)
}

fn parse_central(bytes: &[u8]) -> Result<(Entry, usize), ContainerError> {
    if !bytes.starts_with(&CENTRAL) {
        return Err(ContainerError::Directory("an entry of it does not begin with its signature"));
    }
    let mut fields = Fields(bytes.get(4..).unwrap_or_default());
    let made_by = fields.u16();
    let _version_needed = fields.u16();
    let (flags, method) = (fields.u16(), fields.u16());
    let _time_and_date = fields.u32();
    let (checksum, stored, inflated) = (fields.u32(), fields.u32(), fields.u32());
    let (name_length, extra, comment) = (fields.u16(), fields.u16(), fields.u16());
    let _disk_and_internal_attributes = fields.u32();
    let (external, offset) = (fields.u32(), fields.u32());
    let name_end = CENTRAL_LENGTH + usize::from(name_length);
    let name =
        bytes.get(CENTRAL_LENGTH..name_end).ok_or(ContainerError::Directory("it ends inside a name"))?;
    let name = String::from_utf8_lossy(name).into_owned();
    let shown = || name.escape_debug().take(480).collect::<String>();
    if flags & 1 != 0 || flags & 0x40 != 0 {
        return Err(ContainerError::Encrypted(shown()));
    }
    if [stored, inflated, offset].contains(&u32::MAX) {
        return Err(ContainerError::Zip64);
    }
    // The upper half of the attributes holds the Unix mode when the upper byte of `made by` says Unix.
    let kind = (external >> 16) & 0o170_000;
    if name.ends_with('/') || external & 0x10 != 0 || (made_by >> 8 == 3 && kind != 0 && kind != 0o100_000) {
        return Err(ContainerError::NotAFile(shown()));
    }
    if method != 0 || stored != inflated {
        return Err(ContainerError::Compressed { name: shown(), method, stored, inflated });
    }
    if extra != 0 || comment != 0 {
        return Err(ContainerError::Extra(shown()));
    }
    let path = name.parse::<PacketPath>().map_err(|error: PathError| ContainerError::Path(error))?;
    let entry = Entry { path, size: stored, checksum, offset };
    if bytes.get(..name_end) != Some(entry.central_header().as_slice()) {
        return Err(ContainerError::Header(entry.path.to_string()));
    }
    Ok((entry, name_end))
}

fn index(entries: &[Entry]) -> Result<BTreeMap<PacketPath, usize>, ContainerError> {
    let mut by_path = BTreeMap::new();
    let mut folded: BTreeMap<String, &PacketPath> = BTreeMap::new();
    for (position, entry) in entries.iter().enumerate() {
        if by_path.insert(entry.path.clone(), position).is_some() {
            return Err(ContainerError::Duplicate(entry.path.to_string()));
        }
        if let Some(other) = folded.insert(entry.path.folded(), &entry.path) {
            return Err(ContainerError::Case(other.to_string(), entry.path.to_string()));
        }
    }
    Ok(by_path)
}

/// Little-endian fields, taken one after the other. What is not there reads as zero; the comparison with
/// the derived header finds it.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk::<N>().map_or(([0; N], &[][..]), |(t, r)| (*t, r));
        self.0 = rest;
        taken
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}

/// Said here once, so that both halves of the header check agree with the format's own lengths.
const _: () = assert!(LOCAL.len() + 26 == LOCAL_LENGTH && END.len() + 18 == END_LENGTH);
