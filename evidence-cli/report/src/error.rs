//! Why a report could not be written.

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A template failed.
    #[error("the template cannot be rendered: {place}")]
    Template {
        /// File, line, and the expression that has no value: `report.html:12 at `decision.headline``.
        place: String,
        /// What was wrong.
        #[source]
        source: minijinja::Error,
    },
    /// Nothing is rendered by a template of that name.
    #[error("`{0}` is no template of a report")]
    UnknownTemplate(String),
    /// A template is larger than any report needs.
    #[error("the template `{0}` is larger than 1 MiB")]
    TemplateTooLarge(String),
    /// A page is not one that can carry evidence.
    #[error(
        "the page has no place for evidence: it was not written by `cadastre report`, or by templates of another shape"
    )]
    NoPlace,
    /// A section could not be written as JSON.
    #[error("a section of the report cannot be written as JSON")]
    Data(#[from] serde_json::Error),
    /// What can be known of a cluster is compiled in, and cannot be read.
    #[error(transparent)]
    Profile(#[from] cadastre_model::profile::ProfileError),
    /// A table of values could not be written.
    #[error("the comma-separated values cannot be written")]
    Csv(#[from] csv::Error),
    /// A workbook could not be written.
    #[error("the workbook cannot be written")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}
