//! Why a questionnaire was refused.

/// A questionnaire that was refused.
#[derive(Debug, thiserror::Error)]
pub enum QuestionnaireError {
    /// More bytes than are read.
    #[error("the questionnaire has {found} bytes, and at most {allowed} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// The workbook unpacks to more than is read, or has too many parts.
    #[error("the workbook unpacks to more than {allowed} bytes or 4096 parts")]
    Bomb {
        /// Bytes allowed.
        allowed: u64,
    },
    /// No column is called like an id.
    #[error("no column of question ids in `{place}`: name its header with --id-column")]
    NoIds {
        /// The sheet or file.
        place: String,
    },
    /// A column that was named is not there.
    #[error("no column is called `{name}`")]
    NoColumn {
        /// The header that was asked for.
        name: String,
    },
    /// A sheet that was named is not there.
    #[error("the workbook has no sheet `{name}`")]
    NoSheet {
        /// The sheet.
        name: String,
    },
    /// More rows than are read.
    #[error("the questionnaire has more than {allowed} rows")]
    TooManyRows {
        /// Rows allowed.
        allowed: usize,
    },
    /// Not a workbook, or an encrypted one.
    #[error("the workbook cannot be read: an .xlsx file without a password is expected")]
    Workbook(#[from] calamine::XlsxError),
    /// The container is broken.
    #[error("the workbook's container is broken")]
    Container(#[from] zip::result::ZipError),
    /// A part of the workbook is not XML.
    #[error("a part of the workbook is not XML")]
    Xml(#[from] quick_xml::Error),
    /// An attribute of a part of the workbook is not XML.
    #[error("a part of the workbook has a malformed attribute")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// The workbook's parts do not fit together.
    #[error("the workbook's parts do not fit together: {what}")]
    Parts {
        /// What is missing.
        what: String,
    },
    /// Reading or writing bytes in memory failed.
    #[error("the questionnaire cannot be unpacked")]
    Io(#[from] std::io::Error),
    /// Not comma-separated values.
    #[error("the questionnaire is not comma-separated values")]
    Csv(#[from] csv::Error),
    /// Not text.
    #[error("the questionnaire is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    /// Not the YAML that is read.
    #[error("{what}:{line}:{column}: {message}")]
    Yaml {
        /// The file.
        what: String,
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: u64,
        /// What was expected.
        message: String,
    },
}

impl QuestionnaireError {
    pub(crate) fn yaml(what: &str, error: &serde_saphyr::Error) -> Self {
        let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        Self::Yaml { what: what.to_owned(), line, column, message: error.without_snippet().to_string() }
    }
}
