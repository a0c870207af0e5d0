//! Files whose text cannot be read back, made again from texts that can: a typeset document.

use std::fmt;

use super::leak::Finding;
use crate::path::PacketPath;

/// How a file of the packet is made from texts. Whoever hands one in has made the file from the texts as they are, and
/// got the bytes that lie in the packet: what is shown of the redacted texts is then what was shown of the original ones.
pub trait Remake: fmt::Debug + Send + Sync {
    /// The file that is made.
    fn path(&self) -> &PacketPath;

    /// The texts it is made of, each in an encoding that redaction rewrites: JSON, markup, plain text.
    fn texts(&self) -> &[Vec<u8>];

    /// Makes the file of other texts in the place of [`Self::texts`], in their order.
    ///
    /// # Errors
    /// When nothing can be made of them, in words.
    fn make(&self, texts: &[Vec<u8>]) -> Result<Remade, String>;
}

/// A file that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remade {
    /// The file.
    pub bytes: Vec<u8>,
    /// What a reader sees of it, as text, which is searched like the bytes.
    pub shown: String,
}

impl Remade {
    /// What a reader sees without the breaks that lines and cells put into names.
    pub(crate) fn unbroken(&self) -> String {
        self.shown.chars().filter(|character| !character.is_whitespace()).collect()
    }
}

/// Why a file was not made again. It names no value: whoever redacts reads it in a terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemakeError {
    /// Something is left in it.
    #[error("in {what}, {finding}")]
    Leak {
        /// Where.
        what: &'static str,
        /// What.
        finding: Finding,
    },
    /// Nothing could be made of the texts.
    #[error("{0}")]
    Make(String),
}
