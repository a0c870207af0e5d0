//! How wide text is, estimated from above: no font is at hand, and whatever font the viewer has must fit.

/// Width of a character in thousandths of the font size, as wide as common sans-serif fonts make it.
const fn width(c: char) -> u32 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 380,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | '-' | '/' => 460,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1010,
        'A'..='Z' => 790,
        ' '..='~' => 660,
        '…' | '⟨' | '⟩' | '·' | '→' => 1000,
        '\u{a0}'..='\u{10ff}' => 850,
        _ => 1250,
    }
}

/// Upper bound of a text's width in pixels at a font size in pixels.
pub(crate) fn text_width(text: &str, size: u32) -> u32 {
    let thousandths: u32 = text.chars().map(width).fold(0, u32::saturating_add);
    thousandths.saturating_mul(size).div_ceil(1000)
}

/// The text, cut with an ellipsis where it would be wider than `available` pixels.
pub(crate) fn fit(text: &str, size: u32, available: u32) -> String {
    if text_width(text, size) <= available {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let room = available.saturating_sub(text_width("…", size));
    let mut used = 0;
    for c in text.chars() {
        used += width(c) * size;
        if used.div_ceil(1000) > room {
            break;
        }
        fitted.push(c);
    }
    fitted.push('…');
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, available: u32, expected: &str) {
        assert_eq!(fit(text, 12, available), expected);
        assert!(text_width(expected, 12) <= available);
    }

    #[test]
    fn text_is_cut_to_the_room_there_is() {
        check("short", 100, "short");
        check("payments-kafka-data-111122223333", 100, "payments-ka…");
        check("東京東京東京東京", 60, "東京東…");
        check("anything", 12, "…");
        check("", 0, "");
    }
}
