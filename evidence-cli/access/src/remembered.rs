//! Answers that are the same whichever identity of an account they are about: who may edit all roles may edit each.
//!
//! Most statements that let somebody edit or pass roles name `*` and ask for no condition. What they come to is worked
//! out for one role and holds for every other one of the account.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::catalogue::{ActionId, TargetKind};
use crate::reason::Reason;

/// Answers by what was asked.
#[derive(Debug)]
pub(crate) struct Answers<Q>(HashMap<Q, Option<Arc<[Reason]>>, RandomState>);

/// What is remembered while one identity after the other is looked at.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// Ways to edit: the entry by its kind and number, and who asks.
    pub(crate) edits: Answers<(TargetKind, usize, usize)>,
    /// Ways to pass a role: the launch by its number, who asks, and whether an instance profile has the role.
    pub(crate) launches: Answers<(usize, usize, bool)>,
    /// Ways to take over what runs as a role: the takeover by its number, and who asks.
    pub(crate) takeovers: Answers<(usize, usize)>,
    /// Those who may start something: by action, what it was asked about last and who was found.
    pub(crate) starters: HashMap<ActionId, Starters, RandomState>,
}

/// Those of an account who may do something to some resources.
#[derive(Debug)]
pub(crate) struct Starters {
    pub(crate) account: String,
    pub(crate) on: Vec<(String, bool)>,
    pub(crate) places: Arc<[usize]>,
}

impl<Q> Default for Answers<Q> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<Q: Eq + Hash> Answers<Q> {
    /// The answer to a question, worked out unless it is remembered. It is remembered where it is `plain`.
    pub(crate) fn answer(
        &mut self,
        question: Q,
        plain: impl FnOnce() -> bool,
        answer: impl FnOnce() -> Vec<Reason>,
    ) -> Arc<[Reason]> {
        match self.0.get(&question) {
            Some(Some(known)) => Arc::clone(known),
            Some(None) => answer().into(),
            None => {
                let answer: Arc<[Reason]> = answer().into();
                let kept = plain().then(|| Arc::clone(&answer));
                self.0.insert(question, kept);
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(plain: bool, expected: usize) {
        let mut answers: Answers<u8> = Answers::default();
        let mut asked = 0;
        for _ in 0..3 {
            let reasons = answers.answer(
                1,
                || plain,
                || {
                    asked += 1;
                    vec![Reason::given()]
                },
            );
            assert_eq!(*reasons, [Reason::given()]);
        }
        assert_eq!(asked, expected);
    }

    #[test]
    fn only_answers_that_are_the_same_for_everybody_are_remembered() {
        check(true, 1);
        check(false, 3);
    }
}
