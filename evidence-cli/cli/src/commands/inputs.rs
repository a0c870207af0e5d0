//! Reading evidence, declaration and policies, and assessing them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cadastre_assess::waivers::WaiverFile;
use cadastre_assess::{Assessment, Options, assess};
use cadastre_cost::Prices;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::{Clock, SystemClock, Timestamp};
use cadastre_policy::{PolicySet, Waiver};

use crate::args::assess::Inputs;
use crate::terminal::Terminal;
use cadastre_model::progress::Progress;

/// What a judging command works on.
#[derive(Debug)]
pub(super) struct Judged {
    /// The declaration.
    pub declaration: Declaration,
    /// The verified evidence.
    pub evidence: Evidence,
    /// Everything that follows.
    pub assessment: Assessment,
}

/// Reads everything and assesses it.
///
/// # Errors
/// When an input is refused.
pub(super) fn judge(inputs: &Inputs, terminal: &Terminal) -> anyhow::Result<Judged> {
    assess_with(&inputs.evidence, inputs, false, waivers(inputs)?.waivers, terminal)
}

/// What policies see as `input`.
///
/// # Errors
/// When an input is refused.
pub(super) fn policy_input(
    inputs: &Inputs,
    terminal: &Terminal,
) -> anyhow::Result<Option<serde_json::Value>> {
    Ok(assess_with(&inputs.evidence, inputs, true, waivers(inputs)?.waivers, terminal)?.assessment.input)
}

/// The same with nothing accepted: findings say what they say by themselves, which is what a waiver is bound to.
///
/// # Errors
/// When an input is refused.
pub(super) fn judge_without_waivers(inputs: &Inputs, terminal: &Terminal) -> anyhow::Result<Judged> {
    assess_with(&inputs.evidence, inputs, false, Vec::new(), terminal)
}

fn assess_with(
    evidence: &Path,
    inputs: &Inputs,
    keep_input: bool,
    waivers: Vec<Waiver>,
    terminal: &Terminal,
) -> anyhow::Result<Judged> {
    let declaration = Declaration::read(&inputs.boundary)?;
    terminal.step("reading and verifying the evidence");
    let evidence = Evidence::read(evidence)?;
    let as_of = as_of(inputs.as_of.as_deref())?;
    let options = Options {
        as_of,
        policies: inputs.policies.as_deref().map(policies).transpose()?,
        waivers,
        prices: inputs.prices.as_deref().map(Prices::read).transpose()?,
        keep_input,
        is_ahead: false,
    };
    assessed(declaration, evidence, &options, terminal)
}

/// Assesses what was read.
///
/// # Errors
/// When a policy cannot be evaluated at all.
pub(super) fn assessed(
    declaration: Declaration,
    evidence: Evidence,
    options: &Options,
    terminal: &Terminal,
) -> anyhow::Result<Judged> {
    terminal.step("evaluating access, reachability and controls");
    let assessment = assess(&evidence, &declaration, options)?;
    for error in &assessment.errors {
        terminal.warn(&format!("{} could not be evaluated: {}", error.control, error.message));
    }
    Ok(Judged { declaration, evidence, assessment })
}

/// Where accepted findings are kept: the file that was named, or `waivers.yaml` beside the declaration.
#[must_use]
pub(super) fn waiver_path(inputs: &Inputs) -> PathBuf {
    inputs.waivers.clone().unwrap_or_else(|| inputs.boundary.with_file_name("waivers.yaml"))
}

/// The accepted findings. A file that was not named may be missing; one that was named may not.
///
/// # Errors
/// When the file cannot be read or is refused.
pub(super) fn waivers(inputs: &Inputs) -> anyhow::Result<WaiverFile> {
    let path = waiver_path(inputs);
    if inputs.waivers.is_none() && !path.exists() {
        return Ok(WaiverFile::empty());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(WaiverFile::parse(&text, &path.display().to_string())?)
}

/// The time that `--as-of` names.
///
/// # Errors
/// When it is no time.
pub(super) fn as_of(text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    match text {
        None => Ok(None),
        Some("now") => Ok(Some(SystemClock.now().truncated_to_seconds())),
        Some(text) => Ok(Some(text.parse().context("--as-of")?)),
    }
}

/// The built-in policies with those of a directory laid over them.
///
/// # Errors
/// When a file cannot be read or a policy is refused.
pub(super) fn policies(directory: &Path) -> anyhow::Result<PolicySet> {
    let mut files = Vec::new();
    gather(directory, directory, &mut files)?;
    if files.is_empty() {
        bail!("`{}` holds no .rego file", directory.display());
    }
    files.sort();
    Ok(PolicySet::from_files(files)?)
}

fn gather(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    let cannot = || format!("cannot read `{}`", directory.display());
    for entry in fs::read_dir(directory).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.is_dir() {
            gather(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rego") {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.push((name, text));
        }
    }
    Ok(())
}
