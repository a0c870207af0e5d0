//! Sets of partitions, by topic.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::TopicId;

/// Partition numbers by topic; a topic without partitions is not in it.
pub type Partitions = BTreeMap<TopicId, BTreeSet<i32>>;

/// Every partition of a set, sorted.
pub(crate) fn each(partitions: &Partitions) -> impl Iterator<Item = (TopicId, i32)> {
    partitions.iter().flat_map(|(topic, indexes)| indexes.iter().map(move |index| (*topic, *index)))
}

pub(crate) fn contains(partitions: &Partitions, topic: TopicId, index: i32) -> bool {
    partitions.get(&topic).is_some_and(|indexes| indexes.contains(&index))
}

pub(crate) fn insert(partitions: &mut Partitions, topic: TopicId, index: i32) {
    partitions.entry(topic).or_default().insert(index);
}

pub(crate) fn remove(partitions: &mut Partitions, topic: TopicId, index: i32) {
    if let Some(indexes) = partitions.get_mut(&topic) {
        indexes.remove(&index);
        if indexes.is_empty() {
            partitions.remove(&topic);
        }
    }
}

/// Those of `partitions` that `is_wanted` accepts.
pub(crate) fn filter(partitions: &Partitions, is_wanted: impl Fn(TopicId, i32) -> bool) -> Partitions {
    let mut kept = Partitions::new();
    for (topic, index) in each(partitions).filter(|(topic, index)| is_wanted(*topic, *index)) {
        insert(&mut kept, topic, index);
    }
    kept
}

pub(crate) fn count(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
}

/// Whether every one of `few` is among `many`.
pub(crate) fn is_subset(few: &Partitions, many: &Partitions) -> bool {
    each(few).all(|(topic, index)| contains(many, topic, index))
}
