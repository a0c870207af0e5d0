//! What every program of the engine does with a request: reads it, writes the answer, says what could not be used.

#![expect(clippy::print_stderr, reason = "what could not be used is said on standard error")]

use std::io::{self, BufWriter, IsTerminal as _, Read as _, StdoutLock, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use cadastre_logs::query::QueryRequest;

use crate::error::QueryError;
use crate::run::Read;
use crate::tally::TableRead;

/// The largest request that is read, in bytes: a declaration, and ranges that clouds publish.
const LARGEST_REQUEST: u64 = 64 << 20;

/// How many complaints of a table are said one by one.
const SAID: usize = 20;

/// Something could not be used.
const INCOMPLETE: u8 = 4;

/// Standard output, as answers are written to it.
pub type Out = BufWriter<StdoutLock<'static>>;

/// Answers the request on standard input.
///
/// # Errors
/// When there is none, or no answer to it.
pub fn serve(
    answer: impl FnOnce(&QueryRequest, &mut Out) -> Result<Read, QueryError>,
) -> anyhow::Result<ExitCode> {
    if io::stdin().is_terminal() {
        bail!("there is no request on standard input: `cadastre logs query` writes one");
    }
    let mut text = Vec::new();
    io::stdin().lock().take(LARGEST_REQUEST).read_to_end(&mut text).context("cannot read the request")?;
    let request: QueryRequest =
        serde_json::from_slice(&text).context("standard input is no request of `cadastre logs query`")?;
    let mut out = BufWriter::new(io::stdout().lock());
    let read = match answer(&request, &mut out) {
        // Whoever reads the answer has seen enough.
        Err(QueryError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(ExitCode::SUCCESS);
        }
        answered => answered?,
    };
    out.flush().context("cannot write the answer")?;
    for (table, read) in &read {
        let (lines, all) = read.complaints();
        for line in lines.iter().take(SAID) {
            eprintln!("{table}: {line}");
        }
        let said = u64::try_from(lines.len().min(SAID)).unwrap_or(all);
        if all > said {
            eprintln!("{table}: and {} more", all - said);
        }
    }
    let whole = read.values().all(TableRead::is_whole);
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}
