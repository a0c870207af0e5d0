//! Patterns compiled once and matched against literal texts.
//!
//! While [`crate::pattern`] compares patterns with patterns, a request in hand has a literal action, resource and
//! context. A pattern is kept as bytes in which four values that UTF-8 never uses stand for wildcards, so that a
//! literal `*` (`${*}`, or one out of a policy variable) is never taken for one.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

/// Any number of characters.
const ANY: u8 = 0xFF;
/// One character.
const ONE: u8 = 0xFE;
/// Any number of characters, none of them a colon.
const ANY_IN_PART: u8 = 0xFD;
/// One character that is no colon.
const ONE_IN_PART: u8 = 0xFC;

/// What `*` and `?` mean in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wildcards {
    /// Themselves.
    None,
    /// Any characters: actions, `StringLike`, and each part of an ARN on its own.
    Free,
    /// As in the `Resource` element: within one part of an ARN, except that a `*` that ends a part reaches beyond
    /// the colon ("IAM JSON policy elements: Resource", IAM User Guide).
    Resource,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    Everything,
    Exact(Arc<str>),
    Prefix(Arc<str>),
    Wild(Arc<[u8]>),
}

impl Glob {
    /// Compiles a text.
    pub(crate) fn new(text: &str, wildcards: Wildcards) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        encode(text, wildcards, &mut 0, &mut bytes);
        let wild = bytes.iter().filter(|byte| is_wild(**byte)).count();
        match (wild, bytes.last()) {
            (0, _) => Self::Exact(text.into()),
            (1, Some(&ANY)) if bytes.len() == 1 => Self::Everything,
            (1, Some(&ANY)) => Self::Prefix(text.get(..text.len() - 1).unwrap_or_default().into()),
            _ => Self::Wild(bytes.into()),
        }
    }

    /// Whether it matches all of a text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Wild(pattern) => matches(pattern, text),
        }
    }
}

/// Appends a text as pattern bytes; `colons` counts those seen before, for [`Wildcards::Resource`].
pub(crate) fn encode(text: &str, wildcards: Wildcards, colons: &mut u32, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    for (place, &byte) in bytes.iter().enumerate() {
        let next = bytes.get(place + 1);
        let in_part = wildcards == Wildcards::Resource && *colons < 5;
        out.push(match (byte, wildcards) {
            (_, Wildcards::None) => byte,
            (b'*', _) if in_part && next.is_some_and(|next| *next != b':') => ANY_IN_PART,
            (b'*', _) => ANY,
            (b'?', _) if in_part => ONE_IN_PART,
            (b'?', _) => ONE,
            (b':', _) => {
                *colons += 1;
                byte
            }
            _ => byte,
        });
    }
}

const fn is_wild(byte: u8) -> bool {
    byte >= ONE_IN_PART
}

/// Whether encoded pattern bytes match all of a text.
pub(crate) fn matches(pattern: &[u8], text: &str) -> bool {
    if pattern.contains(&ANY_IN_PART) {
        return matches_in_parts(pattern, text);
    }
    let text = text.as_bytes();
    let (mut p, mut s) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(s) {
        match pattern.get(p) {
            Some(&ANY) => {
                retry = Some((p, s));
                p += 1;
            }
            Some(&ONE) => {
                p += 1;
                s += width(byte);
            }
            Some(&ONE_IN_PART) if byte != b':' => {
                p += 1;
                s += width(byte);
            }
            Some(&wanted) if wanted == byte => {
                p += 1;
                s += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    s = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == ANY)
}

/// Both kinds of star may stand in one pattern, so all places it can be at are followed side by side.
fn matches_in_parts(pattern: &[u8], text: &str) -> bool {
    // Every byte but a star takes at least one of the text.
    if pattern.iter().filter(|byte| !matches!(**byte, ANY | ANY_IN_PART)).count() > text.len() {
        return false;
    }
    let mut at: SmallVec<[bool; 128]> = smallvec![false; pattern.len() + 1];
    let mut next = at.clone();
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    skip_stars(&mut at, pattern);
    for character in text.chars() {
        let mut buffer = [0; 4];
        let encoded = character.encode_utf8(&mut buffer).as_bytes();
        next.fill(false);
        for place in (0..pattern.len()).filter(|place| at.get(*place).copied().unwrap_or(false)) {
            let reached = match pattern.get(place) {
                Some(&ANY) => Some(place),
                Some(&ANY_IN_PART) if character != ':' => Some(place),
                Some(&ONE) => Some(place + 1),
                Some(&ONE_IN_PART) if character != ':' => Some(place + 1),
                _ => pattern
                    .get(place..place + encoded.len())
                    .filter(|literal| *literal == encoded)
                    .map(|literal| place + literal.len()),
            };
            if let Some(slot) = reached.and_then(|reached| next.get_mut(reached)) {
                *slot = true;
            }
        }
        skip_stars(&mut next, pattern);
        std::mem::swap(&mut at, &mut next);
    }
    at.last().copied().unwrap_or(false)
}

/// A star may stand for nothing.
fn skip_stars(at: &mut [bool], pattern: &[u8]) {
    for (place, byte) in pattern.iter().enumerate() {
        if matches!(*byte, ANY | ANY_IN_PART)
            && at.get(place).copied().unwrap_or(false)
            && let Some(slot) = at.get_mut(place + 1)
        {
            *slot = true;
        }
    }
}

/// How many bytes the character takes that starts with this one.
const fn width(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, wildcards: Wildcards, text: &str, expected: bool) {
        assert_eq!(Glob::new(pattern, wildcards).matches(text), expected, "`{pattern}` over `{text}`");
    }

    #[test]
    fn wildcards_match_characters_and_nothing_else_does() {
        check("*", Wildcards::Free, "anything", true);
        check("s3:get*", Wildcards::Free, "s3:getobject", true);
        check("s3:get?bject", Wildcards::Free, "s3:getobject", true);
        check("s3:*object", Wildcards::Free, "s3:getobjectacl", false);
        check("a?c", Wildcards::Free, "aéc", true);
        check("a*c*e", Wildcards::Free, "abcde", true);
        check("a*", Wildcards::None, "a*", true);
        check("a*", Wildcards::None, "ab", false);
        check("a.c", Wildcards::Free, "abc", false);
    }

    #[test]
    fn a_star_inside_a_part_of_a_resource_stays_within_it() {
        let queue = "arn:aws:sqs:us-east-1:111122223333:orders";
        check("arn:aws:sqs:*:111122223333:orders", Wildcards::Resource, queue, true);
        check("arn:aws:sqs:us-*-1:111122223333:orders", Wildcards::Resource, queue, true);
        check("arn:aws:sqs:us*33:orders", Wildcards::Resource, queue, false);
        check("arn:aws:sqs:*:orders", Wildcards::Resource, queue, true);
        check("arn:aws:sqs*", Wildcards::Resource, queue, true);
        check("arn:aws:sqs:us-east-?:111122223333:o*", Wildcards::Resource, queue, true);
        check("arn:aws:sqs:us-east-1?111122223333:o*", Wildcards::Resource, queue, false);
        check(
            "arn:aws:logs:*:*:log-group:a*",
            Wildcards::Resource,
            "arn:aws:logs:r:1:log-group:ab:log-stream:c",
            true,
        );
        check("arn:aws:s3:::b/*/test/*", Wildcards::Resource, "arn:aws:s3:::b/1/2/test/3", true);
    }

    proptest! {
        #[test]
        fn both_ways_of_matching_agree(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let mut bytes = Vec::new();
            encode(&pattern, Wildcards::Free, &mut 0, &mut bytes);
            prop_assert_eq!(matches(&bytes, &text), matches_in_parts(&bytes, &text));
            prop_assert_eq!(matches(&bytes, &text), crate::pattern::covers(&pattern, &text));
        }
    }
}
