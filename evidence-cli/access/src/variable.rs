//! Policy variables: `${aws:username}` inside resources and condition values.
//!
//! Source: "IAM policy elements: Variables and tags", IAM User Guide. Only policies of version 2012-10-17 have
//! them; `${*}`, `${?}` and `${$}` stand for the character itself, and `${key, 'text'}` gives a default.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::facts::{Carries, Context, Fact, Literal};
use crate::glob::{self, Glob, Wildcards};

/// A text of a policy, as a pattern that may have variables in it.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    source: Arc<str>,
    /// Whether the policy's version has variables at all.
    variables: bool,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// No variables.
    Plain(Glob),
    /// Literal text and variables in turn.
    Parts(Vec<Part>),
}

#[derive(Debug, Clone)]
enum Part {
    /// Pattern bytes of [`crate::glob`], and the text they were made from.
    Text { pattern: Vec<u8>, source: String },
    /// Its key is in lower case.
    Variable { key: String, default: Option<String>, source: String },
}

/// What a template comes to.
#[derive(Debug, Clone)]
pub(crate) enum Resolved<'a> {
    /// It has no variables.
    Plain(&'a Glob),
    /// Pattern bytes.
    Pattern(Vec<u8>),
    /// Text that still has a variable only the request settles.
    Open(String),
    /// Evidence for a variable is missing.
    Unknown(String),
    /// A variable has no value, so that nothing matches.
    Nothing,
}

impl Template {
    /// Reads a text; without `variables` it stands for itself.
    pub(crate) fn parse(text: &str, variables: bool, wildcards: Wildcards) -> Self {
        if !text.contains("${") {
            return Self {
                source: text.into(),
                variables: true,
                form: Form::Plain(Glob::new(text, wildcards)),
            };
        }
        if !variables {
            return Self { source: text.into(), variables, form: Form::Plain(Glob::new(text, wildcards)) };
        }
        let mut parts = Vec::new();
        let mut rest = text;
        let mut colons = 0;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((inside, tail)) = after.split_once('}') else { break };
            push_text(&mut parts, before, wildcards, &mut colons);
            let source = format!("${{{inside}}}");
            if matches!(inside, "*" | "?" | "$") {
                parts.push(Part::Text { pattern: inside.as_bytes().to_vec(), source });
            } else {
                let (key, default) = match inside.split_once(',') {
                    Some((key, default)) => {
                        let default = default.trim();
                        let bare = default.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                        (key, Some(bare.unwrap_or(default).to_owned()))
                    }
                    None => (inside, None),
                };
                parts.push(Part::Variable { key: key.trim().to_ascii_lowercase(), default, source });
            }
            rest = tail;
        }
        push_text(&mut parts, rest, wildcards, &mut colons);
        Self { source: text.into(), variables, form: Form::Parts(parts) }
    }

    /// Whether a text matches it; none where one of its variables is open.
    pub(crate) fn settled(&self, text: &str, context: &impl Literal) -> Option<bool> {
        match &self.form {
            Form::Plain(glob) => Some(glob.matches(text)),
            Form::Parts(_) => self.with_pattern(context, |pattern| glob::matches(pattern, text)),
        }
    }

    /// Asks about the pattern with every variable filled in: false where one has no value, none where one is open.
    pub(crate) fn with_pattern(
        &self,
        context: &impl Literal,
        ask: impl FnOnce(&[u8]) -> bool,
    ) -> Option<bool> {
        let mut bytes: SmallVec<[u8; 128]> = SmallVec::new();
        let Form::Parts(parts) = &self.form else { return None };
        let mut open = false;
        for part in parts {
            match part {
                Part::Text { pattern, .. } => bytes.extend_from_slice(pattern),
                Part::Variable { key, default, .. } => match (context.literal(key), default) {
                    (Carries::One(value), _) => bytes.extend_from_slice(value.as_bytes()),
                    (Carries::Nothing, Some(default)) => bytes.extend_from_slice(default.as_bytes()),
                    (Carries::Nothing, None) | (Carries::Several(_), _) => return Some(false),
                    (Carries::Open, _) => open = true,
                },
            }
        }
        (!open).then(|| ask(&bytes))
    }

    /// Fills in what is known.
    pub(crate) fn resolve(&self, context: &impl Context) -> Resolved<'_> {
        let parts = match &self.form {
            Form::Plain(glob) => return Resolved::Plain(glob),
            Form::Parts(parts) => parts,
        };
        let mut bytes = Vec::with_capacity(self.source.len() + 16);
        let mut open = false;
        let mut told = String::new();
        for part in parts {
            match part {
                Part::Text { pattern, source } => {
                    bytes.extend_from_slice(pattern);
                    told.push_str(source);
                }
                Part::Variable { key, default, source } => {
                    let fact = context.of(key);
                    let value = match (&fact, default) {
                        (Fact::Value(value), _) => value.as_ref(),
                        (Fact::Absent, Some(default)) => default.as_str(),
                        // "Multivalued context keys" cannot be variables either.
                        (Fact::Absent, None) | (Fact::List(_), _) => return Resolved::Nothing,
                        (Fact::Unknown(what), _) => return Resolved::Unknown(what.clone()),
                        (Fact::Open | Fact::Like(_), _) => {
                            open = true;
                            told.push_str(source);
                            continue;
                        }
                    };
                    bytes.extend_from_slice(value.as_bytes());
                    push_literal(&mut told, value);
                }
            }
        }
        if open { Resolved::Open(told) } else { Resolved::Pattern(bytes) }
    }

    /// The text with every variable filled in, in the notation of version 2012-10-17; none where one has no value
    /// or is not settled.
    pub(crate) fn filled_in(&self, context: &impl Context) -> Option<String> {
        let Form::Parts(parts) = &self.form else { return Some(self.notation()) };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text { source, .. } => text.push_str(source),
                Part::Variable { key, default, .. } => match (context.of(key), default) {
                    (Fact::Value(value), _) => push_literal(&mut text, &value),
                    (Fact::Absent, Some(default)) => push_literal(&mut text, default),
                    _ => return None,
                },
            }
        }
        Some(text)
    }

    /// The text itself, where it has no variables.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.form {
            Form::Plain(_) => Some(&self.source),
            Form::Parts(_) => None,
        }
    }

    /// The text that it stands for, where it has neither variables nor wildcards.
    pub(crate) fn exact(&self) -> Option<&str> {
        match &self.form {
            Form::Plain(Glob::Exact(text)) => Some(text),
            _ => None,
        }
    }

    /// The text in the notation of version 2012-10-17, whatever the policy's version.
    pub(crate) fn notation(&self) -> String {
        if self.variables { self.source.to_string() } else { self.source.replace("${", "${$}{") }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str, wildcards: Wildcards, colons: &mut u32) {
    if text.is_empty() {
        return;
    }
    let mut pattern = Vec::with_capacity(text.len());
    glob::encode(text, wildcards, colons, &mut pattern);
    parts.push(Part::Text { pattern, source: text.to_owned() });
}

/// Appends a value so that none of its characters is taken for a wildcard or a variable.
fn push_literal(out: &mut String, value: &str) {
    for character in value.chars() {
        if matches!(character, '*' | '?' | '$') {
            out.push_str("${");
            out.push(character);
            out.push('}');
        } else {
            out.push(character);
        }
    }
}

/// A resolved text as a pattern, in which every open variable may stand for anything.
pub(crate) fn widened(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, tail)) = after.split_once('}') else { break };
        pattern.push_str(before);
        pattern.push_str(match inside {
            "$" => "$",
            "?" => "?",
            _ => "*",
        });
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
        let plain = |text: &str, variables| {
            Template::parse(text, variables, Wildcards::Free).plain().map(str::to_owned)
        };
        assert_eq!(plain("a${b}", true), None);
        assert_eq!(plain("a${b}", false), Some("a${b}".to_owned()));
        assert_eq!(plain("ab", true), Some("ab".to_owned()));
        assert_eq!(Template::parse("a${b}", false, Wildcards::Free).notation(), "a${$}{b}");
    }
}
