//! The plan file: bounded, of a known version, and whole.

use std::collections::BTreeMap;

use cadastre_model::Timestamp;
use serde_json::Value;

use crate::error::PlanError;
use crate::strict::Strict;

/// The most bytes that are read as one plan.
const MAXIMUM_BYTES: usize = 128 << 20;

/// The most resources that are read, before and after together.
const MAXIMUM_RESOURCES: usize = 200_000;

/// A plan as `terraform show -json` prints it, read but not interpreted.
#[derive(Debug)]
pub struct Plan {
    /// The whole document.
    document: Value,
    /// When the plan was made, where it says so (format 1.2 and newer).
    pub(crate) made_at: Option<Timestamp>,
}

/// One resource of the plan, on both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResourceChange<'p> {
    /// `module.data.aws_s3_bucket.records["eu"]`.
    pub(crate) address: &'p str,
    /// `aws_s3_bucket`.
    pub(crate) kind: &'p str,
    /// `aws_s3_bucket.records` without module and index.
    pub(crate) name: &'p str,
    /// `module.data`, empty for the root module; indices included.
    pub(crate) module: &'p str,
    /// Whether it is a data source.
    pub(crate) data: bool,
    /// `null` when it does not exist yet.
    pub(crate) before: &'p Value,
    /// `null` when it will be gone.
    pub(crate) after: &'p Value,
    /// `true` wherever the value after is known only after apply.
    pub(crate) after_unknown: &'p Value,
    /// Whether anything happens to it.
    pub(crate) changes: bool,
}

impl Plan {
    /// Reads the output of `terraform show -json PLANFILE`, or of `tofu show -json`.
    ///
    /// # Errors
    /// When it is too large, not JSON, nested more than 128 levels, has an object with two members of one name, is
    /// of another format or version, or says that planning failed.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > MAXIMUM_BYTES {
            return Err(PlanError::TooLarge { found: bytes.len(), allowed: MAXIMUM_BYTES });
        }
        let Strict(document) = serde_json::from_slice(bytes)?;
        let version = document.get("format_version").and_then(Value::as_str).unwrap_or_default();
        if version.split('.').next() != Some("1") {
            return Err(PlanError::Version { found: version.to_owned() });
        }
        if document.get("errored").and_then(Value::as_bool) == Some(true) {
            return Err(PlanError::Errored);
        }
        let changes = document.get("resource_changes").ok_or(PlanError::NoChanges)?;
        let changes = changes.as_array().ok_or_else(|| shape("/resource_changes", "an array"))?;
        if changes.len() > MAXIMUM_RESOURCES {
            return Err(PlanError::TooMany { found: changes.len(), allowed: MAXIMUM_RESOURCES });
        }
        let made_at = match document.get("timestamp").and_then(Value::as_str) {
            Some(text) => Some(text.parse::<Timestamp>()?.truncated_to_seconds()),
            None => None,
        };
        let plan = Self { document, made_at };
        plan.changes()?;
        plan.prior()?;
        Ok(plan)
    }

    /// Every resource that the plan names: those that change, those that do not, and data sources that are
    /// read during apply.
    pub(crate) fn changes(&self) -> Result<Vec<ResourceChange<'_>>, PlanError> {
        let changes = self.document.get("resource_changes").and_then(Value::as_array);
        let changes = changes.ok_or(PlanError::NoChanges)?;
        changes.iter().enumerate().map(|(index, change)| resource_change(index, change)).collect()
    }

    /// What the state held before, by address: data sources that were already read among it.
    pub(crate) fn prior(&self) -> Result<Vec<ResourceChange<'_>>, PlanError> {
        let mut found = Vec::new();
        let root = self.document.pointer("/prior_state/values/root_module");
        if let Some(root) = root {
            gather(root, "", 0, &mut found)?;
        }
        Ok(found)
    }

    /// The configuration, or `null`.
    pub(crate) fn configuration(&self) -> &Value {
        self.document.get("configuration").unwrap_or(&Value::Null)
    }

    /// The value of an input variable of the root module.
    pub(crate) fn variable(&self, name: &str) -> Option<&Value> {
        self.document.get("variables")?.get(name)?.get("value")
    }

    /// Resources whose changes Terraform put off to a later plan, with the reason it gives.
    pub(crate) fn deferred(&self) -> BTreeMap<&str, &str> {
        let deferred = self.document.get("deferred_changes").and_then(Value::as_array);
        deferred
            .into_iter()
            .flatten()
            .filter_map(|change| {
                let address = change.pointer("/resource_change/address")?.as_str()?;
                Some((address, change.get("reason").and_then(Value::as_str).unwrap_or("deferred")))
            })
            .collect()
    }
}

fn shape(pointer: &str, expected: &'static str) -> PlanError {
    PlanError::Shape { pointer: pointer.to_owned(), expected }
}

fn text<'p>(value: &'p Value, member: &str, pointer: &str) -> Result<&'p str, PlanError> {
    value.get(member).and_then(Value::as_str).ok_or_else(|| shape(&format!("{pointer}/{member}"), "a string"))
}

fn object_or_null<'p>(value: Option<&'p Value>, pointer: &str) -> Result<&'p Value, PlanError> {
    match value {
        None | Some(Value::Null) => Ok(&Value::Null),
        Some(value @ Value::Object(_)) => Ok(value),
        Some(_) => Err(shape(pointer, "an object or null")),
    }
}

fn resource_change(index: usize, value: &Value) -> Result<ResourceChange<'_>, PlanError> {
    let pointer = format!("/resource_changes/{index}");
    let change = value.get("change").ok_or_else(|| shape(&format!("{pointer}/change"), "an object"))?;
    let actions = change.get("actions").and_then(Value::as_array);
    let actions = actions.ok_or_else(|| shape(&format!("{pointer}/change/actions"), "an array"))?;
    Ok(ResourceChange {
        address: text(value, "address", &pointer)?,
        kind: text(value, "type", &pointer)?,
        name: text(value, "name", &pointer)?,
        module: value.get("module_address").and_then(Value::as_str).unwrap_or_default(),
        data: value.get("mode").and_then(Value::as_str) == Some("data"),
        before: object_or_null(change.get("before"), &format!("{pointer}/change/before"))?,
        after: object_or_null(change.get("after"), &format!("{pointer}/change/after"))?,
        after_unknown: change.get("after_unknown").unwrap_or(&Value::Null),
        changes: actions.iter().any(|action| !matches!(action.as_str(), Some("no-op" | "read"))),
    })
}

/// The resources of a module of the state and of those below it.
fn gather<'p>(
    module: &'p Value,
    address: &'p str,
    depth: usize,
    found: &mut Vec<ResourceChange<'p>>,
) -> Result<(), PlanError> {
    const POINTER: &str = "/prior_state/values";
    for resource in module.get("resources").and_then(Value::as_array).into_iter().flatten() {
        let values = object_or_null(resource.get("values"), POINTER)?;
        found.push(ResourceChange {
            address: text(resource, "address", POINTER)?,
            kind: text(resource, "type", POINTER)?,
            name: text(resource, "name", POINTER)?,
            module: address,
            data: resource.get("mode").and_then(Value::as_str) == Some("data"),
            before: values,
            after: values,
            after_unknown: &Value::Null,
            changes: false,
        });
        if found.len() > MAXIMUM_RESOURCES {
            return Err(PlanError::TooMany { found: found.len(), allowed: MAXIMUM_RESOURCES });
        }
    }
    for child in module.get("child_modules").and_then(Value::as_array).into_iter().flatten() {
        gather(child, text(child, "address", POINTER)?, depth.saturating_add(1), found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = Plan::parse(text.as_bytes()).unwrap_err();
        let mut words = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            words = format!("{words}: {cause}");
            source = cause.source();
        }
        assert!(words.contains(expected), "{words}");
    }

    #[test]
    fn what_is_no_plan_is_refused_by_name() {
        refused("", "not the output of");
        refused("[]", "format_version is ``");
        refused(r#"{"format_version": "2.0", "resource_changes": []}"#, "`2.0`");
        refused(r#"{"format_version": "1.2", "values": {}}"#, "no resource_changes");
        refused(r#"{"format_version": "1.2", "errored": true, "resource_changes": []}"#, "errored");
        refused(r#"{"format_version": "1.2", "resource_changes": {}}"#, "`/resource_changes`");
        refused(r#"{"format_version": "1.2", "resource_changes": [{}]}"#, "/resource_changes/0/change");
        refused(r#"{"format_version": "1.2", "timestamp": "now", "resource_changes": []}"#, "not a time");
    }

    #[test]
    fn two_members_of_one_name_are_refused_at_any_depth() {
        refused(
            r#"{"format_version": "1.2", "format_version": "1.2", "resource_changes": []}"#,
            "two members",
        );
        refused(r#"{"format_version": "1.2", "resource_changes": [], "a": [{"b": 1, "b": 2}]}"#, "`b`");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!(r#"{{"format_version": "1.2", "a": {}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        refused(&deep, "recursion limit");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_and_not_skipped() {
        refused(
            r#"{"format_version": "1.2", "resource_changes": [{"address": "a.b", "type": "a", "name": "b",
                "change": {"actions": ["create"], "before": null, "after": 7}}]}"#,
            "change/after` is not an object or null",
        );
    }
}
