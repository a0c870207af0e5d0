//! The examples of `docs/formats/kafka-records.md`, held against real records.

use std::collections::BTreeMap;
use std::path::Path;

use cadastre_model::record::{Outcome, Record};
use serde_json::Value;

/// The documented answer of each operation.
pub(crate) fn examples() -> BTreeMap<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/kafka-records.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut examples = BTreeMap::new();
    let mut operation = None;
    let mut block: Option<String> = None;
    for line in page.lines() {
        if line.starts_with("## ") {
            operation = None;
        }
        if let Some(rest) = line.strip_prefix("**`") {
            operation = rest.split('`').next().map(str::to_owned);
        }
        match (&mut block, line) {
            (None, "```json") => block = Some(String::new()),
            (Some(text), "```") => {
                let example: Value = serde_json::from_str(text).unwrap();
                if let Some(operation) = operation.take() {
                    examples.insert(operation, example);
                }
                block = None;
            }
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    examples
}

/// Checks that every answer has exactly the members that the page shows.
pub(crate) fn check(records: &[Record], examples: &BTreeMap<String, Value>) {
    for record in records.iter().filter(|record| record.outcome == Outcome::Observed) {
        let example = match (&*record.operation, examples.get(&record.operation)) {
            (_, Some(example)) => example,
            // These two are documented as having the shape of another.
            ("kafka:ConsumerGroupDescribe", None) => &examples["kafka:DescribeGroups"],
            ("probe:DeniedOperation", None) => &examples["probe:UnauthenticatedOperation"],
            (operation, None) => panic!("{operation} is not documented"),
        };
        compare(&record.operation, example, &record.response);
    }
}

fn compare(place: &str, example: &Value, actual: &Value) {
    match (example, actual) {
        (Value::Object(example), Value::Object(actual)) if !place.ends_with(".limits") => {
            let names: Vec<_> = example.keys().collect();
            assert_eq!(actual.keys().collect::<Vec<_>>(), names, "members of {place}");
            for (name, value) in example {
                compare(&format!("{place}.{name}"), value, &actual[name]);
            }
        }
        (Value::Array(example), Value::Array(actual)) => {
            if let Some(example) = example.first() {
                for value in actual {
                    compare(&format!("{place}[]"), example, value);
                }
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(kind(example), kind(actual), "type of {place}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
