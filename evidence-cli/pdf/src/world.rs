//! All that the typesetter can see: a template, the data, a diagram, the fonts.

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use crate::error::PdfError;
use crate::fonts::{Fonts, fonts};

/// The typesetter's files.
pub(crate) struct Files {
    library: LazyHash<Library>,
    fonts: &'static Fonts,
    template: Source,
    others: [(FileId, Bytes); 2],
    today: Datetime,
}

impl Files {
    /// The template under its name, `data.json` and `boundary.svg`.
    ///
    /// # Errors
    /// When the fonts cannot be read.
    pub(crate) fn new(
        template: (&str, &str),
        data: Vec<u8>,
        diagram: String,
        today: Datetime,
    ) -> Result<Self, PdfError> {
        let (name, text) = template;
        Ok(Self {
            library: LazyHash::new(Library::default()),
            fonts: fonts()?,
            template: Source::new(file(name)?, text.to_owned()),
            others: [
                (file("data.json")?, Bytes::new(data)),
                (file("boundary.svg")?, Bytes::from_string(diagram)),
            ],
            today,
        })
    }
}

fn file(name: &str) -> Result<FileId, PdfError> {
    let path = VirtualPath::new(name).map_err(|error| PdfError::Template {
        file: name.to_owned(),
        line: 0,
        column: 0,
        message: error.to_string(),
        hints: Vec::new(),
    })?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

impl World for Files {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.fonts.book
    }

    fn main(&self) -> FileId {
        self.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.template.id() { Ok(self.template.clone()) } else { Err(FileError::NotSource) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let found = self.others.iter().find(|(known, _)| *known == id);
        found.map(|(_, bytes)| bytes.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        Some(self.today)
    }
}
