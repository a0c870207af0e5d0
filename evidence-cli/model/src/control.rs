//! What a control says of itself: the annotations of its policy file.

use serde::{Deserialize, Serialize};

/// A control's metadata.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Control {
    /// `BND-04`; never changes its meaning.
    pub id: String,
    /// `boundary`, `network`, `identity`, `key-authority`, `kafka`, `audit`, `operations`, `semantics`,
    /// `exit`, `cost`.
    pub area: String,
    /// One line.
    pub title: String,
    /// What is checked and why it matters.
    pub description: String,
    /// What `pass` means here.
    pub pass: String,
    /// What a red flag means here.
    pub red_flag: String,
    /// Operations whose questions must all be answered, in every declared scope, before anything passes.
    pub requires: Vec<String>,
    /// What to do about a red flag, in general.
    pub fix: String,
}
