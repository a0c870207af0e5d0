//! One side of a plan in the shapes that collectors write: items of lists, and answers about one subject.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Scope;
use serde_json::{Map, Value, json};

use crate::azure::Surroundings;
use crate::block::NotKnown;
use crate::merge;

/// Which list of which answer an item stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListKey {
    pub(crate) question: Question,
    /// The member of the response that holds the list.
    pub(crate) member: &'static str,
}

/// One question of a scan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) collector: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) scope: Scope,
    pub(crate) subject: String,
}

/// How items of a list are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By the text at this JSON pointer.
    At(&'static str),
    /// By the text at this JSON pointer, whatever its case.
    Folded(&'static str),
    /// By everything in them.
    Whole,
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) value: Value,
    /// Whether the plan shows the thing itself and not only something attached to it.
    pub(crate) whole: bool,
}

/// The answer about one subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// What the service will answer.
    Stated(Value),
    /// That there is none.
    Absent,
    /// Known only after apply: which argument of which resource.
    Unknown(String),
}

/// Something that is known only after apply, without which a question has no whole answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    pub(crate) question: Question,
    pub(crate) address: String,
    pub(crate) argument: String,
}

/// One side of the plan.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) lists: BTreeMap<ListKey, BTreeMap<String, Item>>,
    pub(crate) answers: BTreeMap<Question, Answer>,
    pub(crate) gaps: BTreeSet<Gap>,
    /// Lists that are complete because the thing they belong to is new.
    pub(crate) complete: BTreeSet<Question>,
    /// What resources refer to by name, of the scan and of what came before in the plan.
    pub(crate) surroundings: Surroundings,
}

impl World {
    /// Adds a thing, over what is already attached to it.
    pub(crate) fn put(&mut self, key: ListKey, id: String, value: Value) {
        let item = self.lists.entry(key).or_default().entry(id);
        let item = item.or_insert_with(|| Item { value: json!({}), whole: false });
        let attached = std::mem::replace(&mut item.value, value);
        merge::union(&mut item.value, attached);
        item.whole = true;
    }

    /// Attaches something to a thing, whether or not the plan shows the thing itself.
    pub(crate) fn attach(&mut self, key: ListKey, id: String, part: Value) {
        let item = self.lists.entry(key).or_default().entry(id);
        let item = item.or_insert_with(|| Item { value: json!({}), whole: false });
        merge::union(&mut item.value, part);
    }

    /// Sets members of the answer about a subject.
    pub(crate) fn state(&mut self, question: Question, part: Value) {
        match self.answers.get_mut(&question) {
            Some(Answer::Stated(value)) => merge::union(value, part),
            Some(Answer::Unknown(_)) => {}
            Some(Answer::Absent) | None => {
                self.answers.insert(question, Answer::Stated(part));
            }
        }
    }

    /// Sets the answer about a subject unless something is known of it.
    pub(crate) fn unless_stated(&mut self, question: Question, answer: Answer) {
        self.answers.entry(question).or_insert(answer);
    }

    /// The answer about a subject is known only after apply.
    pub(crate) fn unknown(&mut self, question: Question, address: &str, missing: &NotKnown) {
        self.gap(question.clone(), address, missing);
        self.answers.insert(question, Answer::Unknown(format!("{address}.{}", missing.0)));
    }

    /// Part of an answer is known only after apply.
    pub(crate) fn gap(&mut self, question: Question, address: &str, missing: &NotKnown) {
        self.gaps.insert(Gap { question, address: address.to_owned(), argument: missing.0.clone() });
    }
}

/// An object without the members that are `null`.
pub(crate) fn object(members: Value) -> Value {
    match members {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}
