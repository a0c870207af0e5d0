//! Policy variables: `${aws:username}` inside resources and condition values.
//!
//! Source: "IAM policy elements: Variables and tags", IAM User Guide. Only policies of version 2012-10-17 have
//! them; `${*}`, `${?}` and `${$}` stand for the character itself, and `${key, 'text'}` gives a default.

use crate::facts::{Fact, Facts};

/// A text with variables in it.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// No variables.
    Plain(String),
    /// Literal text and variables in turn.
    Parts(Vec<Part>),
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    Text(String),
    Variable { key: String, default: Option<String>, source: String },
}

/// What a template comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// Text.
    Text(String),
    /// Text that still has a variable only the request settles.
    Open(String),
    /// Evidence for a variable is missing.
    Unknown(String),
    /// A variable has no value, so that nothing matches.
    Nothing,
}

impl Template {
    /// Reads a text; without `variables` it stands for itself.
    pub(crate) fn parse(text: &str, variables: bool) -> Self {
        if !variables || !text.contains("${") {
            return Self::Plain(text.to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((inside, tail)) = after.split_once('}') else { break };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            if matches!(inside, "*" | "?" | "$") {
                parts.push(Part::Text(inside.to_owned()));
            } else {
                let (key, default) = match inside.split_once(',') {
                    Some((key, default)) => {
                        let default = default.trim().trim_matches('\'').to_owned();
                        (key.trim().to_owned(), Some(default))
                    }
                    None => (inside.trim().to_owned(), None),
                };
                parts.push(Part::Variable { key, default, source: format!("${{{inside}}}") });
            }
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Self::Parts(parts)
    }

    /// Fills in what is known.
    pub(crate) fn resolve(&self, facts: &Facts<'_>) -> Resolved {
        let parts = match self {
            Self::Plain(text) => return Resolved::Text(text.clone()),
            Self::Parts(parts) => parts,
        };
        let mut text = String::new();
        let mut open = false;
        for part in parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Variable { key, default, source } => match facts.of(key) {
                    Fact::Values(values) => match values.as_slice() {
                        [value] => text.push_str(value),
                        _ => return Resolved::Nothing,
                    },
                    Fact::Absent => match default {
                        Some(default) => text.push_str(default),
                        None => return Resolved::Nothing,
                    },
                    Fact::Unknown(what) => return Resolved::Unknown(what),
                    Fact::Open | Fact::Like(_) => {
                        open = true;
                        text.push_str(source);
                    }
                },
            }
        }
        if open { Resolved::Open(text) } else { Resolved::Text(text) }
    }

    /// The text itself, where it has no variables.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Parts(_) => None,
        }
    }
}

/// A resolved text as a pattern, in which every open variable may stand for anything.
pub(crate) fn widened(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((_, tail)) = after.split_once('}') else { break };
        pattern.push_str(before);
        pattern.push('*');
        rest = tail;
    }
    pattern.push_str(rest);
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_variable_may_stand_for_anything() {
        assert_eq!(widened("arn:aws:s3:::b/${aws:username}/*"), "arn:aws:s3:::b/*/*");
        assert_eq!(widened("arn:aws:s3:::b/${"), "arn:aws:s3:::b/${");
    }

    #[test]
    fn a_text_without_variables_stands_for_itself() {
        assert_eq!(Template::parse("a${b", true).plain(), None);
        assert_eq!(Template::parse("a${b}", false).plain(), Some("a${b}"));
        assert_eq!(Template::parse("ab", true).plain(), Some("ab"));
    }
}
