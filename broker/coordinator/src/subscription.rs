//! The topics in a consumer's subscription, which the coordinator must know to protect their offsets.
//!
//! Only the part common to all versions is read: a version and an array of topic names.

use std::collections::BTreeSet;

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// The topics of a subscription; `None` when the metadata is something else.
pub(crate) fn topics(metadata: &[u8]) -> Option<BTreeSet<String>> {
    let (version, rest) = take_i16(metadata)?;
    if version < 0 {
        return None;
    }
    let (count, mut rest) =
        rest.split_first_chunk::<4>().map(|(count, rest)| (i32::from_be_bytes(*count), rest))?;
    let mut topics = BTreeSet::new();
    for _ in 0..u32::try_from(count).ok()? {
        let (length, after_length) = take_i16(rest)?;
        let (name, after_name) = after_length.split_at_checked(usize::try_from(length).ok()?)?;
        topics.insert(str::from_utf8(name).ok()?.to_owned());
        rest = after_name;
    }
    Some(topics)
}

fn take_i16(bytes: &[u8]) -> Option<(i16, &[u8])> {
    bytes.split_first_chunk::<2>().map(|(number, rest)| (i16::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metadata: &[u8], expected: Option<&[&str]>) {
        let expected = expected.map(|topics| topics.iter().map(|topic| (*topic).to_owned()).collect());
        assert_eq!(topics(metadata), expected);
    }

    #[test]
    fn subscriptions_are_read_and_rubbish_is_not() {
        check(b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff", Some(&["a", "bc"]));
        check(b"\0\0\0\0\0\0", Some(&[]));
        check(b"", None);
        check(b"\xff\xff\0\0\0\0", None);
        check(b"\0\0\xff\xff\xff\xff", None);
        check(b"\0\0\x7f\xff\xff\xff\0\x01a", None);
        check(b"\0\0\0\0\0\x01\0\x09a", None);
        check(b"\0\0\0\0\0\x01\xff\xff", None);
    }
}
