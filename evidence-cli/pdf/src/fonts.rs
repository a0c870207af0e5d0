//! The fonts of documents: DejaVu Sans Condensed for text and DejaVu Sans Mono for ids, which cover Latin, Greek,
//! Cyrillic and most symbols. They are in the program, so that a document is the same on every machine.

use std::sync::OnceLock;

use typst::foundations::Bytes;
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;

use crate::error::PdfError;

/// Fonts, and the book that finds them by family.
#[derive(Debug)]
pub(crate) struct Fonts {
    pub(crate) fonts: Vec<Font>,
    pub(crate) book: LazyHash<FontBook>,
}

/// The fonts, read once.
pub(crate) fn fonts() -> Result<&'static Fonts, PdfError> {
    static FONTS: OnceLock<Option<Fonts>> = OnceLock::new();
    FONTS.get_or_init(read).as_ref().ok_or(PdfError::Font)
}

fn read() -> Option<Fonts> {
    let files = [
        dejavu::sans_condensed::regular(),
        dejavu::sans_condensed::bold(),
        dejavu::sans_condensed::oblique(),
        dejavu::sans_mono::regular(),
        dejavu::sans_mono::bold(),
    ];
    let fonts: Option<Vec<Font>> = files.into_iter().map(|file| Font::new(Bytes::new(file), 0)).collect();
    let fonts = fonts?;
    let book = LazyHash::new(FontBook::from_fonts(&fonts));
    Some(Fonts { fonts, book })
}
