//! Reports, diagrams and exports.
//!
//! Pure: an assessment and its evidence in, text out. There is no I/O and no clock, everything is sorted, and every
//! string that others wrote is escaped for its format and made inert.

mod citations;
mod comparison;
mod component_definition;
mod cost;
mod csv;
mod cyclonedx;
mod diagram;
mod document;
mod error;
mod html;
mod identity;
mod input;
mod junit;
mod markdown;
mod ocsf;
mod oscal;
mod sarif;
mod section;
mod tables;
mod templates;
mod text;
mod verification;
mod words;
mod xlsx;

pub use comparison::{COMPARISON_SCHEMA, ComparedOption, Comparison};
pub use component_definition::component_definition;
pub use cost::{markdown as cost_markdown, plot as cost_plot, table as cost_table};
pub use csv::{files as csv_files, findings as findings_csv};
pub use cyclonedx::cyclonedx;
pub use diagram::svg as diagram_svg;
pub use document::document;
pub use error::ReportError;
pub use html::{diagram_html, html, html_with};
pub use input::ReportInput;
pub use junit::junit;
pub use markdown::{markdown, markdown_with};
pub use ocsf::ocsf;
pub use oscal::assessment_results as oscal;
pub use sarif::sarif;
pub use templates::Templates;
pub use text::inert;
pub use verification::with_verification;
pub use xlsx::workbook as xlsx;
