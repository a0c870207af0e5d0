//! Characters that no font of the document can show are named by their code point: PDF/A forbids the empty box that
//! would otherwise stand for them, and a reviewer must see that something is there.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

use serde_json::Value;
use typst::text::Font;

use crate::error::PdfError;
use crate::fonts::fonts;

/// Which characters stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repertoire {
    /// Whatever each font of the document shows.
    Fonts,
    /// Printable ASCII: the last resort, where letters and marks that fonts do show cannot be combined.
    Ascii,
}

impl Repertoire {
    fn shows(self, shown: &HashSet<char>, c: char) -> bool {
        match self {
            _ if c == '\n' || c == '\t' => true,
            Self::Fonts => shown.contains(&c),
            Self::Ascii => c == ' ' || c.is_ascii_graphic() || "⟨⟩…–’·".contains(c),
        }
    }
}

/// Rewrites every string of a value.
///
/// # Errors
/// When the fonts cannot be read.
pub(crate) fn printable(value: &mut Value, repertoire: Repertoire) -> Result<(), PdfError> {
    walk(value, repertoire, shown()?);
    Ok(())
}

/// Rewrites one text.
///
/// # Errors
/// When the fonts cannot be read.
pub(crate) fn printable_text(text: &str, repertoire: Repertoire) -> Result<Cow<'_, str>, PdfError> {
    Ok(rewrite(text, repertoire, shown()?))
}

fn walk(value: &mut Value, repertoire: Repertoire, shown: &HashSet<char>) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(rewritten) = rewrite(text, repertoire, shown) {
                *text = rewritten;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, repertoire, shown)),
        Value::Object(members) => members.values_mut().for_each(|value| walk(value, repertoire, shown)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn rewrite<'t>(text: &'t str, repertoire: Repertoire, shown: &HashSet<char>) -> Cow<'t, str> {
    if text.chars().all(|c| repertoire.shows(shown, c)) {
        return Cow::Borrowed(text);
    }
    let mut rewritten = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if repertoire.shows(shown, c) {
            rewritten.push(c);
        } else {
            rewritten.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        }
    }
    Cow::Owned(rewritten)
}

/// What every font shows: a text keeps to one font wherever it stands.
fn shown() -> Result<&'static HashSet<char>, PdfError> {
    static SHOWN: OnceLock<HashSet<char>> = OnceLock::new();
    if let Some(shown) = SHOWN.get() {
        return Ok(shown);
    }
    let fonts = &fonts()?.fonts;
    Ok(SHOWN.get_or_init(|| {
        let mut sets = fonts.iter().map(characters);
        let first = sets.next().unwrap_or_default();
        sets.fold(first, |all, next| all.intersection(&next).copied().collect())
    }))
}

fn characters(font: &Font) -> HashSet<char> {
    font.info().coverage.iter().filter_map(char::from_u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(repertoire: Repertoire, text: &str, expected: &str) {
        assert_eq!(printable_text(text, repertoire).unwrap(), expected);
    }

    #[test]
    fn what_no_font_shows_is_named() {
        check(Repertoire::Fonts, "Grüße, Ωμέγα, Москва ⟨U+202E⟩ …", "Grüße, Ωμέγα, Москва ⟨U+202E⟩ …");
        check(Repertoire::Fonts, "東a\nb\t", "⟨U+6771⟩a\nb\t");
        check(Repertoire::Fonts, "🔑", "⟨U+1F511⟩");
        check(Repertoire::Ascii, "Grüße", "Gr⟨U+00FC⟩⟨U+00DF⟩e");
    }

    #[test]
    fn names_of_members_stay_and_values_are_rewritten_at_any_depth() {
        let mut value = serde_json::json!({"a": ["東", {"b": "京", "n": 1}]});
        printable(&mut value, Repertoire::Fonts).unwrap();
        assert_eq!(value, serde_json::json!({"a": ["⟨U+6771⟩", {"b": "⟨U+4EAC⟩", "n": 1}]}));
    }
}
