//! Which records a report rests on: every statement goes through here to become a link, and every link has
//! its record in the appendix.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::RecordId;
use cadastre_model::asset::StatementRef;
use serde::Serialize;

/// A link to a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Link {
    /// The first twelve digits of its id.
    pub(crate) short: String,
}

/// A link to one place in a record: the statement, ACL or grant that proves something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Proof {
    /// The policy's name, or the rule in words.
    pub(crate) policy: String,
    /// The place in the record, a JSON pointer.
    pub(crate) pointer: String,
    /// The first twelve digits of the record's id.
    pub(crate) short: String,
}

/// Collects what is cited.
#[derive(Debug, Default)]
pub(crate) struct Citations {
    cited: BTreeMap<RecordId, BTreeSet<String>>,
}

impl Citations {
    /// Cites records as wholes.
    pub(crate) fn records<'a>(&mut self, ids: impl IntoIterator<Item = &'a RecordId>) -> Vec<Link> {
        ids.into_iter()
            .map(|id| {
                if !self.cited.contains_key(id) {
                    self.cited.insert(id.clone(), BTreeSet::new());
                }
                Link { short: id.short().to_owned() }
            })
            .collect()
    }

    /// Cites places in records.
    pub(crate) fn statements<'a>(&mut self, at: impl IntoIterator<Item = &'a StatementRef>) -> Vec<Proof> {
        at.into_iter()
            .map(|at| {
                self.cited.entry(at.record.clone()).or_default().insert(at.pointer.to_string());
                Proof {
                    policy: at.policy.to_string(),
                    pointer: at.pointer.to_string(),
                    short: at.record.short().to_owned(),
                }
            })
            .collect()
    }

    /// Everything that was cited, with the places cited in it.
    pub(crate) fn into_cited(self) -> BTreeMap<RecordId, BTreeSet<String>> {
        self.cited
    }
}
