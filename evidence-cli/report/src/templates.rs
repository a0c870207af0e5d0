//! The templates, and how they are rendered: strict, escaped, and with others' text made inert.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter};
use sha2::{Digest, Sha256};

use crate::error::ReportError;
use crate::text;

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../report-templates/", $name)))
    };
}

/// Every template by name.
const TEMPLATES: [(&str, &str); 20] = [
    template!("macros.html"),
    template!("marks.html"),
    template!("report.html"),
    template!("diagram.html"),
    template!("controls.html"),
    template!("report.md"),
    template!("sections/decision.html"),
    template!("sections/readiness.html"),
    template!("sections/diagram.html"),
    template!("sections/paths.html"),
    template!("sections/permissions.html"),
    template!("sections/flows.html"),
    template!("sections/keys.html"),
    template!("sections/kafka.html"),
    template!("sections/retention.html"),
    template!("sections/runbooks.html"),
    template!("sections/incidents.html"),
    template!("sections/frameworks.html"),
    template!("sections/coverage.html"),
    template!("sections/appendix.html"),
];

pub(crate) const REPORT_STYLE: &str = include_str!("../../../report-templates/report.css");
pub(crate) const DIAGRAM_STYLE: &str = include_str!("../../../report-templates/diagram.css");
pub(crate) const DIAGRAM_PAGE_STYLE: &str = include_str!("../../../report-templates/diagram-page.css");
pub(crate) const DIAGRAM_SCRIPT: &str = include_str!("../../../report-templates/diagram.js");
pub(crate) const VERIFICATION_SCRIPT: &str = include_str!("../../../report-templates/verification.js");
pub(crate) const SCRIPT: &str = include_str!("../../../report-templates/script.js");

/// Renders a template.
pub(crate) fn render(name: &str, context: Value) -> Result<String, ReportError> {
    let failed = |source| ReportError::Template { template: name.to_owned(), source };
    let environment = environment().map_err(failed)?;
    environment.get_template(name).and_then(|template| template.render(context)).map_err(failed)
}

/// The hash by which a content security policy admits an inline style or script (CSP Level 3, §2.3.1).
pub(crate) fn policy_hash(content: &str) -> String {
    STANDARD.encode(Sha256::digest(content.as_bytes()))
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".md") { AutoEscape::Custom("markdown".into()) } else { AutoEscape::Html }
    });
    environment.set_formatter(format);
    environment.add_filter("code", |text: String| Value::from_safe_string(text::markdown_code(&text)));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Writes a value: markup of ours as it is, everything else escaped for the format and inert.
fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    if value.is_safe() || value.kind() != ValueKind::String {
        if matches!(state.auto_escape(), AutoEscape::Custom(_)) {
            write!(out, "{value}").map_err(minijinja::Error::from)
        } else {
            escape_formatter(out, state, value)
        }
    } else {
        let text = value.as_str().unwrap_or_default();
        let escaped = match state.auto_escape() {
            AutoEscape::Custom(_) => text::markdown(text),
            _ => text::xml(text),
        };
        out.write_str(&escaped).map_err(minijinja::Error::from)
    }
}
