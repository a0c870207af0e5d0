//! What does not authenticate: named, listed, never served.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use cadastre_protocol::types::TopicPartition;

use crate::block::Block;
use crate::object_id::ObjectName;

/// The part of an object that is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// Its end: it was cut off, or is no object.
    Trailer,
    /// The plain part with the wrapped key.
    Envelope,
    /// The sealed index.
    Index,
    /// One sealed batch, by number.
    Block(u32),
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trailer => formatter.write_str("trailer"),
            Self::Envelope => formatter.write_str("envelope"),
            Self::Index => formatter.write_str("index"),
            Self::Block(number) => write!(formatter, "block {number}"),
        }
    }
}

/// The records that a damaged block held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldRecords {
    /// Their partition.
    pub partition: TopicPartition,
    /// First offset and offset after the last, where they were known at writing.
    pub offsets: Option<(i64, i64)>,
}

/// One damaged region of one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("object `{name}` is damaged: {region} {what}{records}", records = records_text(held.as_ref()))]
pub struct Damage {
    /// The object.
    pub name: ObjectName,
    /// The region.
    pub region: Region,
    /// What is wrong, as in "does not authenticate".
    pub what: &'static str,
    /// What the region held, where that is known.
    pub held: Option<HeldRecords>,
}

fn records_text(held: Option<&HeldRecords>) -> String {
    match held {
        None => String::new(),
        Some(HeldRecords { partition, offsets: None }) => format!(", records of {partition}"),
        Some(HeldRecords { partition, offsets: Some((from, to)) }) => {
            format!(", records of {partition} from offset {from} to before {to}")
        }
    }
}

impl Damage {
    pub(crate) fn of(name: &ObjectName, region: Region, what: &'static str) -> Self {
        Self { name: name.clone(), region, what, held: None }
    }

    pub(crate) fn of_block(name: &ObjectName, number: u32, block: &Block, what: &'static str) -> Self {
        let offsets = block.base_offset().zip(block.end_offset());
        let held = Some(HeldRecords { partition: block.partition, offsets });
        Self { name: name.clone(), region: Region::Block(number), what, held }
    }
}

/// Damage beyond this many regions is counted, not listed.
const MAXIMUM_LISTED: usize = 10_000;

/// The damage seen by a process, each region once. Nothing in it is served; the object stays where it is, as evidence.
#[derive(Debug, Default)]
pub struct Quarantine {
    seen: Mutex<BTreeMap<(ObjectName, Region), Damage>>,
}

impl Quarantine {
    /// Notes damage; tells whether it was new.
    pub fn report(&self, damage: &Damage) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (damage.name.clone(), damage.region);
        if seen.contains_key(&key) || seen.len() >= MAXIMUM_LISTED {
            return false;
        }
        tracing::error!(%damage, "an object is damaged");
        seen.insert(key, damage.clone());
        true
    }

    /// Forgets an object, once it is deleted or was put right.
    pub fn forget(&self, name: &ObjectName) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(damaged, _), _| damaged != name);
    }

    /// Everything noted, sorted by object and region.
    #[must_use]
    pub fn list(&self) -> Vec<Damage> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::block;
    use crate::object_id::{ObjectId, ObjectKind};

    #[test]
    fn damage_names_object_region_and_records_and_is_listed_once() {
        let id = ObjectId { writer_epoch: 1, sequence: 2 };
        let name = ObjectName { cluster_id: "c".to_owned(), kind: ObjectKind::Mixed, id };
        let damage = Damage::of_block(&name, 4, &block(1, 2, 10, 4, 0), "does not authenticate");
        let text = damage.to_string();
        assert!(text.contains("block 4 does not authenticate"), "{text}");
        assert!(text.ends_with("-2 from offset 10 to before 15"), "{text}");
        let quarantine = Quarantine::default();
        assert!(quarantine.report(&damage));
        assert!(!quarantine.report(&damage));
        assert_eq!(quarantine.list(), [damage]);
        quarantine.forget(&name);
        assert!(quarantine.list().is_empty());
    }
}
