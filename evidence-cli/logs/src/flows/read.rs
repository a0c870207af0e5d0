//! A directory of flow logs, read by several workers.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::aggregate::{Aggregator, Run};
use super::notice::{NoticeKind, Notices};
use super::record::{FlowKey, FlowSums};
use super::records::{FlowTally, Origin, Rows};
use super::table::{FlowTable, Gaps};
use super::text::Lines;
use super::{azure, columnar};
use crate::error::LogsError;
use crate::files;
use crate::inflate::Content;
use crate::trail::is_trail_file;

/// Bytes from which a file's kind is told.
const PROBE: usize = 4 << 10;

/// What one worker read.
#[derive(Debug)]
pub(crate) struct Reading {
    into: Into,
    notices: Notices,
    pub(crate) gaps: Gaps,
    files: usize,
}

/// What becomes of what is read.
#[derive(Debug)]
enum Into {
    Groups(Aggregator),
    Rows(Box<Rows>),
}

impl Reading {
    pub(crate) fn new(aggregator: Aggregator) -> Self {
        Self::into(Into::Groups(aggregator))
    }

    pub(crate) fn records(rows: Rows) -> Self {
        Self::into(Into::Rows(Box::new(rows)))
    }

    fn into(into: Into) -> Self {
        Self { into, notices: Notices::default(), gaps: Gaps::default(), files: 0 }
    }

    /// Takes a flow that stands at a line of a file.
    pub(crate) fn flow(
        &mut self,
        key: FlowKey,
        sums: FlowSums,
        origin: Origin<'_>,
        file: &str,
        line: u64,
    ) -> Result<(), LogsError> {
        match &mut self.into {
            Into::Groups(aggregator) => aggregator.add(key, sums),
            Into::Rows(_) => self.row(Some((&key, &sums)), origin, file, line),
        }
    }

    /// Takes a record that says that there is none.
    pub(crate) fn no_flow(&mut self, origin: Origin<'_>, file: &str, line: u64) -> Result<(), LogsError> {
        self.row(None, origin, file, line)
    }

    fn row(
        &mut self,
        flow: Option<(&FlowKey, &FlowSums)>,
        origin: Origin<'_>,
        file: &str,
        line: u64,
    ) -> Result<(), LogsError> {
        let Into::Rows(rows) = &mut self.into else { return Ok(()) };
        if let Some(column) = rows.take(flow, origin, file, line)? {
            let detail = || format!("{column} is no number, and null in the answer");
            self.notices.add(file, line, NoticeKind::UnreadField, detail);
        }
        Ok(())
    }

    /// Whether records are wanted with this column.
    pub(crate) fn wants(&self, column: u8) -> bool {
        matches!(&self.into, Into::Rows(rows) if rows.wants(column))
    }

    pub(crate) fn into_tally(self) -> FlowTally {
        FlowTally { gaps: self.gaps, notices: self.notices, files: self.files }
    }

    fn into_runs(self) -> Vec<Run> {
        match self.into {
            Into::Groups(aggregator) => aggregator.into_runs(),
            Into::Rows(_) => Vec::new(),
        }
    }

    pub(crate) fn notice(
        &mut self,
        file: &str,
        line: u64,
        kind: NoticeKind,
        detail: impl FnOnce() -> String,
    ) {
        self.notices.add(file, line, kind, detail);
    }

    #[cfg(test)]
    pub(crate) fn into_table(self) -> FlowTable {
        let (gaps, notices, files) = (self.gaps, self.notices.clone(), self.files);
        FlowTable::new(self.into_runs(), gaps, notices, files)
    }

    /// Notes that a file's content ends early.
    pub(crate) fn broken_off(&mut self, file: &str, line: u64, error: &io::Error) {
        let kind = match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                NoticeKind::CutOff
            }
            _ => NoticeKind::Unreadable,
        };
        self.notice(file, line, kind, || error.to_string());
    }
}

/// Reads every flow log below a directory: VPC flow logs of any version as text, gzip or Parquet, exports of CloudWatch
/// Logs, and Azure's VNet and NSG flow logs.
///
/// Memory is bounded: groups beyond some two million go to unnamed temporary files.
///
/// # Errors
/// When the directory cannot be listed or holds no files, or when temporary files cannot be written. What is wrong
/// with a log is part of the result.
pub fn flow_table(directory: &Path) -> Result<FlowTable, LogsError> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    read(directory, workers, || Aggregator::one_of(workers))
}

pub(crate) fn read(
    directory: &Path,
    workers: usize,
    aggregator: impl Fn() -> Aggregator + Sync,
) -> Result<FlowTable, LogsError> {
    let listing = files::list(directory)?;
    let files: Vec<&str> =
        listing.files.iter().map(String::as_str).filter(|path| !is_trail_file(path)).collect();
    if files.is_empty() {
        return Err(LogsError::Nothing { path: directory.display().to_string(), expected: "flow logs" });
    }
    let next = AtomicUsize::new(0);
    let finished: Mutex<Vec<Result<Reading, LogsError>>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _worker in 0..workers.clamp(1, files.len()) {
            scope.spawn(|| {
                let result = work(directory, &files, &next, Reading::new(aggregator()));
                finished.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
            });
        }
    });
    let finished = finished.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut notices = Notices::default();
    for (path, problem) in &listing.unreadable {
        notices.add(path, 0, NoticeKind::Unreadable, || problem.clone());
    }
    let mut gaps = Gaps::default();
    let mut runs: Vec<Run> = Vec::new();
    let mut count = 0;
    for reading in finished {
        let reading = reading?;
        gaps.add(&reading.gaps);
        count += reading.files;
        notices.merge(reading.notices.clone());
        runs.extend(reading.into_runs());
    }
    Ok(FlowTable::new(runs, gaps, notices, count))
}

fn work(
    directory: &Path,
    files: &[&str],
    next: &AtomicUsize,
    mut reading: Reading,
) -> Result<Reading, LogsError> {
    let mut lines = Lines::new();
    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        read_file(directory, file, &mut lines, &mut reading)?;
    }
    Ok(reading)
}

pub(crate) fn read_file(
    directory: &Path,
    file: &str,
    lines: &mut Lines,
    reading: &mut Reading,
) -> Result<(), LogsError> {
    let path = files::absolute(directory, file);
    let mut content = match Content::open(&path) {
        Ok(content) => content,
        Err(error) => {
            reading.notice(file, 0, NoticeKind::Unreadable, || error.to_string());
            return Ok(());
        }
    };
    let mut probe = vec![0; PROBE];
    let (filled, broken) = fill(&mut content, &mut probe);
    probe.truncate(filled);
    let kind = kind(&probe);
    let rest: Box<dyn Read> = match broken {
        Some(error) if filled == 0 => {
            reading.files += 1;
            reading.broken_off(file, 1, &error);
            return Ok(());
        }
        Some(error) => Box::new(Broken(Some(error))),
        None => Box::new(content),
    };
    let mut whole = io::Cursor::new(probe).chain(rest);
    match kind {
        Kind::Empty => {
            reading.files += 1;
            Ok(())
        }
        Kind::Parquet => {
            reading.files += 1;
            columnar::read(&path, file, reading)
        }
        Kind::Json => {
            if azure::read(BufReader::with_capacity(64 << 10, whole), file, reading)? {
                reading.files += 1;
            }
            Ok(())
        }
        Kind::Text => {
            reading.files += 1;
            lines.read(&mut whole, file, reading)
        }
        Kind::Other => {
            reading.notice(file, 0, NoticeKind::NoFlowLog, || "neither text, JSON nor Parquet".to_owned());
            Ok(())
        }
    }
}

/// Reads until the buffer is full or the content ends, in whatever way.
fn fill(content: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) {
        match content.read(free) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

/// Content that ended in an error: it is told to whoever reads on.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    Parquet,
    Json,
    Text,
    Other,
}

fn kind(probe: &[u8]) -> Kind {
    let probe = probe.strip_prefix(b"\xef\xbb\xbf").unwrap_or(probe);
    match probe.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Kind::Empty,
        Some(_) if probe.starts_with(b"PAR1") => Kind::Parquet,
        Some(b'{' | b'[') => Kind::Json,
        Some(_) if probe.contains(&0) => Kind::Other,
        Some(_) => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_kind_is_told_by_its_content() {
        for (probe, expected) in [
            (b"".as_slice(), Kind::Empty),
            (b" \n", Kind::Empty),
            (b"PAR1\0\0", Kind::Parquet),
            (b"\xef\xbb\xbf {\"records\":[", Kind::Json),
            (b"version account-id", Kind::Text),
            (b"\x7fELF\0", Kind::Other),
        ] {
            assert_eq!(kind(probe), expected);
        }
    }
}
