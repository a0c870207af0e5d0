//! Starting texts: what `cadastre init --documents` writes for those who have nothing yet.
//!
//! Every blank in them is honest. No owner, no date and no section is made up, so that none of them passes a control
//! before somebody filled it in.

/// One starting text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartingText {
    /// The file's name.
    pub name: &'static str,
    /// Its content.
    pub content: &'static str,
}

const TEXTS: [StartingText; 7] = [
    StartingText {
        name: "upgrade-and-rollback.md",
        content: include_str!("../texts/upgrade-and-rollback.md"),
    },
    StartingText {
        name: "certificate-rotation.md",
        content: include_str!("../texts/certificate-rotation.md"),
    },
    StartingText { name: "incident-ownership.md", content: include_str!("../texts/incident-ownership.md") },
    StartingText { name: "deletion.md", content: include_str!("../texts/deletion.md") },
    StartingText { name: "vendor-access.md", content: include_str!("../texts/vendor-access.md") },
    StartingText { name: "migration.md", content: include_str!("../texts/migration.md") },
    StartingText { name: "exit.md", content: include_str!("../texts/exit.md") },
];

/// A text for each kind of document, and runbooks for what has a drill of its own.
#[must_use]
pub const fn starting_texts() -> &'static [StartingText] {
    &TEXTS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::front_matter::parse;
    use cadastre_model::asset::document::DocumentKind;

    #[test]
    fn there_is_a_text_of_each_kind_and_all_of_them_read() {
        let kinds: BTreeSet<DocumentKind> = starting_texts()
            .iter()
            .map(|text| parse(text.name, text.content.as_bytes()).unwrap().front.kind)
            .collect();
        assert_eq!(kinds, DocumentKind::ALL.into());
    }

    #[test]
    fn nothing_in_a_starting_text_is_made_up() {
        for text in starting_texts() {
            let read = parse(text.name, text.content.as_bytes()).unwrap();
            assert_eq!(read.front.owner.as_deref(), Some(""), "{}", text.name);
            assert_eq!(read.front.last_reviewed, None, "{}", text.name);
            assert_eq!(read.front.last_exercised, None, "{}", text.name);
            assert!(read.front.operations.iter().all(|operation| operation.by.is_none()), "{}", text.name);
            assert!(read.front.incidents.iter().all(|owner| owner.first.is_empty()), "{}", text.name);
            assert!(
                !read.sections.iter().any(|section| section.filled),
                "{}: {:?}",
                text.name,
                read.sections
            );
        }
    }
}
