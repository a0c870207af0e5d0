//! Policy documents: parsed, put together from `aws_iam_policy_document`, and compared by what they mean.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::block::{Block, NotKnown, Read};

/// A policy document of a resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    /// The document; a string where it does not parse.
    Stated(Value),
    /// There is none.
    Missing,
}

impl Document {
    /// The document, where there is one.
    pub(crate) fn stated(self) -> Option<Value> {
        match self {
            Self::Stated(document) => Some(document),
            Self::Missing => None,
        }
    }
}

/// Parses the text of a document. One that does not parse stays text, which readers refuse.
pub(crate) fn parse(value: &Value) -> Document {
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Document::Missing,
        Some(text) => Document::Stated(serde_json::from_str(text).unwrap_or_else(|_| value.clone())),
        None => Document::Stated(value.clone()),
    }
}

/// The document that the data source `aws_iam_policy_document` will give ("Data Source: aws_iam_policy_document", AWS
/// provider documentation). Documents that it merges in are not followed.
pub(crate) fn of_data_source(source: &Block<'_, '_>) -> Read<Value> {
    for merged in ["source_policy_documents", "override_policy_documents", "source_json", "override_json"] {
        if source.is_unknown(merged) || !source.words(merged)?.is_empty() || source.word(merged)?.is_some() {
            return Err(NotKnown(merged.to_owned()));
        }
    }
    let mut statements = Vec::new();
    for block in source.blocks("statement")? {
        statements.push(statement(&block)?);
    }
    Ok(json!({"Version": source.word("version")?.unwrap_or("2012-10-17"), "Statement": statements}))
}

fn statement(block: &Block<'_, '_>) -> Read<Value> {
    let mut statement = Map::new();
    if let Some(sid) = block.word("sid")? {
        statement.insert("Sid".to_owned(), json!(sid));
    }
    statement.insert("Effect".to_owned(), json!(block.word("effect")?.unwrap_or("Allow")));
    for (argument, member) in [("actions", "Action"), ("not_actions", "NotAction")] {
        let words = block.words(argument)?;
        if !words.is_empty() {
            statement.insert(member.to_owned(), json!(words));
        }
    }
    for (argument, member) in [("resources", "Resource"), ("not_resources", "NotResource")] {
        // A bucket's ARN is composed as often as not (`…/*`), so an unknown one is not resolved here.
        let words = block.words(argument)?;
        if !words.is_empty() {
            statement.insert(member.to_owned(), json!(unescaped(&words)));
        }
    }
    for (argument, member) in [("principals", "Principal"), ("not_principals", "NotPrincipal")] {
        let mut principals = Map::new();
        for block in block.blocks(argument)? {
            let kind = block.required_word("type")?;
            let identifiers = block.identifiers("identifiers")?;
            if kind == "*" {
                principals.clear();
                statement.insert(member.to_owned(), json!("*"));
                break;
            }
            let entry = principals.entry(kind).or_insert_with(|| json!([]));
            if let Value::Array(list) = entry {
                list.extend(identifiers.into_iter().map(Value::String));
            }
        }
        if !principals.is_empty() {
            statement.insert(member.to_owned(), Value::Object(principals));
        }
    }
    let mut conditions = Map::new();
    for block in block.blocks("condition")? {
        let operator = conditions.entry(block.required_word("test")?).or_insert_with(|| json!({}));
        if let Value::Object(keys) = operator {
            keys.insert(
                block.required_word("variable")?.to_owned(),
                json!(unescaped(&block.words("values")?)),
            );
        }
    }
    if !conditions.is_empty() {
        statement.insert("Condition".to_owned(), Value::Object(conditions));
    }
    Ok(Value::Object(statement))
}

/// The data source writes policy variables as `&{…}`, because `${…}` is Terraform's own.
fn unescaped(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.replace("&{", "${")).collect()
}

/// Whether two documents say the same: order of statements and of lists, names of statements, and one element beside
/// a list of one do not count.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    a == b || meaning(a) == meaning(b)
}

fn meaning(document: &Value) -> Option<(String, BTreeSet<String>)> {
    let version = document.get("Version").and_then(Value::as_str).unwrap_or("2008-10-17");
    let statements = match document.get("Statement")? {
        Value::Array(statements) => statements.iter().collect(),
        one => vec![one],
    };
    let statements = statements.into_iter().map(|statement| {
        let mut statement = statement.as_object()?.clone();
        statement.remove("Sid");
        for member in ["Action", "NotAction", "Resource", "NotResource"] {
            if let Some(value) = statement.get_mut(member) {
                sort(value);
            }
        }
        for member in ["Principal", "NotPrincipal"] {
            for value in
                statement.get_mut(member).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
            {
                sort(value);
            }
        }
        for operator in statement
            .get_mut("Condition")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(Map::values_mut)
        {
            for value in operator.as_object_mut().into_iter().flat_map(Map::values_mut) {
                sort(value);
            }
        }
        serde_json_canonicalizer::to_string(&statement).ok()
    });
    Some((version.to_owned(), statements.collect::<Option<BTreeSet<_>>>()?))
}

/// One value or a list of them, as a sorted list of texts.
fn sort(value: &mut Value) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut elements: Vec<String> = match &*value {
        Value::Array(elements) => elements.iter().map(text).collect(),
        one => vec![text(one)],
    };
    elements.sort();
    elements.dedup();
    *value = json!(elements);
}

/// Whether a bucket policy is certainly not public: nothing in it allows, or everything that allows names whom
/// ("The meaning of public", Amazon S3 User Guide). `None` where only S3 can tell.
pub(crate) fn certainly_not_public(document: &Value) -> Option<bool> {
    let statements = match document.get("Statement")? {
        Value::Array(statements) => statements.iter().collect(),
        one => vec![one],
    };
    let named = |principal: &Value| {
        principal.as_object().is_some_and(|kinds| {
            kinds.values().all(|values| match values {
                Value::Array(values) => {
                    values.iter().all(|value| value.as_str().is_some_and(|text| !text.contains('*')))
                }
                Value::String(text) => !text.contains('*'),
                _ => false,
            })
        })
    };
    let all = statements.iter().all(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some("Deny")
            || statement.get("Principal").is_some_and(named)
    });
    all.then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &Value, b: &Value, expected: bool) {
        assert_eq!(same(a, b), expected);
        assert_eq!(same(b, a), expected);
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let a = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*", "Principal": {"AWS": ["a", "b"]},
             "Condition": {"Bool": {"aws:SecureTransport": true}}},
            {"Effect": "Deny", "Action": "s3:*", "Resource": ["*"], "Principal": "*"}]});
        let b = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Action": ["s3:*"], "Resource": "*", "Principal": "*"},
            {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["*"], "Principal": {"AWS": ["b", "a"]},
             "Condition": {"Bool": {"aws:SecureTransport": ["true"]}}}]});
        check(&a, &b, true);
        let mut c = b.clone();
        *c.pointer_mut("/Statement/1/Principal/AWS/0").unwrap() = json!("c");
        check(&a, &c, false);
        let mut d = b.clone();
        *d.pointer_mut("/Version").unwrap() = json!("2008-10-17");
        check(&a, &d, false);
        check(&a, &json!("not a document"), false);
    }

    #[test]
    fn only_what_is_certain_is_called_not_public() {
        let allow = |principal: Value| json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "s3:*"}]});
        assert_eq!(
            certainly_not_public(&allow(json!({"AWS": "arn:aws:iam::111122223333:role/a"}))),
            Some(true)
        );
        assert_eq!(certainly_not_public(&allow(json!("*"))), None);
        assert_eq!(certainly_not_public(&allow(json!({"AWS": ["*"]}))), None);
        assert_eq!(
            certainly_not_public(&json!({"Statement": {"Effect": "Deny", "Principal": "*"}})),
            Some(true)
        );
        assert_eq!(
            certainly_not_public(&json!({"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": "a"}}]})),
            None
        );
    }
}
