//! From files to observations: one for the list, one for each document.

use cadastre_model::record::{Observation, Outcome, Page, Problem, Scope};
use cadastre_model::time::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::DocumentError;
use crate::file::{DocumentFile, Folder, MAXIMUM_FILES};
use crate::front_matter::parse;

/// The operation that lists a folder.
pub const LIST: &str = "documents:ListDocuments";

/// The operation that reads one document.
pub const READ: &str = "documents:ReadDocument";

/// How much of a document's text a record repeats, in bytes; the hash is of all of it.
const TEXT: usize = 16 << 10;

/// What a folder holds, as a scan seals it. The order of the files does not matter.
///
/// A document that cannot be read is an observation that failed, and names file and line; a Markdown file without front
/// matter is listed as no document. `boundary` is the declaration's name, the subject of the list.
#[must_use]
pub fn observe(folder: &Folder, boundary: &str, at: Timestamp) -> Vec<Observation> {
    let mut files: Vec<&DocumentFile> = folder.files.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let problem = folder.problem.clone().or_else(|| {
        let count = files.len().saturating_add(folder.unread.len());
        (count > MAXIMUM_FILES).then(|| format!("{count} documents, and {MAXIMUM_FILES} are read"))
    });
    files.truncate(MAXIMUM_FILES);
    let mut listed = Vec::new();
    let mut others = Vec::new();
    let mut observations = Vec::new();
    for file in files {
        match parse(&file.path, &file.content) {
            Err(DocumentError::NoFrontMatter { .. }) => others.push(file.path.clone()),
            Err(error) => {
                listed.push(entry(file));
                observations.push(failed(&file.path, error.code(), error.to_string(), at));
            }
            Ok(document) => {
                listed.push(entry(file));
                let text = String::from_utf8_lossy(&file.content);
                let head = text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default();
                let response = json!({
                    "Path": file.path,
                    "Sha256": sha256(file),
                    "Bytes": file.content.len(),
                    "FrontMatter": document.front,
                    "Sections": document.sections,
                    "Text": head,
                    "TextIsWhole": head.len() == text.len(),
                });
                observations.push(observation(READ, &subject(&file.path), at, Ok(response)));
            }
        }
    }
    for unread in &folder.unread {
        listed.push(json!({"Path": unread.path}));
        let problem = format!("{}: {}", unread.path, unread.problem);
        observations.push(failed(&unread.path, "unreadable", problem, at));
    }
    let list = match problem {
        None => Ok(json!({"Documents": listed, "Others": others})),
        Some(message) => Err(Problem { code: "not-listed".to_owned(), message }),
    };
    observations.insert(0, observation(LIST, boundary, at, list));
    observations
}

/// What controls call a document.
fn subject(path: &str) -> String {
    format!("document:{path}")
}

fn entry(file: &DocumentFile) -> Value {
    json!({"Path": file.path, "Sha256": sha256(file), "Bytes": file.content.len()})
}

fn sha256(file: &DocumentFile) -> String {
    hex::encode(Sha256::digest(&file.content))
}

fn failed(path: &str, code: &str, message: String, at: Timestamp) -> Observation {
    observation(READ, &subject(path), at, Err(Problem { code: code.to_owned(), message }))
}

fn observation(operation: &str, subject: &str, at: Timestamp, answer: Result<Value, Problem>) -> Observation {
    let (outcome, response, problem) = match answer {
        Ok(response) => (Outcome::Observed, response, None),
        Err(problem) => (Outcome::Failed, Value::Null, Some(problem)),
    };
    Observation {
        collector: "documents".to_owned(),
        operation: operation.to_owned(),
        scope: Scope::default(),
        subject: subject.to_owned(),
        // A file was read; nobody was asked.
        caller: String::new(),
        observed_at: at,
        outcome,
        request: json!({}),
        response,
        problem,
        page: Page::ONLY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Unread;

    fn file(path: &str, content: &str) -> DocumentFile {
        DocumentFile { path: path.to_owned(), content: content.as_bytes().to_vec() }
    }

    fn at() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    const GOOD: &str = "---\nkind: runbook\ncontrols: [OPS-01]\nowner: platform\n---\n# Steps\nstop\n";

    #[test]
    fn a_broken_document_is_told_by_name_and_the_rest_goes_on() {
        let folder = Folder {
            files: vec![
                file("z.md", GOOD),
                file("a.md", "---\nkind: nothing\n---\n"),
                file("README.md", "hello"),
            ],
            unread: vec![Unread { path: "link.md".into(), problem: "links are not followed".into() }],
            problem: None,
        };
        let seen = observe(&folder, "payments", at());
        let told: Vec<(&str, &str, Outcome)> =
            seen.iter().map(|o| (o.operation.as_str(), o.subject.as_str(), o.outcome)).collect();
        assert_eq!(
            told,
            [
                (LIST, "payments", Outcome::Observed),
                (READ, "document:a.md", Outcome::Failed),
                (READ, "document:z.md", Outcome::Observed),
                (READ, "document:link.md", Outcome::Failed),
            ]
        );
        assert_eq!(seen[0].response["Others"], json!(["README.md"]));
        let problem = seen[1].problem.as_ref().unwrap();
        assert_eq!(problem.code, "broken-front-matter");
        assert!(problem.message.starts_with("a.md:2:7: "), "{}", problem.message);
        assert_eq!(seen[2].response["FrontMatter"]["owner"], "platform");
    }

    #[test]
    fn the_same_folder_gives_the_same_observations_in_any_order() {
        let one = Folder { files: vec![file("a.md", GOOD), file("b.md", GOOD)], ..Folder::default() };
        let other = Folder { files: one.files.iter().rev().cloned().collect(), ..Folder::default() };
        assert_eq!(observe(&one, "payments", at()), observe(&other, "payments", at()));
    }

    #[test]
    fn long_text_is_cut_between_characters_and_hashed_whole() {
        let long = format!("{GOOD}{}", "ä".repeat(TEXT));
        let whole = observe(&Folder { files: vec![file("a.md", GOOD)], ..Folder::default() }, "b", at());
        let cut = observe(&Folder { files: vec![file("a.md", &long)], ..Folder::default() }, "b", at());
        assert_eq!(whole[1].response["TextIsWhole"], true);
        assert_eq!(cut[1].response["TextIsWhole"], false);
        assert!(cut[1].response["Text"].as_str().unwrap().len() <= TEXT);
        assert_eq!(cut[1].response["Sha256"], hex::encode(Sha256::digest(long.as_bytes())));
    }

    #[test]
    fn a_folder_that_cannot_be_listed_whole_is_no_answer() {
        let missing = Folder { problem: Some("`runbooks` is not there".into()), ..Folder::default() };
        assert_eq!(observe(&missing, "b", at())[0].outcome, Outcome::Failed);
        let many: Vec<DocumentFile> =
            (0..=MAXIMUM_FILES).map(|number| file(&format!("{number:04}.md"), "no document")).collect();
        let seen = observe(&Folder { files: many, ..Folder::default() }, "b", at());
        assert_eq!(seen[0].outcome, Outcome::Failed);
        assert!(seen[0].problem.as_ref().unwrap().message.contains("1001"));
    }
}
