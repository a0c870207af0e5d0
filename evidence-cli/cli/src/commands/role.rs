//! `cadastre assess-role`: what a role could reach, before there is one.

use std::fs;
use std::path::Path;

use anyhow::Context;
use cadastre_assess::role::{Candidate, FlagVerdict, PolicyText, assess_role};
use cadastre_model::Timestamp;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::progress::Progress;

use crate::args::role::{AssessRole, RoleFormat};
use crate::exit::{Exit, FailOn};
use crate::terminal::{self, Terminal, inert};

/// Assesses the role.
pub(super) fn run(arguments: &AssessRole, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.declaration)?;
    let evidence = arguments.evidence.as_deref().map(Evidence::read).transpose()?;
    let candidate = Candidate {
        arn: arguments.arn.clone(),
        trust: document(&arguments.trust)?,
        policies: arguments.policy.iter().map(|path| document(path)).collect::<anyhow::Result<_>>()?,
        boundary: arguments.boundary.as_deref().map(document).transpose()?,
    };
    // Documents carry no date of their own, and the time of day must not change what is printed.
    let read_at = match &evidence {
        Some(evidence) => evidence.manifest().finished_at,
        None => Timestamp::from_seconds(0).context("the epoch is a time")?,
    };
    terminal.step("assessing the role");
    let assessment = assess_role(&candidate, &declaration, evidence.as_ref(), read_at)?;
    terminal.finish();
    terminal::print(&match arguments.format {
        RoleFormat::Json => serde_json::to_string_pretty(&assessment)? + "\n",
        RoleFormat::Md => inert(&assessment.markdown()),
    })?;
    let has = |verdict| assessment.flags.iter().any(|flag| flag.verdict == verdict);
    Ok(match arguments.fail_on {
        FailOn::Never | FailOn::Drift => Exit::Clean,
        FailOn::RedFlag | FailOn::Unproven if has(FlagVerdict::RedFlag) => Exit::RedFlag,
        FailOn::Unproven if has(FlagVerdict::Unproven) => Exit::Incomplete,
        FailOn::RedFlag | FailOn::Unproven => Exit::Clean,
    })
}

fn document(path: &Path) -> anyhow::Result<PolicyText> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(PolicyText { file: path.display().to_string(), text })
}
