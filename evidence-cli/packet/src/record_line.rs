//! A line of a records file: the canonical JSON of a record, whose content address can be checked without
//! parsing it.
//!
//! RFC 8785 sorts members, so a record begins with `caller`, `collector` and `id`, and what its id is the
//! hash of is the line without the `id` member.

use cadastre_model::Record;
use cadastre_model::record::UncheckedRecord;
use sha2::{Digest as _, Sha256};

use crate::canonical;
use crate::digest::{Digest, decode_hexadecimal};
use crate::error::PacketError;

/// The line of a record, without a newline.
pub(crate) fn encode(record: &Record) -> Result<Vec<u8>, PacketError> {
    canonical::to_vec(record)
}

/// The id that a line carries, if that is what the rest of it hashes to.
pub(crate) fn content_address(line: &[u8]) -> Option<Digest> {
    let rest = skip_string(line.strip_prefix(b"{\"caller\":")?)?;
    let rest = skip_string(rest.strip_prefix(b",\"collector\":")?)?.strip_prefix(b",")?;
    let after = rest.strip_prefix(b"\"id\":\"sha256:")?;
    let (digits, tail) = after.split_at_checked(64)?;
    let tail = tail.strip_prefix(b"\",")?;
    let head = line.get(..line.len() - rest.len())?;
    let claimed = Digest(decode_hexadecimal(digits)?);
    let actual: [u8; 32] = Sha256::new().chain_update(head).chain_update(tail).finalize().into();
    (claimed.0 == actual).then_some(claimed)
}

/// What follows a JSON string.
fn skip_string(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"\"")?;
    loop {
        let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        match rest.split_at_checked(at)?.1 {
            [b'"', after @ ..] => return Some(after),
            [_, _, after @ ..] => rest = after,
            _ => return None,
        }
    }
}

/// Parses a line, and recomputes the content address from what was parsed.
pub(crate) fn decode(line: &[u8]) -> Result<Record, PacketError> {
    let unchecked: UncheckedRecord = serde_json::from_slice(line)
        .map_err(|source| PacketError::Malformed { file: "a record".to_owned(), source })?;
    unchecked.check().map_err(|error| PacketError::Mismatch(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::record::Page;
    use cadastre_model::{Observation, Outcome, Scope};
    use proptest::prelude::*;
    use serde_json::json;

    fn record(caller: &str, subject: &str) -> Record {
        Observation {
            collector: "aws".into(),
            operation: "kms:GetKeyPolicy".into(),
            scope: Scope::region("111122223333", "eu-central-1"),
            subject: subject.into(),
            caller: caller.into(),
            observed_at: "2026-11-21T10:00:00.123Z".parse().unwrap(),
            outcome: Outcome::Observed,
            request: json!({"b": 1, "a": [1.5, null]}),
            response: json!({"Policy": "{\"Statement\":[]}"}),
            problem: None,
            page: Page::ONLY,
        }
        .seal()
        .unwrap()
    }

    proptest! {
        #[test]
        fn every_record_has_a_line_that_shows_its_id(caller in any::<String>(), subject in any::<String>()) {
            let record = record(&caller, &subject);
            let line = encode(&record).unwrap();
            prop_assert_eq!(content_address(&line).unwrap().prefixed(), record.id().as_str());
            prop_assert_eq!(decode(&line).unwrap(), record);
        }

        #[test]
        fn arbitrary_lines_never_panic(line in any::<Vec<u8>>()) {
            prop_assert!(content_address(&line).is_none());
            prop_assert!(decode(&line).is_err());
        }
    }

    #[test]
    fn an_id_that_does_not_fit_is_refused() {
        let line = String::from_utf8(encode(&record("a", "b")).unwrap()).unwrap();
        assert!(content_address(line.replace("eu-central-1", "eu-west-1").as_bytes()).is_none());
        assert!(content_address(line.replace("\"id\":\"sha256:", "\"id\":\"sha256:0").as_bytes()).is_none());
        assert!(content_address(line.replace("\"caller\":\"a\"", "\"caller\":\"\\\"").as_bytes()).is_none());
    }
}
