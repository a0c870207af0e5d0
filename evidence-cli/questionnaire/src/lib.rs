//! Fills in questionnaires that others send: verdict, wording, records, date, by explicit ids only.
//!
//! A question is answered when its id is that of a control, of a framework's requirement, or when a map file names the
//! controls. Nothing is guessed from words, nothing that is not proven is answered, and what somebody wrote is never
//! written over. Workbooks keep everything but the cells that are filled in.

mod answers;
mod columns;
mod error;
mod map;
mod sheet;
mod table;
mod workbook;
mod yaml;

pub use answers::{Answers, Entry, Outcome};
pub use columns::Columns;
pub use error::QuestionnaireError;
pub use map::QuestionMap;
pub use table::reasons_csv;

/// The format of a questionnaire, by its file's extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An Excel workbook.
    Xlsx,
    /// Comma-separated values.
    Csv,
    /// A list of questions in YAML.
    Yaml,
}

/// A questionnaire that was filled in.
#[derive(Debug, Clone)]
pub struct Filled {
    /// The file, in the format it came in.
    pub bytes: Vec<u8>,
    /// Every question in the order of the file, answered or not, with the reason where not.
    pub entries: Vec<Entry>,
}

/// The most bytes of a questionnaire that are read.
pub const MAXIMUM_BYTES: usize = 32 << 20;

/// Fills in a questionnaire.
///
/// # Errors
/// When it is too large, malformed, or has no column of ids.
pub fn fill(
    bytes: &[u8],
    format: Format,
    columns: &Columns,
    answers: &Answers<'_>,
) -> Result<Filled, QuestionnaireError> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(QuestionnaireError::TooLarge { found: bytes.len(), allowed: MAXIMUM_BYTES });
    }
    match format {
        Format::Xlsx => workbook::fill(bytes, columns, answers),
        Format::Csv => table::fill(bytes, columns, answers),
        Format::Yaml => yaml::fill(bytes, answers),
    }
}
