//! `cadastre logs`: files that clouds left, read by themselves.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cadastre_logs::LogsError;
use cadastre_logs::flows::{self, CloudRanges, FlowTableOutcome, Naming, flow_table};
use cadastre_logs::query::NamingInput;
use cadastre_logs::trail::{PublicKeys, TrailOutcome, TrailWindow, verify_trail};
use cadastre_model::Timestamp;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::inventory::Inventory;
use cadastre_model::progress::Progress;

use super::{events, logs_query, logs_sql};
use crate::args::assess::TableFormat;
use crate::args::logs::{FlowTable, FlowTableFormat, Logs, VerifyTrail};
use crate::exit::{Exit, FailOn};
use crate::terminal::{self, Terminal};

/// Runs one of the verbs.
pub(super) fn run(arguments: &Logs, terminal: &Terminal) -> anyhow::Result<Exit> {
    match arguments {
        Logs::FlowTable(arguments) => flows(arguments, terminal),
        Logs::VerifyTrail(arguments) => trail(arguments, terminal),
        Logs::Activity(arguments) => events::activity(arguments, terminal),
        Logs::ReconcileKeys(arguments) => events::reconcile_keys(arguments, terminal),
        Logs::Query(arguments) => logs_query::query(arguments, terminal),
        Logs::Sql(arguments) => logs_sql::sql(arguments),
    }
}

fn flows(arguments: &FlowTable, terminal: &Terminal) -> anyhow::Result<Exit> {
    let naming = naming(arguments, terminal)?;
    terminal.step("reading flow logs");
    let mut table = flow_table(&arguments.directory)?;
    terminal.finish();
    let format = match arguments.format {
        FlowTableFormat::Table => flows::FlowTableFormat::Table,
        FlowTableFormat::Json => flows::FlowTableFormat::Json,
        FlowTableFormat::Csv => flows::FlowTableFormat::Csv,
    };
    match table.write(format, naming.as_ref(), &mut io::stdout().lock()) {
        // Whoever reads the table has seen enough.
        Err(LogsError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Clean),
        written => written?,
    }
    if table.outcome() == FlowTableOutcome::Complete {
        return Ok(Exit::Clean);
    }
    terminal.say(
        "the table is incomplete: some of the logs could not be used, or say that records were left out",
    );
    Ok(if arguments.fail_on == FailOn::Unproven { Exit::Incomplete } else { Exit::Clean })
}

/// What addresses are called, where a declaration says what belongs to the boundary.
fn naming(arguments: &FlowTable, terminal: &Terminal) -> anyhow::Result<Option<Naming>> {
    let Some(boundary) = &arguments.boundary else { return Ok(None) };
    let input = naming_input(boundary, arguments.evidence.as_deref(), &arguments.cloud_ranges, terminal)?;
    Ok(Some(input.naming()))
}

/// What names addresses, out of files.
pub(super) fn naming_input(
    boundary: &Path,
    evidence: Option<&Path>,
    cloud_ranges: &[PathBuf],
    terminal: &Terminal,
) -> anyhow::Result<NamingInput> {
    let declaration = Declaration::read(boundary)?;
    let mut assets = Vec::new();
    if let Some(directory) = evidence {
        terminal.step("reading and verifying the evidence");
        let evidence = Evidence::read(directory)?;
        assets = addresses(&cadastre_assess::inventory(evidence.records(), &declaration));
    }
    let mut ranges = CloudRanges::default();
    for file in cloud_ranges {
        ranges = ranges.and(CloudRanges::read(file)?);
    }
    Ok(NamingInput { declaration, assets, ranges })
}

/// The addresses of interfaces, by the instance behind each or its own id.
fn addresses(inventory: &Inventory) -> Vec<(IpAddr, String)> {
    let mut addresses = Vec::new();
    for interface in &inventory.interfaces {
        let name = interface.instance.clone().unwrap_or_else(|| interface.id.clone());
        let stated = interface.private_addresses.iter().chain(&interface.public_addresses);
        addresses.extend(stated.filter_map(|address| Some((address.parse().ok()?, name.clone()))));
    }
    addresses
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

pub(super) fn time(text: Option<&str>, option: &'static str) -> anyhow::Result<Option<Timestamp>> {
    text.map(|text| text.parse().context(option)).transpose()
}
