//! Reads Java's properties syntax (`java.util.Properties.load`), as in `server.properties`.
//!
//! Comments (`#`, `!`), `=`, `:` or white space between key and value, backslash escapes, `\uXXXX`, and lines continued
//! by a trailing backslash work as in Java; of duplicate keys the last one counts. The file is read as UTF-8, which for
//! ASCII is what Java reads.

use std::collections::BTreeMap;

/// Key and value pairs as they stand in the file, before anyone knows what they mean.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    value: String,
    line: usize,
}

/// Values may be passwords, so only names are shown.
impl std::fmt::Debug for Properties {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.entries.keys()).finish()
    }
}

/// The text is not in properties syntax.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: malformed \\uXXXX escape")]
pub struct PropertiesError {
    /// Line number, from 1.
    pub line: usize,
}

impl Properties {
    /// Reads `text`.
    ///
    /// # Errors
    ///
    /// [`PropertiesError`] for a `\u` that is not followed by four hexadecimal digits, the one thing Java refuses.
    pub fn parse(text: &str) -> Result<Self, PropertiesError> {
        let mut properties = Self::default();
        for (line, logical) in logical_lines(text) {
            let (key, value) = split(&logical);
            let malformed = || PropertiesError { line };
            let key = unescape(key).ok_or_else(malformed)?;
            let value = unescape(value).ok_or_else(malformed)?;
            properties.entries.insert(key, Entry { value, line });
        }
        Ok(properties)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|entry| entry.value.as_str())
    }

    /// The line on which `key` was last set, from 1; 0 when it did not come from a file.
    #[must_use]
    pub fn line(&self, key: &str) -> usize {
        self.entries.get(key).map_or(0, |entry| entry.line)
    }

    /// Sets `key`, replacing what the file said.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.entries.insert(key.into(), Entry { value: value.into(), line: 0 });
    }

    /// All pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry.value.as_str()))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut properties = Self::default();
        for (key, value) in pairs {
            properties.set(key, value);
        }
        properties
    }
}

/// Joins continued lines and drops comments and blank lines; each comes with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (index, raw) in text.split('\n').enumerate() {
        let trimmed = raw.trim_end_matches('\r').trim_start_matches(is_space);
        let (number, mut logical) = match pending.take() {
            Some(continued) => continued,
            None if trimmed.is_empty() || trimmed.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        if ends_with_continuation(trimmed) {
            logical.push_str(trimmed.strip_suffix('\\').unwrap_or(trimmed));
            pending = Some((number, logical));
        } else {
            logical.push_str(trimmed);
            lines.push((number, logical));
        }
    }
    lines.extend(pending);
    lines.retain(|(_, logical)| !logical.is_empty());
    lines
}

/// An odd number of backslashes at the end: the last one is not itself escaped.
fn ends_with_continuation(line: &str) -> bool {
    line.chars().rev().take_while(|&character| character == '\\').count() % 2 == 1
}

const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

/// Splits at the first unescaped separator; white space around it belongs to neither side.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical
        .char_indices()
        .find(|&(_, character)| {
            let separates = !escaped && (matches!(character, '=' | ':') || is_space(character));
            escaped = character == '\\' && !escaped;
            separates
        })
        .map_or(logical.len(), |(position, _)| position);
    let (key, rest) = logical.split_at(end);
    let rest = rest.trim_start_matches(is_space);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_space))
}

fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    let mut buffer = [0; 2];
    while let Some(character) = characters.next() {
        let plain = match character {
            '\\' => match characters.next() {
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    if digits.len() != 4 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
                        return None;
                    }
                    units.push(u16::from_str_radix(&digits, 16).ok()?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => continue,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let properties = Properties::parse(text).unwrap();
        assert_eq!(properties.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reads_what_java_reads() {
        check("a=1\nb:2\nc 3\n", &[("a", "1"), ("b", "2"), ("c", "3")]);
        check("  a  =  1 ", &[("a", "1 ")]);
        check("# a=1\n! b=2\n\n   \nc=#3", &[("c", "#3")]);
        check("a=1,\\\n   2,\\\r\n\t3", &[("a", "1,2,3")]);
        check("a=1\\\\\nb=2", &[("a", "1\\"), ("b", "2")]);
        check("a\\=b\\:c=d", &[("a=b:c", "d")]);
        check("a=\\u0041\\ud83d\\ude00\\t\\q", &[("a", "A\u{1f600}\tq")]);
        check("a=1\na=2", &[("a", "2")]);
        check("a", &[("a", "")]);
        check("a==b", &[("a", "=b")]);
        check("a=\\", &[("a", "")]);
        check("# not continued \\\na=1", &[("a", "1")]);
    }

    #[test]
    fn a_malformed_unicode_escape_names_its_line() {
        assert_eq!(Properties::parse("a=1\nb=\\u12"), Err(PropertiesError { line: 2 }));
        assert_eq!(Properties::parse("b=\\u12xy"), Err(PropertiesError { line: 1 }));
    }

    #[test]
    fn debug_output_hides_values() {
        let shown = format!("{:?}", Properties::parse("ssl.key.password=hunter2").unwrap());
        assert!(shown.contains("ssl.key.password") && !shown.contains("hunter2"), "{shown}");
    }
}
