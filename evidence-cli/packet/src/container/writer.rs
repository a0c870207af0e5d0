//! Writes a container, entry by entry.

use std::io::{self, Read, Write};

use super::{ContainerError, Entry, MAXIMUM_ENTRIES, MAXIMUM_LENGTH, end_record};
use crate::measure::Measured;
use crate::path::PacketPath;

/// Writes a container.
#[derive(Debug)]
pub(crate) struct ContainerWriter<W> {
    output: W,
    entries: Vec<Entry>,
    offset: u64,
}

/// An entry could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("`{0}` changed while it was packed")]
    Changed(PacketPath),
}

impl<W: Write> ContainerWriter<W> {
    pub(crate) const fn new(output: W) -> Self {
        Self { output, entries: Vec::new(), offset: 0 }
    }

    /// Writes an entry whose content was measured before.
    pub(crate) fn add(
        &mut self,
        path: &PacketPath,
        measured: &Measured,
        content: &mut dyn Read,
    ) -> Result<(), WriteError> {
        let size = u32::try_from(measured.size).map_err(|_too_large| ContainerError::TooLarge)?;
        let offset = u32::try_from(self.offset).map_err(|_too_large| ContainerError::TooLarge)?;
        let entry = Entry { path: path.clone(), size, checksum: measured.checksum, offset };
        if self.entries.len() >= MAXIMUM_ENTRIES || entry.end() > MAXIMUM_LENGTH {
            return Err(ContainerError::TooLarge.into());
        }
        self.output.write_all(&entry.local_header())?;
        let mut checking = crate::measure::Measuring::new(content.take(measured.size.saturating_add(1)));
        io::copy(&mut checking, &mut self.output)?;
        if checking.finish() != *measured {
            return Err(WriteError::Changed(path.clone()));
        }
        self.offset = entry.end();
        self.entries.push(entry);
        Ok(())
    }

    /// Writes an entry from memory.
    pub(crate) fn add_bytes(&mut self, path: &PacketPath, bytes: &[u8]) -> Result<(), WriteError> {
        self.add(path, &Measured::of(bytes), &mut &*bytes)
    }

    /// Writes the directory, and gives back the output.
    pub(crate) fn finish(mut self) -> Result<W, WriteError> {
        let directory: Vec<u8> = self.entries.iter().flat_map(Entry::central_header).collect();
        let too_large = |_: std::num::TryFromIntError| ContainerError::TooLarge;
        let end = end_record(
            u16::try_from(self.entries.len()).map_err(too_large)?,
            u32::try_from(directory.len()).map_err(too_large)?,
            u32::try_from(self.offset).map_err(too_large)?,
        );
        if self.offset + (directory.len() + end.len()) as u64 > MAXIMUM_LENGTH {
            return Err(ContainerError::TooLarge.into());
        }
        self.output.write_all(&directory)?;
        self.output.write_all(&end)?;
        self.output.flush()?;
        Ok(self.output)
    }
}
