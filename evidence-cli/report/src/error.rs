//! Why a report could not be written.

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A template failed.
    #[error("the template `{template}` cannot be rendered")]
    Template {
        /// The template's name, as it lies under `report-templates/`.
        template: String,
        /// File, line, and what was wrong.
        #[source]
        source: minijinja::Error,
    },
    /// A page is not one that can carry evidence.
    #[error(
        "the page has no place for evidence: it was not written by `cadastre report`, or by templates of another shape"
    )]
    NoPlace,
    /// A section could not be written as JSON.
    #[error("a section of the report cannot be written as JSON")]
    Data(#[from] serde_json::Error),
    /// A table of values could not be written.
    #[error("the comma-separated values cannot be written")]
    Csv(#[from] csv::Error),
    /// A workbook could not be written.
    #[error("the workbook cannot be written")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}
