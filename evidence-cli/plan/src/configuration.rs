//! The configuration inside a plan: which expression refers to which resource, across modules.
//!
//! An expression is given as the list of what it refers to, not as what it says. One that refers to exactly one
//! attribute of one resource is taken to be that attribute; callers ask only where nothing is ever composed.

use serde_json::Value;

/// How many modules an expression is followed through.
const MAXIMUM_HOPS: usize = 16;

/// What an expression refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The module's address without indices; empty for the root module.
    pub(crate) module: String,
    /// `aws_kms_key.data`, `data.aws_iam_policy_document.key`, with the index where it names one.
    pub(crate) resource: String,
    /// `arn`.
    pub(crate) attribute: String,
}

/// The configuration of all modules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configuration<'p> {
    value: &'p Value,
}

impl<'p> Configuration<'p> {
    pub(crate) const fn new(value: &'p Value) -> Self {
        Self { value }
    }

    /// The expressions of a resource, or `null`.
    pub(crate) fn expressions(&self, module: &str, data: bool, kind: &str, name: &str) -> &'p Value {
        self.resource(module, data, kind, name)
            .and_then(|found| found.get("expressions"))
            .unwrap_or(&Value::Null)
    }

    /// The expressions of the provider configuration that a resource uses, or `null`.
    pub(crate) fn provider(&self, module: &str, data: bool, kind: &str, name: &str) -> &'p Value {
        let key = self.resource(module, data, kind, name).and_then(|found| found.get("provider_config_key"));
        let provider = key.and_then(Value::as_str).and_then(|key| {
            let configurations = self.value.get("provider_config")?;
            configurations.get(key).or_else(|| configurations.get(key.rsplit(':').next()?))
        });
        provider.and_then(|provider| provider.get("expressions")).unwrap_or(&Value::Null)
    }

    fn resource(&self, module: &str, data: bool, kind: &str, name: &str) -> Option<&'p Value> {
        let mode = if data { "data" } else { "managed" };
        self.module(module)?.get("resources")?.as_array()?.iter().find(|resource| {
            let is = |member: &str, text: &str| resource.get(member).and_then(Value::as_str) == Some(text);
            is("type", kind) && is("name", name) && is("mode", mode)
        })
    }

    /// The module with this address, indices aside.
    fn module(&self, address: &str) -> Option<&'p Value> {
        let mut module = self.value.get("root_module")?;
        for name in steps(address) {
            module = module.get("module_calls")?.get(name)?.get("module")?;
        }
        Some(module)
    }

    /// The call of the module with this address.
    fn call(&self, address: &str) -> Option<&'p Value> {
        let steps = steps(address);
        let (name, parents) = steps.split_last()?;
        let mut module = self.value.get("root_module")?;
        for parent in parents {
            module = module.get("module_calls")?.get(parent)?.get("module")?;
        }
        module.get("module_calls")?.get(name)
    }

    /// Every attribute of a resource that an expression refers to; `None` when it refers to anything whose
    /// resource cannot be told (locals, loops, variables of the root module, functions of several things).
    pub(crate) fn references(&self, module: &str, expression: &Value) -> Option<Vec<Reference>> {
        let mut found = Vec::new();
        self.follow(&plain(module), expression, 0, &mut found)?;
        found.dedup();
        (!found.is_empty()).then_some(found)
    }

    fn follow(
        &self,
        module: &str,
        expression: &Value,
        hops: usize,
        found: &mut Vec<Reference>,
    ) -> Option<()> {
        if hops > MAXIMUM_HOPS {
            return None;
        }
        let texts: Vec<&str> =
            expression.get("references")?.as_array()?.iter().filter_map(Value::as_str).collect();
        for (index, text) in texts.iter().enumerate() {
            // `a.b.arn` is followed by `a.b`, which says nothing more.
            let prefix =
                |longer: &&str| longer.strip_prefix(text).is_some_and(|rest| rest.starts_with(['.', '[']));
            if texts.iter().take(index).any(prefix) {
                continue;
            }
            self.one(module, text, hops, found)?;
        }
        Some(())
    }

    fn one(&self, module: &str, text: &str, hops: usize, found: &mut Vec<Reference>) -> Option<()> {
        let hops = hops.saturating_add(1);
        if let Some(rest) = text.strip_prefix("var.") {
            let variable = rest.split(['.', '[']).next()?;
            let expression = self.call(module)?.get("expressions")?.get(variable)?;
            return self.follow(&parent(module), expression, hops, found);
        }
        if let Some(rest) = text.strip_prefix("module.") {
            let (name, output) = rest.split_once('.')?;
            let name = name.split('[').next()?;
            let child =
                if module.is_empty() { format!("module.{name}") } else { format!("{module}.module.{name}") };
            let output = output.split(['.', '[']).next()?;
            let expression = self.module(&child)?.get("outputs")?.get(output)?.get("expression")?;
            return self.follow(&child, expression, hops, found);
        }
        if ["local.", "each.", "count.", "path.", "terraform.", "self."]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            return None;
        }
        let (data, rest) = text.strip_prefix("data.").map_or((false, text), |rest| (true, rest));
        let (kind, rest) = rest.split_once('.')?;
        let end = attribute_start(rest)?;
        let (name, attribute) = (rest.get(..end)?, rest.get(end.saturating_add(1)..)?);
        // Whom a machine runs as is the one nested attribute that others refer to for what it is.
        let nested = attribute.contains(['.', '[']) && attribute != "identity[0].principal_id";
        if attribute.is_empty() || nested {
            return None;
        }
        found.push(Reference {
            module: module.to_owned(),
            resource: format!("{}{kind}.{name}", if data { "data." } else { "" }),
            attribute: attribute.to_owned(),
        });
        Some(())
    }
}

/// Where the dot before the attribute stands, outside of any index.
fn attribute_start(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, character) in text.char_indices() {
        match character {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => return Some(position),
            _ => {}
        }
    }
    None
}

/// The names of the modules on the way to this one.
fn steps(address: &str) -> Vec<String> {
    plain(address).split("module.").map(|step| step.trim_end_matches('.').to_owned()).skip(1).collect()
}

/// A module's address without indices.
pub(crate) fn plain(address: &str) -> String {
    let mut depth = 0_usize;
    let mut text = String::new();
    for character in address.chars() {
        match character {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(character),
            _ => {}
        }
    }
    text
}

fn parent(module: &str) -> String {
    module.rfind("module.").and_then(|at| module.get(..at)).unwrap_or("").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(module: &str, references: &[&str], expected: Option<&[(&str, &str, &str)]>) {
        let document = json!({"root_module": {
            "module_calls": {"keys": {
                "expressions": {"administrator": {"references": ["aws_iam_role.admin.arn", "aws_iam_role.admin"]}},
                "module": {
                    "outputs": {"arn": {"expression": {"references": ["aws_kms_key.this.arn", "aws_kms_key.this"]}}},
                    "module_calls": {"deep": {
                        "expressions": {"who": {"references": ["var.administrator"]}}, "module": {}}}}}}}});
        let found = Configuration::new(&document).references(module, &json!({"references": references}));
        let found = found
            .map(|found| found.into_iter().map(|r| (r.module, r.resource, r.attribute)).collect::<Vec<_>>());
        let expected = expected.map(|expected| {
            expected.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_reference_is_followed_to_its_resource() {
        check("", &["aws_kms_key.a.arn", "aws_kms_key.a"], Some(&[("", "aws_kms_key.a", "arn")]));
        check("", &["aws_kms_key.a[0].arn", "aws_kms_key.a[0]"], Some(&[("", "aws_kms_key.a[0]", "arn")]));
        check("", &["module.keys.arn", "module.keys"], Some(&[("module.keys", "aws_kms_key.this", "arn")]));
        check("module.keys", &["var.administrator"], Some(&[("", "aws_iam_role.admin", "arn")]));
        check("module.keys.module.deep", &["var.who"], Some(&[("", "aws_iam_role.admin", "arn")]));
        check("module.keys[\"a.b\"]", &["var.administrator"], Some(&[("", "aws_iam_role.admin", "arn")]));
        check(
            "",
            &["data.aws_iam_policy_document.key.json", "data.aws_iam_policy_document.key"],
            Some(&[("", "data.aws_iam_policy_document.key", "json")]),
        );
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        check("", &["local.key"], None);
        check("", &["each.value"], None);
        check("", &["var.key"], None);
        check("", &["aws_kms_key.a"], None);
        check("", &["module.other.arn", "module.other"], None);
        check("", &["aws_kms_key.a.arn", "local.b"], None);
        check("", &[], None);
    }
}
