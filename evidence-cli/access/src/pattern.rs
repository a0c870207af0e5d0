//! Patterns with `*` and `?`, as policies write them for actions, resources and values.
//!
//! Besides matching a text, a pattern is compared with another one: a question about "any object of this
//! bucket" is itself a pattern, and a statement may cover all of it, some of it, or nothing.

/// How a pattern relates to what is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// It covers all of it.
    All,
    /// It covers some of it.
    Some,
    /// It covers nothing of it.
    Nothing,
}

/// Whether `pattern` covers every text that `subject`, itself a pattern or a plain text, stands for.
///
/// A `*` or `?` of the subject is only covered by a `*` of the pattern (a `?` also by a `?`), which is exact
/// as long as no text is asked about that must contain those characters.
pub(crate) fn covers(pattern: &str, subject: &str) -> bool {
    let (pattern, subject) = (pattern.as_bytes(), subject.as_bytes());
    let (mut p, mut s) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = subject.get(s) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, s));
                p += 1;
            }
            Some(&wanted) if wanted == byte || (wanted == b'?' && byte != b'*') => {
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
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

/// Whether some text matches both patterns.
pub(crate) fn overlaps(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let wild = |byte: &u8| matches!(byte, b'*' | b'?');
    let plain_prefix = |text: &[u8]| text.iter().take_while(|byte| !wild(byte)).count();
    let shared = plain_prefix(left).min(plain_prefix(right));
    if left.get(..shared) != right.get(..shared) {
        return false;
    }
    let (left, right) = (left.get(shared..).unwrap_or_default(), right.get(shared..).unwrap_or_default());
    // Row by row: reachable[j] says that left[..i] and right[..j] have a text in common.
    let mut reachable = vec![false; right.len() + 1];
    if let Some(first) = reachable.first_mut() {
        *first = true;
    }
    close_over_stars(&mut reachable, right);
    for &byte in left {
        let mut next = vec![false; right.len() + 1];
        for (j, slot) in next.iter_mut().enumerate() {
            let above = reachable.get(j).copied().unwrap_or(false);
            let before = j.checked_sub(1).and_then(|k| right.get(k)).copied();
            let diagonal = j.checked_sub(1).and_then(|k| reachable.get(k)).copied().unwrap_or(false);
            *slot = match (byte, before) {
                (b'*', _) => above || diagonal,
                (_, Some(b'*')) => above || diagonal,
                (_, None) => false,
                (b'?', Some(_)) | (_, Some(b'?')) => diagonal,
                (a, Some(b)) => a == b && diagonal,
            };
        }
        if byte == b'*' {
            // A star on the left goes on swallowing what the right says.
            let mut open = false;
            for slot in &mut next {
                open |= *slot;
                *slot = open;
            }
        }
        close_over_stars(&mut next, right);
        reachable = next;
    }
    reachable.last().copied().unwrap_or(false)
}

/// A star on the right may stand for nothing.
fn close_over_stars(reachable: &mut [bool], right: &[u8]) {
    let mut previous = false;
    for (j, slot) in reachable.iter_mut().enumerate() {
        let star = j.checked_sub(1).and_then(|k| right.get(k)) == Some(&b'*');
        *slot |= star && previous;
        previous = *slot;
    }
}

/// How much of `subject` a pattern covers.
pub(crate) fn coverage(pattern: &str, subject: &str) -> Coverage {
    if covers(pattern, subject) {
        Coverage::All
    } else if subject.contains(['*', '?']) && overlaps(pattern, subject) {
        Coverage::Some
    } else {
        Coverage::Nothing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, subject: &str, expected: Coverage) {
        assert_eq!(coverage(pattern, subject), expected, "`{pattern}` over `{subject}`");
    }

    #[test]
    fn a_pattern_covers_all_some_or_nothing_of_what_is_asked() {
        check("*", "arn:aws:s3:::b/*", Coverage::All);
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b/*", Coverage::All);
        check("arn:aws:s3:::b*", "arn:aws:s3:::b/*", Coverage::All);
        check("arn:aws:s3:::*", "arn:aws:s3:::b/*", Coverage::All);
        check("arn:aws:s3:::b/logs/*", "arn:aws:s3:::b/*", Coverage::Some);
        check("arn:aws:s3:::*/logs/*", "arn:aws:s3:::b/*", Coverage::Some);
        check("arn:aws:s3:::b/x", "arn:aws:s3:::b/*", Coverage::Some);
        check("arn:aws:s3:::b", "arn:aws:s3:::b/*", Coverage::Nothing);
        check("arn:aws:s3:::c/*", "arn:aws:s3:::b/*", Coverage::Nothing);
        check("arn:aws:s3:::b/?", "arn:aws:s3:::b/*", Coverage::Some);
        check("arn:aws:s3:::b", "arn:aws:s3:::b", Coverage::All);
        check("arn:aws:s3:::?", "arn:aws:s3:::b", Coverage::All);
    }

    proptest! {
        #[test]
        fn what_is_covered_overlaps(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            if covers(&pattern, &text) {
                prop_assert!(overlaps(&pattern, &text));
                prop_assert!(overlaps(&text, &pattern));
            } else {
                prop_assert!(!overlaps(&pattern, &text));
            }
        }

        #[test]
        fn patterns_with_a_common_text_overlap(left in "[ab*?]{0,6}", right in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            if covers(&left, &text) && covers(&right, &text) {
                prop_assert!(overlaps(&left, &right));
            }
            prop_assert_eq!(overlaps(&left, &right), overlaps(&right, &left));
        }

        #[test]
        fn covering_a_pattern_covers_its_texts(left in "[ab*?]{0,6}", right in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            if covers(&left, &right) && covers(&right, &text) {
                prop_assert!(covers(&left, &text));
            }
        }
    }
}
