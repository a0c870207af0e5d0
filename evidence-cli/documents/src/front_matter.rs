//! Splits a document into front matter and text, and reads the former strictly.

use cadastre_model::asset::document::{FrontMatter, Section};
use cadastre_model::yaml::{self, Malformed};

use crate::error::DocumentError;
use crate::file::MAXIMUM_SIZE;
use crate::sections;

/// A document that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedDocument {
    /// What it says of itself.
    pub front: FrontMatter,
    /// Its headings, in order, with lines counted in the file.
    pub sections: Vec<Section>,
}

/// Reads one document; `path` is only named in errors.
///
/// Front matter is YAML between a first line `---` and the next line `---`. An unknown member, a wrong type and a
/// duplicate are refused with file, line and column.
///
/// # Errors
/// See [`DocumentError`].
pub fn parse(path: &str, content: &[u8]) -> Result<ParsedDocument, DocumentError> {
    if content.len() > MAXIMUM_SIZE {
        return Err(DocumentError::TooLarge { path: path.to_owned() });
    }
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        DocumentError::NotText { path: path.to_owned(), line: to_line(lines) }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (front, body, lines) = split(path, text)?;
    let front: FrontMatter = yaml::parse(front).map_err(|Malformed { line, column, message }| {
        // The fence stands before it.
        DocumentError::Malformed { path: path.to_owned(), line: line.saturating_add(1), column, message }
    })?;
    let mut sections = sections::read(body);
    for section in &mut sections {
        section.line = section.line.saturating_add(lines);
    }
    Ok(ParsedDocument { front, sections })
}

/// The front matter, the rest, and how many lines stand before the rest.
fn split<'t>(path: &str, text: &'t str) -> Result<(&'t str, &'t str, u64), DocumentError> {
    let mut offset = 0;
    let mut begins = None;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_fence = line.trim_end() == "---";
        match begins {
            None if is_fence => begins = Some(line.len()),
            None => return Err(DocumentError::NoFrontMatter { path: path.to_owned() }),
            Some(start) if is_fence => {
                let front = text.get(start..offset).unwrap_or_default();
                let body = text.get(offset.saturating_add(line.len())..).unwrap_or_default();
                return Ok((front, body, to_line(number)));
            }
            Some(_) => {}
        }
        offset = offset.saturating_add(line.len());
    }
    Err(match begins {
        None => DocumentError::NoFrontMatter { path: path.to_owned() },
        Some(_) => DocumentError::Unclosed { path: path.to_owned() },
    })
}

/// A count of lines before one as that line's number.
fn to_line(before: usize) -> u64 {
    u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::asset::document::DocumentKind;

    #[track_caller]
    fn refused(content: impl AsRef<[u8]>, expected: &str) {
        let error = parse("runbooks/upgrade.md", content.as_ref()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    const SMALLEST: &str = "---\nkind: runbook\ncontrols: [OPS-01]\n---\n# Upgrade\n\nstop, start\n";

    #[test]
    fn front_matter_and_headings_are_read_with_the_files_own_lines() {
        let read = parse("a.md", SMALLEST.as_bytes()).unwrap();
        assert_eq!(read.front.kind, DocumentKind::Runbook);
        assert_eq!(read.front.owner, None);
        let [section] = read.sections.as_slice() else { panic!("{:?}", read.sections) };
        assert_eq!((section.heading.as_str(), section.line, section.filled), ("Upgrade", 5, true));
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
        let text = format!("\u{feff}{}", SMALLEST.replace('\n', "\r\n"));
        assert_eq!(parse("a.md", text.as_bytes()).unwrap(), parse("a.md", SMALLEST.as_bytes()).unwrap());
    }

    #[test]
    fn what_is_wrong_is_told_by_file_line_and_column() {
        refused("# no front matter\n", "runbooks/upgrade.md:1:1: there is no front matter");
        refused("", "runbooks/upgrade.md:1:1: there is no front matter");
        refused(
            "---\nkind: runbook\n",
            "runbooks/upgrade.md:1:1: the front matter that begins here has no closing `---`",
        );
        refused(b"---\nkind: \xff\n---\n", "runbooks/upgrade.md:2:1: the line is not UTF-8");
        refused(vec![b' '; MAXIMUM_SIZE + 1], "runbooks/upgrade.md: larger than 1048576 bytes");
    }

    #[track_caller]
    fn malformed(extra: &str, line: u64, expected: &str) {
        let text = SMALLEST.replace("---\n# Upgrade", &format!("{extra}---\n# Upgrade"));
        match parse("a.md", text.as_bytes()).unwrap_err() {
            DocumentError::Malformed { line: found, message, .. } => {
                assert!(message.contains(expected), "{message}");
                assert_eq!(found, line, "{message}");
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_misspelt_or_mistyped_member_is_never_taken_for_a_blank() {
        malformed("ownr: platform\n", 4, "unknown field `ownr`");
        malformed("kind: runbook\n", 4, "duplicate");
        malformed("last-reviewed: yesterday\n", 4, "`yesterday` is no day");
        malformed("last-reviewed: 2026-02-30\n", 4, "`2026-02-30` is no day");
        malformed("statements: [{capability: operate-hosts, only: customer}]\n", 4, "operate-hosts");
        malformed("statements:\n  - {capability: operate-host, only: nobody}\n", 5, "nobody");
    }
}
