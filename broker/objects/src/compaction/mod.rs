//! Log compaction by key, as Kafka's `LogCleaner` does it (KIP-58, KIP-354, KIP-534): pure functions over batches.
//!
//! [`CleaningRules::plan`] decides from the extents of a partition whether to clean and how far. [`Transactions`]
//! learn from the dirty batches which data came to nothing; a [`Survey`] reads them for the last offset of every key;
//! the [`Cleaner`] made of it takes all batches from the first on and says of each what is left.

mod cleaner;
mod key_map;
mod rules;
mod survey;
mod transactions;

pub use cleaner::{Cleaned, Cleaner};
pub use rules::{CleaningPlan, CleaningRules, Extent};
pub use survey::{Survey, Surveyed};
pub use transactions::Transactions;

/// The most bytes that the records of one batch may unpack to.
const UNPACKED_LIMIT: usize = 128 << 20;
