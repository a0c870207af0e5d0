//! The report as a document that people sign: PDF/A-2a and PDF/UA-1, tagged, with every font inside.
//!
//! Pure: data, a diagram and a template in, bytes out. The typesetter sees three virtual files and nothing else: no
//! file system, no network, no system fonts, no clock. Data reaches the template as JSON and is never spliced into
//! markup, so that what others wrote stays text. The same input gives the same bytes.
//!
//! The typesetter is the library behind the `typst` program, and the only heavy dependency of the workspace that no
//! other room shares; it stays behind this crate.
//!
//! Without the feature `typeset` the crate has the same shape and refuses to set anything, so that those who work on
//! other rooms need not build the typesetter.

mod document;
mod error;
#[cfg(feature = "typeset")]
mod fonts;
#[cfg(feature = "typeset")]
mod glyphs;
#[cfg(feature = "typeset")]
mod picture;
#[cfg(feature = "typeset")]
mod typeset;
#[cfg(feature = "typeset")]
mod world;

pub use document::{AVAILABLE, Document, TEMPLATE, TEMPLATE_NAME, Typeset, pdf, typeset};
pub use error::PdfError;
