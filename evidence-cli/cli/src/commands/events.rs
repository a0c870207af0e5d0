//! `cadastre logs activity` and `cadastre logs reconcile-keys`: what CloudTrail's events tell.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cadastre_logs::events::{
    Activity, ActivityRow, EventFiles, KeyLedger, KeyUse, Reconciliation, ReconciliationOutcome, read_events,
    reconcile,
};
use cadastre_logs::trail::{PublicKeys, TrailOutcome, TrailWindow, verify_trail};
use cadastre_model::declaration::Declaration;
use cadastre_model::progress::Progress;
use serde::Serialize;

use super::logs::time;
use crate::args::assess::TableFormat;
use crate::args::logs::{Activity as ActivityArguments, ReconcileKeys};
use crate::exit::{Exit, FailOn};
use crate::terminal::{self, Terminal, inert};

/// How many refusals are said one by one.
const SAID: usize = 20;

/// Both halves of an answer, as JSON shows them.
#[derive(Debug, Serialize)]
struct Answer<'a, T> {
    read: &'a EventFiles,
    #[serde(flatten)]
    answer: &'a T,
}

pub(super) fn activity(arguments: &ActivityArguments, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.boundary)?;
    let from = time(arguments.from.as_deref(), "--from")?;
    let to = time(arguments.to.as_deref(), "--to")?;
    let mut collector = Activity::collector(&declaration);
    terminal.step("reading events");
    let read = read_events(&arguments.directory, from, to, |event| collector.take(&event))?;
    terminal.finish();
    let activity = collector.finish();
    say_refusals(&read, terminal);
    terminal::print(&match arguments.format {
        TableFormat::Json => json(&read, &activity)?,
        TableFormat::Table => activity_table(&read, &activity),
    })?;
    let unexplained = activity.unexplained().next().is_some();
    Ok(match arguments.fail_on {
        FailOn::RedFlag | FailOn::Unproven if unexplained => Exit::RedFlag,
        FailOn::Unproven if !read.is_whole() || read.events == 0 => Exit::Incomplete,
        FailOn::RedFlag | FailOn::Unproven | FailOn::Drift | FailOn::Never => Exit::Clean,
    })
}

pub(super) fn reconcile_keys(arguments: &ReconcileKeys, terminal: &Terminal) -> anyhow::Result<Exit> {
    let ledger = KeyLedger::read(&arguments.ledger)?;
    let mut unproven = Vec::new();
    if let Some(keys) = &arguments.public_keys {
        terminal.step("verifying digests and log files");
        let verified = verify_trail(&arguments.trail, &PublicKeys::read(keys)?, TrailWindow::default())?;
        if verified.outcome() != TrailOutcome::Valid {
            unproven
                .push("the trail's digest chain is not valid: see `cadastre logs verify-trail`".to_owned());
        }
    }
    let mut uses = Vec::new();
    terminal.step("reading events");
    let read = read_events(&arguments.trail, None, None, |event| {
        if event.source == "kms.amazonaws.com" {
            uses.push(event);
        }
    })?;
    terminal.finish();
    say_refusals(&read, terminal);
    let keys: BTreeSet<String> = arguments.key.iter().cloned().collect();
    let mut result = reconcile(&[ledger], &uses, &read, &keys, arguments.skew);
    result.incomplete.append(&mut unproven);
    if arguments.public_keys.is_none() {
        terminal.say(
            "the digest chain was not verified: a file that somebody took away is not missed (--public-keys)",
        );
    }
    terminal::print(&match arguments.format {
        TableFormat::Json => json(&read, &result)?,
        TableFormat::Table => reconciliation_table(&result),
    })?;
    Ok(match result.outcome() {
        ReconciliationOutcome::Explained => Exit::Clean,
        ReconciliationOutcome::Unexplained => Exit::RedFlag,
        ReconciliationOutcome::Incomplete => Exit::Incomplete,
    })
}

fn json<T: Serialize>(read: &EventFiles, answer: &T) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&Answer { read, answer })? + "\n")
}

fn say_refusals(read: &EventFiles, terminal: &Terminal) {
    for refused in read.refusals.iter().take(SAID) {
        let place = refused.record.map(|record| format!(", record {record}")).unwrap_or_default();
        terminal.say(&inert(&format!("`{}`{place}: {}", refused.file, refused.problem)));
    }
    if read.refused > 0 {
        terminal.say(&format!("{} files or events could not be used", read.refused));
    }
}

fn activity_table(read: &EventFiles, activity: &Activity) -> String {
    let window = match (read.since, read.until) {
        (Some(since), Some(until)) => format!(" from {since} to {until}"),
        _ => String::new(),
    };
    let mut text = format!("{} events in {} files{window}\n", read.events, read.files);
    let parts: [(&str, &[ActivityRow]); 4] = [
        ("vendors", &activity.vendor),
        ("emergency access", &activity.break_glass),
        ("key uses", &activity.key_uses),
        ("policy changes", &activity.policy_changes),
    ];
    for (title, rows) in parts {
        let _infallible = writeln!(text, "\n{title}: {}", rows.len());
        for row in rows {
            let mut notes = String::new();
            if let Some(vendor) = &row.vendor {
                let function = row.function.as_deref().unwrap_or("UNEXPLAINED");
                let _infallible = write!(notes, " · {vendor}: {function}");
            }
            if let Some(error) = &row.error {
                let _infallible = write!(notes, " · refused: {error}");
            }
            let line = format!(
                "  {}× {} by {} on {}, {} to {}{notes}",
                row.count,
                row.action,
                row.principal,
                if row.target.is_empty() { "-" } else { &row.target },
                row.first,
                row.last
            );
            text.push_str(&inert(&line));
            text.push('\n');
        }
    }
    text
}

fn reconciliation_table(result: &Reconciliation) -> String {
    let mut text = format!(
        "{} uses on the trail, {} in the ledger, {} in both; {} entries outside the trail's window, {} uses of other keys\n",
        result.events, result.entries, result.matched, result.outside, result.other_keys
    );
    let parts: [(&str, &[KeyUse]); 3] = [
        ("unexplained", &result.unexplained),
        ("refused attempts", &result.attempts),
        ("in the ledger alone", &result.unseen),
    ];
    for (title, uses) in parts {
        for key_use in uses {
            let by =
                key_use.principal.as_ref().map(|principal| format!(" by {principal}")).unwrap_or_default();
            let line = format!(
                "{title}: {} {} with {}{by} ({}): {}",
                key_use.time, key_use.operation, key_use.key, key_use.reference, key_use.reason
            );
            text.push_str(&inert(&line));
            text.push('\n');
        }
    }
    for broken in &result.ledger_broken {
        let line = broken.record.unwrap_or_default();
        let problem = inert(&format!("`{}` line {line}: {}", broken.file, broken.problem));
        let _infallible = writeln!(text, "ledger broken: {problem}");
    }
    for missing in &result.incomplete {
        let _infallible = writeln!(text, "incomplete: {missing}");
    }
    text
}
