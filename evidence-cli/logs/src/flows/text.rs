//! Text flow logs: lines out of a stream, with one buffer and no copies.

use std::io::{self, Read};

use super::format::Format;
use super::line::{self, Line, Rejected};
use super::notice::NoticeKind;
use super::read::Reading;
use super::records::Origin;
use crate::error::LogsError;

/// Bytes read at once. A line must fit twice, or it is longer than any record.
const BUFFER: usize = 512 << 10;

const LONGEST_LINE: usize = BUFFER / 2;

/// A buffer that is kept from one file to the next.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; BUFFER] }
    }

    /// Reads a whole text file.
    pub(crate) fn read(
        &mut self,
        content: &mut dyn Read,
        file: &str,
        reading: &mut Reading,
    ) -> Result<(), LogsError> {
        let mut state = State { format: None, line: 0 };
        let mut filled = 0;
        // The rest of a line that is too long is passed over.
        let mut skipping = false;
        loop {
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = match content.read(free) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // The last, unfinished line is not what was written, and is not used.
                    reading.broken_off(file, state.line + 1, &error);
                    return Ok(());
                }
            };
            if read == 0 {
                let rest = self.buffer.get(..filled).unwrap_or_default();
                if !rest.is_empty() && !skipping {
                    state.take(rest, file, reading)?;
                }
                return Ok(());
            }
            let end = filled + read;
            let fresh = self.buffer.get(filled..end).unwrap_or_default();
            let Some(last_newline) = memchr::memrchr(b'\n', fresh).map(|at| filled + at) else {
                filled = end;
                if filled >= LONGEST_LINE {
                    if !skipping {
                        reading.notice(file, state.line + 1, NoticeKind::TooLong, || {
                            format!("longer than {LONGEST_LINE} bytes")
                        });
                    }
                    skipping = true;
                    filled = 0;
                }
                continue;
            };
            let mut whole = self.buffer.get(..last_newline).unwrap_or_default();
            if skipping {
                state.line += 1;
                skipping = false;
                whole = memchr::memchr(b'\n', whole).and_then(|at| whole.get(at + 1..)).unwrap_or_default();
                if whole.is_empty() {
                    self.buffer.copy_within(last_newline + 1..end, 0);
                    filled = end - last_newline - 1;
                    continue;
                }
            }
            let mut begin = 0;
            for newline in memchr::memchr_iter(b'\n', whole).chain(std::iter::once(whole.len())) {
                state.take(whole.get(begin..newline).unwrap_or_default(), file, reading)?;
                begin = newline + 1;
            }
            self.buffer.copy_within(last_newline + 1..end, 0);
            filled = end - last_newline - 1;
        }
    }
}

struct State {
    format: Option<Format>,
    line: u64,
}

impl State {
    fn take(&mut self, text: &[u8], file: &str, reading: &mut Reading) -> Result<(), LogsError> {
        self.line += 1;
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            return Ok(());
        }
        let format = match &mut self.format {
            Some(format) => format,
            none => {
                let header = Format::header(text);
                let is_header = header.is_some();
                let format = none.insert(header.unwrap_or_else(Format::default_format));
                if is_header {
                    return Ok(());
                }
                format
            }
        };
        let rejected = match line::read(text, format) {
            Ok(line) => return use_line(line, Origin::Line(text, format), self.line, file, reading),
            Err(rejected) => rejected,
        };
        // Files that were put together hold headers in their midst, and exports of CloudWatch Logs put a time in front.
        if let Some(header) = Format::header(text) {
            self.format = Some(header);
            return Ok(());
        }
        if let Some(message) = exported(text)
            && let Ok(line) = line::read(message, format)
        {
            return use_line(line, Origin::Line(message, format), self.line, file, reading);
        }
        let Rejected { kind, detail } = rejected;
        reading.notice(file, self.line, kind, || detail);
        Ok(())
    }
}

fn use_line(
    line: Line,
    origin: Origin<'_>,
    number: u64,
    file: &str,
    reading: &mut Reading,
) -> Result<(), LogsError> {
    match line {
        Line::Flow { key, sums, skewed, mapped } => {
            if skewed {
                reading.notice(file, number, NoticeKind::ClockSkew, || "ends before it starts".to_owned());
            }
            if mapped {
                reading.notice(file, number, NoticeKind::MappedAddress, || "used as IPv4".to_owned());
            }
            return reading.flow(key, sums, origin, file, number);
        }
        Line::NoData => reading.gaps.nodata += 1,
        Line::SkipData => reading.gaps.skipdata += 1,
        Line::Unsaid => reading.gaps.unsaid += 1,
    }
    reading.no_flow(origin, file, number)
}

/// The message of a line that CloudWatch Logs exported: `2026-03-01T00:00:00.000Z MESSAGE` ("Exporting log data to
/// Amazon S3", Amazon CloudWatch Logs user guide).
fn exported(line: &[u8]) -> Option<&[u8]> {
    let (time, message) = line.split_at_checked(memchr::memchr(b' ', line)?)?;
    let is_time =
        time.len() >= 20 && time.get(4) == Some(&b'-') && time.get(10) == Some(&b'T') && time.ends_with(b"Z");
    if is_time { message.get(1..) } else { None }
}
