//! The first 4,096 bytes of a segment: which log it belongs to, and its wrapped data key. Kept twice.

use cadastre_keys::{EncryptionContext, WrappedKey};

use cadastre_objects::codec::{CodecError, FieldReader, put_short_bytes};

/// Bytes before the first frame.
pub(crate) const HEADER_LENGTH: u64 = 4096;
/// The only format version this code writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u32 = 5;

const MAGIC: [u8; 8] = *b"CADASWAL";
/// Length of one copy of the header.
pub(crate) const COPY_LENGTH: usize = 2048;
/// Magic, version, their checksum, body length.
const PREFIX_LENGTH: usize = 20;

/// What a segment says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The format that the segment was written in.
    pub(crate) version: u32,
    pub(crate) segment_id: u64,
    /// Milliseconds since the epoch.
    pub(crate) created_at_ms: i64,
    pub(crate) cluster_id: String,
    pub(crate) wrapped_key: WrappedKey,
}

/// What the first 4,096 bytes of a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderReading {
    /// Both copies are sound and equal.
    Sound(SegmentHeader),
    /// One copy is damaged, or has the data key wrapped as it was before; the other tells everything.
    Repaired(SegmentHeader),
    /// A format version that this code does not know.
    Newer(u32),
    /// Neither copy can be believed.
    Damaged,
}

impl SegmentHeader {
    /// What the data key of the segment is bound to.
    pub(crate) fn encryption_context(cluster_id: &str, segment_id: u64, version: u32) -> EncryptionContext {
        EncryptionContext::new()
            .with("cadastre:cluster", cluster_id)
            .with("cadastre:purpose", "write-ahead-log")
            .with("cadastre:segment", segment_id.to_string())
            .with("cadastre:format", version.to_string())
    }

    /// The header block; fails only when cluster id, key id and wrapped key do not fit into a copy.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.segment_id.to_be_bytes());
        body.extend_from_slice(&self.created_at_ms.to_be_bytes());
        put_short_bytes(&mut body, self.cluster_id.as_bytes())?;
        put_short_bytes(&mut body, self.wrapped_key.key_id.as_bytes())?;
        put_short_bytes(&mut body, &self.wrapped_key.ciphertext)?;

        let mut copy = Vec::with_capacity(COPY_LENGTH);
        copy.extend_from_slice(&MAGIC);
        copy.extend_from_slice(&self.version.to_be_bytes());
        copy.extend_from_slice(&crc32c::crc32c(&copy).to_be_bytes());
        let length = u32::try_from(body.len()).map_err(|_length| CodecError("segment header"))?;
        copy.extend_from_slice(&length.to_be_bytes());
        copy.append(&mut body);
        copy.extend_from_slice(&crc32c::crc32c(&copy).to_be_bytes());
        if copy.len() > COPY_LENGTH {
            return Err(CodecError("segment header: wrapped key too long"));
        }
        copy.resize(COPY_LENGTH, 0);
        Ok([copy.as_slice(), copy.as_slice()].concat())
    }

    fn is_same_but_for_the_key(&self, other: &Self) -> bool {
        Self { wrapped_key: other.wrapped_key.clone(), ..self.clone() } == *other
    }

    /// Reads the header block from the start of a file.
    pub(crate) fn read(block: &[u8]) -> HeaderReading {
        let mut copies = block.chunks(COPY_LENGTH).take(2).map(Self::read_copy);
        let first = copies.next().unwrap_or(Err(CopyDefect::Damaged));
        let second = copies.next().unwrap_or(Err(CopyDefect::Damaged));
        match (first, second) {
            (Err(CopyDefect::Newer(version)), _) | (_, Err(CopyDefect::Newer(version))) => {
                HeaderReading::Newer(version)
            }
            (Ok(first), Ok(second)) if first == second => HeaderReading::Sound(first),
            // Rewrapping was interrupted between the copies: the second is written first.
            (Ok(first), Ok(second)) if first.is_same_but_for_the_key(&second) => {
                HeaderReading::Repaired(second)
            }
            (Ok(header), Err(CopyDefect::Damaged)) | (Err(CopyDefect::Damaged), Ok(header)) => {
                HeaderReading::Repaired(header)
            }
            (Ok(_), Ok(_)) | (Err(CopyDefect::Damaged), Err(CopyDefect::Damaged)) => HeaderReading::Damaged,
        }
    }

    fn read_copy(copy: &[u8]) -> Result<Self, CopyDefect> {
        // A file that ends within its header has lost whatever came behind.
        if copy.len() != COPY_LENGTH {
            return Err(CopyDefect::Damaged);
        }
        let mut fields = FieldReader::new(copy, "segment header");
        let magic: [u8; 8] = fields.array()?;
        let version = fields.u32()?;
        let version_checksum = fields.u32()?;
        let sound = copy.get(..12).is_some_and(|start| crc32c::crc32c(start) == version_checksum);
        if magic != MAGIC || !sound {
            return Err(CopyDefect::Damaged);
        }
        if version > FORMAT_VERSION {
            return Err(CopyDefect::Newer(version));
        }
        if version == 0 {
            return Err(CopyDefect::Damaged);
        }
        let length = usize::try_from(fields.u32()?).map_err(|_length| CopyDefect::Damaged)?;
        let mut body = FieldReader::new(fields.slice(length)?, "segment header");
        let checksum = fields.u32()?;
        let covered = PREFIX_LENGTH.checked_add(length).and_then(|end| copy.get(..end));
        if covered.is_none_or(|bytes| crc32c::crc32c(bytes) != checksum) {
            return Err(CopyDefect::Damaged);
        }
        let header = Self {
            version,
            segment_id: body.u64()?,
            created_at_ms: body.i64()?,
            cluster_id: body.short_text()?,
            wrapped_key: WrappedKey { key_id: body.short_text()?, ciphertext: body.short_bytes()?.to_vec() },
        };
        body.end()?;
        // What follows is zero; a flipped bit there is damage as well, if a harmless one.
        let padding_starts = PREFIX_LENGTH.saturating_add(length).saturating_add(4);
        let padding = copy.get(padding_starts..).unwrap_or_default();
        if padding.iter().any(|byte| *byte != 0) {
            return Err(CopyDefect::Damaged);
        }
        Ok(header)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CopyDefect {
    Damaged,
    Newer(u32),
}

impl From<CodecError> for CopyDefect {
    fn from(_malformed: CodecError) -> Self {
        Self::Damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            version: FORMAT_VERSION,
            segment_id: 7,
            created_at_ms: 1_700_000_000_000,
            cluster_id: "4L6g3nShT-eMCtK--X86sw".to_owned(),
            wrapped_key: WrappedKey { key_id: "local:00ff".to_owned(), ciphertext: vec![1; 60] },
        }
    }

    #[test]
    fn a_header_reads_back() {
        let block = header().encode().unwrap();
        assert_eq!(block.len() as u64, HEADER_LENGTH);
        assert_eq!(SegmentHeader::read(&block), HeaderReading::Sound(header()));
    }

    #[test]
    fn a_header_of_version_1_is_read() {
        let older = SegmentHeader { version: 1, ..header() };
        assert_eq!(SegmentHeader::read(&older.encode().unwrap()), HeaderReading::Sound(older));
    }

    #[test]
    fn any_flipped_bit_is_noticed_and_repaired_from_the_other_copy() {
        let block = header().encode().unwrap();
        for bit in 0..block.len() * 8 {
            let mut altered = block.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::read(&altered), HeaderReading::Repaired(header()), "bit {bit}");
        }
    }

    #[test]
    fn damage_to_both_copies_is_damage() {
        let mut block = header().encode().unwrap();
        block[30] ^= 1;
        block[COPY_LENGTH + 30] ^= 1;
        assert_eq!(SegmentHeader::read(&block), HeaderReading::Damaged);
        assert_eq!(SegmentHeader::read(&[]), HeaderReading::Damaged);
        assert_eq!(SegmentHeader::read(&[0; 4096]), HeaderReading::Damaged);
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut block = header().encode().unwrap();
        block[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_be_bytes());
        let checksum = crc32c::crc32c(&block[..12]);
        block[12..16].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(SegmentHeader::read(&block), HeaderReading::Newer(FORMAT_VERSION + 1));
    }

    #[test]
    fn a_wrapped_key_that_does_not_fit_is_refused() {
        let mut header = header();
        header.wrapped_key.ciphertext = vec![0; 2000];
        assert!(header.encode().is_err());
    }
}
