//! A broker's key ledger, read from its lines (docs/formats/key-ledger.md), with its chain of hashes checked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use cadastre_model::Timestamp;
use serde::Deserialize;

use super::read::Refused;
use crate::error::LogsError;
use crate::inflate::sha256;

/// Bytes of one line; the broker writes a few hundred.
const MAXIMUM_LINE: u64 = 1 << 20;

/// One entry, as far as reconciliation needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LedgerLine {
    /// From 1, without gaps.
    pub sequence: u64,
    /// When the broker wrote it.
    pub time: Timestamp,
    /// SHA-256 of the line before.
    previous: String,
    /// `generate`, `wrap`, `unwrap`, `rewrap`, …
    pub operation: String,
    /// `ok`, or why not.
    pub outcome: String,
    /// The key-encryption key.
    pub key_id: Option<String>,
    /// The same after a `rewrap`.
    pub new_key_id: Option<String>,
    /// The key service's id of the request.
    pub request_id: Option<String>,
    /// The encryption context.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

/// All entries of some files.
#[derive(Debug, Clone, Default)]
pub struct KeyLedger {
    /// In their order.
    pub lines: Vec<LedgerLine>,
    /// Lines that are no entries.
    pub refused: Vec<Refused>,
    /// Where the chain of hashes or the sequence breaks.
    pub broken: Vec<Refused>,
    /// Entries that say that others are missing.
    pub gaps: Vec<u64>,
}

impl KeyLedger {
    /// Reads one file, or every `*.ndjson` of a directory in the order of their names.
    ///
    /// # Errors
    /// When a file cannot be read, or none is there.
    pub fn read(path: &Path) -> Result<Self, LogsError> {
        let mut files = Vec::new();
        if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(LogsError::read(path))? {
                let file = entry.map_err(LogsError::read(path))?.path();
                if file.extension().is_some_and(|extension| extension == "ndjson") {
                    files.push(file);
                }
            }
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        if files.is_empty() {
            return Err(LogsError::Nothing {
                path: path.display().to_string(),
                expected: "`*.ndjson` files of a key ledger",
            });
        }
        let mut ledger = Self::default();
        let mut before: Option<(u64, String)> = None;
        for file in files {
            ledger.add(&file, &mut before)?;
        }
        Ok(ledger)
    }

    fn add(&mut self, file: &Path, before: &mut Option<(u64, String)>) -> Result<(), LogsError> {
        let name = file.display().to_string();
        let mut reader = BufReader::new(std::fs::File::open(file).map_err(LogsError::read(file))?);
        let mut number = 0;
        loop {
            let mut line = Vec::new();
            let read = reader
                .by_ref()
                .take(MAXIMUM_LINE)
                .read_until(b'\n', &mut line)
                .map_err(LogsError::read(file))?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let at = |problem: String| Refused { file: name.clone(), record: Some(number), problem };
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if u64::try_from(read).unwrap_or(u64::MAX) == MAXIMUM_LINE {
                self.refused.push(Refused {
                    file: name,
                    record: Some(number),
                    problem: format!("a line of more than {MAXIMUM_LINE} bytes, and what follows it"),
                });
                return Ok(());
            }
            match serde_json::from_slice::<LedgerLine>(&line) {
                Ok(entry) => {
                    if let Some((sequence, hash)) = before.as_ref() {
                        if entry.sequence != sequence.saturating_add(1) {
                            self.broken.push(at(format!("sequence {} follows {sequence}", entry.sequence)));
                        } else if entry.previous != *hash {
                            self.broken.push(at("it does not name the line before".to_owned()));
                        }
                    }
                    *before = Some((entry.sequence, hex::encode(sha256(&line))));
                    if entry.operation == "gap" {
                        self.gaps.push(entry.sequence);
                    }
                    self.lines.push(entry);
                }
                Err(error) => self.refused.push(at(error.to_string())),
            }
        }
    }
}
