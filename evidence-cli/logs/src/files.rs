//! The regular files below a directory, in a fixed order.

use std::path::{Path, PathBuf};

use crate::error::LogsError;

/// Directories deeper than this are not what clouds lay out.
const MAXIMUM_DEPTH: usize = 32;

/// What a directory holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Paths relative to the directory, separated by `/`, sorted.
    pub(crate) files: Vec<String>,
    /// What could not be listed, and why.
    pub(crate) unreadable: Vec<(String, String)>,
}

/// Lists a directory. Symbolic links are not followed: evidence is files, not references.
pub(crate) fn list(root: &Path) -> Result<Listing, LogsError> {
    let mut listing = Listing::default();
    let mut pending = vec![(String::new(), 0_usize)];
    while let Some((relative, depth)) = pending.pop() {
        let directory = absolute(root, &relative);
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(source) if relative.is_empty() => return Err(LogsError::read(&directory)(source)),
            Err(error) => {
                listing.unreadable.push((relative, error.to_string()));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    listing.unreadable.push((relative.clone(), error.to_string()));
                    continue;
                }
            };
            let name = entry.file_name();
            let path = join(&relative, &name.to_string_lossy());
            if name.to_str().is_none() {
                listing.unreadable.push((path, "its name is not UTF-8".to_owned()));
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth >= MAXIMUM_DEPTH => {
                    listing.unreadable.push((path, format!("deeper than {MAXIMUM_DEPTH} directories")));
                }
                Ok(kind) if kind.is_dir() => pending.push((path, depth + 1)),
                Ok(kind) if kind.is_file() => listing.files.push(path),
                Ok(kind) if kind.is_symlink() => {
                    listing.unreadable.push((path, "a symbolic link, which is not followed".to_owned()));
                }
                Ok(_) => listing.unreadable.push((path, "no regular file".to_owned())),
                Err(error) => listing.unreadable.push((path, error.to_string())),
            }
        }
    }
    listing.files.sort_unstable();
    listing.unreadable.sort_unstable();
    Ok(listing)
}

/// Where a listed file lies.
pub(crate) fn absolute(root: &Path, relative: &str) -> PathBuf {
    if relative.is_empty() { root.to_owned() } else { root.join(relative) }
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_in_one_order_and_links_are_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("b/c")).unwrap();
        for name in ["b/c/z", "b/a", "a"] {
            std::fs::write(root.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
        let listing = list(root.path()).unwrap();
        assert_eq!(listing.files, ["a", "b/a", "b/c/z"]);
        assert_eq!(listing.unreadable.len(), 1);
        assert_eq!(listing.unreadable[0].0, "link");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(matches!(list(Path::new("/nonexistent-directory")), Err(LogsError::Read { .. })));
    }
}
