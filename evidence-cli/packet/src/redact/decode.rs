//! The encodings behind which a value can hide. Each decoder returns nothing when the bytes are not so encoded.

/// `%XX` (RFC 3986 §2.1).
pub(crate) fn percent(bytes: &[u8]) -> Option<Vec<u8>> {
    unescape(bytes, b'%', |rest| {
        let pair = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
        Some((vec![u8::from_str_radix(pair, 16).ok()?], 2))
    })
}

/// Backslash escapes of JSON strings (RFC 8259 §7), JavaScript's `\xXX` among them.
pub(crate) fn json(bytes: &[u8]) -> Option<Vec<u8>> {
    unescape(bytes, b'\\', |rest| match rest {
        [b'u', digits @ ..] => {
            let unit = hexadecimal(digits, 4)?;
            if let (0xd800..=0xdbff, [_, _, _, _, b'\\', b'u', low @ ..]) = (unit, digits) {
                let low = hexadecimal(low, 4).filter(|low| (0xdc00..=0xdfff).contains(low))?;
                let point = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                return Some((char::from_u32(point)?.to_string().into_bytes(), 11));
            }
            Some((char::from_u32(unit)?.to_string().into_bytes(), 5))
        }
        [b'x', digits @ ..] => Some((char::from_u32(hexadecimal(digits, 2)?)?.to_string().into_bytes(), 3)),
        [plain @ (b'/' | b'"' | b'\\' | b'\''), ..] => Some((vec![*plain], 1)),
        [b'n' | b'r' | b't' | b'b' | b'f', ..] => Some((vec![b' '], 1)),
        _ => None,
    })
}

/// Character references of HTML and XML: decimal, hexadecimal, and the names that escapers use.
pub(crate) fn html(bytes: &[u8]) -> Option<Vec<u8>> {
    unescape(bytes, b'&', |rest| {
        let end = rest.iter().take(12).position(|byte| *byte == b';')?;
        let name = rest.get(..end).and_then(|name| std::str::from_utf8(name).ok())?;
        let point = match name {
            "amp" => u32::from('&'),
            "lt" => u32::from('<'),
            "gt" => u32::from('>'),
            "quot" => u32::from('"'),
            "apos" => u32::from('\''),
            "sol" => u32::from('/'),
            "colon" => u32::from(':'),
            "nbsp" => u32::from(' '),
            "hyphen" => u32::from('-'),
            "period" => u32::from('.'),
            "lowbar" => u32::from('_'),
            "commat" => u32::from('@'),
            _ => match name.strip_prefix('#')? {
                hexadecimal if hexadecimal.starts_with(['x', 'X']) => {
                    u32::from_str_radix(hexadecimal.get(1..)?, 16).ok()?
                }
                decimal => decimal.parse().ok()?,
            },
        };
        Some((char::from_u32(point)?.to_string().into_bytes(), end + 1))
    })
}

/// What is left when markup is taken out, so that a value split by tags is whole again.
pub(crate) fn without_tags(bytes: &[u8]) -> Option<Vec<u8>> {
    if !(bytes.contains(&b'<') && bytes.contains(&b'>')) {
        return None;
    }
    let mut text = Vec::with_capacity(bytes.len());
    let mut inside = false;
    for byte in bytes {
        match byte {
            b'<' => inside = true,
            b'>' if inside => inside = false,
            _ if !inside => text.push(*byte),
            _ => {}
        }
    }
    Some(text)
}

/// UTF-16, in both byte orders and from both alignments; only where zero bytes or a byte order mark hint at it.
pub(crate) fn utf_16(bytes: &[u8]) -> Vec<Vec<u8>> {
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if !marked && !bytes.contains(&0) {
        return Vec::new();
    }
    let from_units = |start: usize, unit: fn([u8; 2]) -> u16| {
        let units = bytes.get(start..).unwrap_or_default().chunks_exact(2);
        let units = units.filter_map(|pair| pair.try_into().ok().map(unit));
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.into_bytes()
    };
    [0, 1]
        .into_iter()
        .flat_map(|start| [from_units(start, u16::from_le_bytes), from_units(start, u16::from_be_bytes)])
        .collect()
}

/// Stretches of base64, in both alphabets, decoded from each alignment. `shortest` counts characters.
pub(crate) fn base64(bytes: &[u8], shortest: usize) -> Vec<Vec<u8>> {
    let runs = bytes.split(|byte| sextet(*byte).is_none()).filter(|run| run.len() >= shortest);
    runs.flat_map(|run| (0..4).map(|skip| base64_run(run.get(skip..).unwrap_or_default()))).collect()
}

/// Base64 that is broken into lines (RFC 2045 §6.8).
pub(crate) fn base64_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    if !bytes.contains(&b'\n') {
        return Vec::new();
    }
    let joined: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    base64(&joined, 64)
}

fn base64_run(run: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(run.len() / 4 * 3 + 2);
    for group in run.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 6 | u32::from(sextet(*byte).unwrap_or(0)));
        let bits = bits << (6 * (4 - group.len()));
        let [_, a, b, c] = bits.to_be_bytes();
        decoded.extend([a, b, c].into_iter().take(group.len().saturating_sub(1)));
    }
    decoded
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Stretches of hexadecimal digits, decoded from both alignments.
pub(crate) fn hexadecimal_runs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let runs = bytes.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 12);
    let decode = |run: &[u8]| {
        run.chunks_exact(2)
            .filter_map(|pair| hexadecimal(pair, 2))
            .filter_map(|n| u8::try_from(n).ok())
            .collect()
    };
    runs.flat_map(|run| [decode(run), decode(run.get(1..).unwrap_or_default())]).collect()
}

fn hexadecimal(digits: &[u8], count: usize) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits.get(..count)?).ok()?, 16).ok()
}

/// Replaces what `one` understands after each `mark`; `None` when there is nothing to replace.
fn unescape(bytes: &[u8], mark: u8, one: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut changed = false;
    while let Some(at) = rest.iter().position(|byte| *byte == mark) {
        let (before, after) = rest.split_at(at);
        let after = after.get(1..).unwrap_or_default();
        decoded.extend_from_slice(before);
        if let Some((bytes, length)) = one(after) {
            decoded.extend(bytes);
            rest = after.get(length..).unwrap_or_default();
            changed = true;
        } else {
            decoded.push(mark);
            rest = after;
        }
    }
    decoded.extend_from_slice(rest);
    changed.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(decoder: fn(&[u8]) -> Option<Vec<u8>>, encoded: &str, expected: Option<&str>) {
        let decoded = decoder(encoded.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(decoded.as_deref(), expected);
    }

    #[test]
    fn encodings_are_undone() {
        check(percent, "a%2Fb%2", Some("a/b%2"));
        check(percent, "plain", None);
        check(json, r"a\u002fb\/c\x2e\ud83d\ude00", Some("a/b/c.😀"));
        check(json, r"\uZZZZ", None);
        check(html, "a&#47;b&#x2F;c&amp;d&unknown;", Some("a/b/c&d&unknown;"));
        check(without_tags, "al<b>ic</b>e", Some("alice"));
    }

    #[test]
    fn base64_is_read_from_every_alignment() {
        use ::base64::Engine as _;
        for prefix in ["", "x", "xy"] {
            let encoded = ::base64::engine::general_purpose::STANDARD.encode(format!("{prefix}secret-value"));
            for glued in ["", "Q", "QQ", "QQQ"] {
                let text = format!("\"{glued}{encoded}\"");
                let found = base64(text.as_bytes(), 8)
                    .iter()
                    .any(|bytes| String::from_utf8_lossy(bytes).contains("secret-value"));
                assert!(found, "{text}");
            }
        }
    }
}
