//! What the declared folder holds, as it was handed over.

/// The largest document that is read, in bytes.
pub const MAXIMUM_SIZE: usize = 1 << 20;

/// The most documents that one folder may hold.
pub const MAXIMUM_FILES: usize = 1_000;

/// A file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFile {
    /// Its path below the declared folder, with `/` between its parts.
    pub path: String,
    /// Its content, or the first [`MAXIMUM_SIZE`] bytes and one more.
    pub content: Vec<u8>,
}

/// A file that could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its path below the declared folder.
    pub path: String,
    /// What the operating system said, or that links are not followed.
    pub problem: String,
}

/// A folder of documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    /// Every Markdown file below it, at any depth.
    pub files: Vec<DocumentFile>,
    /// Markdown files that could not be read.
    pub unread: Vec<Unread>,
    /// Why the list is not whole, where it is not: the folder is not there, or holds too much.
    pub problem: Option<String>,
}
