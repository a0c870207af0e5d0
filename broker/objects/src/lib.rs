//! Objects of record batches: format, stores, caches, merging, log compaction, retention, sweeping.
//!
//! An [`ObjectBuilder`] seals batches into an object, an [`ObjectWriter`] gives it a name and uploads it, an
//! [`ObjectReader`] opens it by its end and reads runs of blocks. What to merge, compact, expire or sweep is
//! decided by pure functions. The format and the reasons for it stand in `docs/rfcs/0003-objects.md`.
//!
//! What holds at any moment:
//! - an object is written once, under a name that was never used, and never changed;
//! - nothing is served that does not authenticate as this block of this object of this cluster;
//! - nothing is deleted that some reference, running writer or young age speaks for.

mod binding;
mod block;
mod builder;
pub mod codec;
mod compact;
pub mod compaction;
mod damage;
mod disk_cache;
mod envelope;
mod error;
mod index;
mod location;
mod merge;
mod object_id;
mod object_keys;
mod opened;
mod orphans;
mod probe;
mod reader;
mod retention;
mod runs;
mod store;
mod store_counters;
mod store_settings;
mod trailer;
mod writer;

pub use block::{Block, Placement};
pub use builder::{BuiltObject, ObjectBuilder};
pub use compact::{Compacted, CompactionTask, compact};
pub use damage::{Damage, HeldRecords, Quarantine, Region};
pub use disk_cache::DiskCache;
pub use envelope::Envelope;
pub use error::{ObjectError, StoreError};
pub use index::{ObjectIndex, PartitionSpan};
pub use location::StoreLocation;
pub use merge::{MergePlanner, MergeTask, MergedObject, StoredObject, merge};
pub use object_id::{ObjectId, ObjectIdError, ObjectKind, ObjectName};
pub use object_keys::{ObjectKey, ObjectKeys};
pub use opened::OpenedObject;
pub use orphans::{
    Finding, Listed, Orphan, References, Suspects, SweepReport, SweepSettings, Sweeper, judge,
};
pub use probe::{Capabilities, probe};
pub use reader::{ObjectReader, ObjectReference, ReaderSettings, StoredBatch};
pub use retention::{RetentionRules, dead_objects, log_start_after, objects_of_topic};
pub use runs::{RunSettings, coalesce};
pub use store::{ListedObject, Store, Suffix};
pub use store_counters::StoreCounts;
pub use store_settings::StoreSettings;
pub use trailer::FORMAT_VERSION;
pub use writer::ObjectWriter;
