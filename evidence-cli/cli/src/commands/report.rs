//! `cadastre report`: files that people attach.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use cadastre_model::framework::FrameworkStanding;
use cadastre_policy::Framework;
use cadastre_report::{ReportInput, Templates};

use super::inputs::{self, Judged};
use super::output;
use crate::args::assess::{Report, ReportFormat};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Writes the reports.
pub(super) fn run(arguments: &Report, terminal: &Terminal) -> anyhow::Result<Exit> {
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    output::prepare(&arguments.output, arguments.force)?;
    let mut formats = arguments.format.clone();
    formats.sort_unstable();
    formats.dedup();
    let templates = templates(arguments.templates.as_deref())?;
    for path in put(render_with(&judged, &formats, &templates)?, &arguments.output)? {
        terminal.say(&format!("wrote {path}"));
    }
    Ok(Exit::of_checklist(&judged.assessment.checklist, arguments.fail_on))
}

/// The templates that are compiled in, those of a directory in their place.
fn templates(directory: Option<&Path>) -> anyhow::Result<Templates> {
    let mut templates = Templates::default();
    let Some(directory) = directory else { return Ok(templates) };
    let mut taken = 0;
    for name in Templates::names() {
        let path = directory.join(name);
        match std::fs::read_to_string(&path) {
            Ok(source) => {
                templates.replace(name, source).with_context(|| format!("in `{}`", directory.display()))?;
                taken += 1;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }
    let names: Vec<&str> = Templates::names().collect();
    anyhow::ensure!(taken > 0, "`{}` holds none of the templates: {}", directory.display(), names.join(", "));
    Ok(templates)
}

/// Writes the chosen formats and returns the paths.
///
/// # Errors
/// When a template fails or a file cannot be written.
pub(super) fn write(
    judged: &Judged,
    directory: &Path,
    formats: &[ReportFormat],
) -> anyhow::Result<Vec<String>> {
    put(render(judged, formats)?, directory)
}

/// Writes files and returns their paths.
fn put(files: Vec<(String, Vec<u8>)>, directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for (name, content) in files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            output::create_directory(parent)?;
        }
        output::write(&path, content)?;
        paths.push(path.display().to_string());
    }
    Ok(paths)
}

/// The chosen formats: the name of each file, `csv/controls.csv`, and its content.
///
/// # Errors
/// When a template fails.
pub(super) fn render(judged: &Judged, formats: &[ReportFormat]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    render_with(judged, formats, &Templates::default())
}

fn render_with(
    judged: &Judged,
    formats: &[ReportFormat],
    templates: &Templates,
) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let frameworks = frameworks(judged)?;
    let input = input(judged, &frameworks);
    std::thread::scope(|scope| {
        // The document takes about as long as everything else together.
        let document = formats.contains(&ReportFormat::Pdf).then(|| scope.spawn(|| pdf(&input)));
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for format in formats.iter().filter(|format| **format != ReportFormat::Pdf) {
            files.extend(written(*format, &input, templates)?);
        }
        if let Some(document) = document {
            let document = document.join().map_err(|_panic| anyhow!("the typesetter stopped"))?;
            files.push(("report.pdf".to_owned(), document?));
        }
        Ok(files)
    })
}

/// The files of one format that the typesetter does not set.
fn written(
    format: ReportFormat,
    input: &ReportInput<'_>,
    templates: &Templates,
) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let one = |name: &str, content: Vec<u8>| vec![(name.to_owned(), content)];
    let checklist = input.checklist;
    Ok(match format {
        ReportFormat::Html => one("report.html", cadastre_report::html_with(input, templates)?.into_bytes()),
        ReportFormat::Md => one("report.md", cadastre_report::markdown_with(input, templates)?.into_bytes()),
        ReportFormat::Svg => one("boundary.svg", cadastre_report::diagram_svg(input.graph).into_bytes()),
        ReportFormat::Json => vec![
            ("checklist.json".to_owned(), pretty(checklist)?),
            ("graph.json".to_owned(), pretty(input.graph)?),
        ],
        ReportFormat::Xlsx => one("report.xlsx", cadastre_report::xlsx(input)?),
        ReportFormat::Csv => {
            let files = cadastre_report::csv_files(input)?.into_iter();
            files.map(|(name, values)| (format!("csv/{name}"), values.into_bytes())).collect()
        }
        ReportFormat::Oscal => vec![
            (
                "oscal-assessment-results.json".to_owned(),
                pretty(&cadastre_report::oscal(checklist, input.evidence))?,
            ),
            (
                "oscal-component-definition.json".to_owned(),
                pretty(&cadastre_report::component_definition(input))?,
            ),
        ],
        ReportFormat::Cyclonedx => one("cyclonedx.json", pretty(&cadastre_report::cyclonedx(input))?),
        ReportFormat::Ocsf => one("ocsf.json", pretty(&cadastre_report::ocsf(checklist))?),
        ReportFormat::Sarif => one("cadastre.sarif", pretty(&cadastre_report::sarif(checklist))?),
        ReportFormat::Junit => one("junit.xml", cadastre_report::junit(checklist).into_bytes()),
        ReportFormat::Pdf => Vec::new(),
    })
}

/// The standing of every framework.
///
/// # Errors
/// When a framework that is compiled in cannot be read.
pub(super) fn frameworks(judged: &Judged) -> anyhow::Result<Vec<FrameworkStanding>> {
    let checklist = &judged.assessment.checklist;
    Ok(Framework::builtin()?.iter().map(|framework| framework.standing(checklist)).collect())
}

/// What reports are made of.
pub(super) fn input<'j>(judged: &'j Judged, frameworks: &'j [FrameworkStanding]) -> ReportInput<'j> {
    let assessment = &judged.assessment;
    ReportInput {
        declaration: &judged.declaration,
        evidence: &judged.evidence,
        inventory: &assessment.inventory,
        coverage: &assessment.coverage,
        access: &assessment.access,
        reachability: &assessment.reachability,
        usage: &assessment.usage,
        graph: &assessment.graph,
        checklist: &assessment.checklist,
        cost: Some(&assessment.cost),
        frameworks,
    }
}

/// Who wrote a document.
pub(super) const CREATOR: &str = concat!("cadastre ", env!("CARGO_PKG_VERSION"));

/// The report as a document.
fn pdf(input: &ReportInput<'_>) -> anyhow::Result<Vec<u8>> {
    let data = cadastre_report::document(input)?;
    Ok(cadastre_pdf::pdf(&cadastre_pdf::Document {
        template: cadastre_pdf::TEMPLATE,
        data: &data,
        diagram: &cadastre_report::diagram_svg(input.graph),
        date: input.checklist.as_of,
        identity: &input.declaration.name,
        creator: CREATOR,
    })?)
}

fn pretty<T: serde::Serialize>(value: &T) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
