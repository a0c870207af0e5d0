//! Why a document cannot be read.

use crate::file::MAXIMUM_SIZE;

/// A document that cannot be read; each kind names the file, and the line where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It begins without `---`, so that it says nothing of itself.
    #[error("{path}:1:1: there is no front matter")]
    NoFrontMatter {
        /// The file.
        path: String,
    },
    /// The front matter has a beginning and no end.
    #[error("{path}:1:1: the front matter that begins here has no closing `---`")]
    Unclosed {
        /// The file.
        path: String,
    },
    /// The front matter is not what the format asks for.
    #[error("{path}:{line}:{column}: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// Counted from 1, in the file.
        line: u64,
        /// Counted from 1.
        column: u64,
        /// What was expected.
        message: String,
    },
    /// Not UTF-8.
    #[error("{path}:{line}:1: the line is not UTF-8")]
    NotText {
        /// The file.
        path: String,
        /// The first line that is none, counted from 1.
        line: u64,
    },
    /// Larger than any runbook.
    #[error("{path}: larger than {MAXIMUM_SIZE} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
}

impl DocumentError {
    /// The code that a record carries.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoFrontMatter { .. } => "no-front-matter",
            Self::Unclosed { .. } | Self::Malformed { .. } => "broken-front-matter",
            Self::NotText { .. } => "not-text",
            Self::TooLarge { .. } => "too-large",
        }
    }
}
