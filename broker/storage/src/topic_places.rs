//! Where the records of one topic lie, for whoever destroys its key.

use std::collections::BTreeSet;

use cadastre_objects::{ObjectId, ObjectKind, ObjectName, Store};
use cadastre_protocol::types::TopicId;

use crate::Storage;
use crate::cluster::ClusterStorage;
use crate::embedded::EmbeddedStorage;
use crate::error::StorageError;
use crate::storage::Mode;

/// Where a topic's records lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicPlaces {
    /// Objects of this topic alone, under its own key where it has one.
    pub own: BTreeSet<String>,
    /// Objects and log segments that hold others' records too.
    pub shared: BTreeSet<String>,
}

impl TopicPlaces {
    pub(crate) fn note(&mut self, cluster_id: &str, kind: ObjectKind, id: ObjectId) {
        let name = ObjectName { cluster_id: cluster_id.to_owned(), kind, id }.to_string();
        match kind {
            ObjectKind::Partition => self.own.insert(name),
            ObjectKind::Wal | ObjectKind::Mixed => self.shared.insert(name),
        };
    }
}

impl Storage {
    /// Where a topic's records lie at this moment. Embedded mode keeps metadata in the log's segments, and wrapped keys with it,
    /// so that all of them count as shared.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the database cannot be asked.
    pub async fn topic_places(&self, topic: TopicId) -> Result<TopicPlaces, StorageError> {
        match self.mode() {
            Mode::Embedded(storage) => Ok(storage.topic_places(topic)),
            Mode::Cluster(cluster) => cluster.current().topic_places(topic).await,
        }
    }

    /// The store that the brokers of a cluster share; `None` in embedded mode.
    #[must_use]
    pub fn shared_store(&self) -> Option<Store> {
        match self.mode() {
            Mode::Embedded(_) => None,
            Mode::Cluster(cluster) => Some(cluster.store().clone()),
        }
    }
}

impl EmbeddedStorage {
    fn topic_places(&self, topic: TopicId) -> TopicPlaces {
        let segments = self.segments();
        let mut places = TopicPlaces::default();
        places.shared.extend(segments.iter().map(|segment| format!("segment/{:020}", segment.id)));
        let Some(area) = self.objects() else { return places };
        let state = self.shared().read();
        for partition in state.topic_partitions(topic) {
            let shares = state.partitions.get(&partition).into_iter().flat_map(|it| it.shares());
            for (_, share) in shares {
                places.note(area.writer.cluster_id(), share.kind, share.object);
            }
        }
        places
    }
}

impl ClusterStorage {
    async fn topic_places(&self, topic: TopicId) -> Result<TopicPlaces, StorageError> {
        let mut places = TopicPlaces::default();
        for partition in self.partitions().into_iter().filter(|partition| partition.topic == topic) {
            self.each_slice(partition, |kind, id| places.note(self.cluster_id(), kind, id)).await?;
        }
        Ok(places)
    }
}
