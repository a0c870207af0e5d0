//! The templates, and how they are rendered: strict, escaped, and with others' text made inert.

use std::collections::BTreeMap;

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
const TEMPLATES: [(&str, &str); 26] = [
    template!("macros.html"),
    template!("marks.html"),
    template!("report.html"),
    template!("diagram.html"),
    template!("controls.html"),
    template!("report.md"),
    template!("comparison.html"),
    template!("comparison.md"),
    template!("sections/decision.html"),
    template!("sections/readiness.html"),
    template!("sections/diagram.html"),
    template!("sections/paths.html"),
    template!("sections/permissions.html"),
    template!("sections/safeguards.html"),
    template!("sections/usage.html"),
    template!("sections/flows.html"),
    template!("sections/keys.html"),
    template!("sections/kafka.html"),
    template!("sections/retention.html"),
    template!("sections/runbooks.html"),
    template!("sections/incidents.html"),
    template!("sections/frameworks.html"),
    template!("sections/cost.html"),
    template!("sections/visibility.html"),
    template!("sections/coverage.html"),
    template!("sections/appendix.html"),
];

pub(crate) const REPORT_STYLE: &str = include_str!("../../../report-templates/report.css");
pub(crate) const DIAGRAM_STYLE: &str = include_str!("../../../report-templates/diagram.css");
pub(crate) const DIAGRAM_PAGE_STYLE: &str = include_str!("../../../report-templates/diagram-page.css");
pub(crate) const DIAGRAM_SCRIPT: &str = include_str!("../../../report-templates/diagram.js");
pub(crate) const VERIFICATION_SCRIPT: &str = include_str!("../../../report-templates/verification.js");
pub(crate) const SCRIPT: &str = include_str!("../../../report-templates/script.js");

/// The largest template that is taken, in bytes.
const LARGEST: usize = 1 << 20;

/// The templates that are compiled in, some of them replaced by others.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    replaced: BTreeMap<&'static str, String>,
}

impl Templates {
    /// The names of all templates, as they lie under `report-templates/`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TEMPLATES.into_iter().map(|(name, _)| name)
    }

    /// Takes another source for a template.
    ///
    /// # Errors
    /// [`ReportError::UnknownTemplate`] when nothing is rendered by that name, [`ReportError::TemplateTooLarge`]
    /// above 1 MiB, [`ReportError::Template`] when the source is no template.
    pub fn replace(&mut self, name: &str, source: String) -> Result<(), ReportError> {
        let known = Self::names().find(|known| *known == name);
        let known = known.ok_or_else(|| ReportError::UnknownTemplate(name.to_owned()))?;
        if source.len() > LARGEST {
            return Err(ReportError::TemplateTooLarge(name.to_owned()));
        }
        self.replaced.insert(known, source);
        self.environment().map(drop)
    }

    /// Renders a template.
    pub(crate) fn render(&self, name: &str, context: Value) -> Result<String, ReportError> {
        self.environment()?
            .get_template(name)
            .and_then(|template| template.render(context))
            .map_err(|error| failed(name, error))
    }

    fn environment(&self) -> Result<Environment<'_>, ReportError> {
        let mut environment = environment().map_err(|error| failed("", error))?;
        for (name, builtin) in TEMPLATES {
            let source = self.replaced.get(name).map_or(builtin, String::as_str);
            environment.add_template(name, source).map_err(|error| failed(name, error))?;
        }
        Ok(environment)
    }
}

/// Says where a template failed: file, line, and the expression that has no value.
fn failed(name: &str, error: minijinja::Error) -> ReportError {
    let file = error.name().unwrap_or(name).to_owned();
    let expression = error.range().and_then(|range| error.template_source()?.get(range)).map(str::trim);
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let at = expression
        .filter(|text| !text.is_empty())
        .map_or_else(String::new, |text| format!(" at `{}`", text::head(text, 200)));
    ReportError::Template { place: format!("{file}{line}{at}"), source: error }
}

/// Renders a template that is compiled in.
pub(crate) fn render(name: &str, context: Value) -> Result<String, ReportError> {
    Templates::default().render(name, context)
}

/// The hash by which a content security policy admits an inline style or script (CSP Level 3, §2.3.1).
pub(crate) fn policy_hash(content: &str) -> String {
    STANDARD.encode(Sha256::digest(content.as_bytes()))
}

fn environment<'t>() -> Result<Environment<'t>, minijinja::Error> {
    let mut environment = Environment::new();
    // So that an error knows which expression it is about.
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".md") { AutoEscape::Custom("markdown".into()) } else { AutoEscape::Html }
    });
    environment.set_formatter(format);
    environment.add_filter("code", |text: String| Value::from_safe_string(text::markdown_code(&text)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let mut templates = Templates::default();
        let error = match templates.replace("sections/frameworks.html", source.to_owned()) {
            Err(error) => error,
            Ok(()) => {
                let context = minijinja::context! { frameworks => Vec::<String>::new() };
                templates.render("sections/frameworks.html", context).unwrap_err()
            }
        };
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_broken_template_is_told_by_file_line_and_variable() {
        check(
            "<p>\n{{ decisions.headline }}</p>",
            "the template cannot be rendered: sections/frameworks.html:2 at `decisions.headline`",
        );
        check("\n\n{% for x in y %}", "the template cannot be rendered: sections/frameworks.html:3 at `%}`");
        check(
            "<p>{{ frameworks|nosuch }}</p>",
            "the template cannot be rendered: sections/frameworks.html:1 at `nosuch`",
        );
    }

    #[test]
    fn only_templates_that_are_rendered_can_be_replaced() {
        let mut templates = Templates::default();
        let unknown = templates.replace("sections/nosuch.html", String::new()).unwrap_err();
        assert!(matches!(unknown, ReportError::UnknownTemplate(_)), "{unknown}");
        let large = templates.replace("report.md", " ".repeat(LARGEST + 1)).unwrap_err();
        assert!(matches!(large, ReportError::TemplateTooLarge(_)), "{large}");
        templates.replace("report.md", "{{ name }} and no more".to_owned()).unwrap();
        let text = templates.render("report.md", minijinja::context! { name => "[x]" }).unwrap();
        assert_eq!(text, "\\[x\\] and no more");
    }
}
