//! The audit log, first version: one JSON line for each administrative action and each denial.
//!
//! Lines go to `audit-<n>.ndjson` files in the audit directory, a new file every 64 MiB, written before the action is
//! answered. Each line carries a sequence number that continues over restarts.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cadastre_objects::SweepReport;
use cadastre_storage::Clock;
use serde::Serialize;

use crate::sync::lock;

/// A file is ended when it has reached this many bytes.
const FILE_BYTES: u64 = 64 << 20;

/// One decision worth keeping.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AuditEvent<'event> {
    /// Who asked, as `User:name`.
    pub(crate) principal: String,
    /// From where.
    pub(crate) client_address: String,
    /// What the client calls itself.
    pub(crate) client_id: &'event str,
    /// The listener it came through.
    pub(crate) listener: &'event str,
    /// The request.
    pub(crate) request: String,
    /// The operation asked for, in Kafka's words.
    pub(crate) operation: String,
    /// The kind of resource.
    pub(crate) resource_type: String,
    /// The resource.
    pub(crate) resource: String,
    /// Whether it may go ahead.
    pub(crate) allowed: bool,
    /// The rule that decided.
    pub(crate) rule: String,
    /// What is about to change, for administrative actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

#[derive(Serialize)]
struct Line<'line, E> {
    sequence: u64,
    time_ms: i64,
    #[serde(flatten)]
    event: &'line E,
}

/// An object that is about to be deleted as an orphan, with what proves that it is one.
#[derive(Serialize)]
struct OrphanEvent {
    action: &'static str,
    object: String,
    bytes: u64,
    modified_at_ms: i64,
    suspected_since_ms: i64,
    /// How many objects were looked at in the same sweep, by judgement.
    looked_at: BTreeMap<String, u64>,
}

/// Where audit lines are written.
#[derive(Debug)]
pub(crate) struct AuditLog {
    directory: PathBuf,
    clock: Clock,
    position: Mutex<Position>,
}

#[derive(Debug)]
struct Position {
    file: File,
    number: u64,
    bytes: u64,
    sequence: u64,
}

impl AuditLog {
    /// Opens the log in `directory`, which is made when absent, and continues after its last line.
    pub(crate) fn open(directory: &Path, clock: Clock) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let number = last_number(directory)?;
        let path = file_path(directory, number);
        let mut sequence = 0;
        if path.exists() {
            cut_torn_line(&path)?;
            for line in BufReader::new(File::open(&path)?).lines() {
                let line: serde_json::Value = serde_json::from_str(&line?).map_err(io::Error::other)?;
                sequence = line.get("sequence").and_then(serde_json::Value::as_u64).unwrap_or(sequence) + 1;
            }
        }
        let file = append_to(&path)?;
        let bytes = file.metadata()?.len();
        let position = Mutex::new(Position { file, number, bytes, sequence });
        Ok(Self { directory: directory.to_owned(), clock, position })
    }

    /// Writes one line. A line that cannot be written is reported to the operator's log, with the event itself.
    pub(crate) fn record(&self, event: &AuditEvent<'_>) {
        if let Err(error) = self.append(event) {
            let event = serde_json::to_string(event).unwrap_or_default();
            tracing::error!(%error, %event, "audit line not written");
        }
    }

    /// Writes a line for each orphan of a sweep, durably.
    ///
    /// # Errors
    ///
    /// The system's; then nothing may be deleted.
    pub(crate) fn record_sweep(&self, report: &SweepReport) -> io::Result<()> {
        let looked_at: BTreeMap<String, u64> =
            report.counts.iter().map(|(finding, count)| (finding.to_string(), *count)).collect();
        for orphan in &report.orphans {
            self.append(&OrphanEvent {
                action: "delete-orphan",
                object: orphan.name.to_string(),
                bytes: orphan.size,
                modified_at_ms: orphan.modified_at_ms,
                suspected_since_ms: orphan.suspected_since_ms,
                looked_at: looked_at.clone(),
            })?;
        }
        lock(&self.position).file.sync_data()
    }

    fn append(&self, event: &impl Serialize) -> io::Result<()> {
        let mut position = lock(&self.position);
        if position.bytes >= FILE_BYTES {
            position.number += 1;
            position.file = append_to(&file_path(&self.directory, position.number))?;
            position.bytes = 0;
        }
        let line = Line { sequence: position.sequence, time_ms: self.clock.now_ms(), event };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        position.file.write_all(&text)?;
        position.bytes += text.len() as u64;
        position.sequence += 1;
        Ok(())
    }
}

fn file_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("audit-{number:08}.ndjson"))
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn last_number(directory: &Path) -> io::Result<u64> {
    let mut last = 0;
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".ndjson"));
        last = last.max(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0));
    }
    Ok(last)
}

/// A crash in the middle of a write leaves a line without an end; the action it announced was not answered.
fn cut_torn_line(path: &Path) -> io::Result<()> {
    let content = std::fs::read(path)?;
    let whole = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < content.len() {
        OpenOptions::new().write(true).open(path)?.set_len(whole as u64)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> AuditEvent<'static> {
        AuditEvent {
            principal: "User:alice".to_owned(),
            client_address: "10.0.0.1".to_owned(),
            client_id: "admin",
            listener: "SASL_SSL",
            request: "CreateTopics".to_owned(),
            operation: "CREATE".to_owned(),
            resource_type: "CLUSTER".to_owned(),
            resource: "kafka-cluster".to_owned(),
            allowed: false,
            rule: "DefaultDeny".to_owned(),
            detail: None,
        }
    }

    #[test]
    fn lines_are_numbered_over_restarts_and_torn_ones_cut() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(17);
        AuditLog::open(directory.path(), clock.clone()).unwrap().record(&event());
        let path = file_path(directory.path(), 0);
        append_to(&path).unwrap().write_all(b"{\"sequence\":1,\"ti").unwrap();
        let log = AuditLog::open(directory.path(), clock).unwrap();
        log.record(&event());
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["sequence"], 1);
        assert_eq!(lines[1]["rule"], "DefaultDeny");
        assert_eq!(lines[0]["time_ms"], 17);
    }
}
