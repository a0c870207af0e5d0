//! `cadastre logs`: files that clouds left, read by themselves.

use anyhow::Context;
use cadastre_logs::trail::{PublicKeys, TrailOutcome, TrailWindow, verify_trail};
use cadastre_model::Timestamp;
use cadastre_model::progress::Progress;

use crate::args::assess::TableFormat;
use crate::args::logs::{Logs, VerifyTrail};
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// Runs one of the verbs.
pub(super) fn run(arguments: &Logs, terminal: &Terminal) -> anyhow::Result<Exit> {
    match arguments {
        Logs::VerifyTrail(arguments) => trail(arguments, terminal),
    }
}

fn trail(arguments: &VerifyTrail, terminal: &Terminal) -> anyhow::Result<Exit> {
    let keys = PublicKeys::read(&arguments.public_keys)?;
    let window = TrailWindow {
        from: time(arguments.from.as_deref(), "--from")?,
        to: time(arguments.to.as_deref(), "--to")?,
    };
    terminal.step("verifying digests and log files");
    let verification = verify_trail(&arguments.directory, &keys, window)?;
    terminal.finish();
    terminal::print(&match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&verification)? + "\n",
        TableFormat::Table => verification.table(),
    })?;
    Ok(match verification.outcome() {
        TrailOutcome::Valid => Exit::Clean,
        TrailOutcome::Wrong => Exit::RedFlag,
        TrailOutcome::Unproven => Exit::Incomplete,
    })
}

fn time(text: Option<&str>, option: &'static str) -> anyhow::Result<Option<Timestamp>> {
    text.map(|text| text.parse().context(option)).transpose()
}
