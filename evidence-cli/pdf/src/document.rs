//! What a document is made of, and how it is made.

use cadastre_model::Timestamp;
use serde_json::Value;

use crate::error::PdfError;

/// The template of the report, as it lies under `report-templates/`.
pub const TEMPLATE: &str = include_str!("../../../report-templates/report.typ");

/// What errors call [`TEMPLATE`], and the name under which another may stand in its place.
pub const TEMPLATE_NAME: &str = "report.typ";

/// Whether the typesetter is in this build.
pub const AVAILABLE: bool = cfg!(feature = "typeset");

/// What a document is made of.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The template: Typst markup that reads `data.json` and may show `boundary.svg`.
    pub template: &'a str,
    /// The data, an object.
    pub data: &'a Value,
    /// The boundary diagram, an SVG file of its own.
    pub diagram: &'a str,
    /// The date of the document: the time as of which it speaks, never the time at which it is written.
    pub date: Timestamp,
    /// What the document is of, from which its identifier is derived: documents of the same have the same.
    pub identity: &'a str,
    /// Who wrote it, `cadastre 0.1.0`.
    pub creator: &'a str,
}

/// The document as a file that conforms to PDF/A-2a (ISO 19005-2) and PDF/UA-1 (ISO 14289-1). The same input gives the
/// same bytes.
///
/// # Errors
/// When the template is wrong, with the place in it; when the document would not conform; when this build has no
/// typesetter ([`AVAILABLE`]).
pub fn pdf(document: &Document<'_>) -> Result<Vec<u8>, PdfError> {
    Ok(typeset(document)?.bytes)
}

/// A document that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typeset {
    /// The file, as [`pdf`] gives it.
    pub bytes: Vec<u8>,
    /// What its pages say, each run of text on a line of its own, in the order in which it is drawn. The file itself
    /// holds numbers of glyphs, which no search reads. Text inside the diagram is not part of it.
    pub text: String,
}

/// As [`pdf`], with what the pages say.
///
/// # Errors
/// As [`pdf`].
pub fn typeset(document: &Document<'_>) -> Result<Typeset, PdfError> {
    #[cfg(feature = "typeset")]
    return crate::typeset::typeset(document);
    #[cfg(not(feature = "typeset"))]
    {
        let _unused = document;
        Err(PdfError::LeftOut)
    }
}
