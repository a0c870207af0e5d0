//! Headings of a Markdown text, and whether anything is written below them.

use std::ops::Range;

use cadastre_model::asset::document::Section;
use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

/// The words that mark a place somebody still has to fill in, in lower case.
pub(crate) const BLANK: &str = "to be filled in";

/// The most headings that are kept.
const MAXIMUM_SECTIONS: usize = 1_000;

/// Every heading with the text below it, up to the next heading of any level.
///
/// A section counts as filled when words stand in it, none of them marks a blank, and comments apart. A heading whose
/// text is all in deeper headings is filled when one of those is, and none of them is blank.
pub(crate) fn read(text: &str) -> Vec<Section> {
    let mut found: Vec<Found> = Vec::new();
    let mut heading: Option<(String, HeadingLevel, Range<usize>)> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => heading = Some((String::new(), level, range)),
            Event::End(TagEnd::Heading(_)) => {
                if let Some((heading, level, range)) = heading.take() {
                    found.push(Found {
                        heading: heading.trim().to_owned(),
                        level: level as u8,
                        line: line_of(text, range.start),
                        words: String::new(),
                    });
                    if found.len() >= MAXIMUM_SECTIONS {
                        break;
                    }
                }
            }
            Event::Text(words) | Event::Code(words) => match (&mut heading, found.last_mut()) {
                (Some((heading, ..)), _) => heading.push_str(&words),
                (None, Some(section)) => {
                    section.words.push_str(&words);
                    section.words.push(' ');
                }
                (None, None) => {}
            },
            Event::SoftBreak | Event::HardBreak => {
                if let Some((heading, ..)) = &mut heading {
                    heading.push(' ');
                } else if let Some(section) = found.last_mut() {
                    section.words.push(' ');
                }
            }
            _ => {}
        }
    }
    (0..found.len()).filter_map(|index| section(&found, index)).collect()
}

/// A heading and its own words.
struct Found {
    heading: String,
    level: u8,
    line: u64,
    words: String,
}

impl Found {
    fn is_blank(&self) -> bool {
        let words = self.words.to_lowercase();
        words.split_whitespace().collect::<Vec<_>>().join(" ").contains(BLANK)
    }

    fn has_words(&self) -> bool {
        self.words.chars().any(char::is_alphanumeric)
    }
}

fn section(found: &[Found], index: usize) -> Option<Section> {
    let own = found.get(index)?;
    let below = || found.iter().skip(index + 1).take_while(|deeper| deeper.level > own.level);
    let filled = !own.is_blank()
        && !below().any(Found::is_blank)
        && (own.has_words() || below().any(Found::has_words));
    Some(Section { heading: own.heading.clone(), level: own.level, line: own.line, filled })
}

/// The line of a place in a text, counted from 1.
fn line_of(text: &str, offset: usize) -> u64 {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(lines).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, u64, bool)]) {
        let sections = read(text);
        let found: Vec<(&str, u64, bool)> =
            sections.iter().map(|s| (s.heading.as_str(), s.line, s.filled)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_section_is_filled_by_words_and_by_nothing_else() {
        check("# A\ntext\n## B\n\n## C\n- one\n", &[("A", 1, true), ("B", 3, false), ("C", 5, true)]);
        check("# A\n<!-- say what to do -->\n", &[("A", 1, false)]);
        check("# A\n---\n***\n", &[("A", 1, false)]);
        check("# A\n**To be\nfilled in:** who stops it\n", &[("A", 1, false)]);
        check("# A\n```\nkafka-broker stop\n```\n", &[("A", 1, true)]);
    }

    #[test]
    fn a_heading_in_a_code_block_or_comment_is_none() {
        check("# A\n```\n# B\n```\n<!--\n# C\n-->\n", &[("A", 1, true)]);
    }

    #[test]
    fn one_blank_below_a_heading_leaves_all_of_it_blank() {
        check(
            "# A\nintroduction\n## B\ndone\n## C\nTo be filled in.\n",
            &[("A", 1, false), ("B", 3, true), ("C", 5, false)],
        );
    }

    #[test]
    fn markup_in_a_heading_is_read_as_its_words() {
        check("Roll\n*back* `now`\n=====\ntext\n", &[("Roll back now", 1, true)]);
    }
}
