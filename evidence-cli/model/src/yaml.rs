//! YAML that people write: files read within a bound, and refused with the place of what is wrong.

use std::path::Path;

use serde::de::DeserializeOwned;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Malformed {
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1.
    pub column: u64,
    /// What was expected.
    pub message: String,
}

/// Why a file is not what its format asks for.
#[derive(Debug, thiserror::Error)]
pub enum YamlFileError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Larger than any file of its format.
    #[error("`{path}` is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The largest that is read, in bytes.
        limit: u64,
    },
    /// Not what the format asks for.
    #[error("{path}:{malformed}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, and where.
        malformed: Malformed,
    },
}

/// Parses text.
///
/// # Errors
/// [`Malformed`]: an unknown key, a wrong type, a duplicate, or no YAML at all.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Malformed> {
    serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        let message = error.without_snippet().to_string();
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        Malformed { line, column, message }
    })
}

/// Parses the text of a file; `path` is only named in errors.
///
/// # Errors
/// [`YamlFileError::Malformed`].
pub fn parse_file<T: DeserializeOwned>(text: &str, path: &str) -> Result<T, YamlFileError> {
    parse(text).map_err(|malformed| YamlFileError::Malformed { path: path.to_owned(), malformed })
}

/// Reads the text of a file of `limit` bytes at most.
///
/// # Errors
/// [`YamlFileError::Io`] and [`YamlFileError::TooLarge`].
pub fn read_text(path: &Path, limit: u64) -> Result<String, YamlFileError> {
    let name = || path.display().to_string();
    let io = |source| YamlFileError::Io { path: name(), source };
    if std::fs::metadata(path).map_err(io)?.len() > limit {
        return Err(YamlFileError::TooLarge { path: name(), limit });
    }
    std::fs::read_to_string(path).map_err(io)
}
