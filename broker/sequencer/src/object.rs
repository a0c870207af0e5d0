//! Objects as the sequencer knows them: who refers to them, and which may go.

use cadastre_protocol::types::TopicPartition;

use crate::commit::Slice;
use crate::ids::{BrokerEpoch, ObjectId};

/// One object's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSummary {
    /// The object.
    pub id: ObjectId,
    /// Its size, in bytes; 0 for an abandoned one.
    pub bytes: u64,
    /// How many slices refer to it.
    pub slices: u32,
    /// Where it is in its life.
    pub state: ObjectState,
}

/// Where an object is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectState {
    /// Slices refer to it.
    Referenced,
    /// The last slice went at this time, milliseconds since the epoch.
    Unreferenced {
        /// When.
        since_ms: i64,
    },
    /// It will never be committed.
    Abandoned,
}

/// The right to compact, held by one broker until that is fenced or gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What the right is to; any name.
    pub name: String,
    /// Rises with each holder.
    pub epoch: i64,
    /// Who holds it.
    pub holder: BrokerEpoch,
}

/// Slices of a partition to be replaced by others, in a new object that is durable already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The right under which it happens.
    pub lease: Lease,
    /// The partition.
    pub partition: TopicPartition,
    /// What was read: neighbouring slices, in order, which must all still be there.
    pub before: Vec<Slice>,
    /// What takes their place: slices over the same offsets, in order and without gaps, all in `object`.
    pub after: Vec<Slice>,
    /// The new object; its epoch is the holder's.
    pub object: ObjectId,
    /// Its size, in bytes.
    pub object_bytes: u64,
    /// The time, milliseconds since the epoch.
    pub now_ms: i64,
}

impl Replacement {
    /// What is wrong with it in itself, if anything.
    pub(crate) fn defect(&self) -> Option<&'static str> {
        let (Some(first), Some(last)) = (self.before.first(), self.before.last()) else {
            return Some("a replacement replaces at least one slice");
        };
        let tiles = |slices: &[Slice]| {
            let mut expected = first.base_offset;
            slices.iter().all(|slice| {
                let fits = slice.base_offset == expected
                    && slice.end_offset > expected
                    && slice.partition == self.partition;
                expected = slice.end_offset;
                fits
            }) && expected == last.end_offset
        };
        if !tiles(&self.before) || !tiles(&self.after) {
            return Some("a replacement covers the same offsets without gaps");
        }
        if self.after.iter().any(|slice| slice.object != self.object)
            || self.object.epoch != self.lease.holder
        {
            return Some("a replacement lies in one object of the lease's holder");
        }
        None
    }
}
