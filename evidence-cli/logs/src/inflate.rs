//! Files as their content: gzip inflated, anything else as it is, never more than a bound.
//!
//! Hashes of CloudTrail are over inflated bytes, so that a file that was compressed again, or kept inflated, is
//! the same file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use aws_lc_rs::digest;
use flate2::bufread::MultiGzDecoder;
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// RFC 1952 §2.3.1.
pub(crate) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

const BUFFER: usize = 64 << 10;

/// Why a file has no content.
#[derive(Debug)]
pub(crate) enum ContentError {
    /// The operating system did not give its bytes.
    Unreadable(String),
    /// Its bytes are no gzip, or are cut off.
    Damaged(String),
    /// More than the bound.
    TooLarge(u64),
}

impl std::fmt::Display for ContentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(problem) => write!(f, "cannot be read: {problem}"),
            Self::Damaged(problem) => write!(f, "does not inflate: {problem}"),
            Self::TooLarge(maximum) => write!(f, "inflates to more than {maximum} bytes"),
        }
    }
}

/// The content of a file as a stream.
pub(crate) enum Content {
    /// Gzip, of one or several members.
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    /// Anything else.
    Plain(BufReader<File>),
}

impl Content {
    /// Opens a file and looks at its first bytes.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(BUFFER, File::open(path)?);
        let gzip = reader.fill_buf()?.starts_with(&GZIP_MAGIC);
        Ok(if gzip { Self::Gzip(Box::new(MultiGzDecoder::new(reader))) } else { Self::Plain(reader) })
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(reader) => reader.read(buffer),
            Self::Plain(reader) => reader.read(buffer),
        }
    }
}

/// Hands a file's content piece by piece to `take`.
fn stream(
    path: &Path,
    maximum: u64,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> Result<(), ContentError> {
    let mut content = Content::open(path).map_err(|error| ContentError::Unreadable(error.to_string()))?;
    let mut left = maximum;
    loop {
        let read = match content.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The decoder reports damage in these kinds; any other kind comes from the operating system.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                return Err(ContentError::Damaged(error.to_string()));
            }
            Err(error) => return Err(ContentError::Unreadable(error.to_string())),
        };
        left = left
            .checked_sub(u64::try_from(read).unwrap_or(u64::MAX))
            .ok_or(ContentError::TooLarge(maximum))?;
        take(buffer.get(..read).unwrap_or_default());
    }
}

/// A file's whole content.
pub(crate) fn content(path: &Path, maximum: u64) -> Result<Vec<u8>, ContentError> {
    let mut whole = Vec::new();
    let mut buffer = vec![0; BUFFER];
    stream(path, maximum, &mut buffer, |piece| whole.extend_from_slice(piece))?;
    Ok(whole)
}

/// The largest file, and the largest content, that are held in memory as a whole.
const SMALL: usize = 1 << 20;

/// What a gzip member of no options begins with (RFC 1952 §2.3): magic, deflate, no flags.
const ORDINARY: [u8; 4] = [0x1f, 0x8b, 8, 0];

/// Hashes files' contents, keeping its buffers from one to the next.
#[derive(Debug)]
pub(crate) struct Hasher {
    file: Vec<u8>,
    content: Vec<u8>,
    inflate: Decompress,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        Self { file: Vec::new(), content: vec![0; SMALL], inflate: Decompress::new(false) }
    }

    /// SHA-256 of a file's content.
    pub(crate) fn sha256(&mut self, path: &Path, maximum: u64) -> Result<[u8; 32], ContentError> {
        let file = File::open(path).map_err(|error| ContentError::Unreadable(error.to_string()))?;
        self.file.clear();
        // A byte more than is held tells that there is more.
        let held = u64::try_from(SMALL).unwrap_or(u64::MAX).saturating_add(1);
        file.take(held)
            .read_to_end(&mut self.file)
            .map_err(|error| ContentError::Unreadable(error.to_string()))?;
        if let Some(hash) = self.ordinary(maximum) {
            return Ok(hash);
        }
        let mut context = digest::Context::new(&digest::SHA256);
        stream(path, maximum, &mut self.content, |piece| context.update(piece))?;
        Ok(finish(context))
    }

    /// Of a small file that is a single ordinary gzip member. Whatever is not just that is left to the stream, which says
    /// what it is: this is only faster, by not setting up a decoder for each of very many files.
    fn ordinary(&mut self, maximum: u64) -> Option<[u8; 32]> {
        if self.file.len() > SMALL || !self.file.starts_with(&ORDINARY) {
            return None;
        }
        let (_, body) = self.file.split_at_checked(10)?;
        let (deflated, trailer) = body.split_at_checked(body.len().checked_sub(8)?)?;
        self.inflate.reset(false);
        let status = self.inflate.decompress(deflated, &mut self.content, FlushDecompress::Finish).ok()?;
        let read = usize::try_from(self.inflate.total_in()).ok()?;
        let content = self.content.get(..usize::try_from(self.inflate.total_out()).ok()?)?;
        if !matches!(status, Status::StreamEnd)
            || read != deflated.len()
            || self.inflate.total_out() > maximum
        {
            return None;
        }
        let mut crc = Crc::new();
        crc.update(content);
        let mut stated = crc.sum().to_le_bytes().to_vec();
        stated.extend(crc.amount().to_le_bytes());
        (stated == trailer).then(|| sha256(content))
    }
}

/// SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(bytes);
    finish(context)
}

fn finish(context: digest::Context) -> [u8; 32] {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use flate2::{Compression, GzBuilder};

    use super::*;

    fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn of(bytes: &[u8], maximum: u64) -> Result<Vec<u8>, ContentError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        content(file.path(), maximum)
    }

    #[test]
    fn the_content_is_the_same_however_it_is_compressed() {
        let mut members = gzip(b"hello ", 1);
        members.extend(gzip(b"world", 9));
        for bytes in [b"hello world".to_vec(), gzip(b"hello world", 0), gzip(b"hello world", 9), members] {
            assert_eq!(of(&bytes, 11).unwrap(), b"hello world");
        }
    }

    #[test]
    fn a_hash_is_the_contents_however_the_file_is_written() {
        let mut hasher = Hasher::new();
        let mut of = |bytes: &[u8], maximum: u64| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            hasher.sha256(file.path(), maximum)
        };
        let content: Vec<u8> = (0..200_000_u32).flat_map(|number| (number % 977).to_le_bytes()).collect();
        let large = content.repeat(3);
        for content in [&content, &large, &Vec::new()] {
            let whole = gzip(content, 6);
            let mut named = GzBuilder::new().filename("log.json").write(Vec::new(), Compression::new(1));
            named.write_all(content).unwrap();
            let (first, second) = content.split_at(content.len() / 2);
            let members = [gzip(first, 3), gzip(second, 9)].concat();
            for bytes in [&whole, &named.finish().unwrap(), &members, content] {
                assert_eq!(of(bytes, 10 << 20).unwrap(), sha256(content));
            }
            for (at, byte) in [(whole.len() - 1, 1), (whole.len() - 5, 1), (whole.len() / 2, 0x55)] {
                let mut damaged = whole.clone();
                damaged[at] ^= byte;
                assert!(!matches!(of(&damaged, 10 << 20), Ok(hash) if hash == sha256(content)), "{at}");
            }
            let trailing = [whole.as_slice(), b"x"].concat();
            assert!(matches!(of(&trailing, 10 << 20), Err(ContentError::Damaged(_))));
            assert!(matches!(of(&whole[..whole.len() - 1], 10 << 20), Err(ContentError::Damaged(_))));
        }
        assert!(matches!(of(&gzip(&[7; 100_000], 6), 99_999), Err(ContentError::TooLarge(99_999))));
        assert!(matches!(
            hasher.sha256(Path::new("/nonexistent-file"), 10),
            Err(ContentError::Unreadable(_))
        ));
    }

    #[test]
    fn cut_off_and_oversized_content_is_refused() {
        let whole = gzip(&[7; 100_000], 6);
        assert!(matches!(of(&whole[..whole.len() - 9], 1 << 20), Err(ContentError::Damaged(_))));
        assert!(matches!(of(&whole[..5], 1 << 20), Err(ContentError::Damaged(_))));
        assert!(matches!(of(&whole, 99_999), Err(ContentError::TooLarge(99_999))));
    }

    #[test]
    fn a_file_that_is_not_there_is_unreadable_and_not_damaged() {
        let missing = content(Path::new("/nonexistent-file"), 10);
        assert!(matches!(missing, Err(ContentError::Unreadable(_))));
    }
}
