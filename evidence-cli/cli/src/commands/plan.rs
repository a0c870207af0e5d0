//! `cadastre plan`: what a Terraform plan would do to the boundary, before it is applied.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use cadastre_assess::{Options, assess};
use cadastre_gate::{GateReport, Header, Open, PLAN_SCHEMA};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::progress::Progress;
use cadastre_plan::Projection;
use cadastre_policy::PolicySet;

use super::{gate, inputs};
use crate::args::assess::{Inputs, Plan};
use crate::exit::{Exit, FailOn};
use crate::terminal::Terminal;

/// More than any plan that is read, in bytes; the parser's own limit is below.
const MAXIMUM_BYTES: u64 = 129 << 20;

/// Judges the plan.
pub(super) fn run(arguments: &Plan, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.boundary)?;
    let plan = cadastre_plan::Plan::parse(&read(&arguments.plan)?)
        .with_context(|| format!("`{}` was refused", arguments.plan.display()))?;
    terminal.step("reading and verifying the evidence");
    let scanned = arguments.evidence.as_deref().map(Evidence::read).transpose()?;
    let asked = inputs::as_of(arguments.as_of.as_deref())?;
    let at = match (&scanned, asked, plan.made_at()) {
        (Some(evidence), ..) => evidence.manifest().finished_at,
        (None, Some(asked), _) => asked,
        (None, None, Some(made_at)) => made_at,
        (None, None, None) => bail!("the plan does not say when it was made: give --as-of or --evidence"),
    };
    let projection = plan.project(scanned.as_ref(), &declaration, at)?;
    let accepting = cadastre_plan::Plan::accepted_by(&declaration);
    let like_check = Inputs {
        evidence: arguments.evidence.clone().unwrap_or_default(),
        boundary: arguments.boundary.clone(),
        as_of: None,
        policies: None,
        waivers: arguments.waivers.clone(),
        prices: None,
    };
    let options = Options {
        as_of: Some(asked.unwrap_or(at)),
        policies: Some(match &arguments.policies {
            Some(directory) => inputs::policies(directory)?,
            None => PolicySet::builtin()?,
        }),
        waivers: inputs::waivers(&like_check)?.waivers,
        is_ahead: true,
        ..Options::default()
    };
    terminal.step("evaluating access, reachability and controls as they are");
    let before = assess(&projection.before, &accepting, &options)?;
    terminal.step("and as they would be");
    let after = assess(&projection.after, &accepting, &options)?;
    terminal.finish();
    for error in &after.errors {
        terminal.warn(&format!("{} could not be evaluated: {}", error.control, error.message));
    }
    let header = Header {
        schema: PLAN_SCHEMA.to_owned(),
        boundary: declaration.name.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        as_of: asked.unwrap_or(at),
        artifact: arguments.plan.display().to_string(),
        baseline_root: projection.before.manifest().merkle_root.clone(),
        evidence_root: projection.after.manifest().merkle_root.clone(),
    };
    let (unresolved, not_examined) = open(&projection);
    let report = GateReport::new(header, cadastre_graph::diff(&before.graph, &after.graph))
        .with_findings(&before.checklist, &after.checklist)
        .with_open(unresolved, not_examined);
    let report =
        gate::tell(report, &arguments.gate, &headline(&projection, &before.checklist, &after.checklist))?;
    if scanned.is_none() {
        terminal.say("judged without a scan: only what the plan shows is seen; --evidence adds the rest");
    }
    Ok(exit(&report, arguments.fail_on))
}

fn exit(report: &GateReport, fail_on: FailOn) -> Exit {
    match fail_on {
        FailOn::Never => Exit::Clean,
        _ if report.is_red() => Exit::RedFlag,
        FailOn::Drift if report.moved() => Exit::Drift,
        FailOn::Unproven if report.is_open() => Exit::Incomplete,
        FailOn::RedFlag | FailOn::Drift | FailOn::Unproven => Exit::Clean,
    }
}

fn headline(
    projection: &Projection,
    before: &cadastre_model::checklist::Checklist,
    after: &cadastre_model::checklist::Checklist,
) -> String {
    let red = |checklist: &cadastre_model::checklist::Checklist| {
        checklist.summary.get("red-flag").copied().unwrap_or_default()
    };
    format!(
        "{} resources change; {} controls are red before, {} after",
        projection.changes,
        red(before),
        red(after)
    )
}

fn open(projection: &Projection) -> (Vec<Open>, Vec<Open>) {
    let unresolved = projection.unresolved.iter().map(|entry| Open {
        address: entry.address.clone(),
        what: entry.argument.clone(),
        reason: format!("leaves open {} of {}", entry.operation, entry.subject),
    });
    let not_examined = projection.not_examined.iter().map(|entry| Open {
        address: entry.address.clone(),
        what: entry.kind.clone(),
        reason: entry.reason.clone(),
    });
    (unresolved.collect(), not_examined.collect())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let cannot = || format!("cannot read `{}`", path.display());
    if path == Path::new("-") {
        std::io::stdin().lock().take(MAXIMUM_BYTES).read_to_end(&mut bytes).with_context(cannot)?;
    } else {
        let file = File::open(path).with_context(cannot)?;
        file.take(MAXIMUM_BYTES).read_to_end(&mut bytes).with_context(cannot)?;
    }
    Ok(bytes)
}
