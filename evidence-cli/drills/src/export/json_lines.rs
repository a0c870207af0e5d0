//! One JSON object a line; bytes are text where they are UTF-8, and base64 otherwise.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Exported;
use crate::error::{DrillError, file};

/// Bytes, in the form that a reader can use at once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    Text(String),
    Base64(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(String, Option<Bytes>)>,
}

fn outward(bytes: &[u8]) -> Bytes {
    match std::str::from_utf8(bytes) {
        Ok(text) => Bytes::Text(text.to_owned()),
        Err(_not_text) => Bytes::Base64(STANDARD.encode(bytes)),
    }
}

fn inward(bytes: Bytes) -> std::io::Result<Vec<u8>> {
    match bytes {
        Bytes::Text(text) => Ok(text.into_bytes()),
        Bytes::Base64(text) => STANDARD.decode(text).map_err(std::io::Error::other),
    }
}

pub(super) fn write(path: &Path, records: &[Exported]) -> Result<(), DrillError> {
    let create = || -> std::io::Result<()> {
        let mut out = BufWriter::new(std::fs::File::create(path)?);
        for record in records {
            let line = Line {
                partition: record.partition,
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                key: record.key.as_deref().map(outward),
                value: record.value.as_deref().map(outward),
                headers: record
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_deref().map(outward)))
                    .collect(),
            };
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    create().map_err(file("write", path))
}

pub(super) fn read(path: &Path) -> Result<Vec<Exported>, DrillError> {
    let open = || -> std::io::Result<Vec<Exported>> {
        BufReader::new(std::fs::File::open(path)?)
            .lines()
            .map(|line| {
                let line: Line = serde_json::from_str(&line?)?;
                let headers = line.headers.into_iter();
                Ok(Exported {
                    partition: line.partition,
                    offset: line.offset,
                    timestamp_ms: line.timestamp_ms,
                    key: line.key.map(inward).transpose()?,
                    value: line.value.map(inward).transpose()?,
                    headers: headers
                        .map(|(name, value)| Ok((name, value.map(inward).transpose()?)))
                        .collect::<std::io::Result<_>>()?,
                })
            })
            .collect()
    };
    open().map_err(file("read", path))
}
