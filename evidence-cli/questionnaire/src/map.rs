//! The map file: which controls answer which question, where the ids do not say it themselves.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::QuestionnaireError;

/// The format this version reads.
const SCHEMA: &str = "cadastre/question-map/v1";

/// Controls by question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuestionMap {
    questions: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    schema: String,
    questions: BTreeMap<String, Vec<String>>,
}

impl QuestionMap {
    /// Parses a map file.
    ///
    /// # Errors
    /// When it is not the format, of another version, or maps a question to nothing.
    pub fn parse(text: &str, path: &str) -> Result<Self, QuestionnaireError> {
        let file: MapFile =
            serde_saphyr::from_str(text).map_err(|error| QuestionnaireError::yaml(path, &error))?;
        let refused =
            |message: String| QuestionnaireError::Yaml { what: path.to_owned(), line: 1, column: 1, message };
        if file.schema != SCHEMA {
            return Err(refused(format!("schema is `{}`, and this version reads `{SCHEMA}`", file.schema)));
        }
        if let Some((question, _)) = file.questions.iter().find(|(_, controls)| controls.is_empty()) {
            return Err(refused(format!("`{question}` is mapped to nothing: leave it out")));
        }
        Ok(Self { questions: file.questions })
    }

    /// What a question is mapped to: controls, or requirements of frameworks.
    pub(crate) fn of(&self, question: &str) -> Option<&[String]> {
        self.questions.get(question).map(Vec::as_slice)
    }
}
