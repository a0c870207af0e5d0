//! Runbooks, ownership and plans as evidence: Markdown with typed front matter in, observations out.
//!
//! A document passes for what it says only as far as somebody can check it: that it is there, owned and fresh, that its
//! sections are filled in, that its statements agree with the boundary graph, and that the drill it names left a record.
//! This room reads; the controls under `policies/` judge. A document that cannot be read is told by file and line, and the
//! others go on. The format is described in `docs/formats/operating-documents.md`.
//!
//! Pure: file contents and a time in, observations out.

mod error;
mod file;
mod front_matter;
mod observe;
mod sections;
mod starting;

pub use error::DocumentError;
pub use file::{DocumentFile, Folder, MAXIMUM_FILES, MAXIMUM_SIZE, Unread};
pub use front_matter::{ParsedDocument, parse};
pub use observe::{LIST, READ, observe};
pub use starting::{StartingText, starting_texts};
