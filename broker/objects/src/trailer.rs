//! The last 40 bytes of an object: where everything else lies, and which format it has.

use crate::codec::{CodecError, FieldReader};

/// Bytes of a trailer.
pub(crate) const TRAILER_LENGTH: usize = 40;
const TRAILER_BYTES: u32 = 40;
/// The only format version this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"CADASOBJ";

/// Lengths and checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Bytes of all sealed blocks.
    pub(crate) blocks_length: u64,
    /// Bytes of the sealed index.
    pub(crate) index_length: u32,
    pub(crate) envelope_length: u32,
    pub(crate) block_count: u32,
    pub(crate) envelope_checksum: u32,
}

/// Why the last bytes of an object are no trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrailerDefect {
    Damaged(&'static str),
    Newer(u32),
}

impl From<CodecError> for TrailerDefect {
    fn from(malformed: CodecError) -> Self {
        Self::Damaged(malformed.0)
    }
}

impl Trailer {
    pub(crate) fn encode(&self) -> [u8; TRAILER_LENGTH] {
        let mut bytes = Vec::with_capacity(TRAILER_LENGTH);
        bytes.extend_from_slice(&self.blocks_length.to_be_bytes());
        bytes.extend_from_slice(&self.index_length.to_be_bytes());
        bytes.extend_from_slice(&self.envelope_length.to_be_bytes());
        bytes.extend_from_slice(&self.block_count.to_be_bytes());
        bytes.extend_from_slice(&self.envelope_checksum.to_be_bytes());
        bytes.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        bytes.extend_from_slice(&MAGIC);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        let mut trailer = [0; TRAILER_LENGTH];
        trailer.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        trailer
    }

    /// Reads the trailer of an object of `size` bytes.
    pub(crate) fn decode(bytes: &[u8], size: u64) -> Result<Self, TrailerDefect> {
        let mut fields = FieldReader::new(bytes, "trailer");
        let trailer = Self {
            blocks_length: fields.u64()?,
            index_length: fields.u32()?,
            envelope_length: fields.u32()?,
            block_count: fields.u32()?,
            envelope_checksum: fields.u32()?,
        };
        let version = fields.u32()?;
        let magic: [u8; 8] = fields.array()?;
        let checksum = fields.u32()?;
        fields.end()?;
        let covered = bytes.get(..TRAILER_LENGTH.saturating_sub(4)).unwrap_or_default();
        if magic != MAGIC || checksum != crc32c::crc32c(covered) {
            return Err(TrailerDefect::Damaged("magic or checksum is wrong"));
        }
        if version > FORMAT_VERSION {
            return Err(TrailerDefect::Newer(version));
        }
        if version != FORMAT_VERSION {
            return Err(TrailerDefect::Damaged("no such format version"));
        }
        let sum = trailer
            .blocks_length
            .checked_add(u64::from(trailer.tail_length()))
            .ok_or(TrailerDefect::Damaged("lengths are impossible"))?;
        if sum != size {
            return Err(TrailerDefect::Damaged("lengths do not add up to the object's size"));
        }
        Ok(trailer)
    }

    /// Bytes of index, envelope and trailer together.
    pub(crate) const fn tail_length(&self) -> u32 {
        self.index_length.saturating_add(self.envelope_length).saturating_add(TRAILER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Trailer = Trailer {
        blocks_length: 1000,
        index_length: 200,
        envelope_length: 100,
        block_count: 2,
        envelope_checksum: 5,
    };

    #[test]
    fn a_trailer_reads_back_for_an_object_of_the_right_size_only() {
        assert_eq!(Trailer::decode(&SAMPLE.encode(), 1340), Ok(SAMPLE));
        assert!(matches!(Trailer::decode(&SAMPLE.encode(), 1341), Err(TrailerDefect::Damaged(_))));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = SAMPLE.encode();
        bytes[27] = 2;
        assert!(matches!(Trailer::decode(&bytes, 1340), Err(TrailerDefect::Damaged(_))));
        let checksum = crc32c::crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(Trailer::decode(&bytes, 1340), Err(TrailerDefect::Newer(2)));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..TRAILER_LENGTH * 8 {
            let mut bytes = SAMPLE.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Trailer::decode(&bytes, 1340).is_err(), "bit {bit}");
        }
    }
}
