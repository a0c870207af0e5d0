//! RFC 8785 canonical JSON: one spelling for equal values, so that a changed byte is a changed value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::PacketError;

/// Writes canonical JSON.
pub(crate) fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, PacketError> {
    serde_json_canonicalizer::to_vec(value).map_err(PacketError::NotCanonicalValue)
}

/// Reads JSON, and refuses what is not in its canonical spelling.
pub(crate) fn from_slice<T: Serialize + DeserializeOwned>(
    file: &str,
    bytes: &[u8],
) -> Result<T, PacketError> {
    let value: T = serde_json::from_slice(bytes)
        .map_err(|source| PacketError::Malformed { file: file.to_owned(), source })?;
    if to_vec(&value)? == bytes {
        Ok(value)
    } else {
        Err(PacketError::Mismatch(format!("`{file}` is not canonical JSON")))
    }
}
