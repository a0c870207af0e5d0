//! Builds the JSON that the AWS CLI would print, from the SDK's types, which do not serialise.

use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use serde_json::{Map, Value};

/// A JSON object under construction. Members without a value are left out, lists never are.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// An empty object.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Any value.
    pub(super) fn value(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// Text.
    pub(super) fn text(self, name: &str, text: Option<&str>) -> Self {
        self.value(name, text.map(Value::from))
    }

    /// A yes or no.
    pub(super) fn flag(self, name: &str, flag: Option<bool>) -> Self {
        self.value(name, flag.map(Value::from))
    }

    /// A whole number.
    pub(super) fn number(self, name: &str, number: Option<impl Into<i64>>) -> Self {
        self.value(name, number.map(|number| Value::from(number.into())))
    }

    /// An instant, as RFC 3339 in UTC.
    pub(super) fn time(self, name: &str, time: Option<&DateTime>) -> Self {
        self.value(name, time.and_then(instant))
    }

    /// A policy document or event pattern, parsed.
    pub(super) fn document(self, name: &str, text: Option<&str>) -> Self {
        self.value(name, text.map(document))
    }

    /// A nested object.
    pub(super) fn nested<T>(self, name: &str, inner: Option<&T>, shape: impl FnOnce(&T) -> Value) -> Self {
        self.value(name, inner.map(shape))
    }

    /// A list.
    pub(super) fn list<T>(self, name: &str, items: &[T], shape: impl Fn(&T) -> Value) -> Self {
        self.value(name, Some(items.iter().map(shape).collect()))
    }

    /// A list of texts.
    pub(super) fn texts(self, name: &str, items: &[String]) -> Self {
        self.list(name, items, |item| Value::from(item.as_str()))
    }

    /// The object.
    pub(super) fn build(self) -> Value {
        Value::Object(self.0)
    }
}

/// An instant as RFC 3339 in UTC; `None` for one outside the years 0 to 9999.
pub(super) fn instant(time: &DateTime) -> Option<Value> {
    time.fmt(DateTimeFormat::DateTime).ok().map(Value::from)
}

/// Parses a document; what is not JSON stays text.
pub(super) fn document(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => Value::from(text),
    }
}

/// Parses a document that IAM has percent-encoded (RFC 3986).
pub(super) fn encoded_document(text: &str) -> Value {
    percent_decoded(text).map_or_else(|| Value::from(text), |decoded| document(&decoded))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// An access key id, of which only the last four characters are kept.
pub(super) fn masked(access_key_id: &str) -> String {
    let count = access_key_id.chars().count();
    let tail: String = access_key_id.chars().skip(count.saturating_sub(4)).collect();
    format!("****{tail}")
}

/// Tags with `Key` and `Value`, as most services have them.
macro_rules! tags {
    ($tags:expr) => {
        $tags
            .iter()
            .map(|tag| {
                $crate::aws::shape::Object::new()
                    .text("Key", tag.key().into())
                    .text("Value", tag.value().into())
                    .build()
            })
            .collect::<::serde_json::Value>()
    };
}
pub(super) use tags;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_percent_encoded_policy_is_parsed() {
        let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
        assert_eq!(encoded_document(encoded), json!({"Version": "2012-10-17", "Statement": []}));
        assert_eq!(encoded_document("{\"Statement\": [\"a+b\"]}"), json!({"Statement": ["a+b"]}));
    }

    #[test]
    fn what_does_not_parse_stays_text() {
        assert_eq!(document("{\"Statement\": ["), json!("{\"Statement\": ["));
        assert_eq!(document("17"), json!("17"));
        assert_eq!(encoded_document("%7"), json!("%7"));
        assert_eq!(encoded_document("%zz"), json!("%zz"));
    }

    #[test]
    fn an_access_key_id_keeps_its_last_four_characters() {
        assert_eq!(masked("AKIAIOSFODNN7EXAMPLE"), "****MPLE");
        assert_eq!(masked("abc"), "****abc");
    }

    #[test]
    fn members_without_a_value_are_left_out_and_lists_are_not() {
        let value = Object::new().text("A", None).flag("B", Some(false)).texts("C", &[]).build();
        assert_eq!(value, json!({"B": false, "C": []}));
    }
}
