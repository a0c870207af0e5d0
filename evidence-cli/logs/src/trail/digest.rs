//! A digest file's content.

use cadastre_model::Timestamp;
use serde::Deserialize;

use crate::inflate;

/// How CloudTrail signs.
pub(crate) const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// How CloudTrail hashes.
const HASH_ALGORITHM: &str = "SHA-256";

/// A digest.
#[derive(Debug)]
pub(crate) struct Digest {
    pub(crate) account: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// The end as it is written, which is what is signed.
    end_text: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) algorithm: Option<String>,
    pub(crate) previous: Previous,
    /// The signature of the one before it, hexadecimal, as it is signed.
    previous_signature: Option<String>,
    /// SHA-256 of the inflated file.
    pub(crate) hash: [u8; 32],
    pub(crate) logs: Vec<ListedLog>,
}

/// What a digest says of the one before it.
#[derive(Debug)]
pub(crate) enum Previous {
    /// That it is the first.
    None,
    /// Which one.
    Digest {
        bucket: String,
        key: String,
        /// Absent when it is none, or not of the algorithm that CloudTrail documents.
        hash: Option<[u8; 32]>,
        /// Hexadecimal, as it is signed.
        signature: String,
    },
    /// One thing and another.
    Contradictory,
}

/// A log file that a digest lists.
#[derive(Debug)]
pub(crate) struct ListedLog {
    /// Empty when it is the digest's own.
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// SHA-256 of the inflated file; absent when the digest says something else.
    pub(crate) hash: Option<[u8; 32]>,
}

/// User guide, "CloudTrail digest file structure", digest file field descriptions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    aws_account_id: String,
    digest_start_time: Timestamp,
    digest_end_time: String,
    digest_s3_bucket: String,
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    #[serde(default)]
    digest_signature_algorithm: Option<String>,
    #[serde(default)]
    previous_digest_s3_bucket: Option<String>,
    #[serde(default)]
    previous_digest_s3_object: Option<String>,
    #[serde(default)]
    previous_digest_hash_value: Option<String>,
    #[serde(default)]
    previous_digest_hash_algorithm: Option<String>,
    #[serde(default)]
    previous_digest_signature: Option<String>,
    #[serde(default)]
    log_files: Vec<DocumentLog>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentLog {
    #[serde(default)]
    s3_bucket: Option<String>,
    s3_object: String,
    hash_value: String,
    #[serde(default)]
    hash_algorithm: Option<String>,
}

/// Reads a SHA-256 that a digest states.
fn stated_hash(value: &str, algorithm: Option<&str>) -> Option<[u8; 32]> {
    if algorithm.is_some_and(|algorithm| algorithm != HASH_ALGORITHM) {
        return None;
    }
    let mut hash = [0; 32];
    hex::decode_to_slice(value, &mut hash).ok().map(|()| hash)
}

impl Digest {
    /// Parses an inflated digest; the error says in words what it is not.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("is no digest: {error}"))?;
        let end: Timestamp = document
            .digest_end_time
            .parse()
            .map_err(|error| format!("is no digest: digestEndTime: {error}"))?;
        let previous_signature = document.previous_digest_signature;
        let previous = match (
            document.previous_digest_s3_bucket,
            document.previous_digest_s3_object,
            previous_signature.clone(),
        ) {
            (None, None, None) if document.previous_digest_hash_value.is_none() => Previous::None,
            (Some(bucket), Some(key), Some(signature)) => Previous::Digest {
                bucket,
                key,
                hash: document
                    .previous_digest_hash_value
                    .as_deref()
                    .and_then(|value| stated_hash(value, document.previous_digest_hash_algorithm.as_deref())),
                signature,
            },
            _ => Previous::Contradictory,
        };
        let logs = document
            .log_files
            .into_iter()
            .map(|log| ListedLog {
                bucket: log
                    .s3_bucket
                    .filter(|bucket| *bucket != document.digest_s3_bucket)
                    .unwrap_or_default(),
                hash: stated_hash(&log.hash_value, log.hash_algorithm.as_deref()),
                key: log.s3_object,
            })
            .collect();
        Ok(Self {
            account: document.aws_account_id,
            start: document.digest_start_time,
            end,
            end_text: document.digest_end_time,
            bucket: document.digest_s3_bucket,
            key: document.digest_s3_object,
            fingerprint: document.digest_public_key_fingerprint,
            algorithm: document.digest_signature_algorithm,
            previous,
            previous_signature,
            hash: inflate::sha256(bytes),
            logs,
        })
    }

    /// What CloudTrail signs (user guide, "Custom implementations of CloudTrail log file integrity validation",
    /// "Contents of the data signing string").
    pub(crate) fn signed_string(&self) -> String {
        let previous = self.previous_signature.as_deref().unwrap_or("null");
        signed_string(&self.end_text, &self.bucket, &self.key, &self.hash, previous)
    }
}

fn signed_string(end: &str, bucket: &str, key: &str, hash: &[u8; 32], previous: &str) -> String {
    format!("{end}\n{bucket}/{key}\n{}\n{previous}", hex::encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of aws-cli's unit tests for its digest validator.
    #[test]
    fn the_signed_string_is_the_one_that_aws_cli_publishes() {
        assert_eq!(
            signed_string("a", "b", "c", &inflate::sha256(b"abc"), "null"),
            "a\nb/c\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nnull"
        );
    }

    const FIRST: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-01T09:00:00Z",
        "digestEndTime":"2026-03-01T10:00:00Z","digestS3Bucket":"b","digestS3Object":"k",
        "digestPublicKeyFingerprint":"f","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,
        "previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,
        "previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}"#;

    #[test]
    fn the_first_digest_signs_null_for_its_predecessor() {
        let digest = Digest::parse(FIRST.as_bytes()).unwrap();
        assert!(matches!(digest.previous, Previous::None));
        assert!(digest.signed_string().ends_with("\nnull"));
    }

    #[test]
    fn half_a_predecessor_is_a_contradiction() {
        let half = FIRST.replace(r#""previousDigestS3Object":null"#, r#""previousDigestS3Object":"x""#);
        let digest = Digest::parse(half.as_bytes()).unwrap();
        assert!(matches!(digest.previous, Previous::Contradictory));
    }

    #[test]
    fn another_document_is_no_digest() {
        for text in ["{}", "[]", "", "{\"Records\":[]}", &"[".repeat(1_000_000)] {
            assert!(Digest::parse(text.as_bytes()).unwrap_err().starts_with("is no digest"));
        }
    }
}
