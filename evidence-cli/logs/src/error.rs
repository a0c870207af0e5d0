//! Why a directory of logs could not be worked on at all.
//!
//! Damage inside logs is no error: it is part of the result.

/// The input cannot be used, or the result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// A file or directory that must be readable is not.
    #[error("cannot read `{path}`")]
    Read {
        /// What was to be read.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that configures the work is not what it must be.
    #[error("`{path}` is not {expected}: {problem}")]
    Malformed {
        /// The file.
        path: String,
        /// What it must be.
        expected: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that configures the work is larger than any such file.
    #[error("`{path}` is larger than {maximum} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The bound, in bytes.
        maximum: u64,
    },
    /// There is nothing to work on.
    #[error("there are no {expected} in `{path}`")]
    Nothing {
        /// The directory.
        path: String,
        /// What was looked for.
        expected: &'static str,
    },
    /// Intermediate results that did not fit into memory could not be kept on disk.
    #[error("cannot keep intermediate results on disk")]
    Spill(#[source] std::io::Error),
    /// Whoever takes the records wants no more.
    #[error("no more records are wanted")]
    Stopped,
    /// The result cannot be written.
    #[error("cannot write the result")]
    Write(#[source] std::io::Error),
}

impl LogsError {
    pub(crate) fn read(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Read { path, source }
    }
}

/// Reads a file that configures the work, up to a bound.
pub(crate) fn read_bounded(path: &std::path::Path, maximum: u64) -> Result<Vec<u8>, LogsError> {
    use std::io::Read;

    let file = std::fs::File::open(path).map_err(LogsError::read(path))?;
    let mut bytes = Vec::new();
    file.take(maximum.saturating_add(1)).read_to_end(&mut bytes).map_err(LogsError::read(path))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > maximum {
        return Err(LogsError::TooLarge { path: path.display().to_string(), maximum });
    }
    Ok(bytes)
}
