//! Cases from a reader, answers to a writer, in order, on several threads.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::batch::Evaluator;
use crate::batch::answer::{Answer, Outcome};

/// How many bytes of lines make one piece of work.
const PIECE: usize = 256 * 1024;

/// The longest line that is read, in bytes.
pub(crate) const MAXIMUM_LINE: usize = 4 * 1024 * 1024;

/// How many pieces each thread may be ahead of the writer.
const AHEAD: usize = 4;

/// What became of a stream of cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Cases that were answered, malformed ones aside.
    pub cases: u64,
    /// Lines that are no case; each has its answer line.
    pub malformed: u64,
    /// Cases that are allowed.
    pub allow: u64,
    /// Cases that are denied.
    pub deny: u64,
    /// Cases that are allowed under a condition.
    pub conditional: u64,
    /// Cases that cannot be decided.
    pub unknown: u64,
}

impl Summary {
    const fn count(&mut self, answer: &Answer) {
        if answer.error.is_some() {
            self.malformed += 1;
            return;
        }
        self.cases += 1;
        match answer.decision {
            Outcome::Allow => self.allow += 1,
            Outcome::Deny => self.deny += 1,
            Outcome::Conditional => self.conditional += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }

    const fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.malformed += other.malformed;
        self.allow += other.allow;
        self.deny += other.deny;
        self.conditional += other.conditional;
        self.unknown += other.unknown;
    }
}

/// Some lines to be answered together.
struct Piece {
    order: u64,
    /// The number of its first line, from 1.
    first: u64,
    lines: Vec<Line>,
}

enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// The answers to a piece.
struct Answered {
    order: u64,
    text: Vec<u8>,
    summary: Summary,
}

/// Reads one case a line and writes one answer a line, in the same order, on `threads` threads.
///
/// Empty lines are passed over. A line that is no case, or longer than 4 MiB, is answered `unknown` with its error.
///
/// # Errors
///
/// When reading or writing fails; answers written so far stand.
pub fn stream(
    mut input: impl BufRead + Send,
    output: &mut impl Write,
    threads: NonZeroUsize,
) -> io::Result<Summary> {
    let (work, waiting) = sync_channel::<Piece>(threads.get());
    let waiting = Mutex::new(waiting);
    let (done, finished) = channel::<Answered>();
    let (permit, permits) = channel::<()>();
    for _ in 0..threads.get() * AHEAD {
        // The receiver lives as long as this function.
        let _ = permit.send(());
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read(&mut input, &work, &permits));
        for _ in 0..threads.get() {
            let done = done.clone();
            let waiting = &waiting;
            scope.spawn(move || {
                let mut evaluator = Evaluator::default();
                loop {
                    let piece = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(piece) = piece else { return };
                    if done.send(answer(&mut evaluator, piece)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let written = write(output, finished, permit);
        let read = reader.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread stopped")));
        let summary = written?;
        read?;
        output.flush()?;
        Ok(summary)
    })
}

/// Cuts the input into pieces; stops quietly when nobody wants more.
fn read(input: &mut impl BufRead, work: &SyncSender<Piece>, permits: &Receiver<()>) -> io::Result<()> {
    let mut line_number = 1;
    for order in 0.. {
        let mut piece = Piece { order, first: line_number, lines: Vec::new() };
        let mut bytes = 0;
        while bytes < PIECE
            && let Some(line) = read_line(input)?
        {
            bytes += match &line {
                Line::Text(text) => text.len() + 1,
                Line::TooLong => PIECE,
            };
            piece.lines.push(line);
        }
        if piece.lines.is_empty() {
            return Ok(());
        }
        line_number += piece.lines.len() as u64;
        if permits.recv().is_err() || work.send(piece).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The next line without its end; of one that is too long nothing is kept.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut text = Vec::new();
    let mut too_long = false;
    let mut any = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            break;
        }
        any = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        if text.len() + part.len() > MAXIMUM_LINE {
            too_long = true;
            text = Vec::new();
        } else if !too_long {
            text.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(any.then_some(if too_long { Line::TooLong } else { Line::Text(text) }))
}

fn answer(evaluator: &mut Evaluator, piece: Piece) -> Answered {
    let mut text = Vec::with_capacity(piece.lines.len() * 96);
    let mut summary = Summary::default();
    for (line, number) in piece.lines.iter().zip(piece.first..) {
        let answer = match line {
            Line::Text(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
            Line::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(line) => evaluator.answer_line(line, number),
                Err(error) => Answer::refused(serde_json::Value::Null, number, &error),
            },
            Line::TooLong => Answer::refused(
                serde_json::Value::Null,
                number,
                &format_args!("longer than {MAXIMUM_LINE} bytes"),
            ),
        };
        summary.count(&answer);
        // Neither the answer nor a vector can refuse to be written.
        if serde_json::to_writer(&mut text, &answer).is_ok() {
            text.push(b'\n');
        }
    }
    Answered { order: piece.order, text, summary }
}

/// Writes answers in the order of their pieces, and lets the reader go on for each.
fn write(
    output: &mut impl Write,
    finished: Receiver<Answered>,
    permit: std::sync::mpsc::Sender<()>,
) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut early = BTreeMap::new();
    let mut next = 0;
    for answered in finished {
        early.insert(answered.order, answered);
        while let Some(answered) = early.remove(&next) {
            output.write_all(&answered.text)?;
            summary.add(&answered.summary);
            next += 1;
            // The reader may have finished.
            let _ = permit.send(());
        }
    }
    Ok(summary)
}
