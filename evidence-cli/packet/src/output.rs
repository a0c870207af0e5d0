//! Writes a packet to a new file, or leaves none behind.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::Path;

use crate::error::PacketError;

/// Calls `write` with a new file at `path`, makes what was written durable, and removes the file when anything fails.
///
/// # Errors
/// [`PacketError::Exists`] when there is something at the path; whatever `write` returns; when the file
/// cannot be written.
pub fn write_new<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, PacketError>,
) -> Result<T, PacketError> {
    let name = path.display().to_string();
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|source| {
        if source.kind() == ErrorKind::AlreadyExists {
            PacketError::Exists(name.clone())
        } else {
            PacketError::Io { action: "write", path: name.clone(), source }
        }
    })?;
    let mut output = BufWriter::with_capacity(1 << 20, file);
    let written = write(&mut output).and_then(|value| {
        output
            .flush()
            .and_then(|()| output.get_ref().sync_all())
            .map_err(PacketError::write(name.as_str()))?;
        Ok(value)
    });
    if written.is_err() {
        // What failed is what the caller must hear of; a file that cannot be removed is incomplete and does not verify.
        let _removed = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_and_nothing_half_written_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("packet.zip");
        write_new(&path, |_| Err::<(), _>(PacketError::Unsigned)).unwrap_err();
        assert!(!path.exists());
        write_new(&path, |output| output.write_all(b"x").map_err(PacketError::write("x"))).unwrap();
        assert!(matches!(write_new(&path, |_| Ok(())), Err(PacketError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }
}
