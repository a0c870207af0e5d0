//! Subscriptions by regular expression: a pattern matches whole topic names.
//!
//! Kafka compiles patterns with RE2/J, whose syntax and linear time the `regex` crate shares.

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes; no topic name is longer than 249.
const MAXIMUM_LENGTH: usize = 4_096;
/// How much memory a compiled pattern may take, in bytes.
const MAXIMUM_SIZE: usize = 1 << 20;

/// Text that is no regular expression, or one that is too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicPatternError {
    /// The text is too long.
    #[error("regular expression is longer than {MAXIMUM_LENGTH} bytes")]
    TooLong,
    /// The text cannot be compiled, or takes too much memory.
    #[error("`{0}` is not a regular expression, or too large a one")]
    Invalid(String),
}

/// A regular expression over topic names.
#[derive(Debug, Clone)]
pub struct TopicPattern(Regex);

impl TopicPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`TopicPatternError`].
    pub fn new(text: &str) -> Result<Self, TopicPatternError> {
        if text.len() > MAXIMUM_LENGTH {
            return Err(TopicPatternError::TooLong);
        }
        let compile = |text: &str| RegexBuilder::new(text).size_limit(MAXIMUM_SIZE).build();
        let invalid = |_error| TopicPatternError::Invalid(text.to_owned());
        // By itself first: what is put around it must not make sense of what has none alone.
        compile(text).map_err(invalid)?;
        compile(&format!(r"\A(?:{text})\z")).map(Self).map_err(invalid)
    }

    /// Whether the whole of a topic's name matches.
    pub fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, topic: &str, expected: bool) {
        assert_eq!(TopicPattern::new(pattern).unwrap().matches(topic), expected);
    }

    #[test]
    fn whole_names_match() {
        check("foo.*", "foo-1", true);
        check("foo", "foobar", false);
        check("oo", "foo", false);
        check("a|ab", "ab", true);
        check("(?i)FOO", "foo", true);
        check("", "", true);
        check("[ab]{2}", "ba", true);
        check("^a$", "a", true);
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused() {
        for bad in
            ["[", "(", "a)|(?:b", "*", r"(a)\1", "(?=a)b", "(?<", r"\p{Nothing}", "((a{1000}){1000}){10}"]
        {
            assert!(TopicPattern::new(bad).is_err(), "{bad}");
        }
        assert_eq!(TopicPattern::new(&"a".repeat(5_000)).unwrap_err(), TopicPatternError::TooLong);
    }
}
