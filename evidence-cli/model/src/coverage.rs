//! Which questions were asked, and which were answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Outcome, RecordId, Scope};
use crate::time::Timestamp;

/// One question: an operation on a subject in a scope, over all its pages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    /// The operation.
    pub operation: String,
    /// Where.
    pub scope: Scope,
    /// What about.
    pub subject: String,
    /// How it ended, taken over all pages: `observed` and `absent` are answers, the rest are not.
    pub outcome: Outcome,
    /// When the oldest of its records was observed.
    pub oldest: Timestamp,
    /// Why there is no answer, where there is none.
    pub problem: Option<String>,
    /// Its records, in page order.
    pub records: Vec<RecordId>,
}

/// All questions, by operation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// Sorted by scope and subject.
    pub questions: BTreeMap<String, Vec<Question>>,
}

impl Coverage {
    /// The questions of one operation.
    #[must_use]
    pub fn of(&self, operation: &str) -> &[Question] {
        self.questions.get(operation).map_or(&[], Vec::as_slice)
    }
}
