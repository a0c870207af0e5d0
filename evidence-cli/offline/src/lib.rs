//! Files that others exported in, evidence records out.
//!
//! A vendor or a customer hands over what the AWS CLI printed instead of credentials. Each file becomes the records that
//! a scan would have written for the same calls, so that nothing downstream needs to know; the caller of such a record is
//! `file:` and the file's name, since who asked is not on it. What was not handed over was not answered.
//!
//! Four things are read (`docs/formats/offline.md`): account authorization details, wherever they lie, known by their
//! shape; any read command's output whose path says what was asked, `ACCOUNT/REGION/SERVICE/COMMAND[/SUBJECT].json`;
//! the identities in a directory that `iam-collect` wrote; and answers of Azure Resource Manager below the path that
//! was asked.
//!
//! Pure: file contents in, records out.

mod answer;
mod azure;
mod collected;
mod command;
mod details;

use cadastre_model::record::{Record, RecordError};
use cadastre_model::time::Timestamp;

/// The largest file that is read, in bytes.
pub const MAXIMUM_SIZE: usize = 256 << 20;

/// A file as it was handed over.
#[derive(Debug, Clone)]
pub struct OfflineFile {
    /// Its path below the directory that was named, with `/` between its parts.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
    /// When its answer was given, as far as anybody knows: when the file was written.
    pub written_at: Timestamp,
}

/// Files could not be turned into records.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// Larger than any answer.
    #[error("`{path}` is larger than {MAXIMUM_SIZE} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// Named like an answer, and none.
    #[error("`{path}` is not what its name says: {problem}")]
    NotAnAnswer {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An answer without a canonical form.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What files came to.
#[derive(Debug, Default)]
pub struct Offline {
    /// One record for each answer, or page of one.
    pub records: Vec<Record>,
    /// Files that are no answer, and why; told, so that nobody takes them for read.
    pub skipped: Vec<(String, String)>,
}

/// Reads files; their order does not matter.
///
/// # Errors
/// When a file is too large, or is named like an answer and does not hold one.
pub fn read(files: &[OfflineFile]) -> Result<Offline, OfflineError> {
    let mut sorted: Vec<&OfflineFile> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut offline = Offline::default();
    let mut dumps = Vec::new();
    let mut answers = Vec::new();
    let mut collected = Vec::new();
    let mut managed = Vec::new();
    for file in sorted {
        if file.content.len() > MAXIMUM_SIZE {
            return Err(OfflineError::TooLarge { path: file.path.clone() });
        }
        if !file.path.ends_with(".json") {
            offline.skipped.push((file.path.clone(), "its name does not end in .json".to_owned()));
            continue;
        }
        if let Some(place) = collected::of_path(&file.path) {
            collected.push((file, place));
            continue;
        }
        match azure::of_path(&file.path) {
            Some(Ok(asked)) => {
                managed.push((file, asked));
                continue;
            }
            Some(Err(reason)) => {
                offline.skipped.push((file.path.clone(), reason));
                continue;
            }
            None => {}
        }
        let read = answer::read(file)?;
        if let answer::Content::Answer(value) = &read
            && details::is_one(value)
        {
            dumps.push((file, value.clone()));
            continue;
        }
        match command::of_path(&file.path) {
            Some(asked) => answers.push((file, asked, read)),
            None => offline.skipped.push((
                file.path.clone(),
                "it holds no account authorization details, and its path names no command".to_owned(),
            )),
        }
    }
    offline.records.extend(details::records(&dumps, &mut offline.skipped)?);
    offline.records.extend(collected::records(&collected, &mut offline.skipped)?);
    offline.records.extend(command::records(answers)?);
    offline.records.extend(azure::records(managed)?);
    Ok(offline)
}
