//! The folder of operating documents: read for a scan, and begun for those who have none.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cadastre_documents::{DocumentFile, Folder, MAXIMUM_FILES, MAXIMUM_SIZE, Unread, starting_texts};
use cadastre_model::declaration::Declaration;
use cadastre_model::progress::Progress;
use cadastre_model::{Observation, Outcome, Timestamp};

use super::output;
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// How deep folders may lie in each other.
const DEPTH: usize = 16;

/// What the declared folder holds; nothing where none is declared.
pub(super) fn observe(
    declaration: &Declaration,
    boundary: &Path,
    at: Timestamp,
    terminal: &Terminal,
) -> Vec<Observation> {
    let Some(rules) = &declaration.documents else { return Vec::new() };
    terminal.step("reading documents");
    let root = boundary.parent().unwrap_or_else(|| Path::new("")).join(&rules.folder);
    let mut folder = Folder::default();
    if let Err(error) = gather(&root, &root, 0, &mut folder) {
        folder.problem = Some(format!("`{}`: {error}", rules.folder));
    }
    let observations = cadastre_documents::observe(&folder, &declaration.name, at);
    for observation in observations.iter().filter(|observation| observation.outcome != Outcome::Observed) {
        if let Some(problem) = &observation.problem {
            terminal.warn(&terminal::inert(&problem.message));
        }
    }
    observations
}

/// Every Markdown file below a directory. A file that cannot be read is told and the rest goes on; a directory that
/// cannot be listed leaves the list without an end.
fn gather(root: &Path, directory: &Path, depth: usize, folder: &mut Folder) -> io::Result<()> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            if depth >= DEPTH {
                return Err(io::Error::other(format!("folders lie more than {DEPTH} deep")));
            }
            gather(root, &path, depth.saturating_add(1), folder)?;
            continue;
        }
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("md")) {
            continue;
        }
        if folder.files.len().saturating_add(folder.unread.len()) > MAXIMUM_FILES {
            return Err(io::Error::other(format!("more than {MAXIMUM_FILES} documents")));
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let content = if metadata.is_file() {
            bounded(&path).map_err(|error| error.to_string())
        } else {
            Err("it is no file, and links are not followed".to_owned())
        };
        match content {
            Ok(content) => folder.files.push(DocumentFile { path: name, content }),
            Err(problem) => folder.unread.push(Unread { path: name, problem }),
        }
    }
    Ok(())
}

/// A file's content, and one byte more than is read where there is more.
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAXIMUM_SIZE).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// Writes what is not there yet.
pub(super) fn write_starting_texts(directory: &Path, terminal: &Terminal) -> anyhow::Result<Exit> {
    output::create_directory(directory)?;
    let mut written: usize = 0;
    for text in starting_texts() {
        let path = directory.join(text.name);
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.content.as_bytes())
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
                written = written.saturating_add(1);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                terminal.say(&format!("{} is there already and was left as it is", path.display()));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write `{}`", path.display()));
            }
        }
    }
    terminal.say(&format!(
        "wrote {written} starting texts into {}; every blank is for you to fill in, and nothing passes before",
        directory.display()
    ));
    terminal.say("declare the folder in boundary.yaml: `documents: {folder: …}`");
    Ok(Exit::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_files_are_gathered_at_any_depth_and_links_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir(root.join("inner")).unwrap();
        fs::write(root.join("inner/a.md"), "text").unwrap();
        fs::write(root.join("b.txt"), "text").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/hostname", root.join("link.md")).unwrap();
        let mut folder = Folder::default();
        gather(root, root, 0, &mut folder).unwrap();
        assert_eq!(folder.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["inner/a.md"]);
        assert_eq!(folder.unread.len(), usize::from(cfg!(unix)));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let mut folder = Folder::default();
        let nowhere = Path::new("no-such-folder");
        assert!(gather(nowhere, nowhere, 0, &mut folder).is_err());
    }
}
