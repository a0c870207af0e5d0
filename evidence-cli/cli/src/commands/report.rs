//! `cadastre report`: files that people attach.

use std::path::Path;

use anyhow::Context as _;
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
    let assessment = &judged.assessment;
    let frameworks: Vec<FrameworkStanding> =
        Framework::builtin()?.iter().map(|framework| framework.standing(&assessment.checklist)).collect();
    let input = ReportInput {
        declaration: &judged.declaration,
        evidence: &judged.evidence,
        inventory: &assessment.inventory,
        coverage: &assessment.coverage,
        access: &assessment.access,
        reachability: &assessment.reachability,
        graph: &assessment.graph,
        checklist: &assessment.checklist,
        frameworks: &frameworks,
    };
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut put = |name: &str, content: Vec<u8>| files.push((name.to_owned(), content));
    for format in formats {
        match format {
            ReportFormat::Html => {
                put("report.html", cadastre_report::html_with(&input, templates)?.into_bytes())
            }
            ReportFormat::Md => {
                put("report.md", cadastre_report::markdown_with(&input, templates)?.into_bytes())
            }
            ReportFormat::Svg => {
                put("boundary.svg", cadastre_report::diagram_svg(&assessment.graph).into_bytes())
            }
            ReportFormat::Json => {
                put("checklist.json", pretty(&assessment.checklist)?);
                put("graph.json", pretty(&assessment.graph)?);
            }
            ReportFormat::Xlsx => put("report.xlsx", cadastre_report::xlsx(&input)?),
            ReportFormat::Csv => {
                for (name, values) in cadastre_report::csv_files(&input)? {
                    put(&format!("csv/{name}"), values.into_bytes());
                }
            }
            ReportFormat::Oscal => {
                let results = cadastre_report::oscal(&assessment.checklist, &judged.evidence);
                put("oscal-assessment-results.json", pretty(&results)?);
                let definition = cadastre_report::component_definition(&input);
                put("oscal-component-definition.json", pretty(&definition)?);
            }
            ReportFormat::Cyclonedx => {
                put("cyclonedx.json", pretty(&cadastre_report::cyclonedx(&input))?);
            }
            ReportFormat::Pdf => put("report.pdf", pdf(&input)?),
            ReportFormat::Ocsf => {
                put("ocsf.json", pretty(&cadastre_report::ocsf(&assessment.checklist))?);
            }
            ReportFormat::Sarif => {
                put("cadastre.sarif", pretty(&cadastre_report::sarif(&assessment.checklist))?);
            }
            ReportFormat::Junit => {
                put("junit.xml", cadastre_report::junit(&assessment.checklist).into_bytes());
            }
        }
    }
    Ok(files)
}

/// The report as a document.
fn pdf(input: &ReportInput<'_>) -> anyhow::Result<Vec<u8>> {
    let data = cadastre_report::document(input)?;
    Ok(cadastre_pdf::pdf(&cadastre_pdf::Document {
        template: cadastre_pdf::TEMPLATE,
        data: &data,
        diagram: &cadastre_report::diagram_svg(input.graph),
        date: input.checklist.as_of,
        identity: &input.declaration.name,
        creator: concat!("cadastre ", env!("CARGO_PKG_VERSION")),
    })?)
}

fn pretty<T: serde::Serialize>(value: &T) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
