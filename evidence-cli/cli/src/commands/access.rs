//! `cadastre access eval`: decisions in bulk, for oracles and scripts.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::num::NonZeroUsize;

use anyhow::Context;
use cadastre_access::batch;

use crate::args::access::{Access, Eval};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Runs `access eval`.
pub(super) fn run(arguments: &Access, terminal: &Terminal) -> anyhow::Result<Exit> {
    match arguments {
        Access::Eval(arguments) => eval(arguments, terminal),
    }
}

fn eval(arguments: &Eval, terminal: &Terminal) -> anyhow::Result<Exit> {
    let threads =
        arguments.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let mut output = BufWriter::new(io::stdout().lock());
    let summary = if arguments.cases.as_os_str() == "-" {
        batch::stream(BufReader::new(io::stdin()), &mut output, threads)
    } else {
        let name = arguments.cases.display();
        let file = File::open(&arguments.cases).with_context(|| format!("cannot read `{name}`"))?;
        batch::stream(BufReader::new(file), &mut output, threads)
    };
    let summary = match summary {
        Ok(summary) => summary,
        // Whoever reads the answers has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Clean),
        Err(error) => return Err(error).context("the cases could not be answered to the end"),
    };
    terminal.say(&format!(
        "{} cases: {} allow, {} deny, {} conditional, {} unknown",
        summary.cases, summary.allow, summary.deny, summary.conditional, summary.unknown
    ));
    if summary.malformed > 0 {
        terminal.error(&format!("{} lines are no case; their answers say why", summary.malformed));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Clean)
}
