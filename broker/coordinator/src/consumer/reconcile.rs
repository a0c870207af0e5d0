//! The next step of a member towards its target assignment.

use cadastre_protocol::types::TopicId;

use crate::consumer::member::{ConsumerMember, MemberState};
use crate::consumer::partitions::{self, Partitions};

/// What a member moves towards, and what stands in the way.
pub(crate) struct Target<'group, F> {
    pub(crate) epoch: i32,
    pub(crate) partitions: &'group Partitions,
    /// Whether somebody holds a partition, the member itself included.
    pub(crate) is_held: F,
}

impl<F: Fn(TopicId, i32) -> bool> Target<'_, F> {
    /// The member after the step, as KIP-848 ("Reconciliation") has it; `owned` is what the member says it holds, if it says so.
    pub(crate) fn step(&self, member: &ConsumerMember, owned: Option<&Partitions>) -> ConsumerMember {
        if member.is_reconciled_to(self.epoch) {
            return member.clone();
        }
        match member.state {
            MemberState::Revoking if holds_any(owned, &member.revoking) => member.clone(),
            // It has given up what it had to: that ends the epoch it was in.
            MemberState::Revoking => self.next(member, member.epoch + 1, owned),
            MemberState::Stable | MemberState::Waiting => self.next(member, member.epoch, owned),
        }
    }

    fn next(&self, member: &ConsumerMember, epoch: i32, owned: Option<&Partitions>) -> ConsumerMember {
        let kept = partitions::filter(&member.assigned, |topic, index| {
            partitions::contains(self.partitions, topic, index)
        });
        let revoking = partitions::filter(&member.assigned, |topic, index| {
            !partitions::contains(self.partitions, topic, index)
        });
        let mut next = member.clone();
        if !revoking.is_empty() && holds_any(owned, &revoking) {
            if epoch != member.epoch {
                next.advance(epoch);
            }
            next.state = MemberState::Revoking;
            next.assigned = kept;
            next.revoking = revoking;
            return next;
        }
        let missing =
            partitions::filter(self.partitions, |topic, index| !partitions::contains(&kept, topic, index));
        let mut is_waiting = false;
        let mut assigned = kept;
        for (topic, index) in partitions::each(&missing) {
            if (self.is_held)(topic, index) {
                is_waiting = true;
            } else {
                partitions::insert(&mut assigned, topic, index);
            }
        }
        if self.epoch != member.epoch {
            next.advance(self.epoch);
        }
        next.state = if is_waiting { MemberState::Waiting } else { MemberState::Stable };
        next.assigned = assigned;
        next.revoking = Partitions::new();
        next
    }
}

/// Whether the member may still hold any of `wanted`: who does not say what it holds may hold all.
fn holds_any(owned: Option<&Partitions>, wanted: &Partitions) -> bool {
    match owned {
        None => true,
        Some(owned) => {
            partitions::each(owned).any(|(topic, index)| partitions::contains(wanted, topic, index))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: TopicId = TopicId([7; 16]);

    fn set(indexes: &[i32]) -> Partitions {
        if indexes.is_empty() {
            Partitions::new()
        } else {
            [(TOPIC, indexes.iter().copied().collect())].into()
        }
    }

    struct Case<'case> {
        state: MemberState,
        assigned: &'case [i32],
        revoking: &'case [i32],
        target: &'case [i32],
        held: &'case [i32],
        owned: Option<&'case [i32]>,
    }

    /// A member of epoch 10 towards a target of epoch 12; afterwards epoch, state, what it has and what it must give up.
    #[track_caller]
    fn check(case: &Case<'_>, expected: (i32, MemberState, &[i32], &[i32])) {
        let member = ConsumerMember {
            epoch: 10,
            previous_epoch: 9,
            state: case.state,
            assigned: set(case.assigned),
            revoking: set(case.revoking),
            ..ConsumerMember::new("m".into())
        };
        let partitions = set(case.target);
        let is_held = |_: TopicId, index: i32| case.held.contains(&index);
        let target = Target { epoch: 12, partitions: &partitions, is_held };
        let next = target.step(&member, case.owned.map(set).as_ref());
        let (epoch, state, assigned, revoking) = expected;
        assert_eq!((next.epoch, next.state), (epoch, state));
        assert_eq!((next.assigned, next.revoking), (set(assigned), set(revoking)));
        assert_eq!(next.previous_epoch, if epoch == 10 { 9 } else { 10 });
    }

    #[test]
    fn members_step_towards_their_target() {
        use MemberState::{Revoking, Stable, Waiting};
        let case = Case {
            state: Stable,
            assigned: &[1, 2],
            revoking: &[],
            target: &[1, 2],
            held: &[1, 2],
            owned: None,
        };
        check(&case, (12, Stable, &[1, 2], &[]));
        check(&Case { target: &[1, 2, 3], ..case }, (12, Stable, &[1, 2, 3], &[]));
        check(&Case { target: &[1, 2, 3], held: &[1, 2, 3], ..case }, (12, Waiting, &[1, 2], &[]));
        check(&Case { target: &[1, 2, 3, 4], held: &[1, 2, 3], ..case }, (12, Waiting, &[1, 2, 4], &[]));
        check(&Case { target: &[2, 3], ..case }, (10, Revoking, &[2], &[1]));
        check(&Case { target: &[2, 3], owned: Some(&[1, 2]), ..case }, (10, Revoking, &[2], &[1]));
        check(&Case { target: &[2, 3], owned: Some(&[2]), ..case }, (12, Stable, &[2, 3], &[]));
        let revoking = Case { state: Revoking, assigned: &[2], revoking: &[1], target: &[2], ..case };
        check(&revoking, (10, Revoking, &[2], &[1]));
        check(&Case { owned: Some(&[1, 2]), ..revoking }, (10, Revoking, &[2], &[1]));
        check(&Case { owned: Some(&[2]), ..revoking }, (12, Stable, &[2], &[]));
        check(&Case { owned: Some(&[2]), target: &[3], ..revoking }, (11, Revoking, &[], &[2]));
        check(&Case { owned: Some(&[]), target: &[3], held: &[3], ..revoking }, (12, Waiting, &[], &[]));
        let waiting = Case { state: Waiting, target: &[1, 2, 3], held: &[1, 2], ..case };
        check(&waiting, (12, Stable, &[1, 2, 3], &[]));
        check(&Case { target: &[2], ..waiting }, (10, Revoking, &[2], &[1]));
    }
}
