//! The metadata of a digest object, saved beside it as `DIGEST.json.gz.metadata.json`.
//!
//! CloudTrail keeps a digest's signature in the object's metadata, which a copy of the object does not carry.

use std::path::Path;

use cadastre_model::Timestamp;
use serde::Deserialize;

use crate::error::{LogsError, read_bounded};

/// The largest file of metadata that is read, in bytes.
const MAXIMUM_SIZE: u64 = 64 << 10;

/// What stands beside a digest.
#[derive(Debug)]
pub(crate) enum Sidecar {
    /// No file.
    Absent,
    /// A file that says nothing of a signature, and why.
    Useless(String),
    /// The object's metadata.
    Metadata {
        /// Hexadecimal.
        signature: String,
        /// `SHA256withRSA`.
        algorithm: String,
        /// When a backfill digest was made, in seconds since the epoch.
        generated: Option<i64>,
    },
}

/// The metadata itself, or the answer of `aws s3api head-object` around it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Document {
    HeadObject {
        #[serde(rename = "Metadata")]
        metadata: Metadata,
    },
    Metadata(Metadata),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    signature: String,
    signature_algorithm: String,
    #[serde(default)]
    backfill_generation_timestamp: Option<String>,
}

impl Sidecar {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = match read_bounded(path, MAXIMUM_SIZE) {
            Ok(bytes) => bytes,
            Err(LogsError::Read { source, .. }) => return Self::Useless(source.to_string()),
            Err(error) => return Self::Useless(error.to_string()),
        };
        match serde_json::from_slice(&bytes) {
            Ok(Document::HeadObject { metadata } | Document::Metadata(metadata)) => Self::Metadata {
                signature: metadata.signature,
                algorithm: metadata.signature_algorithm,
                generated: metadata
                    .backfill_generation_timestamp
                    .and_then(|text| text.parse::<Timestamp>().ok())
                    .map(Timestamp::seconds),
            },
            Err(_no_metadata) => Self::Useless("no signature and signature-algorithm in it".to_owned()),
        }
    }
}
