//! The arguments of a resource, or of a block inside one, with what is not known of them.

use serde_json::Value;

use crate::document::{self, Document};
use crate::resource::Resource;
use crate::symbol::Symbols;

/// The name of an argument whose value is known only after apply and may not be named by a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotKnown(pub(crate) String);

/// The result of reading an argument.
pub(crate) type Read<T> = Result<T, NotKnown>;

/// One block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'s, 'p> {
    pub(crate) resource: &'s Resource<'p>,
    pub(crate) symbols: &'s Symbols<'p>,
    pub(crate) values: &'p Value,
    pub(crate) unknown: &'p Value,
    pub(crate) expressions: &'p Value,
}

/// What stands at an argument.
enum Field<'p> {
    Known(&'p Value),
    Unknown,
    Missing,
}

impl<'s, 'p> Block<'s, 'p> {
    fn field(&self, name: &str) -> Field<'p> {
        if self.unknown == &Value::Bool(true) || self.unknown.get(name) == Some(&Value::Bool(true)) {
            return Field::Unknown;
        }
        match self.values.get(name) {
            None | Some(Value::Null) => Field::Missing,
            Some(value) => Field::Known(value),
        }
    }

    fn not_known<T>(&self, name: &str) -> Read<T> {
        Err(NotKnown(name.to_owned()))
    }

    /// Whether the argument is known only after apply.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        matches!(self.field(name), Field::Unknown)
    }

    /// What `read` makes of the argument's value; nothing when it has none.
    fn known<T>(&self, name: &str, read: impl FnOnce(&'p Value) -> Option<T>) -> Read<Option<T>> {
        match self.field(name) {
            Field::Known(value) => Ok(read(value)),
            Field::Missing => Ok(None),
            Field::Unknown => self.not_known(name),
        }
    }

    /// Text whose content decides: an enumeration, a range of addresses.
    pub(crate) fn word(&self, name: &str) -> Read<Option<&'p str>> {
        self.known(name, |value| value.as_str().filter(|text| !text.is_empty()))
    }

    /// The same, where the provider always has a value.
    pub(crate) fn required_word(&self, name: &str) -> Read<&'p str> {
        self.word(name)?.ok_or_else(|| NotKnown(name.to_owned()))
    }

    /// A whole number, written as a number or as text.
    pub(crate) fn integer(&self, name: &str) -> Read<Option<i64>> {
        self.known(name, |value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        })
    }

    /// Yes or no.
    pub(crate) fn flag(&self, name: &str) -> Read<Option<bool>> {
        self.known(name, |value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_bool(),
        })
    }

    /// An identifier: the value, what the expression refers to, or a symbol of its own. Never composed text.
    pub(crate) fn identifier(&self, name: &str) -> Option<String> {
        match self.field(name) {
            Field::Known(value) => value.as_str().filter(|text| !text.is_empty()).map(str::to_owned),
            Field::Missing => None,
            Field::Unknown => {
                Some(self.referred(name).unwrap_or_else(|| format!("{}.{name}", self.resource.address)))
            }
        }
    }

    /// An identifier that must not be a symbol of its own, because something existing is meant.
    pub(crate) fn resolved(&self, name: &str) -> Read<Option<String>> {
        match self.field(name) {
            Field::Known(value) => Ok(value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)),
            Field::Missing => Ok(None),
            Field::Unknown => self.referred(name).map(Some).ok_or_else(|| NotKnown(name.to_owned())),
        }
    }

    /// Text that is known, here or where the expression refers to.
    pub(crate) fn fixed(&self, name: &str) -> Read<String> {
        match self.word(name) {
            Ok(Some(text)) => Ok(text.to_owned()),
            Ok(None) => self.not_known(name),
            Err(missing) => {
                let referred = self.reference(name);
                let known =
                    referred.and_then(|(found, attribute)| Some(found.word(&attribute).ok()??.to_owned()));
                known.ok_or(missing)
            }
        }
    }

    /// The one resource that the argument's expression refers to, with the attribute.
    pub(crate) fn reference(&self, name: &str) -> Option<(Block<'s, 'p>, String)> {
        let references = self.symbols.references(self.resource.module, self.expressions.get(name)?)?;
        match references.as_slice() {
            [one] => Some((self.symbols.resource(one)?.block(self.symbols), one.attribute.clone())),
            _ => None,
        }
    }

    /// The same, where there must be one.
    pub(crate) fn required(&self, name: &str) -> Read<String> {
        self.resolved(name)?.ok_or_else(|| NotKnown(name.to_owned()))
    }

    /// The one attribute that the argument's expression refers to.
    fn referred(&self, name: &str) -> Option<String> {
        let references = self.symbols.references(self.resource.module, self.expressions.get(name)?)?;
        match references.as_slice() {
            [one] => self.symbols.text(one),
            _ => None,
        }
    }

    /// A list or set of identifiers.
    pub(crate) fn identifiers(&self, name: &str) -> Read<Vec<String>> {
        let referred = || -> Read<Vec<String>> {
            let not_known = || NotKnown(name.to_owned());
            let expression = self.expressions.get(name).ok_or_else(not_known)?;
            let references =
                self.symbols.references(self.resource.module, expression).ok_or_else(not_known)?;
            references.iter().map(|one| self.symbols.text(one).ok_or_else(not_known)).collect()
        };
        match self.field(name) {
            Field::Missing => Ok(Vec::new()),
            Field::Unknown => referred(),
            Field::Known(value) => {
                let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let unknown = self.unknown.get(name).and_then(Value::as_array).map(Vec::as_slice);
                let unknown = unknown.unwrap_or_default().contains(&Value::Bool(true))
                    || elements.iter().any(Value::is_null);
                let mut found: Vec<String> =
                    elements.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                if unknown {
                    found.extend(referred()?);
                }
                found.sort();
                found.dedup();
                Ok(found)
            }
        }
    }

    /// A list or set of texts whose content decides.
    pub(crate) fn words(&self, name: &str) -> Read<Vec<String>> {
        match self.field(name) {
            Field::Missing => Ok(Vec::new()),
            Field::Unknown => self.not_known(name),
            Field::Known(value) => {
                if any_unknown(self.unknown.get(name)) {
                    return self.not_known(name);
                }
                let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
                Ok(elements.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
        }
    }

    /// A map of texts.
    pub(crate) fn map(&self, name: &str) -> Read<Vec<(String, String)>> {
        match self.field(name) {
            Field::Missing => Ok(Vec::new()),
            Field::Unknown => self.not_known(name),
            Field::Known(value) => {
                if any_unknown(self.unknown.get(name)) {
                    return self.not_known(name);
                }
                let text = |value: &Value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let members = value.as_object().into_iter().flatten();
                Ok(members.map(|(name, value)| (name.clone(), text(value))).collect())
            }
        }
    }

    /// Nested blocks. Expressions are matched by position only where lists and configuration agree in length.
    pub(crate) fn blocks(&self, name: &str) -> Read<Vec<Block<'s, 'p>>> {
        let value = match self.field(name) {
            Field::Missing => return Ok(Vec::new()),
            Field::Unknown => return self.not_known(name),
            Field::Known(value) => value,
        };
        let one = std::slice::from_ref(value);
        let elements = value.as_array().map_or(one, Vec::as_slice);
        let expressions = self.expressions.get(name).and_then(Value::as_array);
        let expressions = expressions.filter(|expressions| expressions.len() == elements.len());
        let unknown = self.unknown.get(name);
        let nested = elements.iter().enumerate().map(|(index, values)| Block {
            values,
            unknown: unknown.and_then(|unknown| unknown.get(index).or(Some(unknown))).unwrap_or(&Value::Null),
            expressions: expressions.and_then(|list| list.get(index)).unwrap_or(&Value::Null),
            ..*self
        });
        Ok(nested.collect())
    }

    /// The one nested block, where there is one.
    pub(crate) fn nested(&self, name: &str) -> Read<Option<Block<'s, 'p>>> {
        Ok(self.blocks(name)?.into_iter().next())
    }

    /// A policy document.
    pub(crate) fn document(&self, name: &str) -> Read<Document> {
        match self.field(name) {
            Field::Missing => Ok(Document::Missing),
            Field::Known(value) => Ok(document::parse(value)),
            Field::Unknown => {
                let expression = self.expressions.get(name);
                let references = expression
                    .and_then(|expression| self.symbols.references(self.resource.module, expression))
                    .unwrap_or_default();
                let [one] = references.as_slice() else { return self.not_known(name) };
                let source = self.symbols.resource(one).filter(|source| {
                    source.kind == "aws_iam_policy_document"
                        && matches!(one.attribute.as_str(), "json" | "minified_json")
                });
                source
                    .and_then(|source| document::of_data_source(&source.block(self.symbols)).ok())
                    .map(Document::Stated)
                    .ok_or_else(|| NotKnown(name.to_owned()))
            }
        }
    }
}

/// Whether anything below is known only after apply.
pub(crate) fn any_unknown(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(unknown)) => *unknown,
        Some(Value::Array(elements)) => elements.iter().any(|element| any_unknown(Some(element))),
        Some(Value::Object(members)) => members.values().any(|member| any_unknown(Some(member))),
        _ => false,
    }
}
