//! Decompression of record batches, bounded: a batch of a few kilobytes may claim to hold gigabytes. And the way
//! back, for batches that log compaction thinned out.

use std::io::{self, Read, Write as _};

use bytes::Bytes;

/// How the records of a batch are compressed (attribute bits 0 to 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy blocks, usually in xerial's framing.
    Snappy,
    /// An LZ4 frame.
    Lz4,
    /// A Zstandard frame (RFC 8878).
    Zstd,
}

impl Compression {
    /// From attribute bits 0 to 2; `None` for the codes Kafka does not know.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Compressed records could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum DecompressionError {
    /// More comes out than the caller is ready to hold.
    #[error("{codec} data unpacks to more than {limit} bytes")]
    TooLarge {
        /// The codec's name.
        codec: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The data is not what the codec writes.
    #[error("invalid {codec} data")]
    Invalid {
        /// The codec's name.
        codec: &'static str,
        /// What the codec said.
        #[source]
        source: io::Error,
    },
}

/// Zstandard windows up to this many bits are accepted: what its own decoder accepts without being told (`--ultra`
/// aside), and the most memory that one frame may claim up front (128 MiB).
const ZSTD_WINDOW_LOG: u32 = 27;
/// What xerial's framing begins with: `\x82SNAPPY\0`, two 4-byte version numbers.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
/// Kafka's own block size.
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;
/// Zstandard's own default.
const ZSTD_LEVEL: i32 = 3;

/// Unpacks `data`, at most `limit` bytes of it.
///
/// # Errors
///
/// [`DecompressionError`].
pub fn decompress(compression: Compression, data: &Bytes, limit: usize) -> Result<Bytes, DecompressionError> {
    let codec = compression.name();
    let invalid = |source| DecompressionError::Invalid { codec, source };
    match compression {
        Compression::None => {
            if data.len() > limit {
                return Err(DecompressionError::TooLarge { codec, limit });
            }
            Ok(data.clone())
        }
        Compression::Gzip => read_bounded(codec, flate2::read::MultiGzDecoder::new(data.as_ref()), limit),
        Compression::Lz4 => read_bounded(codec, lz4::Decoder::new(data.as_ref()).map_err(invalid)?, limit),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(data.as_ref()).map_err(invalid)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(invalid)?;
            read_bounded(codec, decoder, limit)
        }
        Compression::Snappy => unpack_snappy(data, limit),
    }
}

/// Packs `data` so that every Kafka client can unpack it: xerial's framing for Snappy, independent blocks for LZ4.
///
/// # Errors
///
/// What the codec says; memory is all it can lack.
pub fn compress(compression: Compression, data: &Bytes) -> io::Result<Bytes> {
    match compression {
        Compression::None => Ok(data.clone()),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(data)?;
            encoder.finish().map(Bytes::from)
        }
        Compression::Lz4 => {
            let mut encoder =
                lz4::EncoderBuilder::new().block_mode(lz4::BlockMode::Independent).build(Vec::new())?;
            encoder.write_all(data)?;
            let (packed, result) = encoder.finish();
            result.map(|()| Bytes::from(packed))
        }
        Compression::Zstd => zstd::encode_all(data.as_ref(), ZSTD_LEVEL).map(Bytes::from),
        Compression::Snappy => {
            let mut framed = XERIAL_MAGIC.to_vec();
            framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
            for chunk in data.chunks(SNAPPY_BLOCK_BYTES) {
                let block = snap::raw::Encoder::new().compress_vec(chunk)?;
                let length = u32::try_from(block.len()).map_err(io::Error::other)?;
                framed.extend_from_slice(&length.to_be_bytes());
                framed.extend_from_slice(&block);
            }
            Ok(Bytes::from(framed))
        }
    }
}

fn read_bounded(codec: &'static str, reader: impl Read, limit: usize) -> Result<Bytes, DecompressionError> {
    let mut unpacked = Vec::new();
    reader
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|source| DecompressionError::Invalid { codec, source })?;
    if unpacked.len() > limit {
        return Err(DecompressionError::TooLarge { codec, limit });
    }
    Ok(Bytes::from(unpacked))
}

/// Blocks of a 4-byte length each behind xerial's header, or one bare block, as some clients write it.
fn unpack_snappy(data: &[u8], limit: usize) -> Result<Bytes, DecompressionError> {
    let mut unpacked = Vec::new();
    if !data.starts_with(XERIAL_MAGIC) {
        unpack_snappy_block(data, limit, &mut unpacked)?;
        return Ok(Bytes::from(unpacked));
    }
    let mut rest = data.get(XERIAL_HEADER_BYTES..).ok_or_else(torn_snappy)?;
    while !rest.is_empty() {
        let (prefix, behind) = rest.split_first_chunk::<4>().ok_or_else(torn_snappy)?;
        let length = usize::try_from(u32::from_be_bytes(*prefix)).map_err(|_wide| torn_snappy())?;
        let (block, behind) = behind.split_at_checked(length).ok_or_else(torn_snappy)?;
        unpack_snappy_block(block, limit, &mut unpacked)?;
        rest = behind;
    }
    Ok(Bytes::from(unpacked))
}

fn unpack_snappy_block(block: &[u8], limit: usize, unpacked: &mut Vec<u8>) -> Result<(), DecompressionError> {
    let invalid = |error: snap::Error| DecompressionError::Invalid { codec: "snappy", source: error.into() };
    let length = snap::raw::decompress_len(block).map_err(invalid)?;
    if unpacked.len().saturating_add(length) > limit {
        return Err(DecompressionError::TooLarge { codec: "snappy", limit });
    }
    unpacked.extend_from_slice(&snap::raw::Decoder::new().decompress_vec(block).map_err(invalid)?);
    Ok(())
}

fn torn_snappy() -> DecompressionError {
    DecompressionError::Invalid { codec: "snappy", source: io::Error::from(io::ErrorKind::UnexpectedEof) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(compression: Compression, plain: &[u8]) -> Bytes {
        compress(compression, &Bytes::copy_from_slice(plain)).unwrap()
    }

    const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    #[test]
    fn every_codec_unpacks_what_it_packed() {
        let plain: Vec<u8> = (0..100_000u32).flat_map(|number| (number / 7).to_be_bytes()).collect();
        for compression in ALL {
            let packed = pack(compression, &plain);
            assert_eq!(
                decompress(compression, &packed, plain.len()).unwrap(),
                plain,
                "{}",
                compression.name()
            );
        }
    }

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused() {
        let plain = vec![0; 1_000_000];
        for compression in ALL {
            let error = decompress(compression, &pack(compression, &plain), 1000).unwrap_err();
            assert!(matches!(error, DecompressionError::TooLarge { limit: 1000, .. }), "{error}");
        }
    }

    #[test]
    fn a_bare_snappy_block_is_understood() {
        let block = snap::raw::Encoder::new().compress_vec(b"as librdkafka writes it").unwrap();
        assert_eq!(decompress(Compression::Snappy, &block.into(), 100).unwrap(), "as librdkafka writes it");
    }

    #[test]
    fn garbage_is_an_error_in_every_codec_but_none() {
        let garbage = Bytes::from_static(&[0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7]);
        for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            assert!(decompress(compression, &garbage, 1 << 20).is_err(), "{}", compression.name());
        }
    }
}
