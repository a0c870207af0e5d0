//! `cadastre compare`: options side by side.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use cadastre_model::checklist::{Checklist, SCHEMA};
use cadastre_model::cost::CostShape;
use cadastre_report::{ComparedOption, Comparison};

use super::inputs;
use crate::args::assess::Inputs;
use crate::args::compare::{Compare, CompareFormat};
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// The largest checklist that is read, in bytes.
const MAXIMUM_BYTES: u64 = 256 << 20;

/// Judges what has to be judged, and prints the comparison.
pub(super) fn run(arguments: &Compare, terminal: &Terminal) -> anyhow::Result<Exit> {
    let mut options: Vec<(String, Checklist, Option<CostShape>)> = Vec::new();
    for path in &arguments.options {
        let (checklist, cost) = if path.is_dir() {
            let (checklist, cost) =
                judged(path, arguments.as_of.as_deref(), arguments.prices.clone(), terminal)?;
            (checklist, Some(cost))
        } else {
            (read(path)?, None)
        };
        options.push((name(path)?, checklist, cost));
    }
    terminal.finish();
    let mut seen = BTreeSet::new();
    if let Some((twice, ..)) = options.iter().find(|(name, ..)| !seen.insert(name.as_str())) {
        bail!("two options are called `{twice}`: rename a folder or file, so that they can be told apart");
    }
    let compared: Vec<ComparedOption<'_>> = options
        .iter()
        .map(|(name, checklist, cost)| ComparedOption { name, checklist, cost: cost.as_ref() })
        .collect();
    let comparison = Comparison::new(&compared);
    let text = match arguments.format {
        CompareFormat::Table => comparison.table(),
        CompareFormat::Json => serde_json::to_string_pretty(&comparison)? + "\n",
        CompareFormat::Markdown => comparison.markdown()?,
        CompareFormat::Html => comparison.html()?,
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

/// What an option is called: its folder or file, without the extension.
fn name(path: &Path) -> anyhow::Result<String> {
    let full = fs::canonicalize(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let name = if full.is_dir() { full.file_name() } else { full.file_stem() };
    Ok(name.map_or_else(|| full.display().to_string(), |name| name.to_string_lossy().into_owned()))
}

fn judged(
    folder: &Path,
    as_of: Option<&str>,
    prices: Option<PathBuf>,
    terminal: &Terminal,
) -> anyhow::Result<(Checklist, CostShape)> {
    let (boundary, evidence) = (folder.join("boundary.yaml"), folder.join("evidence"));
    ensure!(
        boundary.is_file() && evidence.is_dir(),
        "`{}` does not hold both boundary.yaml and evidence/",
        folder.display()
    );
    let inputs =
        Inputs { evidence, boundary, as_of: as_of.map(str::to_owned), policies: None, waivers: None, prices };
    let assessment = inputs::judge(&inputs, terminal)?.assessment;
    Ok((assessment.checklist, assessment.cost))
}

fn read(path: &Path) -> anyhow::Result<Checklist> {
    let cannot = || format!("cannot read `{}`", path.display());
    let size = fs::metadata(path).with_context(cannot)?.len();
    ensure!(size <= MAXIMUM_BYTES, "`{}` is larger than {MAXIMUM_BYTES} bytes", path.display());
    let text = fs::read_to_string(path).with_context(cannot)?;
    let checklist: Checklist = serde_json::from_str(&text)
        .with_context(|| format!("`{}` is no checklist of `cadastre check --format json`", path.display()))?;
    ensure!(
        checklist.schema == SCHEMA,
        "`{}`: schema is `{}`, and this version reads `{SCHEMA}`",
        path.display(),
        checklist.schema
    );
    Ok(checklist)
}
