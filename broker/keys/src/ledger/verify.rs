//! Checks a whole ledger: chain, head, signature, and that nothing is missing at either end.

use std::path::Path;

use super::entry::KeyOperation;
use super::reader::{Link, file_numbers, file_path, read_file};
use super::{LedgerEntry, LedgerError, LedgerHead, SignedLedgerHead, head};
use crate::signing::VerifyingKey;

/// What the verifier knows from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The key that must have signed the head.
    pub signer: Option<VerifyingKey>,
    /// A head from before, kept where the ledger's owner could not change it: it must still be in the chain.
    pub earlier_head: Option<LedgerHead>,
}

/// A ledger that was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerReport {
    /// Number of files.
    pub files: usize,
    /// Number of entries that are there.
    pub entries: u64,
    /// Sequence of the first; above 1 when older ones were retired.
    pub first_sequence: u64,
    /// Sequence of the last.
    pub last_sequence: u64,
    /// Entries after the head: a crash came between writing and acknowledging.
    pub unacknowledged: u64,
    /// Bytes of an incomplete last line.
    pub torn_bytes: u64,
    /// Whether the head's signature was checked.
    pub signature_checked: bool,
}

/// Verifies the ledger in `directory`, giving each entry to `each` in order.
///
/// # Errors
/// [`LedgerError`] names what was altered, removed or cannot be read.
pub fn verify_ledger(
    directory: &Path,
    options: &VerifyOptions,
    mut each: impl FnMut(&LedgerEntry),
) -> Result<LedgerReport, LedgerError> {
    let numbers = file_numbers(directory)?;
    let signed = SignedLedgerHead::read(directory)?
        .ok_or_else(|| LedgerError::HeadMissing { path: head::path(directory) })?;
    if let Some(key) = &options.signer {
        signed.verify(key)?;
    }
    let mut first: Option<(u64, String)> = None;
    let mut start_is_retired = false;
    let mut expected = vec![("head", signed.head.clone())];
    expected.extend(options.earlier_head.clone().map(|head| ("earlier head", head)));
    expected.retain(|(_, head)| head.sequence > 0);
    let mut entries = 0_u64;
    let mut last: Option<Link> = None;
    let mut torn_bytes = 0;
    for (index, number) in numbers.iter().enumerate() {
        let path = file_path(directory, *number);
        let (end, file_end) = read_file(&path, last.clone(), |entry, link| {
            entries = entries.saturating_add(1);
            let start = first.get_or_insert_with(|| (entry.sequence, entry.previous.clone()));
            start_is_retired |= retires(entry, start);
            check_head(&mut expected, link)?;
            each(entry);
            Ok(())
        })?;
        if file_end.torn_bytes > 0 && index.saturating_add(1) < numbers.len() {
            let reason = "the file ends within a line, and others follow".to_owned();
            return Err(LedgerError::Altered { path, line: entries, reason });
        }
        torn_bytes = file_end.torn_bytes;
        last = end;
    }
    let last_sequence = last.map_or(0, |link| link.sequence);
    let (first_sequence, first_previous) = first.unwrap_or((1, String::new()));
    if first_sequence != 1 && !start_is_retired {
        return Err(LedgerError::StartMissing { found: first_sequence });
    }
    if first_sequence == 1 && entries > 0 && first_previous != super::reader::ZERO_HASH {
        return Err(LedgerError::StartMissing { found: first_sequence });
    }
    if let Some((which, head)) = expected.first() {
        if head.sequence > last_sequence {
            return Err(LedgerError::Truncated { found: last_sequence, expected: head.sequence });
        }
        // An earlier head may lie before the first file that is left.
        if *which == "head" || head.sequence >= first_sequence {
            let reason = format!("entry {} is not in the chain", head.sequence);
            return Err(LedgerError::Head { reason });
        }
    }
    Ok(LedgerReport {
        files: numbers.len(),
        entries,
        first_sequence,
        last_sequence,
        unacknowledged: last_sequence.saturating_sub(signed.head.sequence),
        torn_bytes,
        signature_checked: options.signer.is_some(),
    })
}

/// Whether `entry` says that everything before the first entry there is was retired.
fn retires(entry: &LedgerEntry, (first_sequence, first_previous): &(u64, String)) -> bool {
    let detail = |name: &str| entry.event.details.get(name).map(String::as_str);
    entry.event.operation == KeyOperation::Retired
        && detail("last_hash") == Some(first_previous.as_str())
        && detail("last_sequence").and_then(|text| text.parse::<u64>().ok()) == first_sequence.checked_sub(1)
}

/// Takes heads that this entry fulfils off the list, and refuses one that it contradicts.
fn check_head(expected: &mut Vec<(&str, LedgerHead)>, link: &Link) -> Result<(), LedgerError> {
    for (which, head) in expected.iter() {
        if head.sequence == link.sequence && head.hash != link.hash {
            let reason = format!("the {which} has another hash for entry {}", head.sequence);
            return Err(LedgerError::Head { reason });
        }
    }
    expected.retain(|(_, head)| head.sequence != link.sequence);
    Ok(())
}
