//! Each codec's decompressor: never more than it may give, and what was packed comes back.

use bytes::Bytes;
use cadastre_protocol::compression::{Compression, compress, decompress};

const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// The first byte chooses the codec and whether the rest is packed first; the second, how much may come out.
pub fn run(input: &[u8]) {
    let [choice, limit, data @ ..] = input else { return };
    let codec = CODECS[usize::from(*choice) % CODECS.len()];
    let data = Bytes::copy_from_slice(data);
    if choice & 0x80 != 0 {
        let packed = compress(codec, &data).expect("anything can be packed");
        assert_eq!(decompress(codec, &packed, data.len()).expect("what was packed unpacks"), data);
        return;
    }
    // 16 bytes to 1 MiB.
    let limit = 1 << (4 + u32::from(limit % 17));
    if let Ok(unpacked) = decompress(codec, &data, limit) {
        assert!(unpacked.len() <= limit, "{} of {limit} bytes", unpacked.len());
    }
}
