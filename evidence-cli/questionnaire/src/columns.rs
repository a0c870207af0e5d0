//! Which column holds ids, and which take what is filled in.

use crate::error::QuestionnaireError;

/// How many rows are searched for the header.
const HEADER_ROWS: usize = 25;

/// Headers that hold ids, most exact first.
const IDS: [&str; 8] =
    ["question id", "control id", "requirement id", "question number", "id", "ref", "reference", "control"];

/// Headers that take each of the four texts, and what a new column is called.
const FILLED: [(&[&str], &str); 4] = [
    (&["answer", "response", "csp caiq answer", "vendor response", "your answer"], "Answer"),
    (
        &[
            "comments",
            "comment",
            "explanation",
            "notes",
            "csp implementation description (optional/recommended)",
            "additional information",
        ],
        "Explanation",
    ),
    (&["evidence", "evidence reference"], "Evidence"),
    (&["as of", "date", "answered on"], "As of"),
];

/// The columns that the caller names; what is not named is found by its header.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// The sheet of a workbook.
    pub sheet: Option<String>,
    /// The header above the ids.
    pub id: Option<String>,
    /// The header above the answers.
    pub answer: Option<String>,
    /// The header above the explanations.
    pub explanation: Option<String>,
    /// The header above the evidence.
    pub evidence: Option<String>,
    /// The header above the date.
    pub date: Option<String>,
}

/// Where everything stands in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The row of the header, from 0.
    pub(crate) header: usize,
    /// The column of ids, from 0.
    pub(crate) id: usize,
    /// The columns of answer, wording, evidence, date.
    pub(crate) filled: [usize; 4],
    /// Columns to add, with their header.
    pub(crate) added: Vec<(usize, &'static str)>,
}

impl Columns {
    /// Finds the columns in the first rows of a table; `None` where no row looks like a header.
    pub(crate) fn find(&self, rows: &[Vec<String>]) -> Result<Option<Layout>, QuestionnaireError> {
        let clean = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        for (header, row) in rows.iter().enumerate().take(HEADER_ROWS) {
            let titles: Vec<String> = row.iter().map(|title| clean(title)).collect();
            let position = |name: &str| titles.iter().position(|title| *title == clean(name));
            let id = match &self.id {
                Some(name) => position(name),
                None => IDS.iter().find_map(|name| position(name)),
            };
            let Some(id) = id else { continue };
            let named = [&self.answer, &self.explanation, &self.evidence, &self.date];
            let width = rows.iter().map(Vec::len).max().unwrap_or(0);
            let mut filled = [0_usize; 4];
            let mut added = Vec::new();
            for ((slot, name), (known, new)) in filled.iter_mut().zip(named).zip(FILLED) {
                let found = match name {
                    Some(name) => {
                        let at = position(name);
                        Some(at.ok_or_else(|| QuestionnaireError::NoColumn { name: name.clone() })?)
                    }
                    None => known.iter().find_map(|name| position(name)),
                };
                *slot = found.filter(|found| *found != id).unwrap_or_else(|| {
                    let at = width.saturating_add(added.len());
                    added.push((at, new));
                    at
                });
            }
            return Ok(Some(Layout { header, id, filled, added }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[&[&str]]) -> Vec<Vec<String>> {
        text.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn headers_are_found_by_name_below_a_title_and_missing_ones_are_added() {
        let found = Columns::default()
            .find(&rows(&[
                &["Vendor review", ""],
                &["Question  ID", "Question", "Response"],
                &["KEY-01", "?", ""],
            ]))
            .unwrap()
            .unwrap();
        assert_eq!((found.header, found.id, found.filled), (1, 0, [2, 3, 4, 5]));
        assert_eq!(found.added, [(3, "Explanation"), (4, "Evidence"), (5, "As of")]);
    }

    #[test]
    fn a_column_that_was_named_must_be_there() {
        let table = rows(&[&["ID", "Text"]]);
        let columns = Columns { answer: Some("Reply".into()), ..Columns::default() };
        assert!(matches!(columns.find(&table), Err(QuestionnaireError::NoColumn { .. })));
        let columns = Columns { id: Some("Number".into()), ..Columns::default() };
        assert_eq!(columns.find(&table).unwrap(), None);
    }
}
