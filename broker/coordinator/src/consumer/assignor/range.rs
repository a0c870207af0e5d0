//! The `range` assignor: each topic is cut into as many ranges as it has readers, in the order of the readers.

use std::collections::BTreeMap;

use cadastre_protocol::types::TopicId;

use super::{Candidate, Problem};
use crate::consumer::partitions::Partitions;

/// How far a topic has been handed out.
struct Remainder {
    partitions: i32,
    quota: i32,
    /// How many members get one more.
    extra: i32,
    next: i32,
}

pub(super) fn assign(problem: &Problem<'_>) -> BTreeMap<String, Partitions> {
    let mut remainders: BTreeMap<TopicId, Remainder> = BTreeMap::new();
    for (topic, partitions) in &problem.topics {
        let readers = problem.members.values().filter(|member| member.topics.contains(topic)).count();
        let Some(readers) = i32::try_from(readers).ok().filter(|readers| *readers > 0) else { continue };
        let (quota, extra) = (partitions / readers, partitions % readers);
        remainders.insert(*topic, Remainder { partitions: *partitions, quota, extra, next: 0 });
    }
    // Static members first: their names outlive restarts, and so do their ranges.
    let mut members: Vec<(&str, &Candidate<'_>)> =
        problem.members.iter().map(|(id, member)| (*id, member)).collect();
    members.sort_by_key(|(id, member)| (member.group_instance_id.is_none(), member.group_instance_id, *id));
    let mut assigned = BTreeMap::new();
    for (member_id, member) in members {
        let mut own = Partitions::new();
        for topic in &member.topics {
            let Some(remainder) = remainders.get_mut(topic) else { continue };
            let range = remainder.take();
            if !range.is_empty() {
                own.insert(*topic, range.collect());
            }
        }
        assigned.insert(member_id.to_owned(), own);
    }
    assigned
}

impl Remainder {
    fn take(&mut self) -> std::ops::Range<i32> {
        let one_more = i32::from(self.extra > 0);
        self.extra -= one_more;
        let start = self.next;
        self.next = (start + self.quota + one_more).min(self.partitions);
        start..self.next
    }
}

#[cfg(test)]
mod tests {
    use super::super::Assignor;
    use super::super::tests::{solve, topic};
    use super::*;

    /// Members with their subscriptions; afterwards what each has of each topic.
    #[track_caller]
    fn check(topics: &[i32], members: &[(&str, &[usize])], expected: &[(&str, u8, &[i32])]) {
        let members: Vec<_> =
            members.iter().map(|(name, read)| ((*name).to_owned(), read.to_vec())).collect();
        let assigned = solve(Assignor::Range, topics, &members, &BTreeMap::new());
        let mut found = Vec::new();
        for (name, partitions) in &assigned {
            for (id, indexes) in partitions {
                found.push((name.clone(), *id, indexes.iter().copied().collect::<Vec<_>>()));
            }
        }
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, number, indexes)| ((*name).to_owned(), topic(*number), indexes.to_vec()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn readers_get_neighbours_and_the_same_numbers_of_each_topic() {
        check(
            &[3, 3],
            &[("a", &[0, 1]), ("b", &[0, 1])],
            &[("a", 1, &[0, 1]), ("a", 2, &[0, 1]), ("b", 1, &[2]), ("b", 2, &[2])],
        );
        check(&[1], &[("a", &[0]), ("b", &[0])], &[("a", 1, &[0])]);
        check(
            &[2, 3],
            &[("a", &[0]), ("b", &[0, 1])],
            &[("a", 1, &[0]), ("b", 1, &[1]), ("b", 2, &[0, 1, 2])],
        );
    }
}
