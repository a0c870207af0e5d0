//! Opening a log that exists: every frame is authenticated, the state rebuilt, damage set aside and named.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::command::decode_commands;
use crate::config::StorageConfig;
use crate::descriptor::{Descriptor, FrameKind};
use crate::error::StorageError;
use crate::file_system::LogFile;
use crate::frame::{
    FRAME_HEADER_LENGTH, FRAME_MAGIC, FrameDefect, FrameHeader, OpenedFrame, open_descriptor,
};
use crate::log_keys::LogKeys;
use crate::partition::Partition;
use crate::report::{DamagedRange, HeldRecords, MissingRecords, RecoveryReport};
use crate::segment::{FrameLocation, FrameReadError, Segment, segment_id};
use crate::segment_header::{FORMAT_VERSION, HEADER_LENGTH, HeaderReading, SegmentHeader};
use crate::snapshot::Snapshot;
use crate::state::LogState;

/// How much of a file the scan after damage looks at in one go.
const SCAN_CHUNK: usize = 1 << 20;
/// The most that the writer puts into a segment before it syncs, but for one more frame and the segment's first, in bytes.
const WRITTEN_AT_ONCE: u64 = 32 << 20;
/// The directory for what does not authenticate.
const QUARANTINE: &str = "quarantine";

/// What recovery hands to the committer.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) state: LogState,
    /// Readable segments, oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The id for the next segment: larger than any seen.
    pub(crate) next_segment: u64,
    pub(crate) report: RecoveryReport,
}

/// Reads the whole log. Blocks; asks for keys through `runtime`. Keys are kept until it is done, whatever becomes of their
/// leases: what cannot be opened would pass for damage.
///
/// Nothing on disk changes before every header was found acceptable and every data key was had.
pub(crate) fn recover(
    config: &StorageConfig,
    keys: &LogKeys,
    runtime: &Handle,
) -> Result<Recovered, StorageError> {
    let mut report = RecoveryReport::default();
    let files = segment_files(config)?;
    let newest = files.last().map(|(id, _)| *id);
    let mut segments = Vec::new();
    let mut torn_creation = None;
    let mut last_is_unreadable = false;
    for (id, path) in files {
        match open_segment(config, keys, runtime, id, path.clone(), &mut report)? {
            SegmentReading::Sound(segment) => segments.push(Arc::new(segment)),
            SegmentReading::Empty if newest == Some(id) => torn_creation = Some((id, path)),
            SegmentReading::Empty | SegmentReading::Unreadable => {
                report.unreadable_segments.push(id);
                last_is_unreadable = newest == Some(id);
            }
        }
    }
    if let Some((id, path)) = torn_creation {
        remove_torn_creation(config, &path)?;
        report.torn_creation = Some(id);
    }

    let mut replay = Replay { config, state: LogState::default(), lost_metadata: None, report };
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len() && !last_is_unreadable;
        replay.segment(segment, is_last)?;
    }
    if last_is_unreadable {
        replay.lost_metadata = newest;
    }
    let (state, report) = replay.finish(&segments)?;
    segments.iter().for_each(|segment| segment.key().let_go());
    let next_segment = newest.unwrap_or(0).max(state.segments.last().copied().unwrap_or(0)).saturating_add(1);
    Ok(Recovered { state, segments, next_segment, report })
}

fn segment_files(config: &StorageConfig) -> Result<Vec<(u64, PathBuf)>, StorageError> {
    let listed = config.file_system.list(&config.directory).map_err(|source| StorageError::File {
        action: "list",
        path: config.directory.clone(),
        source,
    })?;
    let mut files: Vec<_> =
        listed.into_iter().filter_map(|path| segment_id(&path).map(|id| (id, path))).collect();
    files.sort();
    Ok(files)
}

fn remove_torn_creation(config: &StorageConfig, path: &std::path::Path) -> Result<(), StorageError> {
    let file_system = config.file_system.as_ref();
    let failed = |source| StorageError::File { action: "remove", path: path.to_owned(), source };
    file_system.remove(path).map_err(failed)?;
    file_system.sync_directory(&config.directory).map_err(failed)
}

enum SegmentReading {
    Sound(Segment),
    /// No usable header, and nothing behind it.
    Empty,
    /// No usable header in front of frames.
    Unreadable,
}

fn open_segment(
    config: &StorageConfig,
    keys: &LogKeys,
    runtime: &Handle,
    id: u64,
    path: PathBuf,
    report: &mut RecoveryReport,
) -> Result<SegmentReading, StorageError> {
    let failed = |action, source| StorageError::File { action, path: path.clone(), source };
    let file = config.file_system.open(&path).map_err(|error| failed("open", error))?;
    let length = file.length().map_err(|error| failed("read", error))?;
    let mut block = vec![0; usize::try_from(length.min(HEADER_LENGTH)).unwrap_or_default()];
    file.read_exact_at(&mut block, 0).map_err(|error| failed("read", error))?;
    let header = match SegmentHeader::read(&block) {
        HeaderReading::Newer(version) => {
            return Err(StorageError::NewerFormat { segment: id, version, newest_known: FORMAT_VERSION });
        }
        HeaderReading::Sound(header) if header.segment_id == id => header,
        HeaderReading::Repaired(header) if header.segment_id == id => {
            report.repaired_headers.push(id);
            header
        }
        HeaderReading::Sound(_) | HeaderReading::Repaired(_) => return Ok(SegmentReading::Unreadable),
        HeaderReading::Damaged if length <= HEADER_LENGTH => return Ok(SegmentReading::Empty),
        HeaderReading::Damaged => return Ok(SegmentReading::Unreadable),
    };
    if header.cluster_id != config.cluster_id {
        return Err(StorageError::ForeignCluster {
            segment: id,
            found: header.cluster_id,
            expected: config.cluster_id.clone(),
        });
    }
    let key = |source| StorageError::Key { segment: id, key_id: header.wrapped_key.key_id.clone(), source };
    let context = SegmentHeader::encryption_context(&config.cluster_id, id, header.version);
    let opening = config.execution.wait(runtime, keys.open(&header.wrapped_key, context)).map_err(key)?;
    Ok(SegmentReading::Sound(Segment::new(&header, path, file, opening, length)))
}

/// The state while frames go by.
struct Replay<'a> {
    config: &'a StorageConfig,
    state: LogState,
    /// The segment in which a change of metadata is known to be lost, until a snapshot makes up for it.
    lost_metadata: Option<u64>,
    report: RecoveryReport,
}

impl Replay<'_> {
    fn segment(&mut self, segment: &Arc<Segment>, is_last: bool) -> Result<(), StorageError> {
        self.report.segments += 1;
        self.state.segments.insert(segment.id);
        let length = segment.length();
        let mut position = HEADER_LENGTH;
        let mut expected_sequence = 0;
        let mut ended = false;
        let mut first_frame_end = HEADER_LENGTH;
        while position < length {
            let defect = match read_frame_at(segment, position, length)? {
                // A number that was used before is a frame copied from elsewhere in the segment.
                Ok(frame) if frame.header.sequence >= expected_sequence => {
                    if frame.header.sequence > expected_sequence && !self.damage_ends_at(segment.id, position)
                    {
                        // Whole frames were cut out, so that not even damaged bytes are left.
                        self.report.damage.push(DamagedRange {
                            segment: segment.id,
                            position,
                            length: 0,
                            held: None,
                            quarantined: None,
                        });
                    }
                    expected_sequence = frame.header.sequence.saturating_add(1);
                    ended |= frame.descriptor.kind == FrameKind::End;
                    let start = position;
                    position = position.saturating_add(frame.header.frame_length());
                    if start == HEADER_LENGTH {
                        first_frame_end = position;
                    }
                    self.absorb(segment, start, frame);
                    continue;
                }
                Ok(_) => FrameDefect::Header,
                Err(defect) => defect,
            };
            let next = next_frame(segment, position.saturating_add(1), length, expected_sequence)?;
            let range = DamagedRange {
                segment: segment.id,
                position,
                length: next.unwrap_or(length).saturating_sub(position),
                held: held_by(defect),
                quarantined: None,
            };
            match next {
                None if is_last && !ended => {
                    self.cut_tail(segment, range, defect)?;
                    return self.settle(segment, first_frame_end);
                }
                _ => self.set_aside(segment, range),
            }
            position = next.unwrap_or(length);
        }
        if is_last && !ended {
            self.settle(segment, first_frame_end)?;
        }
        Ok(())
    }

    fn damage_ends_at(&self, segment: u64, position: u64) -> bool {
        self.report.damage.last().is_some_and(|range| {
            range.segment == segment && range.position.saturating_add(range.length) == position
        })
    }

    /// Takes one authentic frame into the state.
    fn absorb(&mut self, segment: &Arc<Segment>, position: u64, frame: OpenedFrame) {
        self.report.frames += 1;
        let OpenedFrame { header, descriptor, body } = frame;
        if let Some(witness) = descriptor.previous
            && let Some(partition) = self.state.partitions.get_mut(&witness.partition)
        {
            partition.next_offset = partition.next_offset.max(witness.end_offset);
        }
        match descriptor.kind {
            FrameKind::Snapshot => match Snapshot::decode(segment.version, &body) {
                Ok(snapshot) => {
                    self.state.restore(snapshot);
                    self.state.segments.insert(segment.id);
                    self.lost_metadata = None;
                }
                Err(_malformed) => self.lost_metadata = Some(segment.id),
            },
            FrameKind::Commands => {
                self.expect_version(segment, descriptor.metadata_version.saturating_sub(1));
                match decode_commands(&body) {
                    Ok(commands) => self.state.apply_all(commands, descriptor.metadata_version),
                    Err(_malformed) => self.lost_metadata = Some(segment.id),
                }
            }
            FrameKind::Records | FrameKind::MovedRecords => {
                self.expect_version(segment, descriptor.metadata_version);
                self.absorb_records(segment, position, &header, &descriptor, body.len());
            }
            FrameKind::End => self.expect_version(segment, descriptor.metadata_version),
        }
    }

    fn absorb_records(
        &mut self,
        segment: &Arc<Segment>,
        position: u64,
        header: &FrameHeader,
        descriptor: &Descriptor,
        size: usize,
    ) {
        let Some(batch) = &descriptor.batch else { return };
        // A partition that nothing created so far: its creation was lost, which the metadata version tells. A later
        // snapshot decides whether the partition exists.
        let partition = self.state.partitions.entry(batch.partition).or_insert_with(|| Partition::new(0, 0));
        if descriptor.kind == FrameKind::Records {
            partition.advance(batch);
        }
        // What an object holds by now is read from there.
        if batch.end_offset() > partition.log_start.max(partition.packed_to()) {
            let length = u32::try_from(header.frame_length()).unwrap_or(u32::MAX);
            let location = FrameLocation::new(Arc::clone(segment), position, length);
            partition.index(batch, location, u32::try_from(size).unwrap_or(u32::MAX));
        }
    }

    /// Notes that changes are lost when a frame was written at a later metadata version than was reached.
    fn expect_version(&mut self, segment: &Segment, version: u64) {
        if version > self.state.metadata_version {
            self.lost_metadata.get_or_insert(segment.id);
            self.state.metadata_version = version;
        }
    }

    /// Cuts the torn tail of the last segment off. What may be more than a write that was cut short is copied before.
    fn cut_tail(
        &mut self,
        segment: &Segment,
        mut range: DamagedRange,
        defect: FrameDefect,
    ) -> Result<(), StorageError> {
        let failed = |action, source| StorageError::File { action, path: segment.path.clone(), source };
        let cut_short = defect == FrameDefect::Short || range.length < FRAME_HEADER_LENGTH as u64;
        if !cut_short {
            let copied = quarantine(self.config, segment, &range);
            range.quarantined = Some(copied.map_err(|error| failed("set aside the torn tail of", error))?);
        }
        segment.file().truncate(range.position).map_err(|error| failed("truncate", error))?;
        segment.set_length(range.position);
        tracing::warn!(
            segment = range.segment,
            position = range.position,
            bytes = range.length,
            "an interrupted write was cut off the end of the log"
        );
        self.report.torn_tail = Some(range);
        Ok(())
    }

    /// Makes durable what the last segment shows. A process that was killed between writing and syncing left frames that only
    /// the system's memory holds; they are about to be served, and their producers told that they are there. If a sync had
    /// failed before, the system takes them for written, and only what is written again reaches the disk.
    fn settle(&self, segment: &Segment, first_frame_end: u64) -> Result<(), StorageError> {
        if !self.config.fsync {
            return Ok(());
        }
        let failed = |action, source| StorageError::File { action, path: segment.path.clone(), source };
        let at_once = WRITTEN_AT_ONCE.saturating_add(self.config.maximum_frame_bytes as u64);
        let length = segment.length();
        // The snapshot that a segment begins with is written at once, however large it is.
        let mut position = match length.saturating_sub(at_once) {
            inside if inside < first_frame_end => 0,
            behind => behind,
        };
        while position < length {
            let size = usize::try_from(length.saturating_sub(position)).unwrap_or(SCAN_CHUNK).min(SCAN_CHUNK);
            let mut chunk = vec![0; size];
            segment.file().read_exact_at(&mut chunk, position).map_err(|error| failed("read", error))?;
            segment.file().write_over(&chunk, position).map_err(|error| failed("write", error))?;
            position = position.saturating_add(size as u64);
        }
        segment.file().sync().map_err(|error| failed("sync", error))
    }

    /// Copies a damaged range away and reports it. The bytes stay in the segment too, so a failing copy loses nothing.
    fn set_aside(&mut self, segment: &Segment, mut range: DamagedRange) {
        match quarantine(self.config, segment, &range) {
            Ok(path) => range.quarantined = Some(path),
            Err(error) => tracing::error!(
                segment = range.segment,
                position = range.position,
                %error,
                "a damaged range could not be copied to quarantine"
            ),
        }
        tracing::error!(
            segment = range.segment,
            position = range.position,
            bytes = range.length,
            held = ?range.held,
            "a range of the log does not authenticate"
        );
        self.report.damage.push(range);
    }

    /// Publishes what was rebuilt and draws up the losses.
    fn finish(mut self, segments: &[Arc<Segment>]) -> Result<(LogState, RecoveryReport), StorageError> {
        if let Some(segment) = self.lost_metadata {
            if !self.config.accept_damaged_metadata {
                return Err(StorageError::MetadataDamaged { segment });
            }
            self.report.accepted_metadata_damage = Some(segment);
        }
        for (id, partition) in &mut self.state.partitions {
            partition.publish(partition.next_offset);
            let holes = partition.holes();
            holes.iter().for_each(|(from, to)| partition.forget_sequences(*from, *to));
            let missing = holes.into_iter();
            self.report.missing_records.extend(missing.map(|(from, to)| MissingRecords {
                partition: *id,
                from,
                to,
            }));
        }
        let present = |id: &u64| {
            segments.iter().any(|segment| segment.id == *id) || self.report.unreadable_segments.contains(id)
        };
        let missing: Vec<u64> = self.state.segments.iter().copied().filter(|id| !present(id)).collect();
        // Said once; the records that went with them stay missing until the log starts behind them.
        self.state.segments.retain(|id| !missing.contains(id));
        self.report.missing_segments = missing;
        Ok((self.state, self.report))
    }
}

fn held_by(defect: FrameDefect) -> Option<HeldRecords> {
    if let FrameDefect::Body(held) = defect { held } else { None }
}

/// Reads the frame at `position` of a file with `length` bytes; the outer error is the file's.
fn read_frame_at(
    segment: &Segment,
    position: u64,
    length: u64,
) -> Result<Result<OpenedFrame, FrameDefect>, StorageError> {
    let failed = |source| StorageError::File { action: "read", path: segment.path.clone(), source };
    let remaining = length.saturating_sub(position);
    if remaining < FRAME_HEADER_LENGTH as u64 {
        return Ok(Err(FrameDefect::Header));
    }
    let mut header = [0; FRAME_HEADER_LENGTH];
    segment.file().read_exact_at(&mut header, position).map_err(failed)?;
    let Some(decoded) = FrameHeader::decode(&header) else { return Ok(Err(FrameDefect::Header)) };
    if decoded.frame_length() > remaining {
        return Ok(Err(FrameDefect::Short));
    }
    let Ok(frame_length) = u32::try_from(decoded.frame_length()) else {
        return Ok(Err(FrameDefect::Header));
    };
    match segment.read_frame(position, frame_length) {
        Ok(frame) => Ok(Ok(frame)),
        Err(FrameReadError::Defect(defect)) => Ok(Err(defect)),
        Err(FrameReadError::File(source)) => Err(failed(source)),
        Err(FrameReadError::Expired) => Err(failed(io::Error::other("its key is gone"))),
    }
}

/// Where, from `position` on, the next frame starts whose descriptor authenticates.
fn next_frame(
    segment: &Segment,
    mut position: u64,
    length: u64,
    minimum_sequence: u64,
) -> Result<Option<u64>, StorageError> {
    let failed = |source| StorageError::File { action: "read", path: segment.path.clone(), source };
    while position < length {
        let size = usize::try_from(length.saturating_sub(position)).unwrap_or(SCAN_CHUNK).min(SCAN_CHUNK);
        let mut chunk = vec![0; size];
        segment.file().read_exact_at(&mut chunk, position).map_err(failed)?;
        let starts = chunk.windows(FRAME_MAGIC.len()).enumerate();
        for (offset, _) in starts.filter(|(_, window)| *window == FRAME_MAGIC) {
            let candidate = position.saturating_add(offset as u64);
            if is_frame_start(segment.file(), segment, candidate, length, minimum_sequence).map_err(failed)? {
                return Ok(Some(candidate));
            }
        }
        // The magic may lie across two chunks.
        let advance = size.saturating_sub(FRAME_MAGIC.len() - 1).max(1);
        position = position.saturating_add(advance as u64);
    }
    Ok(None)
}

fn is_frame_start(
    file: &dyn LogFile,
    segment: &Segment,
    position: u64,
    length: u64,
    minimum_sequence: u64,
) -> io::Result<bool> {
    let remaining = usize::try_from(length.saturating_sub(position)).unwrap_or(usize::MAX);
    // Room for the header and the longest descriptor.
    let mut bytes = vec![0; remaining.min(FRAME_HEADER_LENGTH + usize::from(u16::MAX))];
    file.read_exact_at(&mut bytes, position)?;
    let key = segment.key().hold().map_err(io::Error::other)?;
    let opened = open_descriptor(segment.scope(), &key, &bytes);
    Ok(opened.is_ok_and(|(header, _)| header.sequence >= minimum_sequence))
}

/// Copies a range, behind the segment's header, into a file of its own.
fn quarantine(config: &StorageConfig, segment: &Segment, range: &DamagedRange) -> io::Result<PathBuf> {
    let file_system = config.file_system.as_ref();
    let directory = config.directory.join(QUARANTINE);
    file_system.create_directory(&directory)?;
    let path = directory.join(format!("{:020}-{}.damaged", range.segment, range.position));
    let existing = file_system.list(&directory)?.contains(&path);
    if existing {
        if file_system.open(&path)?.length()? == HEADER_LENGTH.saturating_add(range.length) {
            return Ok(path);
        }
        // An earlier opening was interrupted while copying.
        file_system.remove(&path)?;
    }
    let target = file_system.create(&path)?;
    copy(segment.file(), target.as_ref(), 0, HEADER_LENGTH)?;
    copy(segment.file(), target.as_ref(), range.position, range.length)?;
    if config.fsync {
        target.sync()?;
        file_system.sync_directory(&directory)?;
        file_system.sync_directory(&config.directory)?;
    }
    Ok(path)
}

fn copy(source: &dyn LogFile, target: &dyn LogFile, mut position: u64, length: u64) -> io::Result<()> {
    let end = position.saturating_add(length);
    while position < end {
        let size = usize::try_from(end.saturating_sub(position)).unwrap_or(SCAN_CHUNK).min(SCAN_CHUNK);
        let mut chunk = vec![0; size];
        source.read_exact_at(&mut chunk, position)?;
        target.append(&chunk)?;
        position = position.saturating_add(size as u64);
    }
    Ok(())
}
