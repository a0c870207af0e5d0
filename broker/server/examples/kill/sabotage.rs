//! Damage on purpose: proof that the check can fail.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::brokers::Mode;

/// How much of the newest segment is cut off, in bytes: much more than one group of commits.
const CUT: u64 = 64 * 1024;

/// How many of the newest objects are removed. One alone may belong to a commit that a kill prevented.
const OBJECTS: usize = 40;

/// Cuts the end off the newest segment, as if it had never been synced, or removes the newest objects.
pub(crate) fn sabotage(mode: Mode, directory: &Path) {
    let mut files = Vec::new();
    match mode {
        Mode::Embedded => {
            list(&directory.join("broker-1/data/log"), &mut files);
            files.retain(|(_, path)| path.extension().is_some_and(|ending| ending == "wal"));
            let (_, newest) = files.iter().max().expect("a segment");
            let file = std::fs::OpenOptions::new().write(true).open(newest).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length.saturating_sub(CUT.min(length / 2))).unwrap();
            println!("sabotage: cut {} of {length} bytes off {}", CUT.min(length / 2), newest.display());
        }
        Mode::Cluster => {
            list(&directory.join("store/data"), &mut files);
            files.sort();
            let newest: Vec<_> = files.iter().rev().take(OBJECTS).collect();
            newest.iter().for_each(|(_, path)| std::fs::remove_file(path).unwrap());
            println!("sabotage: removed {} of {} objects", newest.len(), files.len());
        }
    }
}

fn list(directory: &Path, files: &mut Vec<(SystemTime, PathBuf)>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.path().is_dir() {
            list(&entry.path(), files);
        } else {
            files.push((entry.metadata().unwrap().modified().unwrap(), entry.path()));
        }
    }
}
