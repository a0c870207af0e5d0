//! Rewrites a zip archive part by part, so that a workbook can be shared rather than withheld.
//!
//! Only what spreadsheet writers make is understood: one disk, no encryption, entries stored or deflated, sizes in the
//! central directory (APPNOTE.TXT 6.3). Anything else is left alone, and is then withheld as a whole.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// How many parts an archive may have.
const MAXIMUM_ENTRIES: u16 = 4096;
/// How many bytes all parts may inflate to.
const MAXIMUM_INFLATED: u64 = 256 << 20;

/// The archive with every part, and every name, rewritten; `None` where it is not such an archive, holds more than is
/// looked at, or a part is not what its checksum says.
pub(crate) fn rewrite(bytes: &[u8], replace: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    // An archive that ends in its directory has no comment: nothing hides behind it.
    let end = bytes.len().checked_sub(22)?;
    let tail = bytes.get(end..)?;
    if !tail.starts_with(END) || number_16(tail, 4)? != 0 || number_16(tail, 20)? != 0 {
        return None;
    }
    let count = number_16(tail, 10)?;
    if number_16(tail, 8)? != count || count > MAXIMUM_ENTRIES {
        return None;
    }
    let mut directory = usize::try_from(number_32(tail, 16)?).ok()?;
    let mut written = Vec::with_capacity(bytes.len());
    let mut central = Vec::new();
    let mut left = MAXIMUM_INFLATED;
    for _ in 0..count {
        let entry = Entry::read(bytes, directory)?;
        let content = entry.content(bytes, left)?;
        left = left.checked_sub(content.len() as u64)?;
        entry.write(&replace(entry.name), &replace(&content), &mut written, &mut central)?;
        directory = entry.next;
    }
    if directory != end {
        return None;
    }
    let start = u32::try_from(written.len()).ok()?;
    let size = u32::try_from(central.len()).ok()?;
    written.extend(central);
    written.extend(END);
    written.extend([0; 4]);
    written.extend(count.to_le_bytes());
    written.extend(count.to_le_bytes());
    written.extend(size.to_le_bytes());
    written.extend(start.to_le_bytes());
    written.extend([0; 2]);
    Some(written)
}

/// What the central directory says of one part.
struct Entry<'b> {
    method: u16,
    checksum: u32,
    compressed: usize,
    name: &'b [u8],
    local: usize,
    /// Where the next one stands.
    next: usize,
}

impl<'b> Entry<'b> {
    fn read(bytes: &'b [u8], at: usize) -> Option<Self> {
        let header = bytes.get(at..)?;
        let flags = number_16(header, 8)?;
        // Encrypted, or patched.
        if !header.starts_with(CENTRAL) || flags & 0b10_0001 != 0 {
            return None;
        }
        let name_length = usize::from(number_16(header, 28)?);
        let rest = usize::from(number_16(header, 30)?) + usize::from(number_16(header, 32)?);
        Some(Self {
            method: number_16(header, 10)?,
            checksum: number_32(header, 16)?,
            compressed: usize::try_from(number_32(header, 20)?).ok()?,
            name: header.get(46..46 + name_length)?,
            local: usize::try_from(number_32(header, 42)?).ok()?,
            next: at + 46 + name_length + rest,
        })
    }

    fn content(&self, bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
        let header = bytes.get(self.local..)?;
        if !header.starts_with(LOCAL) {
            return None;
        }
        let start = 30 + usize::from(number_16(header, 26)?) + usize::from(number_16(header, 28)?);
        let packed = header.get(start..start.checked_add(self.compressed)?)?;
        let content = match self.method {
            STORED => packed.to_vec(),
            DEFLATED => {
                let mut content = Vec::new();
                DeflateDecoder::new(packed).take(limit.saturating_add(1)).read_to_end(&mut content).ok()?;
                content
            }
            _ => return None,
        };
        let fits = content.len() as u64 <= limit && crc32fast::hash(&content) == self.checksum;
        fits.then_some(content)
    }

    /// Writes the part with the time that zip calls its beginning: what it was rewritten at says nothing.
    fn write(&self, name: &[u8], content: &[u8], out: &mut Vec<u8>, central: &mut Vec<u8>) -> Option<()> {
        let offset = u32::try_from(out.len()).ok()?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).ok()?;
        let packed = encoder.finish().ok()?;
        let mut fields = Vec::new();
        // Version 2.0, UTF-8 names, deflated, 1980-01-01.
        fields.extend([20, 0, 0, 8, 8, 0, 0, 0, 0x21, 0]);
        fields.extend(crc32fast::hash(content).to_le_bytes());
        fields.extend(u32::try_from(packed.len()).ok()?.to_le_bytes());
        fields.extend(u32::try_from(content.len()).ok()?.to_le_bytes());
        fields.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        fields.extend([0, 0]);
        out.extend(LOCAL);
        out.extend(&fields);
        out.extend(name);
        out.extend(packed);
        central.extend(CENTRAL);
        central.extend([20, 0]);
        central.extend(fields);
        // Comment, disk, attributes.
        central.extend([0; 10]);
        central.extend(offset.to_le_bytes());
        central.extend(name);
        Some(())
    }
}

fn number_16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn number_32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
        let (mut out, mut central) = (Vec::new(), Vec::new());
        for (name, content) in parts {
            let entry = Entry { method: 0, checksum: 0, compressed: 0, name: b"", local: 0, next: 0 };
            entry.write(name.as_bytes(), content.as_bytes(), &mut out, &mut central).unwrap();
        }
        let start = u32::try_from(out.len()).unwrap();
        let count = u16::try_from(parts.len()).unwrap();
        out.extend(&central);
        out.extend(END);
        out.extend([0; 4]);
        out.extend(count.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(u32::try_from(central.len()).unwrap().to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0; 2]);
        out
    }

    fn masked(bytes: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(bytes).replace("secret", "s-1").into_bytes()
    }

    #[test]
    fn every_part_and_name_is_rewritten_and_the_rest_stays() {
        let before = archive(&[("xl/a.xml", "<t>a secret</t>"), ("secret.xml", "secretsecret"), ("b", "")]);
        let after = rewrite(&before, masked).unwrap();
        assert_eq!(after, archive(&[("xl/a.xml", "<t>a s-1</t>"), ("s-1.xml", "s-1s-1"), ("b", "")]));
        assert_eq!(rewrite(&after, masked).unwrap(), after);
    }

    #[track_caller]
    fn check_left_alone(change: impl Fn(&mut Vec<u8>)) {
        let mut bytes = archive(&[("xl/a.xml", "<t>a secret</t>"), ("b.xml", "b")]);
        change(&mut bytes);
        assert!(rewrite(&bytes, masked).is_none());
    }

    #[test]
    fn archives_of_another_shape_are_left_alone() {
        check_left_alone(|bytes| bytes.truncate(20));
        check_left_alone(|bytes| bytes.push(0));
        // A part whose checksum is another's.
        check_left_alone(|bytes| {
            let at = bytes.windows(4).position(|window| window == CENTRAL).unwrap();
            bytes[at + 16] ^= 1;
        });
        // An encrypted part.
        check_left_alone(|bytes| {
            let at = bytes.windows(4).position(|window| window == CENTRAL).unwrap();
            bytes[at + 8] |= 1;
        });
        // Bytes between the directory and its end.
        check_left_alone(|bytes| {
            let end = bytes.len() - 22;
            bytes.insert(end, 0);
        });
        check_left_alone(|bytes| bytes.clear());
    }
}
