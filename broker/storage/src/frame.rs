//! Frames: a plain header that tells lengths, a sealed descriptor, a sealed body.

use cadastre_keys::KeyError;
use cadastre_keys::envelope::{OpeningKey, SealingKey, TAG_LENGTH};

use crate::descriptor::Descriptor;
use crate::report::HeldRecords;
use cadastre_objects::codec::FieldReader;

/// Bytes of the plain header.
pub(crate) const FRAME_HEADER_LENGTH: usize = 22;
/// The first bytes of each frame, by which the scan after damage finds the next one.
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"CDFR";

const DOMAIN: &[u8] = b"cadastre write-ahead log frame";

/// Which segment a frame belongs to, as its additional data says.
#[derive(Debug, Clone)]
pub(crate) struct FrameScope {
    prefix: Vec<u8>,
}

impl FrameScope {
    pub(crate) fn new(cluster_id: &str, segment_id: u64, version: u32) -> Self {
        let mut prefix = DOMAIN.to_vec();
        prefix.extend_from_slice(&version.to_be_bytes());
        prefix.extend_from_slice(&(cluster_id.len() as u64).to_be_bytes());
        prefix.extend_from_slice(cluster_id.as_bytes());
        prefix.extend_from_slice(&segment_id.to_be_bytes());
        Self { prefix }
    }

    /// Additional data of the descriptor (`descriptor` empty) or of the body.
    fn additional_data(&self, header: &[u8; FRAME_HEADER_LENGTH], descriptor: &[u8]) -> Vec<u8> {
        [self.prefix.as_slice(), header, descriptor].concat()
    }
}

/// The plain header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Number of the frame in its segment.
    pub(crate) sequence: u64,
    /// Length of the sealed descriptor, in bytes.
    pub(crate) descriptor_length: u16,
    /// Length of the sealed body, in bytes.
    pub(crate) body_length: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self) -> [u8; FRAME_HEADER_LENGTH] {
        let mut bytes = [0; FRAME_HEADER_LENGTH];
        let fields = [
            FRAME_MAGIC.as_slice(),
            &self.sequence.to_be_bytes(),
            &self.descriptor_length.to_be_bytes(),
            &self.body_length.to_be_bytes(),
        ]
        .concat();
        let checksum = crc32c::crc32c(&fields).to_be_bytes();
        for (target, byte) in bytes.iter_mut().zip(fields.into_iter().chain(checksum)) {
            *target = byte;
        }
        bytes
    }

    /// The header at the start of `bytes`, unless magic or checksum are wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(bytes, "frame header");
        let magic: [u8; 4] = fields.array().ok()?;
        let header = Self {
            sequence: fields.u64().ok()?,
            descriptor_length: fields.u16().ok()?,
            body_length: fields.u32().ok()?,
        };
        let checksum = fields.u32().ok()?;
        let covered = bytes.get(..FRAME_HEADER_LENGTH.saturating_sub(4))?;
        (magic == FRAME_MAGIC && crc32c::crc32c(covered) == checksum).then_some(header)
    }

    /// Length of the whole frame, in bytes.
    pub(crate) fn frame_length(&self) -> u64 {
        FRAME_HEADER_LENGTH as u64 + u64::from(self.descriptor_length) + u64::from(self.body_length)
    }
}

/// Why a frame was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameDefect {
    /// No header, or one that is damaged.
    Header,
    /// The header promises more bytes than there are.
    Short,
    /// The descriptor does not authenticate.
    Descriptor,
    /// The body does not authenticate; the descriptor does.
    Body(Option<HeldRecords>),
}

/// An opened frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenedFrame {
    pub(crate) header: FrameHeader,
    pub(crate) descriptor: Descriptor,
    pub(crate) body: Vec<u8>,
}

/// Appends a sealed frame to `target` and tells its header; the sequence comes from the key's counter.
pub(crate) fn seal_frame(
    scope: &FrameScope,
    key: &mut SealingKey,
    descriptor: &Descriptor,
    body: &[u8],
    target: &mut Vec<u8>,
) -> Result<FrameHeader, KeyError> {
    let too_long = || KeyError::Cryptography { operation: "seal a frame over 4 GiB" };
    let plain = descriptor.encode();
    let header = FrameHeader {
        sequence: key.next_number() / 2,
        descriptor_length: u16::try_from(plain.len() + TAG_LENGTH).map_err(|_length| too_long())?,
        body_length: u32::try_from(body.len().saturating_add(TAG_LENGTH)).map_err(|_length| too_long())?,
    };
    let header_bytes = header.encode();
    target.extend_from_slice(&header_bytes);
    seal_part(key, &scope.additional_data(&header_bytes, &[]), &plain, target)?;
    seal_part(key, &scope.additional_data(&header_bytes, &plain), body, target)?;
    Ok(header)
}

fn seal_part(
    key: &mut SealingKey,
    additional_data: &[u8],
    plain: &[u8],
    target: &mut Vec<u8>,
) -> Result<(), KeyError> {
    let start = target.len();
    target.extend_from_slice(plain);
    let tag = key.seal(additional_data, target.get_mut(start..).unwrap_or_default())?;
    target.extend_from_slice(&tag);
    Ok(())
}

/// Opens the descriptor of the frame at the start of `bytes`, without asking for its body.
pub(crate) fn open_descriptor(
    scope: &FrameScope,
    key: &OpeningKey,
    bytes: &[u8],
) -> Result<(FrameHeader, Descriptor), FrameDefect> {
    let header = FrameHeader::decode(bytes).ok_or(FrameDefect::Header)?;
    let header_bytes = bytes.first_chunk::<FRAME_HEADER_LENGTH>().ok_or(FrameDefect::Header)?;
    let end = FRAME_HEADER_LENGTH + usize::from(header.descriptor_length);
    let mut sealed = bytes.get(FRAME_HEADER_LENGTH..end).ok_or(FrameDefect::Short)?.to_vec();
    let number = header.sequence.checked_mul(2).ok_or(FrameDefect::Header)?;
    let plain = key
        .open(number, &scope.additional_data(header_bytes, &[]), &mut sealed)
        .map_err(|_unauthentic| FrameDefect::Descriptor)?;
    // It authenticated, so a shape that this version does not know cannot be an accident; name it damage all the same.
    let descriptor = Descriptor::decode(plain).map_err(|_malformed| FrameDefect::Descriptor)?;
    Ok((header, descriptor))
}

/// Opens the frame that fills `bytes` exactly or from their start.
pub(crate) fn open_frame(
    scope: &FrameScope,
    key: &OpeningKey,
    bytes: &[u8],
) -> Result<OpenedFrame, FrameDefect> {
    let (header, descriptor) = open_descriptor(scope, key, bytes)?;
    let header_bytes = bytes.first_chunk::<FRAME_HEADER_LENGTH>().ok_or(FrameDefect::Header)?;
    let start = FRAME_HEADER_LENGTH + usize::from(header.descriptor_length);
    let length = usize::try_from(header.body_length).map_err(|_length| FrameDefect::Short)?;
    let end = start.checked_add(length).ok_or(FrameDefect::Short)?;
    let mut body = bytes.get(start..end).ok_or(FrameDefect::Short)?.to_vec();
    let number = header.sequence.checked_mul(2).and_then(|number| number.checked_add(1));
    let number = number.ok_or(FrameDefect::Header)?;
    let additional_data = scope.additional_data(header_bytes, &descriptor.encode());
    let length = key
        .open(number, &additional_data, &mut body)
        .map_err(|_unauthentic| FrameDefect::Body(held_records(&descriptor)))?
        .len();
    body.truncate(length);
    Ok(OpenedFrame { header, descriptor, body })
}

fn held_records(descriptor: &Descriptor) -> Option<HeldRecords> {
    descriptor.batch.map(|batch| HeldRecords {
        partition: batch.partition,
        base_offset: batch.base_offset,
        end_offset: batch.end_offset(),
    })
}

#[cfg(test)]
mod tests {
    use cadastre_keys::{DataKey, Secret, WrappedKey};

    use super::*;
    use crate::descriptor::FrameKind;

    fn keys() -> (SealingKey, OpeningKey) {
        let wrapped = WrappedKey { key_id: "k".to_owned(), ciphertext: Vec::new() };
        let (sealing, opening, _) =
            SealingKey::from_generated(DataKey { plaintext: Secret::new([9; 32]), wrapped }).unwrap();
        (sealing, opening)
    }

    fn descriptor() -> Descriptor {
        Descriptor { kind: FrameKind::Commands, metadata_version: 3, previous: None, batch: None }
    }

    #[test]
    fn frames_number_themselves_and_read_back() {
        let (mut sealing, opening) = keys();
        let scope = FrameScope::new("cluster", 1, 2);
        let mut bytes = Vec::new();
        let first = seal_frame(&scope, &mut sealing, &descriptor(), b"one", &mut bytes).unwrap();
        let second = seal_frame(&scope, &mut sealing, &descriptor(), b"two", &mut bytes).unwrap();
        assert_eq!((first.sequence, second.sequence), (0, 1));
        let start = usize::try_from(first.frame_length()).unwrap();
        assert_eq!(open_frame(&scope, &opening, &bytes).unwrap().body, b"one");
        assert_eq!(open_frame(&scope, &opening, &bytes[start..]).unwrap().body, b"two");
        assert_eq!(bytes.len() as u64, first.frame_length() + second.frame_length());
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_a_damaged_body_is_still_named() {
        let (mut sealing, opening) = keys();
        let scope = FrameScope::new("cluster", 1, 2);
        let mut bytes = Vec::new();
        let header = seal_frame(&scope, &mut sealing, &descriptor(), b"records", &mut bytes).unwrap();
        let body_starts = FRAME_HEADER_LENGTH + usize::from(header.descriptor_length);
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                byte if byte < FRAME_HEADER_LENGTH => FrameDefect::Header,
                byte if byte < body_starts => FrameDefect::Descriptor,
                _ => FrameDefect::Body(None),
            };
            assert_eq!(open_frame(&scope, &opening, &altered), Err(expected), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_does_not_open_in_another_cluster_or_segment() {
        let (mut sealing, opening) = keys();
        let mut bytes = Vec::new();
        let scope = FrameScope::new("cluster", 1, 2);
        seal_frame(&scope, &mut sealing, &descriptor(), b"records", &mut bytes).unwrap();
        for other in [
            FrameScope::new("cluster", 2, 2),
            FrameScope::new("clustes", 1, 2),
            FrameScope::new("cluster", 1, 1),
        ] {
            assert_eq!(open_frame(&other, &opening, &bytes), Err(FrameDefect::Descriptor));
        }
    }

    #[test]
    fn a_frame_cut_anywhere_does_not_open() {
        let (mut sealing, opening) = keys();
        let scope = FrameScope::new("cluster", 1, 2);
        let mut bytes = Vec::new();
        seal_frame(&scope, &mut sealing, &descriptor(), b"records", &mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(open_frame(&scope, &opening, &bytes[..length]).is_err(), "{length}");
        }
    }
}
