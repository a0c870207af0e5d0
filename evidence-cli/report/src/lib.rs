//! Reports, diagrams and exports.
//!
//! Pure: an assessment and its evidence in, text out. There is no I/O and no clock, everything is sorted, and every
//! string that others wrote is escaped for its format and made inert.

mod citations;
mod diagram;
mod error;
mod html;
mod input;
mod junit;
mod markdown;
mod sarif;
mod section;
mod templates;
mod text;
mod words;

pub use diagram::svg as diagram_svg;
pub use error::ReportError;
pub use html::{diagram_html, html};
pub use input::ReportInput;
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;
