//! `cadastre drift`: what changed since a baseline, in terms of capabilities.

use std::path::Path;

use anyhow::{Context, bail};
use cadastre_gate::{DRIFT_SCHEMA, GateReport, Header};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::progress::Progress;
use cadastre_packet::{UncheckedPacket, VerifyOptions, verify};

use super::{gate, inputs, packet};
use crate::args::assess::Drift;
use crate::exit::{Exit, FailOn};
use crate::terminal::Terminal;

/// Compares the evidence with a baseline.
pub(super) fn run(arguments: &Drift, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.inputs.boundary)?;
    terminal.step("reading and verifying both sides");
    let before = baseline(arguments)?;
    let after = Evidence::read(&arguments.inputs.evidence)?;
    terminal.step("evaluating access and reachability");
    let graph = |evidence: &Evidence| cadastre_assess::boundary(evidence.records(), &declaration);
    let drift = cadastre_graph::diff(&graph(&before), &graph(&after));
    terminal.finish();
    let header = Header {
        schema: DRIFT_SCHEMA.to_owned(),
        boundary: declaration.name.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        as_of: inputs::as_of(arguments.inputs.as_of.as_deref())?.unwrap_or(after.manifest().finished_at),
        artifact: arguments.inputs.boundary.display().to_string(),
        baseline_root: before.manifest().merkle_root.clone(),
        evidence_root: after.manifest().merkle_root.clone(),
    };
    let report = GateReport::new(header, drift);
    let headline = match report.drift.len() {
        0 => "no drift: every capability is as it was".to_owned(),
        1 => "drift: 1 change since the baseline".to_owned(),
        count => format!("drift: {count} changes since the baseline"),
    };
    let report = gate::tell(report, &arguments.gate, &headline)?;
    let fails = arguments.fail_on != FailOn::Never && report.moved();
    Ok(if fails { Exit::Drift } else { Exit::Clean })
}

/// What was approved. A packet counts only when it verifies under a key that was named.
fn baseline(arguments: &Drift) -> anyhow::Result<Evidence> {
    let path: &Path = &arguments.baseline;
    if path.is_dir() {
        if !arguments.public_key.is_empty() {
            bail!(
                "--public-key is for a packet, and `{}` is a directory, which nobody signed",
                path.display()
            );
        }
        return Ok(Evidence::read(path)?);
    }
    if path.is_file() && arguments.public_key.is_empty() {
        bail!("`{}` is a packet: name who must have signed it with --public-key", path.display());
    }
    let keys = packet::public_keys(&arguments.public_key)?;
    let source = packet::open(path)?;
    let verified = UncheckedPacket::open(&source)
        .and_then(|packet| verify(packet, &keys, &VerifyOptions::default()))
        .with_context(|| format!("the baseline `{}` does not verify", path.display()))?;
    verified.evidence().with_context(|| format!("the baseline `{}` has no whole evidence", path.display()))
}
