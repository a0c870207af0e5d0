//! The topics: their names, ids, partition counts and settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_storage::{MetadataChange, MetadataKind, Sight, Storage, StorageError};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use super::StateError;
use crate::shredding::Shredding;
use crate::sync::{read, write};

/// The most partitions a topic may have; a bound on what one request can ask for.
pub(crate) const MAXIMUM_PARTITIONS: i32 = 10_000;
/// The longest topic name (`Topic.MAX_NAME_LENGTH`).
const MAXIMUM_NAME: usize = 249;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: TopicId,
    pub(crate) partitions: i32,
    /// What was set for this topic, by Kafka's topic property names.
    pub(crate) settings: BTreeMap<String, String>,
}

impl Topic {
    /// Whether the topic has that partition.
    pub(crate) fn has(&self, partition: i32) -> bool {
        (0..self.partitions).contains(&partition)
    }

    /// The storage's names for those of the partitions that the topic has.
    pub(crate) fn existing(&self, partitions: impl Iterator<Item = i32>) -> Vec<TopicPartition> {
        partitions.filter(|index| self.has(*index)).map(|index| self.partition(index)).collect()
    }

    /// The storage's name for one of its partitions.
    pub(crate) fn partition(&self, partition: i32) -> TopicPartition {
        TopicPartition { topic: self.id, partition }
    }
}

/// Checks a topic's name as Kafka does (`Topic.validate`).
///
/// # Errors
///
/// Says what is wrong, for the client.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("topic name is empty".to_owned());
    }
    if name == "." || name == ".." {
        return Err("topic name cannot be `.` or `..`".to_owned());
    }
    if name.len() > MAXIMUM_NAME {
        return Err(format!("topic name is longer than {MAXIMUM_NAME} characters"));
    }
    if !name.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '.' | '_' | '-')) {
        return Err("topic name may hold only ASCII letters, digits, `.`, `_` and `-`".to_owned());
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Index {
    by_name: BTreeMap<String, Arc<Topic>>,
    names: BTreeMap<TopicId, String>,
}

#[derive(Serialize, Deserialize)]
struct StoredTopic {
    id: String,
    partitions: i32,
}

/// All topics of the cluster.
#[derive(Debug)]
pub(crate) struct Topics {
    storage: Storage,
    shredding: Arc<Shredding>,
    index: RwLock<Index>,
    /// Rises with every change of the index.
    version: AtomicU64,
    changes: Mutex<()>,
}

impl Topics {
    /// Reads the topics that the storage holds.
    pub(crate) fn load(storage: &Storage, shredding: &Arc<Shredding>) -> Result<Self, StateError> {
        let index = RwLock::new(Self::read_index(storage)?);
        let shredding = Arc::clone(shredding);
        let version = AtomicU64::new(1);
        Ok(Self { storage: storage.clone(), shredding, index, version, changes: Mutex::new(()) })
    }

    fn read_index(storage: &Storage) -> Result<Index, StateError> {
        let mut settings = storage.metadata().entries(MetadataKind::TopicConfig);
        let mut index = Index::default();
        for (name, stored) in storage.metadata().entries(MetadataKind::Topic) {
            let unreadable = |reason: &dyn std::fmt::Display| StateError::unreadable("topic", &name, reason);
            let stored: StoredTopic = serde_json::from_slice(&stored).map_err(|error| unreadable(&error))?;
            let id = stored.id.parse().map_err(|error| unreadable(&error))?;
            let settings = match settings.remove(&name) {
                Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?,
                None => BTreeMap::new(),
            };
            index.insert(Topic { name, id, partitions: stored.partitions, settings });
        }
        Ok(index)
    }

    /// Takes over what other brokers changed.
    pub(crate) async fn reload(&self) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        self.take_over()
    }

    /// With the right to change topics held.
    fn take_over(&self) -> Result<(), StateError> {
        *write(&self.index) = Self::read_index(&self.storage)?;
        self.changed();
        Ok(())
    }

    /// Removes records of topics that a crash left without a name: half created, or half deleted.
    pub(crate) async fn remove_nameless(&self) -> Result<(), StateError> {
        for topic in self.nameless() {
            self.remove(topic).await?;
        }
        Ok(())
    }

    /// Removes records of a topic that has no name.
    pub(crate) async fn remove(&self, topic: TopicId) -> Result<(), StateError> {
        tracing::info!(%topic, "records of a topic without a name removed");
        Ok(self.shredding.delete_topic(topic).await?)
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// A number that rises with every change of the topics.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The topic of that name.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        read(&self.index).by_name.get(name).map(Arc::clone)
    }

    /// The topic with that id.
    pub(crate) fn by_id(&self, id: TopicId) -> Option<Arc<Topic>> {
        let index = read(&self.index);
        index.names.get(&id).and_then(|name| index.by_name.get(name)).map(Arc::clone)
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        read(&self.index).by_name.values().map(Arc::clone).collect()
    }

    /// A topic whose name differs only in `.` and `_`, which Kafka does not allow side by side: their metrics collide.
    pub(crate) fn colliding(&self, name: &str) -> Option<String> {
        let flat = |name: &str| name.replace('.', "_");
        if !name.contains(['.', '_']) {
            return None;
        }
        let wanted = flat(name);
        read(&self.index).by_name.keys().find(|other| *other != name && flat(other) == wanted).cloned()
    }

    /// Serialises changes: what is checked under the guard still holds when the change is made.
    pub(crate) async fn change(&self) -> Result<TopicChange<'_>, StateError> {
        let guard = self.changes.lock().await;
        let metadata = self.storage.metadata();
        metadata.refresh().await?;
        let seen = metadata.version();
        if metadata.subscribe().is_some() {
            self.take_over()?;
        }
        Ok(TopicChange { topics: self, seen, _guard: guard })
    }

    /// Topics with records but without a name: half created, or half deleted.
    pub(crate) fn nameless(&self) -> BTreeSet<TopicId> {
        let index = read(&self.index);
        let stored = self.storage.partitions().into_iter().map(|partition| partition.topic);
        stored.filter(|topic| !index.names.contains_key(topic)).collect()
    }
}

impl Index {
    fn insert(&mut self, topic: Topic) {
        self.names.insert(topic.id, topic.name.clone());
        self.by_name.insert(topic.name.clone(), Arc::new(topic));
    }
}

/// The right to change topics, held by one request at a time.
#[derive(Debug)]
pub(crate) struct TopicChange<'topics> {
    topics: &'topics Topics,
    /// The version of the metadata that the topics were read from.
    seen: u64,
    _guard: MutexGuard<'topics, ()>,
}

impl TopicChange<'_> {
    /// Adds a topic, or gives one that exists other partitions or settings.
    pub(crate) async fn put(&self, topic: Topic) -> Result<(), StateError> {
        let storage = &self.topics.storage;
        // Partitions first: a topic that has a name has all of its partitions.
        storage.create_partitions(topic.id, topic.partitions).await?;
        let known = self.topics.by_name(&topic.name);
        let sight = |is_there: bool| if is_there { Sight::Present } else { Sight::Absent };
        let mut changes = vec![(stored_topic(&topic)?, sight(known.is_some()))];
        let had_settings = known.as_ref().is_some_and(|known| !known.settings.is_empty());
        if had_settings || !topic.settings.is_empty() {
            changes.push((stored_settings(&topic)?, sight(had_settings)));
        }
        if let Err(error) = storage.metadata().commit_unchanged(self.seen, changes).await {
            if known.is_none() && matches!(error, StorageError::Conflict { .. }) {
                // Another broker gave the name to another topic; this one never had it.
                storage.delete_topic(topic.id).await?;
            }
            return Err(error.into());
        }
        write(&self.topics.index).insert(topic);
        self.topics.changed();
        Ok(())
    }

    /// Removes a topic, its key and its records.
    pub(crate) async fn delete(&self, topic: &Topic) -> Result<(), StateError> {
        let gone = |kind| MetadataChange { kind, key: topic.name.clone(), value: None };
        let mut changes = vec![(gone(MetadataKind::Topic), Sight::Present)];
        if !topic.settings.is_empty() {
            changes.push((gone(MetadataKind::TopicConfig), Sight::Present));
        }
        self.topics.storage.metadata().commit_unchanged(self.seen, changes).await?;
        {
            let mut index = write(&self.topics.index);
            index.by_name.remove(&topic.name);
            index.names.remove(&topic.id);
        }
        self.topics.changed();
        self.topics.shredding.delete_topic(topic.id).await?;
        Ok(())
    }
}

fn stored_topic(topic: &Topic) -> Result<MetadataChange, StateError> {
    let stored = StoredTopic { id: topic.id.to_string(), partitions: topic.partitions };
    let value =
        serde_json::to_vec(&stored).map_err(|error| StateError::unreadable("topic", &topic.name, error))?;
    Ok(MetadataChange { kind: MetadataKind::Topic, key: topic.name.clone(), value: Some(value) })
}

fn stored_settings(topic: &Topic) -> Result<MetadataChange, StateError> {
    let value = serde_json::to_vec(&topic.settings)
        .map_err(|error| StateError::unreadable("topic settings", &topic.name, error))?;
    let value = (!topic.settings.is_empty()).then_some(value);
    Ok(MetadataChange { kind: MetadataKind::TopicConfig, key: topic.name.clone(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kafka_does() {
        for good in ["a", "a.b_c-D9", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
