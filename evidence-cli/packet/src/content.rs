//! Holds every byte of content to what the list of files and the leaves say, on all cores.

use std::io::{BufRead as _, Read as _};

use rayon::prelude::*;

use crate::container::Entry;
use crate::digest::Digest;
use crate::error::PacketError;
use crate::leaf::{FileLabel, Label};
use crate::manifest::{FileEntry, Role};
use crate::measure::Measured;
use crate::names;
use crate::record_line;
use crate::source::Stretch;
use crate::unchecked::{Head, UncheckedPacket};

/// How many bytes of a records file one task looks at.
const SEGMENT: u64 = 8 << 20;

/// The longest record, in bytes: as evidence directories have it. Without a limit, a file that is one line would be
/// read again by the task of each segment.
const MAXIMUM_LINE: u64 = 64 << 20;

/// One piece of work.
enum Task<'p> {
    /// Measure a file.
    Measure(&'p FileEntry, &'p Entry),
    /// Check the records that begin in a part of a records file.
    Records { file: &'p FileEntry, entry: &'p Entry, from: u64, to: u64 },
}

/// The ids of records, in order, of one file.
pub(crate) struct FileRecords<'p> {
    pub(crate) file: &'p FileEntry,
    pub(crate) ids: Vec<Digest>,
}

/// Checks every listed file against its size, checksum and hash, and every record against its id. Returns
/// the ids of the records, file by file: those of open leaves first, then derived ones.
pub(crate) fn check_files<'p>(packet: &'p UncheckedPacket<'_>) -> Result<Vec<FileRecords<'p>>, PacketError> {
    let files: Vec<&FileEntry> = packet.originals().iter().chain(packet.derived()).collect();
    let mut tasks = Vec::new();
    for file in &files {
        let entry = packet
            .container
            .entry(file.path.as_str())
            .ok_or_else(|| PacketError::Mismatch(format!("`{}` is missing", file.path)))?;
        if u64::from(entry.size) != file.size {
            return Err(PacketError::Mismatch(format!(
                "`{}` has {} bytes, and {} are listed",
                file.path, entry.size, file.size
            )));
        }
        tasks.push(Task::Measure(file, entry));
        if file.role == Role::Records {
            let segments = (0..file.size).step_by(usize::try_from(SEGMENT).unwrap_or(usize::MAX));
            tasks.extend(segments.map(|from| Task::Records {
                file,
                entry,
                from,
                to: (from + SEGMENT).min(file.size),
            }));
        }
    }
    // The largest files first would be better still; one task a core at a time is good enough.
    let results: Vec<Vec<Digest>> =
        tasks.par_iter().map(|task| run(packet, task)).collect::<Result<_, _>>()?;
    let mut records: Vec<FileRecords<'_>> = Vec::new();
    for (task, ids) in tasks.iter().zip(results) {
        let Task::Records { file, .. } = task else { continue };
        match records.last_mut().filter(|last| last.file.path == file.path) {
            Some(last) => last.ids.extend(ids),
            None => records.push(FileRecords { file, ids }),
        }
    }
    for file in &files {
        let counted = records.iter().find(|r| r.file.path == file.path).map_or(0, |r| r.ids.len() as u64);
        if file.records.is_some_and(|listed| listed != counted) {
            return Err(PacketError::Mismatch(format!(
                "`{}` does not hold the number of records that is listed",
                file.path
            )));
        }
    }
    Ok(records)
}

fn run(packet: &UncheckedPacket<'_>, task: &Task<'_>) -> Result<Vec<Digest>, PacketError> {
    match task {
        Task::Measure(file, entry) => {
            let mut content = Stretch::unbuffered(packet.source, entry.content(), file.size);
            let measured = Measured::read(&mut content).map_err(PacketError::read(file.path.as_str()))?;
            if measured.sha256 != file.sha256 || measured.checksum != entry.checksum {
                return Err(PacketError::Mismatch(format!(
                    "`{}` does not have the hash that is listed",
                    file.path
                )));
            }
            Ok(Vec::new())
        }
        Task::Records { file, entry, from, to } => check_records(packet, file, entry, *from, *to),
    }
}

/// Checks the records whose lines begin at `from` or later, and before `to`.
fn check_records(
    packet: &UncheckedPacket<'_>,
    file: &FileEntry,
    entry: &Entry,
    from: u64,
    to: u64,
) -> Result<Vec<Digest>, PacketError> {
    let failed = || PacketError::read(file.path.as_str());
    // A line begins after a newline, so the search for the first one starts one byte early.
    let start = from.saturating_sub(1);
    let mut reader = Stretch::buffered(packet.source, entry.content() + start, file.size - start);
    let mut at = start;
    if from > 0 {
        at += (&mut reader).take(MAXIMUM_LINE).skip_until(b'\n').map_err(failed())? as u64;
    }
    let mut ids = Vec::new();
    let mut line = Vec::new();
    while at < to {
        line.clear();
        at += (&mut reader).take(MAXIMUM_LINE).read_until(b'\n', &mut line).map_err(failed())? as u64;
        let id = line.strip_suffix(b"\n").and_then(record_line::content_address).ok_or_else(|| {
            PacketError::Mismatch(format!(
                "`{}` holds a line, ending at byte {at}, that is not the record its id names",
                file.path
            ))
        })?;
        ids.push(id);
    }
    Ok(ids)
}

/// Holds the open leaves to the files: one for one, in the same order, with nothing left over on either side.
pub(crate) fn check_leaves(
    packet: &UncheckedPacket<'_>,
    records: &[FileRecords<'_>],
) -> Result<(), PacketError> {
    let mut labels = packet.labels();
    let mut expect = |expected: Label| match labels.next() {
        Some(label) if *label == expected => Ok(()),
        Some(label) => Err(PacketError::Mismatch(format!(
            "a leaf says `{}` where the files have `{}`",
            label.text(),
            expected.text()
        ))),
        None => Err(PacketError::Mismatch(format!("no leaf stands for `{}`", expected.text()))),
    };
    if let Head::Original(_) = packet.head {
        let entry = packet.container.entry(names::MANIFEST);
        let size = entry.map_or(0, |entry| u64::from(entry.size));
        expect(Label::File(Box::new(FileLabel {
            path: names::manifest(),
            size,
            sha256: packet.head_digest,
        })))?;
    }
    for file in packet.originals() {
        if file.role == Role::Records {
            let ids = records.iter().find(|records| records.file.path == file.path);
            for id in ids.into_iter().flat_map(|records| &records.ids) {
                expect(Label::Record(*id))?;
            }
        } else {
            expect(Label::File(Box::new(FileLabel {
                path: file.path.clone(),
                size: file.size,
                sha256: file.sha256,
            })))?;
        }
    }
    match labels.next() {
        Some(label) => {
            Err(PacketError::Mismatch(format!("a leaf says `{}`, and nothing is there", label.text())))
        }
        None => Ok(()),
    }
}
