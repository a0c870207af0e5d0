//! Values of conditions, read once for the operator that compares with them.
//!
//! Source: "IAM JSON policy elements: Condition operators", IAM User Guide.

use std::net::IpAddr;
use std::sync::Arc;

use cadastre_model::Timestamp;
use ipnet::IpNet;
use smallvec::SmallVec;

use crate::expression::Relation;
use crate::facts::{Context, Literal};
use crate::glob::{self, Glob, Wildcards};
use crate::variable::{Resolved, Template};

/// One value that a condition compares with.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// Strings; only they and ARNs may have variables.
    Text(Template),
    /// An ARN pattern without variables: each of its parts on its own, so that no wildcard reaches across a colon.
    Arn {
        text: Arc<str>,
        parts: Box<[Glob]>,
    },
    /// An ARN pattern with variables.
    OpenArn(Template),
    Number {
        text: Arc<str>,
        number: f64,
    },
    Date {
        text: Arc<str>,
        at: Timestamp,
    },
    Network {
        text: Arc<str>,
        network: IpNet,
    },
    Flag(bool),
}

impl Wanted {
    /// Reads a value; none when the operator cannot compare with it.
    pub(crate) fn parse(relation: Relation, text: &str, variables: bool) -> Option<Self> {
        Some(match relation {
            Relation::In | Relation::InIgnoringCase => {
                Self::Text(Template::parse(text, variables, Wildcards::None))
            }
            Relation::Like => Self::Text(Template::parse(text, variables, Wildcards::Free)),
            Relation::ArnLike if variables && text.contains("${") => {
                Self::OpenArn(Template::parse(text, variables, Wildcards::Free))
            }
            Relation::ArnLike => {
                let parts = text.splitn(6, ':').map(|part| Glob::new(part, Wildcards::Free)).collect();
                Self::Arn { text: text.into(), parts }
            }
            Relation::Equal
            | Relation::Less
            | Relation::LessOrEqual
            | Relation::Greater
            | Relation::GreaterOrEqual => Self::Number { text: text.into(), number: number(text)? },
            Relation::At | Relation::Before | Relation::NotAfter | Relation::After | Relation::NotBefore => {
                Self::Date { text: text.into(), at: date(text)? }
            }
            Relation::Within => Self::Network { text: text.into(), network: network(text)? },
            Relation::Is | Relation::Absent => Self::Flag(flag(text)?),
        })
    }

    /// Its variables filled in, where it can have any.
    pub(crate) fn resolve(&self, context: &impl Context) -> Option<Resolved<'_>> {
        match self {
            Self::Text(template) | Self::OpenArn(template) => Some(template.resolve(context)),
            _ => None,
        }
    }

    /// The text it was read from.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(template) | Self::OpenArn(template) => template.notation(),
            Self::Arn { text, .. }
            | Self::Number { text, .. }
            | Self::Date { text, .. }
            | Self::Network { text, .. } => text.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }

    /// The text with every variable filled in.
    pub(crate) fn filled_in(&self, context: &impl Context) -> Option<String> {
        match self {
            Self::Text(template) | Self::OpenArn(template) => template.filled_in(context),
            _ => Some(self.text()),
        }
    }

    /// Whether a value of a request in hand passes; none where a variable is open.
    pub(crate) fn settled(&self, relation: Relation, given: &str, context: &impl Literal) -> Option<bool> {
        match self {
            Self::Text(template) if relation == Relation::InIgnoringCase => match template.exact() {
                Some(text) => Some(same_ignoring_case(text, given)),
                None => template.with_pattern(context, |bytes| {
                    std::str::from_utf8(bytes).is_ok_and(|text| same_ignoring_case(text, given))
                }),
            },
            Self::Text(template) => template.settled(given, context),
            Self::OpenArn(template) => template.with_pattern(context, |bytes| arn_matches(bytes, given)),
            _ => Some(self.accepts(relation, given, context)),
        }
    }

    /// Whether a value of the request passes. Variables that are not settled let nothing pass.
    pub(crate) fn accepts(&self, relation: Relation, given: &str, context: &impl Context) -> bool {
        match self {
            Self::Text(template) => match template.resolve(context) {
                Resolved::Plain(Glob::Exact(text)) if relation == Relation::InIgnoringCase => {
                    same_ignoring_case(text, given)
                }
                Resolved::Plain(glob) => glob.matches(given),
                Resolved::Pattern(bytes) if relation == Relation::InIgnoringCase => {
                    std::str::from_utf8(&bytes).is_ok_and(|text| same_ignoring_case(text, given))
                }
                Resolved::Pattern(bytes) => glob::matches(&bytes, given),
                Resolved::Open(_) | Resolved::Unknown(_) | Resolved::Nothing => false,
            },
            Self::Arn { text, parts } => {
                &**text == "*"
                    || same_parts(parts.len(), given, |part, given| {
                        parts.get(part).is_some_and(|glob| glob.matches(given))
                    })
            }
            Self::OpenArn(template) => match template.resolve(context) {
                Resolved::Pattern(bytes) => arn_matches(&bytes, given),
                _ => false,
            },
            Self::Number { number: wanted, .. } => number(given).is_some_and(|given| match relation {
                Relation::Less => given < *wanted,
                Relation::LessOrEqual => given <= *wanted,
                Relation::Greater => given > *wanted,
                Relation::GreaterOrEqual => given >= *wanted,
                _ => given == *wanted,
            }),
            Self::Date { at, .. } => date(given).is_some_and(|given| match relation {
                Relation::Before => given < *at,
                Relation::NotAfter => given <= *at,
                Relation::After => given > *at,
                Relation::NotBefore => given >= *at,
                _ => given == *at,
            }),
            Self::Network { network: range, .. } => {
                network(given).is_some_and(|address| range.contains(&address))
            }
            Self::Flag(wanted) => flag(given) == Some(*wanted),
        }
    }
}

/// Whether an ARN matches pattern bytes part by part.
fn arn_matches(pattern: &[u8], given: &str) -> bool {
    let parts: SmallVec<[&[u8]; 6]> = pattern.splitn(6, |byte| *byte == b':').collect();
    same_parts(parts.len(), given, |part, given| {
        parts.get(part).is_some_and(|pattern| glob::matches(pattern, given))
    })
}

/// Whether every part of an ARN passes, and it has as many as are wanted.
fn same_parts(wanted: usize, given: &str, passes: impl Fn(usize, &str) -> bool) -> bool {
    let mut count = 0;
    for (part, given) in given.splitn(6, ':').enumerate() {
        if !passes(part, given) {
            return false;
        }
        count = part + 1;
    }
    count == wanted
}

fn same_ignoring_case(wanted: &str, given: &str) -> bool {
    if wanted.is_ascii() && given.is_ascii() {
        wanted.eq_ignore_ascii_case(given)
    } else {
        wanted.to_lowercase() == given.to_lowercase()
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A date of the W3C profile of ISO 8601 (a year, a month, a day, or a time with its offset), or whole seconds
/// since the epoch. Four digits are a year.
fn date(text: &str) -> Option<Timestamp> {
    if text.len() != 4
        && let Ok(seconds) = text.parse()
    {
        return Timestamp::from_seconds(seconds);
    }
    match text.len() {
        4 => format!("{text}-01-01T00:00:00Z").parse().ok(),
        7 => format!("{text}-01T00:00:00Z").parse().ok(),
        10 => format!("{text}T00:00:00Z").parse().ok(),
        _ => text.parse().ok().or_else(|| without_seconds(text)),
    }
}

/// `2026-07-01T12:30Z` and the like.
fn without_seconds(text: &str) -> Option<Timestamp> {
    let (minutes, offset) = text.split_at_checked(16)?;
    format!("{minutes}:00{offset}").parse().ok()
}

/// An address or a range; a bare address is a range of one.
fn network(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        Some(_) => text.parse().ok(),
        None => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Fact;

    struct Nothing;

    impl Context for Nothing {
        fn of(&self, _: &str) -> Fact<'_> {
            Fact::Absent
        }
    }

    #[track_caller]
    fn check(relation: Relation, wanted: &str, given: &str, expected: bool) {
        let read = Wanted::parse(relation, wanted, true).expect("a value");
        assert_eq!(read.accepts(relation, given, &Nothing), expected, "`{wanted}` {relation:?} `{given}`");
    }

    #[test]
    fn a_wildcard_in_an_arn_condition_stays_within_its_part() {
        let role = "arn:aws:iam::111122223333:role/a";
        check(Relation::ArnLike, "arn:aws:iam::*:role/a", role, true);
        check(Relation::ArnLike, "*", role, true);
        check(Relation::ArnLike, "arn:*:role/a", role, false);
        check(Relation::ArnLike, "arn:aws:iam::*:role/b", role, false);
        check(Relation::ArnLike, "arn:aws:iam::*:role/${aws:username, 'a'}", role, true);
        check(Relation::ArnLike, "arn:aws:iam::*:role/${aws:username}", role, false);
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        check(Relation::Within, "0.0.0.0/0", "203.0.113.9", true);
        check(Relation::Within, "10.0.0.0/8", "11.0.0.1", false);
        check(Relation::Within, "2001:DB8::/32", "2001:db8:1::1", true);
        check(Relation::Within, "2001:db8::1", "2001:0DB8:0::1", true);
        check(Relation::Within, "10.0.0.0/8", "2001:db8::1", false);
        check(Relation::Equal, "10", "10.0", true);
        check(Relation::Less, "900", "1e3", false);
        check(Relation::At, "2026-07-01T00:00:00Z", "1782864000", true);
        check(Relation::Before, "2026-07-01", "2026-06-30T23:59:59+00:00", true);
        check(Relation::At, "2026", "2026-01", true);
        check(Relation::At, "2026-07-01T12:30Z", "2026-07-01T14:30:00+02:00", true);
        check(Relation::Is, "TRUE", "true", true);
        check(Relation::In, "a${*}b", "a*b", true);
        check(Relation::Like, "a${*}b", "axb", false);
        check(Relation::Like, "a${?}*", "a?xyz", true);
        check(Relation::In, "${$}{x}", "${x}", true);
        check(Relation::InIgnoringCase, "${aws:username, 'ÄB'}", "äb", true);
    }

    #[test]
    fn what_an_operator_cannot_compare_with_is_not_read() {
        for (relation, text) in [
            (Relation::Equal, "ten"),
            (Relation::Equal, "NaN"),
            (Relation::At, "yesterday"),
            (Relation::Within, "10.0.0.0/33"),
            (Relation::Is, "yes"),
            (Relation::Less, "${aws:username}"),
        ] {
            assert!(Wanted::parse(relation, text, true).is_none(), "{relation:?} `{text}`");
        }
    }
}
