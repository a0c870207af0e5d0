//! The `uniform` assignor: loads differ by no more than they must, and what need not move stays.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::TopicId;

use super::Problem;
use crate::consumer::partitions::{self, Partitions};

pub(super) fn assign(problem: &Problem<'_>) -> BTreeMap<String, Partitions> {
    let mut assignment = Assignment::keep(problem);
    if problem.is_homogeneous() {
        assignment.trim_to_quota(problem);
        assignment.fill_to_quota(problem);
    } else {
        assignment.hand_out(problem);
        assignment.even_out(problem);
    }
    assignment.own.into_iter().map(|(member, own)| (member.to_owned(), own)).collect()
}

struct Assignment<'group> {
    own: BTreeMap<&'group str, Partitions>,
    /// Partitions that nobody has.
    free: BTreeSet<(TopicId, i32)>,
}

impl<'group> Assignment<'group> {
    /// What members had and may still have.
    fn keep(problem: &Problem<'group>) -> Self {
        let mut free: BTreeSet<(TopicId, i32)> = problem
            .topics
            .iter()
            .flat_map(|(topic, count)| (0..*count).map(|index| (*topic, index)))
            .collect();
        let mut own = BTreeMap::new();
        for (member_id, member) in &problem.members {
            let mut kept = Partitions::new();
            for (topic, index) in partitions::each(member.previous) {
                // One that is no longer free is held by somebody who comes earlier.
                if member.topics.contains(&topic) && free.remove(&(topic, index)) {
                    partitions::insert(&mut kept, topic, index);
                }
            }
            own.insert(*member_id, kept);
        }
        Self { own, free }
    }

    /// How many partitions each member may have where all read the same: one more goes to those who have most, so that least
    /// moves.
    fn quotas(&self, problem: &Problem<'group>) -> BTreeMap<&'group str, usize> {
        let total: usize = problem.topics.values().filter_map(|count| usize::try_from(*count).ok()).sum();
        let members = self.own.len().max(1);
        let (quota, extra) = (total / members, total % members);
        let mut by_load: Vec<(&'group str, usize)> =
            self.own.iter().map(|(member, own)| (*member, partitions::count(own))).collect();
        by_load.sort_by_key(|(member, load)| (std::cmp::Reverse(*load), *member));
        by_load
            .into_iter()
            .enumerate()
            .map(|(rank, (member, _))| (member, quota + usize::from(rank < extra)))
            .collect()
    }

    fn trim_to_quota(&mut self, problem: &Problem<'group>) {
        let quotas = self.quotas(problem);
        for (member, own) in &mut self.own {
            let quota = quotas.get(member).copied().unwrap_or_default();
            let surplus: Vec<(TopicId, i32)> = partitions::each(own).skip(quota).collect();
            for (topic, index) in surplus {
                partitions::remove(own, topic, index);
                self.free.insert((topic, index));
            }
        }
    }

    fn fill_to_quota(&mut self, problem: &Problem<'group>) {
        if problem.topics.is_empty() {
            return;
        }
        let quotas = self.quotas(problem);
        for (member, own) in &mut self.own {
            let quota = quotas.get(member).copied().unwrap_or_default();
            for _ in partitions::count(own)..quota {
                let Some((topic, index)) = self.free.pop_first() else { return };
                partitions::insert(own, topic, index);
            }
        }
    }

    /// Gives what is free to the least loaded reader, beginning with what fewest members read.
    fn hand_out(&mut self, problem: &Problem<'group>) {
        let readers = readers(problem);
        let mut free: Vec<(usize, TopicId, i32)> = std::mem::take(&mut self.free)
            .into_iter()
            .map(|(topic, index)| (readers.get(&topic).map_or(0, Vec::len), topic, index))
            .collect();
        free.sort_unstable();
        let mut loads = self.loads();
        for (_, topic, index) in free {
            let least = readers.get(&topic).and_then(|readers| least_loaded(readers, &loads));
            let Some((member, load)) = least else { continue };
            loads.insert(member, load + 1);
            if let Some(own) = self.own.get_mut(member) {
                partitions::insert(own, topic, index);
            }
        }
    }

    /// Moves single partitions from members to readers that have two fewer, until there are none. Each move makes the sum of the
    /// squared loads smaller, so that this ends.
    fn even_out(&mut self, problem: &Problem<'group>) {
        let readers = readers(problem);
        let mut loads = self.loads();
        loop {
            let mut has_moved = false;
            let mut by_load: Vec<(&'group str, usize)> =
                loads.iter().map(|(id, load)| (*id, *load)).collect();
            by_load.sort_by_key(|(member, load)| (std::cmp::Reverse(*load), *member));
            for (giver, _) in by_load {
                let held: Vec<_> =
                    self.own.get(giver).map(|own| partitions::each(own).collect()).unwrap_or_default();
                for (topic, index) in held {
                    let own_load = loads.get(giver).copied().unwrap_or_default();
                    let least = readers.get(&topic).and_then(|readers| least_loaded(readers, &loads));
                    let Some((taker, load)) = least.filter(|(_, load)| load + 2 <= own_load) else {
                        continue;
                    };
                    if let Some(own) = self.own.get_mut(giver) {
                        partitions::remove(own, topic, index);
                    }
                    if let Some(own) = self.own.get_mut(taker) {
                        partitions::insert(own, topic, index);
                    }
                    loads.insert(giver, own_load - 1);
                    loads.insert(taker, load + 1);
                    has_moved = true;
                }
            }
            if !has_moved {
                return;
            }
        }
    }

    fn loads(&self) -> BTreeMap<&'group str, usize> {
        self.own.iter().map(|(member, own)| (*member, partitions::count(own))).collect()
    }
}

/// Who reads each topic, by member id.
fn readers<'group>(problem: &Problem<'group>) -> BTreeMap<TopicId, Vec<&'group str>> {
    let mut readers: BTreeMap<TopicId, Vec<&'group str>> = BTreeMap::new();
    for (member_id, member) in &problem.members {
        for topic in &member.topics {
            readers.entry(*topic).or_default().push(member_id);
        }
    }
    readers
}

/// Who of them has least, the first by id among equals, and how much.
fn least_loaded<'group>(
    members: &[&'group str],
    loads: &BTreeMap<&'group str, usize>,
) -> Option<(&'group str, usize)> {
    let loads = members.iter().map(|member| (*member, loads.get(member).copied().unwrap_or_default()));
    loads.min_by_key(|(member, load)| (*load, *member))
}
