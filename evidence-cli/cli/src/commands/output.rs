//! Where commands write files.

use std::fs;
use std::path::Path;

use anyhow::Context;
use cadastre_model::evidence::EvidenceError;

/// Makes sure that `directory` is there and ours to write into.
///
/// # Errors
/// When there is something at the path already and `force` was not given.
pub(super) fn prepare(directory: &Path, force: bool) -> anyhow::Result<()> {
    let occupied = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    if occupied && !force {
        return Err(EvidenceError::Exists { path: directory.display().to_string() }.into());
    }
    create_directory(directory)
}

/// Creates a directory and those above it.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn create_directory(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create `{}`", directory.display()))
}

/// Removes an evidence directory that `--force` replaces. Only a directory that has a manifest, or nothing
/// but what a scan writes, is removed: `--force` never deletes somebody's files by mistake.
///
/// # Errors
/// When the directory holds anything else.
pub(super) fn remove_evidence(directory: &Path) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name();
        if name != "manifest.json" && name != "records" {
            anyhow::bail!(
                "`{}` holds `{}`, which is no part of an evidence directory; it was left alone",
                directory.display(),
                name.to_string_lossy()
            );
        }
    }
    fs::remove_dir_all(directory).with_context(|| format!("cannot replace `{}`", directory.display()))
}

/// Writes one file.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Removes a file that is about to be written again.
///
/// # Errors
/// When it is there and the operating system refuses.
pub(super) fn remove_file(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
