//! Assignors: who shall read what, as a function of subscriptions, partition counts and the assignment there was.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cadastre_protocol::types::TopicId;

use crate::consumer::partitions::Partitions;

/// The assignors of Kafka's brokers, by their names in `group.consumer.assignors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assignor {
    /// `uniform`: as even as can be, moving as little as can be.
    Uniform,
    /// `range`: neighbouring partitions, the same numbers of every topic.
    Range,
}

/// A name that is no assignor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an assignor")]
pub struct AssignorError(String);

impl FromStr for Assignor {
    type Err = AssignorError;

    /// Reads a name; Kafka's class names of the two are names as well.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Ok(Self::Uniform),
            "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Ok(Self::Range),
            other => Err(AssignorError(other.to_owned())),
        }
    }
}

impl Assignor {
    /// Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// Gives every partition of a subscribed topic to one subscribed member.
    pub(crate) fn assign(self, problem: &Problem<'_>) -> BTreeMap<String, Partitions> {
        match self {
            Self::Uniform => uniform::assign(problem),
            Self::Range => range::assign(problem),
        }
    }
}

/// What an assignor is given.
#[derive(Debug, Default)]
pub(crate) struct Problem<'group> {
    /// The members, by id.
    pub(crate) members: BTreeMap<&'group str, Candidate<'group>>,
    /// How many partitions each subscribed topic has.
    pub(crate) topics: BTreeMap<TopicId, i32>,
}

/// A member as an assignor sees it.
#[derive(Debug)]
pub(crate) struct Candidate<'group> {
    pub(crate) group_instance_id: Option<&'group str>,
    /// The topics that it reads, all of which are in [`Problem::topics`].
    pub(crate) topics: BTreeSet<TopicId>,
    /// What it was to have before.
    pub(crate) previous: &'group Partitions,
}

impl Problem<'_> {
    /// Whether all members read the same topics.
    fn is_homogeneous(&self) -> bool {
        let mut subscriptions = self.members.values().map(|member| &member.topics);
        let first = subscriptions.next();
        subscriptions.all(|other| Some(other) == first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consumer::partitions::{count, each};

    pub(super) fn topic(number: u8) -> TopicId {
        TopicId([number; 16])
    }

    fn indexed(index: usize) -> TopicId {
        topic(u8::try_from(index).unwrap() + 1)
    }

    /// Subscriptions of members by topic numbers, and what each had.
    pub(super) fn solve(
        assignor: Assignor,
        topics: &[i32],
        members: &[(String, Vec<usize>)],
        previous: &BTreeMap<String, Partitions>,
    ) -> BTreeMap<String, Partitions> {
        let nothing = Partitions::new();
        let members = members.iter().map(|(name, subscribed)| {
            let topics = subscribed.iter().map(|index| indexed(*index)).collect();
            let previous = previous.get(name).unwrap_or(&nothing);
            (name.as_str(), Candidate { group_instance_id: None, topics, previous })
        });
        let members: BTreeMap<_, _> = members.collect();
        let read: BTreeSet<TopicId> = members.values().flat_map(|member| member.topics.clone()).collect();
        let topics = topics.iter().enumerate().map(|(index, partitions)| (indexed(index), *partitions));
        let topics = topics.filter(|(id, _)| read.contains(id)).collect();
        assignor.assign(&Problem { members, topics })
    }

    fn subscriptions() -> impl Strategy<Value = (Vec<i32>, Vec<(String, Vec<usize>)>)> {
        prop::collection::vec(1i32..9, 1..4).prop_flat_map(|topics| {
            let subscribed =
                prop::sample::subsequence((0..topics.len()).collect::<Vec<_>>(), 0..=topics.len());
            let members = prop::collection::btree_map("[a-f]", subscribed, 1..6);
            (Just(topics), members.prop_map(|members| members.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn every_partition_goes_to_one_subscribed_member(
            (topics, members) in subscriptions(), (old_topics, old) in subscriptions(),
        ) {
            for assignor in [Assignor::Uniform, Assignor::Range] {
                let previous = solve(assignor, &old_topics, &old, &BTreeMap::new());
                let assigned = solve(assignor, &topics, &members, &previous);
                let mut seen = BTreeSet::new();
                for (member, partitions) in &assigned {
                    let (_, subscribed) = members.iter().find(|(name, _)| name == member).unwrap();
                    for (id, index) in each(partitions) {
                        prop_assert!(subscribed.iter().any(|number| indexed(*number) == id));
                        prop_assert!(seen.insert((id, index)), "{id} {index} was given twice");
                    }
                }
                let read: BTreeSet<usize> = members.iter().flat_map(|(_, subscribed)| subscribed.clone()).collect();
                let expected: i32 = read.iter().map(|number| topics[*number]).sum();
                prop_assert_eq!(seen.len(), expected as usize);
            }
        }

        #[test]
        fn uniform_is_even_and_moves_nothing_without_a_cause((topics, members) in subscriptions()) {
            let assigned = solve(Assignor::Uniform, &topics, &members, &BTreeMap::new());
            let load = |name: &str| assigned.get(name).map_or(0, count);
            for (name, partitions) in &assigned {
                for (id, _) in each(partitions) {
                    for (other, subscribed) in &members {
                        let could = subscribed.iter().any(|number| indexed(*number) == id);
                        prop_assert!(!could || load(name) <= load(other) + 1, "{other} could take some of {name}");
                    }
                }
            }
            prop_assert_eq!(&solve(Assignor::Uniform, &topics, &members, &assigned), &assigned);
        }

        #[test]
        fn uniform_moves_only_what_a_new_member_needs(partitions in 1i32..40, members in 1usize..8) {
            let names: Vec<(String, Vec<usize>)> = (0..=members).map(|number| (format!("m{number}"), vec![0])).collect();
            let before = solve(Assignor::Uniform, &[partitions], &names[1..], &BTreeMap::new());
            let after = solve(Assignor::Uniform, &[partitions], &names, &before);
            let moved = count(after.get("m0").unwrap_or(&Partitions::new()));
            let kept: usize = before.iter().map(|(name, old)| {
                let new = after.get(name).cloned().unwrap_or_default();
                each(old).filter(|(topic, index)| new.get(topic).is_some_and(|new| new.contains(index))).count()
            }).sum();
            prop_assert_eq!(kept + moved, partitions as usize);
        }
    }
}
