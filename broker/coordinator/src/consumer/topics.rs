//! The topics of the cluster, as far as groups need to know them.

use std::collections::BTreeMap;

use cadastre_protocol::types::TopicId;

/// A topic's id and its number of partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTopic {
    /// The id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
}

/// Every topic of the cluster by name and by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownTopics {
    by_name: BTreeMap<String, KnownTopic>,
    names: BTreeMap<TopicId, String>,
}

impl FromIterator<(String, KnownTopic)> for KnownTopics {
    fn from_iter<I: IntoIterator<Item = (String, KnownTopic)>>(topics: I) -> Self {
        let by_name: BTreeMap<String, KnownTopic> = topics.into_iter().collect();
        let names = by_name.iter().map(|(name, topic)| (topic.id, name.clone())).collect();
        Self { by_name, names }
    }
}

impl KnownTopics {
    /// The topic of that name.
    pub fn get(&self, name: &str) -> Option<KnownTopic> {
        self.by_name.get(name).copied()
    }

    /// The name of the topic with that id.
    pub fn name(&self, id: TopicId) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}
