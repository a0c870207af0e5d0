//! Why a document could not be made.

/// A document that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The typesetter is not in this build.
    #[error(
        "this program was built without the typesetter, so it writes no PDF: build it with its feature `pdf`"
    )]
    LeftOut,
    /// The template is wrong.
    #[error("{file}:{line}:{column}: {message}{}", listed(.hints))]
    Template {
        /// The file, as templates name it.
        file: String,
        /// Line, from 1; 0 where the typesetter cannot say.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// What may help.
        hints: Vec<String>,
    },
    /// The pages are laid out and do not conform to PDF/A-2a and PDF/UA-1.
    #[error("the document does not conform to PDF/A-2a and PDF/UA-1: {message}{}", listed(.hints))]
    Standard {
        /// What is wrong.
        message: String,
        /// What may help.
        hints: Vec<String>,
    },
    /// The data cannot be written as JSON.
    #[error("the data of the document cannot be written as JSON")]
    Data(#[from] serde_json::Error),
    /// A font that comes with the program cannot be read.
    #[error("a font that comes with the program cannot be read")]
    Font,
    /// The date lies outside what a document can carry.
    #[error("`{0}` is no date that a document can carry")]
    Date(String),
}

fn listed(hints: &[String]) -> String {
    hints.iter().map(|hint| format!(" ({hint})")).collect()
}
