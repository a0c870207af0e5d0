//! Why a report could not be written.

/// A template failed.
#[derive(Debug, thiserror::Error)]
#[error("the template `{template}` cannot be rendered")]
pub struct ReportError {
    /// The template's name, as it lies under `report-templates/`.
    pub(crate) template: String,
    /// File, line, and what was wrong.
    #[source]
    pub(crate) source: minijinja::Error,
}
