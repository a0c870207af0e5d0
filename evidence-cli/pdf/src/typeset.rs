//! Lays a document out and writes it.

use cadastre_model::Timestamp;
use jiff::tz::TimeZone;
use typst::diag::{SourceDiagnostic, Warned};
use typst::ecow::EcoVec;
use typst::foundations::{Datetime, Smart};
use typst::layout::{Frame, FrameItem};
use typst::{World, WorldExt};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use crate::document::{Document, TEMPLATE_NAME, Typeset};
use crate::error::PdfError;
use crate::glyphs::{Repertoire, printable, printable_text};
use crate::picture;
use crate::world::Files;

/// As [`crate::typeset`].
pub(crate) fn typeset(document: &Document<'_>) -> Result<Typeset, PdfError> {
    let outcome = match set(document, Repertoire::Fonts) {
        // Letters and marks that cannot be combined show only while the pages are written.
        Err(PdfError::Standard { .. }) => set(document, Repertoire::Ascii),
        outcome => outcome,
    };
    // The typesetter remembers what it computed for the next compilation, and there is none.
    typst::comemo::evict(0);
    outcome
}

fn set(document: &Document<'_>, repertoire: Repertoire) -> Result<Typeset, PdfError> {
    let mut data = document.data.clone();
    printable(&mut data, repertoire)?;
    let diagram = picture::plain(&printable_text(document.diagram, repertoire)?);
    let date = datetime(document.date)?;
    let files = Files::new((TEMPLATE_NAME, document.template), serde_json::to_vec(&data)?, diagram, date)?;
    drop(data);
    let Warned { output, warnings: _ } = typst::compile::<PagedDocument>(&files);
    let pages = output.map_err(|errors| template_error(&files, &errors))?;
    let standards = PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1])
        .map_err(|error| PdfError::Standard { message: error.message().to_string(), hints: Vec::new() })?;
    let options = PdfOptions {
        ident: Smart::Custom(document.identity.to_owned()),
        creator: Smart::Custom(Some(document.creator.to_owned())),
        timestamp: Some(typst_pdf::Timestamp::new_utc(date)),
        page_ranges: None,
        standards,
        tagged: true,
        pretty: false,
    };
    let bytes = typst_pdf::pdf(&pages, &options).map_err(|errors| standard_error(&errors))?;
    let mut text = String::new();
    pages.pages().iter().for_each(|page| gather(&page.frame, &mut text));
    Ok(Typeset { bytes, text })
}

/// Adds what a frame says, each run of text on a line of its own.
fn gather(frame: &Frame, text: &mut String) {
    for (_, item) in frame.items() {
        match item {
            FrameItem::Group(group) => gather(&group.frame, text),
            FrameItem::Text(run) => {
                text.push_str(&run.text);
                text.push('\n');
            }
            FrameItem::Shape(..) | FrameItem::Image(..) | FrameItem::Link(..) | FrameItem::Tag(_) => {}
        }
    }
}

fn datetime(at: Timestamp) -> Result<Datetime, PdfError> {
    let refused = || PdfError::Date(at.to_string());
    let civil = jiff::Timestamp::from_second(at.seconds())
        .map_err(|_too_far| refused())?
        .to_zoned(TimeZone::UTC)
        .datetime();
    let small = |number: i8| u8::try_from(number).map_err(|_negative| refused());
    Datetime::from_ymd_hms(
        i32::from(civil.year()),
        small(civil.month())?,
        small(civil.day())?,
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
    )
    .ok_or_else(refused)
}

fn template_error(files: &Files, errors: &EcoVec<SourceDiagnostic>) -> PdfError {
    let Some(error) = errors.first() else {
        return PdfError::Template {
            file: TEMPLATE_NAME.to_owned(),
            line: 0,
            column: 0,
            message: "the template cannot be laid out".to_owned(),
            hints: Vec::new(),
        };
    };
    let place = files.range(error.span).and_then(|range| {
        let source = files.source(files.main()).ok()?;
        source.lines().byte_to_line_column(range.start)
    });
    let (line, column) = place.map_or((0, 0), |(line, column)| (line + 1, column + 1));
    PdfError::Template {
        file: TEMPLATE_NAME.to_owned(),
        line,
        column,
        message: error.message.to_string(),
        hints: hints(error),
    }
}

fn standard_error(errors: &EcoVec<SourceDiagnostic>) -> PdfError {
    match errors.first() {
        Some(error) => PdfError::Standard { message: error.message.to_string(), hints: hints(error) },
        None => PdfError::Standard { message: "no reason is known".to_owned(), hints: Vec::new() },
    }
}

fn hints(error: &SourceDiagnostic) -> Vec<String> {
    error.hints.iter().map(|hint| hint.v.to_string()).collect()
}
