//! Puts pseudonyms in the place of values, in every encoding that text files use.

use aho_corasick::{AhoCorasick, MatchKind};

use super::leak::Boundary;
use super::pseudonym::Pseudonyms;

/// Replaces texts by others.
#[derive(Debug)]
pub(crate) struct Replacer {
    automaton: AhoCorasick,
    replacements: Vec<Replacement>,
}

#[derive(Debug)]
struct Replacement {
    by: String,
    boundary: Boundary,
}

/// One way to write a text.
type Encoding = fn(&str) -> String;

impl Replacer {
    /// A replacer; `None` when there is nothing to replace.
    pub(crate) fn new(pseudonyms: &Pseudonyms) -> Option<Self> {
        let encodings: [Encoding; 7] = [
            str::to_owned,
            json_escaped,
            |text| json_escaped(&json_escaped(text)),
            json_ascii,
            html_escaped,
            |text| percent_encoded(text, "-._~"),
            |text| percent_encoded(text, "-._~/:@+=,"),
        ];
        let mut patterns: Vec<String> = Vec::new();
        let mut replacements = Vec::new();
        for (text, pseudonym) in pseudonyms {
            let mut seen = Vec::new();
            for encode in encodings {
                // Case folding reaches ASCII only, so other letters are listed in both cases.
                for spelling in [encode(text), encode(&text.to_uppercase())] {
                    let folded = spelling.to_ascii_lowercase();
                    if seen.contains(&folded) {
                        continue;
                    }
                    replacements.push(Replacement { by: encode(pseudonym), boundary: Boundary::of(text) });
                    patterns.push(spelling);
                    seen.push(folded);
                }
            }
        }
        if patterns.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .ok()?;
        Some(Self { automaton, replacements })
    }

    /// The text with pseudonyms.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(bytes.len());
        let mut copied = 0;
        let mut from = 0;
        while let Some(found) = self.automaton.find(aho_corasick::Input::new(bytes).range(from..)) {
            let replacement = self.replacements.get(found.pattern().as_usize());
            let fits = replacement
                .filter(|replacement| replacement.boundary.allows(bytes, found.start(), found.end()));
            let Some(replacement) = fits else {
                from = found.start() + 1;
                continue;
            };
            replaced.extend_from_slice(bytes.get(copied..found.start()).unwrap_or_default());
            let matched = bytes.get(found.start()..found.end()).unwrap_or_default();
            replaced.extend(in_case_of(matched, &replacement.by));
            copied = found.end();
            from = found.end();
        }
        replaced.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        replaced
    }

    /// The same for text that is known to be UTF-8.
    pub(crate) fn replace_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.replace(text.as_bytes())).into_owned()
    }
}

/// Capitals where the text that was matched has capitals.
fn in_case_of(matched: &[u8], by: &str) -> Vec<u8> {
    if matched.len() != by.len() {
        return by.as_bytes().to_vec();
    }
    let pairs = matched.iter().zip(by.bytes());
    pairs.map(|(was, is)| if was.is_ascii_uppercase() { is.to_ascii_uppercase() } else { is }).collect()
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::String(text.to_owned()).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// JSON in which everything that is not ASCII, and what is special in HTML, is a `\u` escape.
fn json_ascii(text: &str) -> String {
    let mut escaped = String::new();
    for character in json_escaped(text).chars() {
        if character.is_ascii() && !"<>&'".contains(character) {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// As minijinja and most others escape HTML.
fn html_escaped(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#x27;".to_owned(),
            '/' => "&#x2f;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

fn percent_encoded(text: &str, plain: &str) -> String {
    text.bytes()
        .map(|byte| {
            let character = char::from(byte);
            if character.is_ascii_alphanumeric() || plain.contains(character) {
                character.to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let pairs = [
            ("alice", "qwert"),
            ("team/päul", "abcd/xyzw"),
            ("111122223333", "987654321098"),
            ("role/x", "role/y"),
        ];
        let pseudonyms = pairs.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(Replacer::new(&pseudonyms).unwrap().replace_text(text), expected);
    }

    #[test]
    fn values_are_replaced_in_every_encoding_of_text() {
        check("Alice, ALICE and malice", "Qwert, QWERT and malice");
        check("arn:aws:iam::111122223333:root", "arn:aws:iam::987654321098:root");
        check("team/päul TEAM/PÄUL", "abcd/xyzw abcd/xyzw");
        check("team%2Fp%C3%A4ul team%2fp%c3%a4ul team/p%C3%A4ul", "abcd%2Fxyzw abcd%2Fxyzw abcd/xyzw");
        check(r"team/p\u00e4ul", "abcd/xyzw");
        check("team&#x2f;päul", "abcd&#x2f;xyzw");
        check("role/x role/xy role/x/role/x", "role/y role/xy role/y/role/y");
    }
}
