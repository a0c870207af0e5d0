//! What was asked of the object store, counted.

use cadastre_objects::StoreCounts;

use crate::storage::{Mode, Storage};

impl Storage {
    /// Requests to the object store since it was opened; all zero without one.
    #[must_use]
    pub fn store_counts(&self) -> StoreCounts {
        match self.mode() {
            Mode::Embedded(storage) => {
                storage.objects().map(|area| area.reader.store().counts()).unwrap_or_default()
            }
            Mode::Cluster(cluster) => cluster.store().counts(),
        }
    }
}
