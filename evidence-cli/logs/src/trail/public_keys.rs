//! The public keys that CloudTrail signs digests with, as `ListPublicKeys` answers.

use std::path::Path;

use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_model::Timestamp;
use serde::Deserialize;

use crate::error::{LogsError, read_bounded};

/// The largest file of keys that is read, in bytes.
const MAXIMUM_SIZE: u64 = 16 << 20;

/// Seconds by which a digest may lie outside of its key's validity: a digest is delivered after its hour ends, and
/// CloudTrail changes keys between the two.
const VALIDITY_MARGIN: i64 = 86_400;

/// Public keys.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys {
    keys: Vec<PublicKey>,
}

/// A public key and when it signs.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// What digests name it by.
    pub fingerprint: String,
    /// The key, DER of PKCS #1 (RFC 8017, appendix A.1.1).
    pub der: Vec<u8>,
    /// When it begins to sign, in seconds since the epoch.
    pub from: Option<i64>,
    /// When it ceases to sign, in seconds since the epoch.
    pub to: Option<i64>,
}

/// The AWS API reference, `ListPublicKeys`, response syntax.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "PublicKeyList")]
    keys: Vec<AnswerKey>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerKey {
    value: String,
    fingerprint: String,
    #[serde(default)]
    validity_start_time: Option<Moment>,
    #[serde(default)]
    validity_end_time: Option<Moment>,
}

/// A time as the API answers (a number) or as the AWS CLI prints it (text).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Seconds(f64),
    Text(String),
}

impl Moment {
    fn seconds(&self) -> Option<i64> {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "saturating, and fractions do not matter")]
            Self::Seconds(seconds) => Some(*seconds as i64),
            Self::Text(text) => {
                // The AWS CLI prints fractions and offsets; some tools leave the offset out and mean UTC.
                let text = text.trim().replacen(' ', "T", 1);
                text.parse::<Timestamp>()
                    .or_else(|_| format!("{text}Z").parse::<Timestamp>())
                    .ok()
                    .map(Timestamp::seconds)
            }
        }
    }
}

impl PublicKeys {
    /// Reads a file that holds the answer of `aws cloudtrail list-public-keys`.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is not such an answer.
    pub fn read(path: &Path) -> Result<Self, LogsError> {
        let bytes = read_bounded(path, MAXIMUM_SIZE)?;
        Self::parse(&bytes, &path.display().to_string())
    }

    /// Parses the answer; `path` is only named in errors.
    ///
    /// # Errors
    /// When it is not such an answer.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self, LogsError> {
        let malformed = |problem: String| LogsError::Malformed {
            path: path.to_owned(),
            expected: "an answer of ListPublicKeys",
            problem,
        };
        let answer: Answer = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        let mut keys = Vec::with_capacity(answer.keys.len());
        for key in answer.keys {
            let time = |moment: Option<Moment>| match moment {
                None => Ok(None),
                Some(moment) => moment.seconds().map(Some).ok_or_else(|| {
                    malformed(format!("the validity of key `{}` is no time", key.fingerprint))
                }),
            };
            let der = STANDARD
                .decode(key.value.trim())
                .map_err(|error| malformed(format!("key `{}`: {error}", key.fingerprint)))?;
            keys.push(PublicKey {
                der,
                from: time(key.validity_start_time)?,
                to: time(key.validity_end_time)?,
                fingerprint: key.fingerprint,
            });
        }
        Ok(Self { keys })
    }

    /// Keys of that fingerprint that sign at `moment`; of any time when none is given.
    pub(crate) fn of<'a>(
        &'a self,
        fingerprint: &'a str,
        moment: Option<i64>,
    ) -> impl Iterator<Item = &'a PublicKey> {
        self.keys.iter().filter(move |key| {
            key.fingerprint.eq_ignore_ascii_case(fingerprint)
                && moment.is_none_or(|moment| {
                    key.from.is_none_or(|from| moment >= from.saturating_sub(VALIDITY_MARGIN))
                        && key.to.is_none_or(|to| moment <= to.saturating_add(VALIDITY_MARGIN))
                })
        })
    }
}

impl PublicKey {
    /// Whether `signature` is this key's over `message`: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.2).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // The list of keys is trusted as it is, so that the length of a key is not this tool's to refuse.
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &self.der)
            .verify(message, signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = r#"{"PublicKeyList":[
        {"Value":"AAEC","ValidityStartTime":1750000000.5,"ValidityEndTime":"2025-07-15T00:00:00+00:00","Fingerprint":"Aa"},
        {"Value":"AAEC","ValidityStartTime":"2026-01-01 00:00:00","Fingerprint":"aa"}]}"#;

    #[test]
    fn keys_are_found_by_fingerprint_and_time() {
        let keys = PublicKeys::parse(KEYS.as_bytes(), "keys.json").unwrap();
        assert_eq!(keys.of("aa", None).count(), 2);
        assert_eq!(keys.of("aa", Some(1_750_000_000)).count(), 1);
        assert_eq!(keys.of("aa", Some(1_700_000_000)).count(), 0);
        assert_eq!(keys.of("aa", Some(1_900_000_000)).count(), 1);
        assert_eq!(keys.of("bb", None).count(), 0);
    }

    #[test]
    fn another_document_is_refused_by_name() {
        let error = PublicKeys::parse(b"{}", "keys.json").unwrap_err();
        assert!(error.to_string().starts_with("`keys.json` is not an answer of ListPublicKeys"), "{error}");
    }
}
