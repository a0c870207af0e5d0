//! Looks for values in files, through every encoding that they can hide behind.

use std::io::Read;

use aho_corasick::{AhoCorasick, MatchKind};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::decode;
use super::values::QUALIFIERS;

/// How many encodings may lie inside each other.
const DEEPEST: usize = 5;
/// Values shorter than this are looked for as whole words only.
pub(crate) const WHOLE_WORD_BELOW: usize = 6;
/// How many bytes one stream may inflate to.
const MAXIMUM_INFLATED: u64 = 32 << 20;
/// How many bytes are looked at for each byte of a file, over all decodings.
const MAXIMUM_EFFORT: u64 = 64;

/// Undoes an encoding of all of the bytes.
type WholeDecoder = fn(&[u8]) -> Option<Vec<u8>>;
/// Undoes an encoding wherever it begins.
type PartDecoder = fn(&[u8]) -> Vec<Vec<u8>>;

/// A value survived, or it cannot be told whether one did.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum LeakError {
    /// A value that should be gone is there. The value itself is not named: errors end up in logs.
    #[error("`{file}` still holds a redacted value (of {length} characters, {trail}); nothing was written")]
    Found {
        /// The file.
        file: String,
        /// The value's length.
        length: usize,
        /// Behind which encodings.
        trail: String,
    },
    /// Too much to look through.
    #[error("`{file}` cannot be searched for redacted values: {why}; nothing was written")]
    Unsearchable {
        /// The file.
        file: String,
        /// Why.
        why: &'static str,
    },
}

/// Finds values.
#[derive(Debug)]
pub(crate) struct Searcher {
    automaton: AhoCorasick,
    /// Length and boundary of each.
    texts: Vec<(usize, Boundary)>,
}

/// Why bytes are not known to be free of values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Finding {
    /// A value, which is not named.
    #[error("a redacted value is left (of {length} characters, {trail})")]
    Value {
        /// The value's length.
        length: usize,
        /// Behind which encodings.
        trail: String,
    },
    /// Too much to look through.
    #[error("it cannot be searched: {0}")]
    Unsearchable(&'static str),
}

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    length: usize,
    trail: Vec<&'static str>,
}

struct Search<'s> {
    searcher: &'s Searcher,
    effort: u64,
    trail: Vec<&'static str>,
}

impl Searcher {
    /// A searcher for some texts, in any letter case; `None` when there is nothing to look for or it is too much.
    pub(crate) fn new(texts: &[String]) -> Option<Self> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(texts)
            .ok()?;
        Some(Self { automaton, texts: texts.iter().map(|text| (text.len(), Boundary::of(text))).collect() })
    }

    /// Whether some text itself holds a value.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.raw(text.as_bytes(), true).is_some()
    }

    /// Fails when a file holds a value, whatever it is wrapped in.
    pub(crate) fn check(&self, file: &str, bytes: &[u8]) -> Result<(), LeakError> {
        let file = file.to_owned();
        self.find(bytes).map_err(|finding| match finding {
            Finding::Value { length, trail } => LeakError::Found { file, length, trail },
            Finding::Unsearchable(why) => LeakError::Unsearchable { file, why },
        })
    }

    /// Fails when bytes hold a value, whatever it is wrapped in.
    pub(crate) fn find(&self, bytes: &[u8]) -> Result<(), Finding> {
        let allowed = (bytes.len() as u64).saturating_mul(MAXIMUM_EFFORT).saturating_add(MAXIMUM_INFLATED);
        let mut search = Search { searcher: self, effort: allowed, trail: Vec::new() };
        match search.all(bytes, 0).map_err(Finding::Unsearchable)? {
            None => Ok(()),
            Some(hit) if hit.trail.is_empty() => {
                Err(Finding::Value { length: hit.length, trail: "in plain".to_owned() })
            }
            Some(hit) => {
                Err(Finding::Value { length: hit.length, trail: format!("in {}", hit.trail.join(" in ")) })
            }
        }
    }

    /// The length of a value that the bytes hold. In bytes that are not text, short values turn up by chance, and are
    /// a finding only among other text.
    fn raw(&self, bytes: &[u8], text: bool) -> Option<usize> {
        self.automaton.find_overlapping_iter(bytes).find_map(|found| {
            let (length, boundary) = self.texts.get(found.pattern().as_usize()).copied()?;
            let by_chance =
                !text && length < WHOLE_WORD_BELOW && !among_text(bytes, found.start(), found.end());
            (!by_chance && boundary.allows(bytes, found.start(), found.end())).then_some(length)
        })
    }
}

/// Whether a match lies in a run of text that is too long to be chance.
fn among_text(bytes: &[u8], start: usize, end: usize) -> bool {
    const TOO_LONG_FOR_CHANCE: usize = 12;
    let printable = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
    let before = bytes.get(..start).unwrap_or_default().iter().rev().take(TOO_LONG_FOR_CHANCE);
    let after = bytes.get(end..).unwrap_or_default().iter().take(TOO_LONG_FOR_CHANCE);
    let around = before.take_while(printable).count() + after.take_while(printable).count();
    around + (end - start) >= TOO_LONG_FOR_CHANCE
}

/// What must not touch a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// Nothing matters: the text is long enough not to turn up by chance.
    Anywhere,
    /// Letters and digits: the text is short.
    Word,
    /// Whatever would make it another name: `role/ops` is not in `role/ops-reader`.
    Name,
}

impl Boundary {
    pub(crate) fn of(text: &str) -> Self {
        if QUALIFIERS.iter().any(|qualifier| text.to_lowercase().starts_with(qualifier)) {
            Self::Name
        } else if text.len() < WHOLE_WORD_BELOW {
            Self::Word
        } else {
            Self::Anywhere
        }
    }

    /// Whether a match at this place counts.
    pub(crate) fn allows(self, bytes: &[u8], start: usize, end: usize) -> bool {
        let at = |at: usize| bytes.get(at).copied();
        let letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let before = start.checked_sub(1).and_then(at);
        match self {
            Self::Anywhere => true,
            Self::Word => !letter(before) && !letter(at(end)),
            Self::Name => {
                let goes_on = letter(at(end))
                    || matches!(at(end), Some(b'_' | b'-' | b'+' | b'@'))
                    || (matches!(at(end), Some(b'.' | b',' | b'=')) && letter(at(end + 1)));
                !letter(before) && before != Some(b'-') && !goes_on
            }
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
}

impl Search<'_> {
    fn all(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Hit>, &'static str> {
        self.effort =
            self.effort.checked_sub(bytes.len() as u64).ok_or("it holds too much inside other things")?;
        let text = is_text(bytes);
        // A document is known to be mostly compressed; of other files, nothing is known.
        let whole = text || depth == 0 && !bytes.starts_with(b"%PDF");
        if let Some(length) = self.searcher.raw(bytes, whole) {
            return Ok(Some(Hit { length, trail: self.trail.iter().rev().copied().collect() }));
        }
        if depth >= DEEPEST {
            return Ok(None);
        }
        let whole: [(&'static str, WholeDecoder); 4] = [
            ("URL encoding", decode::percent),
            ("JSON escapes", decode::json),
            ("HTML escapes", decode::html),
            ("markup", decode::without_tags),
        ];
        // What is not text as a whole holds a `%41` or a `<…>` here and there by chance; undoing one encoding after the
        // other in every order would find nothing more in it, and never end for a document of some megabytes.
        for (name, decoder) in whole {
            if let Some(decoded) = decoder(bytes).filter(|decoded| decoded != bytes)
                && let Some(hit) = self.inside(name, &decoded, if text { depth } else { DEEPEST })?
            {
                return Ok(Some(hit));
            }
        }
        let parts: [(&'static str, PartDecoder); 4] = [
            ("base64", |bytes| decode::base64(bytes, 8)),
            ("base64 in lines", decode::base64_lines),
            ("hexadecimal", decode::hexadecimal_runs),
            ("UTF-16", decode::utf_16),
        ];
        for (name, decoder) in parts {
            for decoded in decoder(bytes) {
                // Most runs of letters decode to noise, which holds nothing further but by its magic number.
                let further = is_text(&decoded) || has_magic(&decoded);
                let depth = if further { depth } else { DEEPEST };
                if let Some(hit) = self.inside(name, &decoded, depth)? {
                    return Ok(Some(hit));
                }
            }
        }
        self.compressed(bytes, depth)
    }

    fn inside(
        &mut self,
        name: &'static str,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Option<Hit>, &'static str> {
        self.trail.push(name);
        let hit = self.all(bytes, depth + 1)?;
        self.trail.pop();
        Ok(hit)
    }

    /// Everything that begins like a compressed stream: gzip, Zstandard, zip entries, streams of a PDF.
    fn compressed(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Hit>, &'static str> {
        for at in 0..bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let (name, inflated) = match rest {
                [0x1f, 0x8b, 0x08, ..] => ("gzip", inflate(MultiGzDecoder::new(rest))?),
                [0x28, 0xb5, 0x2f, 0xfd, ..] => match zstd::stream::read::Decoder::new(rest) {
                    Ok(decoder) => ("Zstandard", inflate(decoder)?),
                    Err(_) => continue,
                },
                [b'P', b'K', 3, 4, ..] => match zip_entry(rest) {
                    Some(stream) => ("a zip entry", inflate(DeflateDecoder::new(stream))?),
                    None => continue,
                },
                [b's', b't', b'r', b'e', b'a', b'm', b'\r', b'\n', stream @ ..]
                | [b's', b't', b'r', b'e', b'a', b'm', b'\n', stream @ ..] => {
                    ("a PDF stream", inflate(ZlibDecoder::new(stream))?)
                }
                _ => continue,
            };
            if !inflated.is_empty()
                && let Some(hit) = self.inside(name, &inflated, depth)?
            {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }
}

fn has_magic(bytes: &[u8]) -> bool {
    let magic: [&[u8]; 4] = [&[0x1f, 0x8b, 8], &[0x28, 0xb5, 0x2f, 0xfd], b"PK\x03\x04", b"%PDF"];
    magic.iter().any(|magic| bytes.starts_with(magic))
}

/// The compressed bytes of a zip entry, from its local header on; `None` for a stored one, which is in plain sight.
fn zip_entry(header: &[u8]) -> Option<&[u8]> {
    let field = |at: usize| header.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes).map(usize::from);
    if field(8)? != 8 {
        return None;
    }
    header.get(30 + field(26)? + field(28)?..)
}

/// Inflates as far as the bytes are good.
fn inflate(stream: impl Read) -> Result<Vec<u8>, &'static str> {
    let mut inflated = Vec::new();
    let mut stream = stream.take(MAXIMUM_INFLATED + 1);
    let mut buffer = vec![0; 1 << 16];
    // A stream that breaks off was not one, or is damaged; what came out of it is looked at all the same.
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        inflated.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    if inflated.len() as u64 > MAXIMUM_INFLATED {
        Err("something in it inflates to too much")
    } else {
        Ok(inflated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::Engine as _;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write as _;

    const SECRET: &str = "acme/päyments-7";

    fn searcher() -> Searcher {
        Searcher::new(&[SECRET.to_owned(), "111122223333".to_owned(), "zoe".to_owned()]).unwrap()
    }

    #[track_caller]
    fn found(bytes: &[u8], trail: &str) {
        match searcher().check("f", bytes) {
            Err(LeakError::Found { trail: found, .. }) => assert!(found.contains(trail), "{found}"),
            other => panic!("{other:?}"),
        }
    }

    fn base64(bytes: &[u8]) -> Vec<u8> {
        ::base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_value_is_found_behind_every_encoding() {
        let text = format!("before {SECRET} after");
        let bytes = text.as_bytes();
        found(bytes, "plain");
        found(text.to_uppercase().replace('Ä', "ä").as_bytes(), "plain");
        found(b"acme%2Fp%C3%A4yments%2D7", "URL");
        found(br"acme\/p\u00e4yments-7", "JSON");
        found(b"acme&#47;p&#xe4;yments-7", "HTML");
        found("<i>ac</i>me/päy<b>ments-7</b>".as_bytes(), "markup");
        for prefix in ["", "x", "xy"] {
            found(&base64([prefix.as_bytes(), bytes].concat().as_slice()), "base64");
        }
        let wrapped: Vec<u8> = base64(&text.repeat(9).into_bytes()[5..])
            .chunks(20)
            .flat_map(|line| [line, b"\r\n"].concat())
            .collect();
        found(&wrapped, "base64");
        found(hex::encode(bytes).as_bytes(), "hexadecimal");
        let utf_16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        found(&utf_16(u16::to_le_bytes), "UTF-16");
        found(&utf_16(u16::to_be_bytes), "UTF-16");
        found(&gzip(bytes), "gzip");
        found(&[b"padding".as_slice(), &gzip(bytes)].concat(), "gzip");
        // Both halves stand there before, so that the whole is stored as two references.
        let long = [b"[acme/p\xc3\xa4] [yments-7] ".repeat(3).as_slice(), bytes].concat();
        found(&zstd::encode_all(long.as_slice(), 19).unwrap(), "Zstandard");
        found(&base64(&gzip(bytes)), "gzip in base64");
        found(&base64(&base64(bytes)), "base64 in base64");
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(bytes).unwrap();
        found(
            &[b"%PDF-1.7\nstream\n".as_slice(), &zlib.finish().unwrap(), b"\nendstream"].concat(),
            "PDF stream",
        );
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(br#"<c t="inlineStr"><is><t>arn:aws:iam::111122223333:root</t></is></c>"#).unwrap();
        let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
        zip.extend([0; 16]);
        zip.extend([1, 0, 0, 0]);
        zip.push(b's');
        zip.extend(deflate.finish().unwrap());
        found(&zip, "zip entry");
        found(&gzip(&zip), "zip entry in gzip");
    }

    #[test]
    fn short_values_are_words_and_are_not_found_in_noise() {
        found(b"by zoe.", "plain");
        found(&base64(b"by Zoe."), "base64");
        let noise: Vec<u8> =
            (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let document = [b"%PDF-1.7\n".as_slice(), &noise, b"\0zoe\0", &noise].concat();
        searcher().check("f", &document).unwrap();
        found(&[document.as_slice(), b"<< /Title (by Zoe) >>"].concat(), "plain");
        for clean in [b"zoetrope".as_slice(), b"azoe1", b"", &base64(&noise)] {
            searcher().check("f", clean).unwrap();
        }
    }

    #[test]
    fn a_document_of_many_streams_and_binary_parts_is_searched_to_its_end() {
        let noise = |seed: u32, length: u32| -> Vec<u8> {
            (0..length)
                .flat_map(|n| (n ^ seed).wrapping_mul(2_654_435_761).rotate_left(n % 31).to_be_bytes())
                .collect()
        };
        let zlib = |bytes: &[u8]| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let mut document = b"%PDF-1.7\n".to_vec();
        for page in 0..12_u32 {
            let text = format!("BT /f0 9 Tf (\\050{page}\\051) Tj <00{page:02x}> Tj ET %41 &amp; \\u0041 ")
                .repeat(500);
            document.extend(b"1 0 obj\nstream\n");
            document.extend(zlib(&[text.as_bytes(), &noise(page, 2_000)].concat()));
            document.extend(b"\nendstream\n");
            document.extend(noise(page, 4_000));
        }
        searcher().check("f", &document).unwrap();
        document.extend(b"stream\n");
        document.extend(zlib(b"acme%2Fp%C3%A4yments%2D7"));
        found(&document, "URL encoding in a PDF stream");
    }

    #[test]
    fn a_bomb_is_refused_and_not_inflated() {
        let bomb = gzip(&vec![0; 33 << 20]);
        assert!(matches!(searcher().check("f", &bomb), Err(LeakError::Unsearchable { .. })));
    }
}
