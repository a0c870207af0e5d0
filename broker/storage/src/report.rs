//! What recovery found: nothing that was lost goes unsaid.

use std::path::PathBuf;

use cadastre_protocol::types::TopicPartition;

/// The findings of one opening of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments whose frames were read.
    pub segments: usize,
    /// Frames that authenticated.
    pub frames: u64,
    /// What an interrupted write left at the end of the last segment, now cut off.
    pub torn_tail: Option<DamagedRange>,
    /// Segment that was being created when the process ended; it held nothing and is deleted.
    pub torn_creation: Option<u64>,
    /// Ranges that do not authenticate, set aside.
    pub damage: Vec<DamagedRange>,
    /// Segments without a usable header: nothing in them can be decrypted.
    pub unreadable_segments: Vec<u64>,
    /// Segments that ought to exist and do not.
    pub missing_segments: Vec<u64>,
    /// Segments of whose two headers one is damaged.
    pub repaired_headers: Vec<u64>,
    /// Records that were acknowledged, as far as can be told, and are lost.
    pub missing_records: Vec<MissingRecords>,
    /// The segment in which metadata changes were lost, where the operator accepted that.
    pub accepted_metadata_damage: Option<u64>,
}

/// A range of a segment file in which no frame authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRange {
    /// The segment's id.
    pub segment: u64,
    /// Where the range starts, in bytes from the start of the file.
    pub position: u64,
    /// Its length, in bytes.
    pub length: u64,
    /// What its first frame held, where its descriptor still tells.
    pub held: Option<HeldRecords>,
    /// The copy that was set aside, behind a copy of the segment's header; absent where nothing needed to
    /// be, or where copying failed and the bytes are still in the segment.
    pub quarantined: Option<PathBuf>,
}

/// Records that a damaged frame held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRecords {
    /// Their partition.
    pub partition: TopicPartition,
    /// Offset of the first.
    pub base_offset: i64,
    /// Offset after the last.
    pub end_offset: i64,
}

/// A range of offsets that no frame covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingRecords {
    /// The partition.
    pub partition: TopicPartition,
    /// First offset that is missing.
    pub from: i64,
    /// Offset after the last that is missing.
    pub to: i64,
}

impl RecoveryReport {
    /// Whether anything was lost that may have been acknowledged.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        !(self.damage.is_empty()
            && self.unreadable_segments.is_empty()
            && self.missing_segments.is_empty()
            && self.missing_records.is_empty()
            && self.accepted_metadata_damage.is_none())
    }
}
