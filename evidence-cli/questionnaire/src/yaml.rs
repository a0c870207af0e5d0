//! Questionnaires in YAML: a list of questions, answered into the same list.

use serde::{Deserialize, Serialize};

use crate::Filled;
use crate::answers::{Answers, Entry};
use crate::error::QuestionnaireError;
use crate::table::MAXIMUM_ROWS;

/// The format that is read and written.
const SCHEMA: &str = "cadastre/questionnaire/v1";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Questionnaire {
    schema: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    questions: Vec<Question>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    question: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    #[serde(default, rename = "as-of", skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
}

pub(crate) fn fill(bytes: &[u8], answers: &Answers<'_>) -> Result<Filled, QuestionnaireError> {
    let text = std::str::from_utf8(bytes)?;
    let mut file: Questionnaire =
        serde_saphyr::from_str(text).map_err(|error| QuestionnaireError::yaml("questionnaire", &error))?;
    if file.schema != SCHEMA {
        let message = format!("schema is `{}`, and this version reads `{SCHEMA}`", file.schema);
        return Err(QuestionnaireError::Yaml {
            what: "questionnaire".to_owned(),
            line: 1,
            column: 1,
            message,
        });
    }
    if file.questions.len() > MAXIMUM_ROWS {
        return Err(QuestionnaireError::TooManyRows { allowed: MAXIMUM_ROWS });
    }
    let mut entries = Vec::new();
    for (index, question) in file.questions.iter_mut().enumerate() {
        let outcome = answers.to(question.id.trim(), question.answer.as_deref().unwrap_or_default());
        if let Some([answer, explanation, evidence, as_of]) = outcome.texts() {
            question.answer = Some(answer);
            question.explanation = Some(explanation);
            question.evidence = Some(evidence);
            question.as_of = Some(as_of);
        }
        entries.push(Entry { place: format!("questions/{index}"), question: question.id.clone(), outcome });
    }
    Ok(Filled { bytes: written(&file).into_bytes(), entries })
}

/// Strings are written as JSON strings, which YAML reads as they are.
fn written(file: &Questionnaire) -> String {
    let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let mut yaml = format!("schema: {SCHEMA}\n");
    if let Some(title) = &file.title {
        yaml.push_str(&format!("title: {}\n", quoted(title)));
    }
    yaml.push_str(if file.questions.is_empty() { "questions: []\n" } else { "questions:\n" });
    for question in &file.questions {
        yaml.push_str(&format!("  - id: {}\n", quoted(&question.id)));
        for (name, text) in [
            ("question", &question.question),
            ("answer", &question.answer),
            ("explanation", &question.explanation),
            ("evidence", &question.evidence),
            ("as-of", &question.as_of),
        ] {
            if let Some(text) = text {
                yaml.push_str(&format!("    {name}: {}\n", quoted(text)));
            }
        }
    }
    yaml
}
