//! The report as one HTML file that needs nothing else.

use cadastre_model::graph::BoundaryGraph;
use minijinja::value::Serde;
use minijinja::{Value, context};

use crate::citations::Citations;
use crate::cost;
use crate::diagram;
use crate::error::ReportError;
use crate::input::ReportInput;
use crate::section::trails::Trails;
use crate::section::{
    appendix, coverage, decision, flows, frameworks, incidents, kafka, keys, paths, permissions, readiness,
    retention, runbooks, safeguards, usage, visibility,
};
use crate::templates::{
    self, DIAGRAM_PAGE_STYLE, DIAGRAM_SCRIPT, DIAGRAM_STYLE, REPORT_STYLE, SCRIPT, Templates,
};

/// The report as one self-contained HTML file: no network, no fonts, no script but the one whose hash its content
/// security policy names. The same input gives the same bytes.
///
/// # Errors
/// When a template cannot be rendered.
pub fn html(input: &ReportInput<'_>) -> Result<String, ReportError> {
    html_with(input, &Templates::default())
}

/// The same, by templates of the caller's.
///
/// # Errors
/// When a template cannot be rendered.
pub fn html_with(input: &ReportInput<'_>, templates: &Templates) -> Result<String, ReportError> {
    let mut citations = Citations::default();
    let picture = diagram::embedded(input.graph);
    let paths = paths::build(input.graph, &picture.boxes, &mut citations);
    let trails = Trails::new(input.graph, &picture.boxes, &paths.told);
    let readiness = readiness::build(input.checklist, &trails, &mut citations);
    let permissions = permissions::build(input.access, input.graph, &mut citations);
    let safeguards = safeguards::build(input.access, input.graph, &mut citations);
    let usage = usage::build(input, &mut citations);
    let flows = flows::build(input, &mut citations);
    let keys = keys::build(input, &mut citations);
    let kafka = kafka::build(input, &mut citations);
    let retention = retention::build(input, &mut citations);
    let runbooks = runbooks::build(input, &mut citations);
    let coverage = coverage::build(input, &mut citations);
    let appendix = appendix::build(input.evidence, citations.into_cited());
    let style = format!("\n{REPORT_STYLE}{DIAGRAM_STYLE}{}", picture.style);
    let script = format!("\n{SCRIPT}{DIAGRAM_SCRIPT}");
    templates.render(
        "report.html",
        context! {
            name => input.declaration.name.as_str(),
            decision => Value::from(Serde(&decision::build(input))),
            readiness => Value::from(Serde(&readiness)),
            paths => Value::from(Serde(&paths)),
            permissions => Value::from(Serde(&permissions)),
            safeguards => Value::from(Serde(&safeguards)),
            usage => Value::from(Serde(&usage)),
            flows => Value::from(Serde(&flows)),
            keys => Value::from(Serde(&keys)),
            kafka => Value::from(Serde(&kafka)),
            retention => Value::from(Serde(&retention)),
            runbooks => Value::from(Serde(&runbooks)),
            incidents => Value::from(Serde(&incidents::build(input))),
            frameworks => Value::from(Serde(&frameworks::build(input.frameworks))),
            visibility => Value::from(Serde(&visibility::build(input)?)),
            cost => input.cost.map(|shape| Value::from(Serde(&cost::section(shape)))),
            cost_plot => input.cost.map(|shape| Value::from_safe_string(cost::plot(shape))),
            coverage => Value::from(Serde(&coverage)),
            appendix => Value::from(Serde(&appendix)),
            controls => Value::from(Serde(&picture.controls)),
            diagram => Value::from_safe_string(picture.markup),
            style_hash => templates::policy_hash(&style),
            script_hash => templates::policy_hash(&script),
            style => Value::from_safe_string(style),
            script => Value::from_safe_string(script),
        },
    )
}

/// The boundary diagram as a page of its own, titled with the boundary's name.
///
/// # Errors
/// When the template cannot be rendered.
pub fn diagram_html(graph: &BoundaryGraph, name: &str) -> Result<String, ReportError> {
    let picture = diagram::embedded(graph);
    let style = format!("\n{DIAGRAM_PAGE_STYLE}{DIAGRAM_STYLE}{}", picture.style);
    let script = format!("\n{DIAGRAM_SCRIPT}");
    templates::render(
        "diagram.html",
        context! {
            name,
            controls => Value::from(Serde(&picture.controls)),
            diagram => Value::from_safe_string(picture.markup),
            style_hash => templates::policy_hash(&style),
            script_hash => templates::policy_hash(&script),
            style => Value::from_safe_string(style),
            script => Value::from_safe_string(script),
        },
    )
}
