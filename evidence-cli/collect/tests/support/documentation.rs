//! The examples in `docs/formats/aws-records.md`, and what records have that these do not show.

use std::collections::BTreeMap;

use serde_json::Value;

/// The examples of each operation.
pub(crate) fn examples() -> BTreeMap<String, Vec<Value>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/aws-records.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut examples: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut operations: Vec<String> = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line) {
            (None, "```json") => block = Some(String::new()),
            (Some(example), "```") => {
                let value: Value = serde_json::from_str(example).unwrap_or_else(|e| panic!("{e}: {example}"));
                for operation in &operations {
                    examples.entry(operation.clone()).or_default().push(value.clone());
                }
                block = None;
            }
            (Some(example), line) => {
                example.push_str(line);
                example.push('\n');
            }
            (None, line) if line.starts_with("**`") => {
                operations = line
                    .split("**")
                    .filter_map(|part| part.strip_prefix('`')?.strip_suffix('`'))
                    .map(str::to_owned)
                    .collect();
            }
            (None, _) => {}
        }
    }
    examples
}

/// The paths of members that the example does not have. An empty object in it stands for any.
pub(crate) fn undescribed(value: &Value, example: &Value, path: &str) -> Vec<String> {
    match (value, example) {
        (Value::Object(_), Value::Object(example)) if example.is_empty() => Vec::new(),
        // A policy document is whatever its author wrote; the summary's keys are IAM's.
        (Value::Object(_), Value::Object(example)) if example.contains_key("Statement") => Vec::new(),
        (Value::Object(members), Value::Object(example)) => members
            .iter()
            .flat_map(|(name, member)| {
                let path = format!("{path}/{name}");
                match example.get(name) {
                    _ if is_open(&path) => Vec::new(),
                    Some(example) => undescribed(member, example, &path),
                    None => vec![path],
                }
            })
            .collect(),
        (Value::Array(items), Value::Array(example)) => match example.first() {
            Some(example) => items.iter().flat_map(|item| undescribed(item, example, path)).collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Members whose keys are data.
fn is_open(path: &str) -> bool {
    ["/SummaryMap", "/EventPattern", "/Content", "/EncryptionContextSubset", "/EncryptionContextEquals"]
        .iter()
        .any(|open| path.ends_with(open))
}
