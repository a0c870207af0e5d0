//! `cadastre answer`: fills in a questionnaire from verdicts, and leaves honest blanks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cadastre_model::framework::FrameworkStanding;
use cadastre_policy::Framework;
use cadastre_questionnaire::{
    Answers, Columns, Entry, Format, MAXIMUM_BYTES, Outcome, QuestionMap, fill, reasons_csv,
};

use super::{inputs, output};
use crate::args::assess::{Answer, TableFormat};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns};

/// The largest map file that is read, in bytes.
const MAXIMUM_MAP: u64 = 4 << 20;

/// Fills in the questionnaire.
pub(super) fn run(arguments: &Answer, terminal: &Terminal) -> anyhow::Result<Exit> {
    let format = format_of(&arguments.questionnaire)?;
    if format_of(&arguments.output)? != format {
        bail!("--output has another format than the questionnaire: it is filled in, not converted");
    }
    if fs::exists(&arguments.output)? {
        bail!("`{}` exists", arguments.output.display());
    }
    let bytes = bounded(&arguments.questionnaire, MAXIMUM_BYTES as u64)?;
    let map = match &arguments.map {
        Some(path) => {
            let text = String::from_utf8(bounded(path, MAXIMUM_MAP)?)
                .with_context(|| format!("`{}` is not UTF-8", path.display()))?;
            QuestionMap::parse(&text, &path.display().to_string())?
        }
        None => QuestionMap::default(),
    };
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let checklist = &judged.assessment.checklist;
    let frameworks = Framework::builtin()?;
    for id in &arguments.framework {
        if !frameworks.iter().any(|framework| framework.id == *id) {
            let known: Vec<&str> = frameworks.iter().map(|framework| framework.id.as_str()).collect();
            bail!("there is no framework `{id}`: {}", known.join(", "));
        }
    }
    let standings: Vec<FrameworkStanding> = frameworks
        .iter()
        .filter(|framework| arguments.framework.is_empty() || arguments.framework.contains(&framework.id))
        .map(|framework| framework.standing(checklist))
        .collect();
    let named = Columns {
        sheet: arguments.sheet.clone(),
        id: arguments.id_column.clone(),
        answer: arguments.answer_column.clone(),
        explanation: arguments.explanation_column.clone(),
        evidence: None,
        date: None,
    };
    let answers = Answers::new(checklist, &standings, &map, arguments.overwrite);
    let filled = fill(&bytes, format, &named, &answers)
        .with_context(|| format!("`{}` was refused", arguments.questionnaire.display()))?;
    output::write(&arguments.output, &filled.bytes)?;
    let reasons = reasons_path(&arguments.output);
    output::write(&reasons, reasons_csv(&filled.entries)?)?;
    terminal::print(&match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&filled.entries)? + "\n",
        TableFormat::Table => summary(&filled.entries),
    })?;
    terminal.say(&format!("wrote {} and {}", arguments.output.display(), reasons.display()));
    Ok(Exit::Clean)
}

/// `answered.xlsx.reasons.csv`
fn reasons_path(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".reasons.csv");
    output.with_file_name(name)
}

fn format_of(path: &Path) -> anyhow::Result<Format> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "xlsx" => Ok(Format::Xlsx),
        "csv" => Ok(Format::Csv),
        "yaml" | "yml" => Ok(Format::Yaml),
        _ => bail!("`{}` is none of .xlsx, .csv and .yaml", path.display()),
    }
}

fn bounded(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(cannot)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(cannot)?;
    if bytes.len() as u64 > limit {
        bail!("`{}` is larger than {limit} bytes", path.display());
    }
    Ok(bytes)
}

/// How many questions got which answer.
fn summary(entries: &[Entry]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        let said = match &entry.outcome {
            Outcome::Answered { answer, .. } => answer.as_str(),
            Outcome::Blank { .. } => "left blank",
        };
        *counts.entry(said).or_default() += 1;
    }
    let mut rows: Vec<Vec<String>> =
        counts.into_iter().map(|(said, count)| vec![said.to_owned(), count.to_string()]).collect();
    rows.push(vec!["questions".to_owned(), entries.len().to_string()]);
    columns(&rows)
}
